//! Certificates for unit tests.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, SanType};

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
