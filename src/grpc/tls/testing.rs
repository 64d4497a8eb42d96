//! Certificates for unit tests.

use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, SanType};

use super::{Tls, TlsFiles};
use crate::clock::Clock;
use crate::observe::HandshakeCounts;

/// TLS without clients' certificates, from files in `dir`.
pub(super) fn tls_in(dir: &Path) -> Tls {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["credence.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (certificate, private) = (dir.join("own.pem"), dir.join("own.key"));
    std::fs::write(&certificate, own.pem()).unwrap();
    std::fs::write(&private, key.serialize_pem()).unwrap();
    let files = TlsFiles::from_flags(Some(certificate), Some(private), None, Vec::new()).unwrap().unwrap();
    Tls::load(files, Clock::System, HandshakeCounts::default()).unwrap()
}

/// A name to put into a certificate, sound or not.
#[derive(Debug, Clone, Copy)]
pub(super) enum San<'a> {
    Uri(&'a str),
    Dns(&'a str),
}

/// A self-signed certificate with these names, in DER.
pub(super) fn certificate_with(names: &[San<'_>]) -> Vec<u8> {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            San::Uri(uri) => SanType::URI(text(uri)),
            San::Dns(name) => SanType::DnsName(text(name)),
        })
        .collect();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}
