//! What an X.509 certificate says.
//!
//! In: a certificate in DER, from whoever shows it. Out: its names and its times, or that it cannot be read in one
//! way. Whether it is to be believed is for TLS to judge; nothing here verifies anything.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AttributeTypeAndValue;

use crate::clock::Time;

/// A name of an authority is told up to so many characters.
const TOLD: usize = 200;

/// The facts of a certificate (RFC 5280 §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// The URIs among its subject alternative names (§4.2.1.6), as their bytes say: a NUL is a byte like any other.
    pub uris: Vec<String>,
    /// The DNS names among them.
    pub dns: Vec<String>,
    /// The names of the authority that signed it, escaped, cut and in quotes.
    pub signed_by: String,
    /// The first second in which it is valid.
    pub not_before: Time,
    /// The last second.
    pub not_after: Time,
    /// The serial number in hexadecimal, with colons.
    pub serial: String,
}

impl Certificate {
    /// Reads one certificate in DER. One of which a subject alternative name cannot be read is none: that name might be
    /// the one that counts.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let extension = certificate.subject_alternative_name().ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (mut uris, mut dns) = (Vec::new(), Vec::new());
        for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::URI(uri) => uris.push((*uri).to_owned()),
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::Invalid(..) => return None,
                _ => {}
            }
        }
        let validity = certificate.validity();
        Some(Self {
            uris,
            dns,
            signed_by: authority(&certificate),
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
            serial: certificate.raw_serial_as_string(),
        })
    }
}

fn authority(certificate: &X509Certificate<'_>) -> String {
    let issuer = certificate.issuer();
    let text = |attribute: Option<&AttributeTypeAndValue<'_>>| {
        let cut: String = attribute?.as_str().ok()?.chars().take(TOLD).collect();
        Some(format!("\"{}\"", cut.escape_debug()))
    };
    match (text(issuer.iter_common_name().next()), text(issuer.iter_organization().next())) {
        (Some(name), Some(organization)) => format!("{name} of {organization}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "an authority without a name".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of any certificate stay below 2^53")]
const fn time(seconds: i64) -> Time {
    Time::from_seconds(seconds as f64)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(year: i32, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["idp.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 9);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_authority_and_the_end_are_read() {
        for (year, end) in [(2027, "2027-03-09T00:00:00.000Z"), (2077, "2077-03-09T00:00:00.000Z")] {
            let der = certificate(year, |params| {
                params.distinguished_name.push(DnType::CommonName, "R\u{1b}11");
                params.distinguished_name.push(DnType::OrganizationName, "Acme");
            });
            let read = Certificate::read(&der).unwrap();
            assert_eq!(read.not_after.to_string(), end);
            assert_eq!(read.signed_by, r#""R\u{1b}11" of "Acme""#);
        }
    }

    #[test]
    fn what_is_cut_anywhere_is_no_certificate_and_no_panic() {
        let der = certificate(2027, |_| ());
        assert!(Certificate::read(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(Certificate::read(der.get(..length).unwrap()), None);
        }
        for at in 0..200.min(der.len()) {
            let mut twisted = der.clone();
            twisted[at] ^= 0xff;
            let _ = Certificate::read(&twisted);
        }
    }
}
