//! What a probe finds.

use std::sync::Arc;
use std::time::Duration;

use super::super::error::{FetchError, quoted};
use crate::certificate::Certificate;
use crate::clock::Time;
use crate::keys::{Jwk, KeySet};

/// What was found.
#[derive(Debug, Default)]
pub struct Probe {
    /// Every request, in order.
    pub exchanges: Vec<Exchange>,
    /// The discovery document, if there is one.
    pub document: Option<Document>,
    /// The keys, if a document with keys was found; none of them need be usable.
    pub published: Option<Published>,
    /// Why the search ended without usable keys.
    pub error: Option<FetchError>,
}

/// One request, and what its answer says beside the document.
#[derive(Debug)]
pub struct Exchange {
    /// The URL, without its query.
    pub url: String,
    /// Host, and port where it is not the scheme's own.
    pub place: String,
    /// When it ended, by our clock.
    pub at: Time,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// Where a redirect leads, as it was sent.
    pub location: Option<String>,
    /// The sender's clock less ours, in seconds.
    pub clock_difference: Option<f64>,
    /// How long the answer may be kept.
    pub keep: Option<Duration>,
    /// Whether one can ask if the document has changed.
    pub has_validator: bool,
    /// The server's certificate, over TLS.
    pub certificate: Option<Certificate>,
    /// Whether it brought a page (HTML or XML) where a document was looked for.
    pub is_page: bool,
    /// Why this was not what was looked for.
    pub error: Option<FetchError>,
}

/// What a discovery document says.
#[derive(Debug)]
pub struct Document {
    /// Where it was found.
    pub url: String,
    /// Where it would be looked for by its `issuer` alone.
    pub by_issuer: String,
    /// Its `issuer`, byte for byte.
    pub issuer: String,
    /// Its `jwks_uri`, as written.
    pub jwks_uri: String,
    /// What would have to stand under `jwksHosts`.
    pub other_host: Option<String>,
    /// `id_token_signing_alg_values_supported`: a hint, since it is about another kind of token.
    pub algorithms: Vec<String>,
    /// Whether it looks like that of a Kubernetes API server.
    pub is_cluster: bool,
}

/// A document with keys.
#[derive(Debug)]
pub struct Published {
    /// Where it was found, whole.
    pub url: String,
    /// The usable keys, as a fetch would take them.
    pub set: Arc<KeySet>,
    /// Every key, in the order of the document.
    pub keys: Vec<PublishedKey>,
    /// What it says beside its keys, if it is the bundle of a SPIFFE trust domain.
    pub bundle: Option<Bundle>,
}

/// One key, as it was published. Texts are a stranger's.
#[derive(Debug)]
pub struct PublishedKey {
    /// `kid`
    pub kid: Option<String>,
    /// `kty`, and its curve or size where the key was understood.
    pub shape: String,
    /// `alg`
    pub algorithm: Option<String>,
    /// `use`
    pub usage: Option<String>,
    /// The key, or why it is left out, to be read after "the key".
    pub judged: Result<Jwk, String>,
}

/// What a SPIFFE bundle says beside its keys for tokens.
#[derive(Debug)]
pub struct Bundle {
    /// The trust domain, as the names of its X.509 authorities tell it.
    pub trust_domain: Option<String>,
    /// How many X.509 authorities it holds.
    pub authorities: usize,
    /// `spiffe_sequence`
    pub sequence: Option<u64>,
    /// `spiffe_refresh_hint`
    pub refresh_hint: Option<Duration>,
}

impl Exchange {
    /// The server's certificate, and for how many days it is still valid.
    pub fn certificate_left(&self) -> Option<(&Certificate, f64)> {
        let certificate = self.certificate.as_ref()?;
        Some((certificate, (certificate.not_after.since(self.at) / 86_400.0).floor()))
    }
}

impl PublishedKey {
    /// The `kid` for people, escaped and cut.
    pub fn name(&self) -> String {
        self.kid.as_deref().map_or_else(|| "(no kid)".to_owned(), quoted)
    }
}
