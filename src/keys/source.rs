//! Where an issuer's keys come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::bundle::SpiffeBundle;
use super::set::{KeySet, KeySetError};
use crate::name::{Issuer, TrustDomain};

/// A source of keys and how it is reached. Two that are equal need no new fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// Where the keys are.
    pub source: KeySource,
    /// What the document is that holds them.
    pub format: KeyFormat,
    /// How it is reached.
    pub access: Access,
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
    /// A document at a URL: `jwksUri`, `spiffeBundleUrl`.
    Url {
        /// The document's URL.
        url: String,
    },
    /// The API server of the Kubernetes cluster that this process runs in, by its service account.
    InCluster,
    /// A document written in the table.
    Inline(Arc<KeySet>),
    /// A document in a file.
    File(PathBuf),
}

/// What kind of document holds the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// A JWK Set (RFC 7517 §5).
    #[default]
    JwkSet,
    /// The bundle of a SPIFFE trust domain (SPIFFE Trust Domain and Bundle §4), of which only the keys for
    /// `jwt-svid` verify tokens.
    SpiffeBundle(TrustDomain),
}

impl KeyFormat {
    /// The keys of such a document that verify tokens.
    ///
    /// # Errors
    /// It is no such document.
    pub fn key_set(&self, bytes: &[u8]) -> Result<KeySet, KeySetError> {
        match self {
            Self::JwkSet => KeySet::parse(bytes),
            Self::SpiffeBundle(_) => SpiffeBundle::parse(bytes).map(|bundle| bundle.keys),
        }
    }
}

/// How a source is reached. The default is what a public issuer needs: system authorities, no credential.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// `caFile`: the only certificate authorities believed, PEM; without it the system's.
    pub ca_file: Option<PathBuf>,
    /// Who the server must be besides, or instead of, the name in the URL.
    pub server: ServerIdentity,
    /// `bearerTokenFile`: sent to the configured origin, and to no other.
    pub bearer_token_file: Option<PathBuf>,
    /// `clientCertFile`, `clientKeyFile`: shown to the configured origin, and to no other.
    pub client_certificate: Option<ClientCertificate>,
    /// `proxy`: the URL of an HTTP proxy; without it `HTTPS_PROXY` and `NO_PROXY` say.
    pub proxy: Option<String>,
}

/// The identity that a key server's certificate must prove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerIdentity {
    /// The host name of the URL (RFC 9525): SPIFFE calls it `https_web`.
    #[default]
    Host,
    /// The host name of the URL, or, under `caFile` alone, this SPIFFE ID.
    HostOr(String),
    /// This SPIFFE ID, whatever the host: SPIFFE calls it `https_spiffe`.
    Spiffe(String),
}

/// A certificate and its private key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl KeyOrigin {
    /// A JWK Set at a place that needs nothing special.
    pub fn plain(source: KeySource) -> Self {
        Self { source, format: KeyFormat::default(), access: Access::default() }
    }
}
