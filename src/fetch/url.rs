//! URLs that keys may be fetched from.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::address::is_refused;
use super::error::{FetchError, quoted};
use crate::keys::FetchResult;

/// The longest URL, in bytes: it comes from strangers and stands in messages.
const LONGEST: usize = 2048;

/// An `https` URL, or an `http` one on a loopback host, without credentials and not at a refused address.
#[derive(Debug, Clone)]
pub(super) struct KeyUrl(Url);

impl KeyUrl {
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let refuse = |result, what: &str| Err(FetchError::new(result, quoted(text), what));
        if text.len() > LONGEST {
            return refuse(FetchResult::Url, "is longer than 2048 bytes");
        }
        let Ok(url) = Url::parse(text) else { return refuse(FetchResult::Url, "is not a URL") };
        if !url.username().is_empty() || url.password().is_some() {
            // Not quoted: what stands there may be a secret.
            return Err(FetchError::new(FetchResult::Url, "a key URL", "holds a user name or password: take it out"));
        }
        if url.fragment().is_some() {
            return refuse(FetchResult::Url, "has a fragment: take out the part from #");
        }
        let url = Self(url);
        match url.0.scheme() {
            "https" => {}
            "http" if url.is_loopback() => {}
            "http" => return refuse(FetchResult::Url, "is http, which only a loopback host may be: use https"),
            _ => return refuse(FetchResult::Url, "is not an https URL"),
        }
        if url.address().is_some_and(is_refused) {
            return refuse(FetchResult::RefusedAddress, "keys are never fetched from link-local or metadata addresses");
        }
        Ok(url)
    }

    pub(super) const fn as_url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Another path on the same origin, without a query.
    pub(super) fn at(&self, path: &str) -> Result<Self, FetchError> {
        let mut url = self.0.clone();
        url.set_path(path);
        url.set_query(None);
        Self::parse(url.as_str())
    }

    fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    fn address(&self) -> Option<IpAddr> {
        self.host().trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Whether scheme, host and port are the same.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether a document at this URL may send us to `other`: the same origin, or a host that is listed. A listed
    /// host without a port has the scheme's own; and never from https to http.
    pub(super) fn may_lead_to(&self, other: &Self, hosts: &[String]) -> bool {
        if other.is_plain() && !self.is_plain() {
            return false;
        }
        if self.is_same_origin(other) {
            return true;
        }
        let place = other.place();
        let full = format!("{}:{}", other.host(), other.0.port_or_known_default().unwrap_or_default());
        hosts.iter().any(|listed| listed.eq_ignore_ascii_case(&place) || listed.eq_ignore_ascii_case(&full))
    }

    /// Host, and port where it is not the scheme's own: what one would write under `jwksHosts`.
    pub(super) fn place(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }
}

/// Without the query, which may be long or nobody's business.
impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.0.scheme(), self.place(), self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_http_are_fetched_from() {
        for good in ["https://idp.test/k", "http://localhost:8080/k", "http://127.9.9.9/k", "http://[::1]:1/k"] {
            assert!(KeyUrl::parse(good).is_ok(), "{good}");
        }
        for (bad, result) in [
            ("http://idp.test/k", FetchResult::Url),
            ("http://10.0.0.1/k", FetchResult::Url),
            ("http://localhost.evil.test/k", FetchResult::Url),
            ("file:///etc/passwd", FetchResult::Url),
            ("ftp://idp.test", FetchResult::Url),
            ("idp.test", FetchResult::Url),
            ("", FetchResult::Url),
            ("https://idp.test/k#x", FetchResult::Url),
            ("https://169.254.169.254/k", FetchResult::RefusedAddress),
            ("https://2852039166/k", FetchResult::RefusedAddress),
            ("https://0xa9.254.0xa9fe/k", FetchResult::RefusedAddress),
            ("https://[::ffff:169.254.169.254]/k", FetchResult::RefusedAddress),
            ("https://[fe80::1]/k", FetchResult::RefusedAddress),
            ("https://0.0.0.0/k", FetchResult::RefusedAddress),
        ] {
            assert_eq!(KeyUrl::parse(bad).unwrap_err().result(), result, "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = KeyUrl::parse("https://user:hunter2@idp.test/k").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && !error.contains("user:"), "{error}");
    }

    #[test]
    fn a_document_leads_to_its_own_origin_or_a_listed_host_only() {
        let from = |from: &str, to: &str, hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            KeyUrl::parse(from).unwrap().may_lead_to(&KeyUrl::parse(to).unwrap(), &hosts)
        };
        assert!(from("https://idp.test/d", "https://idp.test/keys", &[]));
        assert!(from("https://idp.test/d", "https://idp.test:443/keys", &[]));
        assert!(from("https://idp.test/d", "https://keys.test/k", &["Keys.test"]));
        assert!(from("https://idp.test/d", "https://keys.test/k", &["keys.test:443"]));
        assert!(from("https://idp.test/d", "https://keys.test:8443/k", &["keys.test:8443"]));
        assert!(!from("https://idp.test/d", "https://idp.test:8443/keys", &[]));
        assert!(!from("https://idp.test/d", "https://sub.idp.test/keys", &["idp.test"]));
        assert!(!from("https://idp.test/d", "https://keys.test:8443/k", &["keys.test"]));
        assert!(!from("https://idp.test/d", "https://idp.test.evil.test/keys", &[]));
        assert!(!from("https://idp.test/d", "http://127.0.0.1/keys", &["127.0.0.1"]));
        assert!(!from("http://127.0.0.1:1/d", "http://127.0.0.1:2/keys", &[]));
    }
}
