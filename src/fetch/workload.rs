//! Servers that prove a SPIFFE ID instead of a host name (`https_spiffe`, SPIFFE Federation §5.2.2).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::error::quoted;
use crate::certificate::Certificate;

/// Believes a certificate under the given authorities, in its time, that holds exactly one URI: the expected ID,
/// byte for byte (X509-SVID §2, §4.1).
#[derive(Debug)]
pub(super) struct WorkloadVerifier {
    authorities: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    id: String,
    /// Whether the host name in its stead is as good.
    host_too: bool,
}

impl WorkloadVerifier {
    /// An authority that cannot be read certifies nothing.
    pub(super) fn new(
        authorities: Vec<CertificateDer<'static>>,
        provider: &CryptoProvider,
        id: String,
        host_too: bool,
    ) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(authorities);
        Self { authorities: store, algorithms: provider.signature_verification_algorithms, id, host_too }
    }

    fn check_id(&self, end_entity: &CertificateDer<'_>) -> Result<(), WrongWorkload> {
        let shown = |uri: &str| quoted(uri).trim_matches('"').to_owned();
        let wrong = |found: String| Err(WrongWorkload { found, expected: self.id.clone() });
        let Some(certificate) = Certificate::read(end_entity) else { return wrong("nobody".to_owned()) };
        match certificate.uris.as_slice() {
            [only] if *only == self.id => Ok(()),
            [only] => wrong(shown(only)),
            [first, second, ..] => wrong(format!("several IDs, {} and {}", shown(first), shown(second))),
            [] => wrong("no SPIFFE ID at all".to_owned()),
        }
    }
}

impl ServerCertVerifier for WorkloadVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.authorities,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        if self.host_too && verify_server_name(&certificate, server_name).is_ok() {
            return Ok(ServerCertVerified::assertion());
        }
        match self.check_id(end_entity) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(wrong) => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(wrong))))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate that was believed, but is somebody else's.
#[derive(Debug)]
pub(super) struct WrongWorkload {
    found: String,
    expected: String,
}

impl WrongWorkload {
    /// The one that a TLS error carries.
    pub(super) fn under(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for WrongWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate is for {}, not for {}", self.found, self.expected)
    }
}

impl std::error::Error for WrongWorkload {}
