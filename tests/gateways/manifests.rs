//! Kubernetes manifests as text: the example's own, with the ports of this machine, and with one thing broken.

use std::net::SocketAddr;

use crate::support::root;

/// Several YAML documents.
#[derive(Debug, Clone)]
pub(crate) struct Manifests(String);

impl Manifests {
    /// A file of the checkout.
    pub(crate) fn file(path: &str) -> Self {
        Self(std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    /// What somebody else wrote.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// With this text in the place of that, which has to be there.
    #[must_use]
    pub(crate) fn with(self, from: &str, to: &str) -> Self {
        assert!(self.0.contains(from), "no {from:?} in\n{}", self.0);
        Self(self.0.replace(from, to))
    }

    /// With a Backend that lies at this address instead of `127.0.0.1:port`.
    #[must_use]
    pub(crate) fn endpoint(self, port: u16, address: SocketAddr) -> Self {
        self.with(
            &format!("ip: {{address: 127.0.0.1, port: {port}}}"),
            &format!("ip: {{address: {}, port: {}}}", address.ip(), address.port()),
        )
    }

    /// Without the one document in which this text stands.
    #[must_use]
    pub(crate) fn without(self, text: &str) -> Self {
        let documents: Vec<_> = self.0.split("\n---\n").collect();
        let kept: Vec<_> = documents.iter().copied().filter(|document| !document.contains(text)).collect();
        assert_eq!(kept.len() + 1, documents.len(), "{text:?} is in no document, or in several of\n{}", self.0);
        Self(kept.join("\n---\n"))
    }

    /// With more documents.
    #[must_use]
    pub(crate) fn and(self, more: &str) -> Self {
        Self(format!("{}\n---\n{}", self.0.trim_end(), more.trim_start()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
