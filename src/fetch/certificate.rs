//! What people want to know of a server's certificate: who signed it, and until when it is valid.
//!
//! Nothing is decided by what is read here: TLS has judged the certificate before.

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AttributeTypeAndValue;

use super::error::quoted;
use crate::clock::Time;

/// Two facts of an X.509 certificate (RFC 5280 §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// The names of the authority, escaped, cut and in quotes.
    pub signed_by: String,
    /// `notAfter`.
    pub valid_until: Time,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let issuer = certificate.issuer();
        let text = |attribute: Option<&AttributeTypeAndValue<'_>>| attribute?.as_str().ok().map(quoted);
        let signed_by = match (text(issuer.iter_common_name().next()), text(issuer.iter_organization().next())) {
            (Some(name), Some(organization)) => format!("{name} of {organization}"),
            (Some(name), None) | (None, Some(name)) => name,
            (None, None) => "an authority without a name".to_owned(),
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of any date are far below 2^53")]
        let valid_until = Time::from_seconds(certificate.validity().not_after.timestamp() as f64);
        Some(Self { signed_by, valid_until })
    }
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
            assert_eq!(read.valid_until.to_string(), end);
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
