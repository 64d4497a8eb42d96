//! Authorities: the host and port of a request (RFC 9110 §7.2), compared exactly.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The authority of a request, lower-cased, with its port if it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Host name, IPv4 address, or IPv6 address in brackets; ASCII lower case.
    pub host: Cow<'a, str>,
    /// 1 to 65535.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads an authority. `None` where two readers could disagree: user information, comma, blank, trailing dot,
    /// empty label, non-ASCII, or a port that is not 1 to 65535 in plain digits.
    pub fn read(text: &'a str) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let sound = if host.starts_with('[') { is_ipv6(host) } else { is_host(host) };
        if !sound {
            return None;
        }
        let upper = host.bytes().any(|byte| byte.is_ascii_uppercase());
        let host = if upper { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) };
        Some(Self { host, port })
    }

    /// The IP address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

/// Splits off a port; the colons of a bracketed IPv6 address are not it.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let after_brackets = text.find(']').map_or(0, |end| end + 1);
    let Some(colon) = text.get(after_brackets..)?.find(':').map(|at| at + after_brackets) else {
        return Some((text, None));
    };
    let (host, port) = text.split_at_checked(colon)?;
    let port = port.strip_prefix(':')?;
    let plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return None;
    }
    Some((host, Some(port.parse().ok()?)))
}

fn is_ipv6(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Labels of letters, digits, `-` and `_`, none empty.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// A host in the table: an exact authority, or `*.` and a name, where the star is exactly one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    /// Whether the first label is a star.
    pub wildcard: bool,
    /// The host, or what follows `*.`; lower case.
    pub host: String,
    /// Written: must be equal. Not written: any port.
    pub port: Option<u16>,
}

impl HostPattern {
    /// Reads a host as it stands in the table; `None` if no request could have it.
    pub fn parse(text: &str) -> Option<Self> {
        let (wildcard, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let authority = Authority::read(rest)?;
        if wildcard && authority.host.starts_with('[') {
            return None;
        }
        Some(Self { wildcard, host: authority.host.into_owned(), port: authority.port })
    }

    /// Whether `authority` is one of those meant.
    pub fn matches(&self, authority: &Authority<'_>) -> bool {
        let host = if self.wildcard {
            authority.host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == self.host)
        } else {
            authority.host == self.host
        };
        host && self.port.is_none_or(|port| authority.port == Some(port))
    }

    /// How specific it is among those that match: exact before wildcard, with a port before without.
    pub const fn specificity(&self) -> (bool, bool) {
        (!self.wildcard, self.port.is_some())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_two_readers_could_read_differently_is_refused() {
        for host in [
            "",
            "a.test.",
            "user@a.test",
            "a.test,b.test",
            "a.test b.test",
            " a.test",
            "\u{e4}.test",
            "a.test:0",
            "a.test:65536",
            "a.test:",
            "a.test:+80",
            "a.test:080",
            "a.test:80:80",
            "a..test",
            ".a.test",
            "a.test\0",
            "[::1",
            "[::1]x",
            "[nope]",
            "a/b",
            "a.test:80 ",
            "a%2etest",
            "::1",
        ] {
            assert_eq!(Authority::read(host), None, "{host:?}");
        }
    }

    #[test]
    fn case_does_not_matter_and_the_port_is_kept_apart() {
        let authority = Authority::read("API.acme.TEST:8443").unwrap();
        assert_eq!((&*authority.host, authority.port), ("api.acme.test", Some(8443)));
        let authority = Authority::read("[2001:DB8::1]:443").unwrap();
        assert_eq!((&*authority.host, authority.port), ("[2001:db8::1]", Some(443)));
    }

    #[test]
    fn a_star_is_exactly_one_label() {
        let star = HostPattern::parse("*.acme.test").unwrap();
        for (host, expected) in [
            ("a.acme.test", true),
            ("a.acme.test:99", true),
            ("acme.test", false),
            ("a.b.acme.test", false),
            ("xacme.test", false),
        ] {
            assert_eq!(star.matches(&Authority::read(host).unwrap()), expected, "{host}");
        }
        for bad in ["*", "a.*.test", "*a.test", "*.", "*.*.test", "*.[::1]"] {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
    }
}
