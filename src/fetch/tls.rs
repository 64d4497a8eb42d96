//! Whose certificate a fetch believes, and which one it shows.

use std::sync::Arc;

use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::workload::WorkloadVerifier;
use crate::keys::ServerIdentity;

/// How TLS is spoken to one URL.
#[derive(Default)]
pub(super) struct Tls {
    /// The only authorities believed, DER; none are the system's.
    pub(super) authorities: Option<Vec<CertificateDer<'static>>>,
    /// Who the server must be.
    pub(super) server: ServerIdentity,
    /// What is shown to a server that asks.
    pub(super) client: Option<ClientPem>,
}

/// A certificate chain and its private key, as PEM.
pub(super) struct ClientPem {
    pub(super) chain: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Tls {
    /// Whether this is what a public issuer needs, and one client can serve all.
    pub(super) fn is_plain(&self) -> bool {
        self.authorities.is_none() && self.client.is_none() && !matches!(self.server, ServerIdentity::Spiffe(_))
    }

    /// Sets `builder` up, or says to people what cannot be used.
    pub(super) fn apply(self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let (id, host_too) = match (&self.server, &self.authorities) {
            // A SPIFFE ID proves nothing under the system's authorities: anybody may get one certified there.
            (ServerIdentity::Host, _) | (ServerIdentity::HostOr(_), None) => return self.by_host(builder),
            (ServerIdentity::HostOr(id), Some(_)) => (id.clone(), true),
            (ServerIdentity::Spiffe(id), _) => (id.clone(), false),
        };
        let authorities = self.authorities.unwrap_or_default();
        if authorities.is_empty() {
            return Err(format!("no authority is known that may certify {id}: name one in caFile"));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WorkloadVerifier::new(authorities, &provider, id, host_too);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.client {
            Some(pem) => {
                let (chain, key) = pem.parsed()?;
                config.with_client_auth_cert(chain, key).map_err(unusable)?
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(builder.tls_backend_preconfigured(config))
    }

    fn by_host(self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let builder = match self.client {
            Some(pem) => {
                // Parsed for its better words, and because the client below would take a key without a certificate.
                pem.parsed()?;
                let joined = [pem.chain.as_slice(), b"\n", pem.key.as_slice()].concat();
                builder.identity(Identity::from_pem(&joined).map_err(unusable)?)
            }
            None => builder,
        };
        let Some(authorities) = self.authorities else { return Ok(builder) };
        let read = authorities.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
        Ok(builder.tls_certs_only(read.map_err(|error| error.to_string())?))
    }
}

impl ClientPem {
    fn parsed(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain = certificates(&self.chain).ok_or("the client certificate is no PEM certificate (clientCertFile)")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| "the client key is no PEM private key (clientKeyFile)")?;
        Ok((chain, key))
    }
}

/// The certificates of a PEM file, if there is at least one and none is damaged.
pub(super) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}

fn unusable(error: impl std::fmt::Display) -> String {
    format!(
        "the client certificate and key cannot be used ({error}): do clientCertFile and clientKeyFile belong together?"
    )
}
