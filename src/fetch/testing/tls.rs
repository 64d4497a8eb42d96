//! Certificates, and servers that show and ask for them.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, Issuer, KeyPair, SanType};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

/// A certificate and its key.
pub(crate) struct Certificate {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Certificate {
    /// For one name, signed by itself: its own authority.
    pub(crate) fn of(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Self { certificate: cert, key: signing_key }
    }

    /// The same, expired in 2001.
    pub(crate) fn expired(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self { certificate: parameters(&[name], true).self_signed(&key).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// Who signs the certificates of others. All have one name, so only their keys tell them apart.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    /// A certificate for these names; one that begins `spiffe:` is a URI.
    pub(crate) fn sign(&self, names: &[&str]) -> Certificate {
        self.signed(parameters(names, false))
    }

    /// The same, expired in 2001.
    pub(crate) fn sign_expired(&self, names: &[&str]) -> Certificate {
        self.signed(parameters(names, true))
    }

    fn signed(&self, parameters: CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        Certificate { certificate: parameters.signed_by(&key, &self.issuer).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }
}

fn parameters(names: &[&str], expired: bool) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let name = |name: &&str| match name.starts_with("spiffe:") {
        true => SanType::URI((*name).try_into().unwrap()),
        false => SanType::DnsName((*name).try_into().unwrap()),
    };
    parameters.subject_alt_names = names.iter().map(name).collect();
    if expired {
        parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    parameters
}

/// Speaks TLS with `certificate`, and asks clients for one signed by `clients` without insisting.
pub(super) fn acceptor(certificate: &Certificate, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut store = RootCertStore::empty();
            store.add(authority.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.certificate.der().clone()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
