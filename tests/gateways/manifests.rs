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

    /// The one document in which this text stands.
    pub(crate) fn document(&self, text: &str) -> String {
        let documents: Vec<_> = self.0.split("\n---\n").filter(|document| document.contains(text)).collect();
        assert_eq!(documents.len(), 1, "{text:?} in\n{}", self.0);
        documents[0].to_owned()
    }

    /// With more documents.
    #[must_use]
    pub(crate) fn and(self, more: &str) -> Self {
        Self(format!("{}\n---\n{}", self.0.trim_end(), more.trim_start()))
    }

    /// The one line that begins like this.
    pub(crate) fn line(&self, begin: &str) -> String {
        let line = self.0.lines().find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("no line {begin:?} in\n{}", self.0)).to_owned()
    }

    /// Each document.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &str> {
        self.0.split("\n---\n").filter(|document| document.lines().any(|line| line.starts_with("kind: ")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
