//! Which certificates may ask: exact names, compared byte for byte.

use std::fmt;
use std::str::FromStr;

use crate::certificate::Certificate;
use crate::claims;

/// The longest name of a certificate that is told in a log.
const TOLD: usize = 256;

/// One `--allow-peer`: a subject alternative name (RFC 5280 §4.2.1.6) that a client's certificate must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// `any`: whatever the authority signed.
    Any,
    /// A SPIFFE ID, `spiffe://trust-domain/path`. The certificate must carry it as its only URI (X509-SVID §2).
    Spiffe(String),
    /// Another URI.
    Uri(String),
    /// A DNS name.
    Dns(String),
}

/// Why a name is none that a certificate could be held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerError(&'static str);

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for PeerError {}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" {
            return Ok(Self::Any);
        }
        if text.contains('*') {
            return Err(PeerError(
                "no wildcards: write out each name, or `any` for every certificate of the authority",
            ));
        }
        if text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:")) {
            let sound = claims::trust_domain(text).is_some();
            return sound.then(|| Self::Spiffe(text.to_owned())).ok_or(PeerError(
                "not a SPIFFE ID: write spiffe://trust-domain/path, in the case in which it was issued, \
                 without a slash at the end",
            ));
        }
        if text.contains("://") && !text.starts_with("dns:") {
            let sound = text.bytes().all(|byte| byte.is_ascii_graphic());
            return sound.then(|| Self::Uri(text.to_owned())).ok_or(PeerError("a URI has no blanks in it"));
        }
        let name = text.strip_prefix("dns:").unwrap_or(text);
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Err(PeerError("an address proves nobody: name the DNS name or the SPIFFE ID of the certificate"));
        }
        let sound = is_dns_name(name);
        sound.then(|| Self::Dns(name.to_owned())).ok_or(PeerError(
            "neither a SPIFFE ID such as spiffe://acme.test/ns/gateways/sa/envoy, nor a DNS name such as \
             gateway.acme.test, nor `any`",
        ))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Spiffe(name) | Self::Uri(name) | Self::Dns(name) => name,
        })
    }
}

fn is_dns_name(text: &str) -> bool {
    let in_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() <= 253 && text.split('.').all(|label| !label.is_empty() && label.bytes().all(in_label))
}

/// Why a certificate, though its authority is right, may not ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAllowed {
    /// It cannot be read, or its names cannot.
    Unreadable,
    /// It carries these names, in the form for a log.
    Other(String),
    /// It carries an allowed SPIFFE ID, and other URIs beside it.
    NotAlone(String),
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("the names in the client's certificate cannot be read"),
            Self::Other(names) if names.is_empty() => {
                f.write_str("the client's certificate carries neither a URI nor a DNS name for --allow-peer")
            }
            Self::NotAlone(names) => write!(
                f,
                "the client's certificate is for {names}: a SPIFFE ID counts only as the one URI of a certificate"
            ),
            Self::Other(names) => write!(f, "the client's certificate is for {names}, which no --allow-peer allows"),
        }
    }
}

impl std::error::Error for NotAllowed {}

/// The peers that may ask; at least one.
#[derive(Debug, Clone)]
pub(super) struct Allowed(Vec<Peer>);

impl Allowed {
    pub(super) const fn new(peers: Vec<Peer>) -> Self {
        Self(peers)
    }

    /// The name by which this certificate (DER) may ask. Its signature and its times are for others to judge.
    pub(super) fn admit(&self, certificate: &[u8]) -> Result<String, NotAllowed> {
        let names = Names::of(certificate)?;
        let admitted = self.0.iter().find(|peer| names.hold(peer));
        match admitted {
            Some(Peer::Any) => Ok(names.told()),
            Some(peer) => Ok(peer.to_string()),
            None if self.0.iter().any(|peer| names.hold_among_others(peer)) => Err(NotAllowed::NotAlone(names.told())),
            None => Err(NotAllowed::Other(names.told())),
        }
    }
}

/// The names of a certificate.
struct Names {
    uris: Vec<String>,
    dns: Vec<String>,
}

impl Names {
    fn of(certificate: &[u8]) -> Result<Self, NotAllowed> {
        let Certificate { uris, dns, .. } = Certificate::read(certificate).ok_or(NotAllowed::Unreadable)?;
        Ok(Self { uris, dns })
    }

    fn hold(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Any => true,
            Peer::Spiffe(id) => matches!(self.uris.as_slice(), [only] if only == id),
            Peer::Uri(uri) => self.uris.contains(uri),
            Peer::Dns(name) => self.dns.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    fn hold_among_others(&self, peer: &Peer) -> bool {
        matches!(peer, Peer::Spiffe(id) if self.uris.contains(id))
    }

    /// For a log: written by whoever asked for the certificate, so escaped and cut.
    fn told(&self) -> String {
        let all: Vec<&str> = self.uris.iter().chain(&self.dns).map(String::as_str).collect();
        all.join(", ").chars().take(TOLD).flat_map(char::escape_debug).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{San, certificate_with};
    use super::*;

    fn admit(peers: &[&str], sans: &[San<'_>]) -> Result<String, NotAllowed> {
        let peers = peers.iter().map(|peer| peer.parse().unwrap()).collect();
        Allowed::new(peers).admit(&certificate_with(sans))
    }

    const ENVOY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";

    #[test]
    fn an_address_is_no_name_and_dns_names_have_no_case() {
        for bad in ["10.0.0.1", "::1", "dns:10.0.0.1", "dns:spiffe://a/b"] {
            assert!(bad.parse::<Peer>().is_err(), "{bad}");
        }
        assert!(admit(&["Gateway.acme.test"], &[San::Dns("gateway.ACME.test")]).is_ok());
    }

    #[test]
    fn an_allowed_id_beside_another_uri_is_refused_for_that() {
        let refused = admit(&[ENVOY], &[San::Uri(ENVOY), San::Uri("spiffe://acme.test/x")]).unwrap_err();
        assert!(refused.to_string().contains("only as the one URI"), "{refused}");
    }

    #[test]
    fn a_peer_is_a_spiffe_id_a_uri_a_dns_name_or_any() {
        assert_eq!(ENVOY.parse(), Ok(Peer::Spiffe(ENVOY.into())));
        assert_eq!("https://acme.test/envoy".parse(), Ok(Peer::Uri("https://acme.test/envoy".into())));
        assert_eq!("gateway.acme.test".parse(), Ok(Peer::Dns("gateway.acme.test".into())));
        assert_eq!("dns:gateway.acme.test".parse(), Ok(Peer::Dns("gateway.acme.test".into())));
        assert_eq!("any".parse(), Ok(Peer::Any));
    }

    #[test]
    fn what_no_certificate_could_be_held_to_exactly_is_no_peer() {
        for bad in [
            "",
            " ",
            "*",
            "*.acme.test",
            "spiffe://acme.test/*",
            "spiffe://",
            "spiffe:///x",
            "spiffe:acme",
            "SPIFFE://acme.test/x",
            "spiffe://Acme.test/x",
            "spiffe://acme.test/",
            "spiffe://acme.test/a//b",
            "spiffe://acme.test/a/../b",
            "spiffe://acme.test/a?b",
            "https://acme.test/a b",
            "a..b",
            "a.b.",
            "dns:",
            "a\0b",
            "gateway acme",
        ] {
            assert!(bad.parse::<Peer>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_exact_name_is_let_in_and_is_what_is_told() {
        assert_eq!(admit(&[ENVOY], &[San::Uri(ENVOY)]), Ok(ENVOY.into()));
        assert_eq!(admit(&["gw.test"], &[San::Dns("other.test"), San::Dns("gw.test")]), Ok("gw.test".into()));
        assert_eq!(admit(&["a.test", ENVOY], &[San::Uri(ENVOY), San::Dns("b.test")]), Ok(ENVOY.into()));
        assert_eq!(admit(&["any"], &[San::Uri(ENVOY), San::Dns("b.test")]), Ok(format!("{ENVOY}, b.test")));
    }

    #[test]
    fn a_name_that_is_longer_shorter_or_of_another_kind_is_not_let_in() {
        for (peer, sans) in [
            (ENVOY, &[San::Uri("spiffe://acme.test/ns/gateways/sa/envoy2")][..]),
            (ENVOY, &[San::Uri("spiffe://acme.test/ns/gateways/sa/envo")]),
            (ENVOY, &[San::Uri("spiffe://acme.test/ns/gateways/sa/ENVOY")]),
            (ENVOY, &[San::Uri("spiffe://acme.test/ns/gateways/sa/envoy\0.evil.test")]),
            (ENVOY, &[San::Dns(ENVOY)]),
            ("gw.test", &[San::Dns("gw.test\0.evil.test")]),
            ("gw.test", &[San::Dns("*.test")]),
            ("gw.test", &[San::Dns("x.gw.test")]),
            ("gw.test", &[San::Uri("gw.test")]),
            ("gw.test", &[]),
        ] {
            assert!(matches!(admit(&[peer], sans), Err(NotAllowed::Other(_))), "{peer} {sans:?}");
        }
    }

    #[test]
    fn a_second_uri_spoils_a_spiffe_certificate() {
        let two = [San::Uri(ENVOY), San::Uri("spiffe://acme.test/ns/other/sa/other")];
        assert!(admit(&[ENVOY], &two).is_err());
        assert!(admit(&[ENVOY], &[San::Uri(ENVOY), San::Uri(ENVOY)]).is_err());
    }

    #[test]
    fn what_a_stranger_put_into_a_name_comes_out_escaped() {
        let refusal = admit(&["gw.test"], &[San::Dns("gw.test\0\n\u{1b}[2J")]).unwrap_err().to_string();
        assert!(!refusal.chars().any(char::is_control), "{refusal:?}");
        assert_eq!(Allowed::new(vec![Peer::Any]).admit(b"no certificate"), Err(NotAllowed::Unreadable));
    }
}
