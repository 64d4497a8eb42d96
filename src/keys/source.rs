//! Where an issuer's keys come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::set::KeySet;
use crate::name::Issuer;

/// A source of keys and how it is reached. Two that are equal need no new fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// Where the keys are.
    pub source: KeySource,
    /// `caFile`: the only certificate authorities believed for these fetches, PEM; without it the system's.
    pub ca_file: Option<PathBuf>,
}

/// The place of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// OpenID Connect Discovery: the document at `url` names the key set.
    Discovery {
        /// What the document's `issuer` must be, byte for byte.
        issuer: Issuer,
        /// The document's URL.
        url: String,
        /// `host` or `host:port` that its `jwks_uri` may have besides the document's own origin.
        hosts: Vec<String>,
    },
    /// A JWK Set at a URL.
    Jwks {
        /// The set's URL.
        url: String,
    },
    /// A JWK Set written in the table.
    Inline(Arc<KeySet>),
    /// A JWK Set in a file.
    File(PathBuf),
}
