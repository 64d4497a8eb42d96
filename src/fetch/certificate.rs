//! What people want to know of a server's certificate: who signed it, and until when it is valid.
//!
//! Nothing is decided by what is read here: TLS has judged the certificate before.

use super::error::quoted;
use crate::clock::Time;

/// The tags of X.690 that occur on the way (§8).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, in which the version stands.
const VERSION: u8 = 0xa0;
/// UTF8String, NumericString, PrintableString, TeletexString, IA5String.
const TEXTS: [u8; 5] = [0x0c, 0x12, 0x13, 0x14, 0x16];
/// id-at-commonName and id-at-organizationName (RFC 5280 §A.1).
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];

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
        let (certificate, _) = expect(SEQUENCE, der)?;
        let (body, _) = expect(SEQUENCE, certificate)?;
        let rest = match element(body)? {
            (VERSION, _, rest) => rest,
            _ => body,
        };
        let (_, _, rest) = element(rest)?;
        let (_, rest) = expect(SEQUENCE, rest)?;
        let (issuer, rest) = expect(SEQUENCE, rest)?;
        let (validity, _) = expect(SEQUENCE, rest)?;
        let (_, _, rest) = element(validity)?;
        let (tag, end, _) = element(rest)?;
        Some(Self { signed_by: names(issuer), valid_until: time(tag, end)? })
    }
}

/// Common name and organisation of an `RDNSequence`.
fn names(mut sequence: &[u8]) -> String {
    let (mut common, mut organization) = (None, None);
    while let Some((set, rest)) = expect(SET, sequence) {
        sequence = rest;
        let Some((attribute, _)) = expect(SEQUENCE, set) else { continue };
        let Some((kind, value)) = expect(OBJECT_IDENTIFIER, attribute) else { continue };
        let text = element(value).filter(|(tag, ..)| TEXTS.contains(tag));
        let text = text.map(|(_, text, _)| quoted(&String::from_utf8_lossy(text)));
        if kind == COMMON_NAME {
            common = text;
        } else if kind == ORGANIZATION {
            organization = text;
        }
    }
    match (common, organization) {
        (Some(common), Some(organization)) => format!("{common} of {organization}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "an authority without a name".to_owned(),
    }
}

/// `Time` of RFC 5280 §4.1.2.5: two digits of a year from 1950 on, or four.
fn time(tag: u8, text: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits = match tag {
        UTC_TIME if text.len() == 12 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to);
    Time::from_rfc3339(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    ))
}

/// Content of the first element, if it has this tag, and what follows it.
fn expect(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Tag and content of the first element, and what follows it (X.690 §8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long & 0x7f).filter(|(bytes, _)| bytes.len() <= 4)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
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
