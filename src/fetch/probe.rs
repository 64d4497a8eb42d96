//! A look at what somebody typed: is there an issuer, and what would its entry in the table have to say?
//!
//! It goes the way of every fetch, with the same limits, and asks at most three URLs: two where the typed text may
//! lead, and the key set that a discovery document names.

use std::sync::Arc;
use std::time::Duration;

use super::address::System;
use super::certificate::Certificate;
use super::discovery::{self, not_json};
use super::error::{FetchError, quoted};
use super::http::{Getter, Look};
use super::memory::Memory;
use super::surroundings::Surroundings;
use super::timing::Timing;
use super::url::KeyUrl;
use super::visit::Visit;
use crate::clock::{Clock, Time};
use crate::json::Json;
use crate::keys::{Access, FetchResult, Jwk, KeyOrigin, KeySet, KeySource, SpiffeBundle};
use crate::name::Issuer;

/// Where a discovery document is, below the issuer (OpenID Connect Discovery §4).
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where a Kubernetes API server has its key set.
const CLUSTER_KEYS: &str = "/openid/v1/jwks";
/// The deepest nesting of a document; real ones need four levels.
const MAX_DEPTH: usize = 16;

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

/// Looks for an issuer, a discovery document, a key set or a SPIFFE bundle at `typed`. Credentials of `access` go to
/// the typed origin and to no other.
///
/// # Errors
/// Only where `typed` is no URL that keys may be fetched from; all else is part of the answer.
pub async fn probe(
    typed: &str,
    access: Access,
    surroundings: Surroundings,
    clock: &Clock,
) -> Result<Probe, FetchError> {
    let configured = KeyUrl::parse(typed)?;
    let origin = KeyOrigin { access, ..KeyOrigin::plain(KeySource::Url { url: typed.to_owned() }) };
    let getter = Getter::new(Arc::new(System), Timing::default()).through(surroundings.proxies.clone());
    let visit = Visit::new(&origin, configured.clone(), &surroundings);
    let mut scout = Scout { getter, visit, clock, found: Probe::default() };
    scout.search(&configured).await;
    Ok(scout.found)
}

/// One search.
struct Scout<'a> {
    getter: Getter,
    visit: Visit<'a>,
    clock: &'a Clock,
    found: Probe,
}

/// What a document is.
enum Kind {
    Discovery(Document, Result<KeyUrl, FetchError>),
    Keys(Published),
}

impl Scout<'_> {
    async fn search(&mut self, typed: &KeyUrl) {
        let mut first = None;
        for url in places(typed) {
            match self.ask(&url).await {
                Ok(Kind::Keys(published)) => return self.keep(published),
                Ok(Kind::Discovery(document, keys)) => return self.follow(typed, document, keys).await,
                Err(error) => {
                    let goes_on = is_another_place(error.result());
                    // What stands at the likelier place tells more.
                    first.get_or_insert(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        self.found.error = first;
    }

    /// Goes from a discovery document to its keys.
    async fn follow(&mut self, typed: &KeyUrl, document: Document, keys: Result<KeyUrl, FetchError>) {
        let keys = match keys {
            // What an API server says of itself holds within its cluster: its key set is asked for where it was found.
            keys if document.is_cluster && !keys.as_ref().is_ok_and(|keys| keys.is_same_origin(typed)) => {
                typed.at(CLUSTER_KEYS)
            }
            keys => keys,
        };
        self.found.document = Some(document);
        match keys {
            Ok(keys) => match self.ask(&keys).await {
                Ok(Kind::Keys(published)) => self.keep(published),
                Ok(Kind::Discovery(..)) => {
                    let what = "is another discovery document, where jwks_uri promises a key set";
                    self.fail(FetchError::new(FetchResult::Malformed, keys, what));
                }
                Err(error) => self.found.error = Some(error),
            },
            Err(error) => self.fail(error),
        }
    }

    fn keep(&mut self, published: Published) {
        if published.set.is_empty() {
            let what = match (&published.bundle, published.keys.len()) {
                (Some(_), 0) => "the bundle has no key for jwt-svid, so it verifies no token".to_owned(),
                (None, 0) => "the key set is empty".to_owned(),
                (_, 1) => "its only key cannot be used".to_owned(),
                (_, count) => format!("none of {count} keys can be used"),
            };
            self.fail(FetchError::new(FetchResult::NoUsableKeys, &published.url, what));
        }
        self.found.published = Some(published);
    }

    /// The last answer was not what it should be.
    fn fail(&mut self, error: FetchError) {
        if let Some(last) = self.found.exchanges.last_mut() {
            last.error = Some(error.clone());
        }
        self.found.error = Some(error);
    }

    async fn ask(&mut self, url: &KeyUrl) -> Result<Kind, FetchError> {
        let Look { head, body } = match self.visit.kit(url, &Memory::default()).await {
            Ok(kit) => self.getter.look(url, kit).await,
            Err(error) => Look { head: None, body: Err(error) },
        };
        let now = self.clock.now();
        let kind = match body {
            Ok(body) => recognised(url.clone(), body).await,
            Err(error) => Err(error),
        };
        let mut exchange = Exchange {
            url: url.to_string(),
            place: url.place(),
            at: now,
            status: None,
            location: None,
            clock_difference: None,
            keep: None,
            has_validator: false,
            certificate: None,
            error: kind.as_ref().err().cloned(),
        };
        if let Some(head) = head {
            exchange.status = Some(head.status);
            exchange.location = head.location;
            exchange.clock_difference = head.date.map(|date| difference(date, now));
            exchange.keep = head.keep;
            exchange.has_validator = head.has_validator;
            exchange.certificate = head.certificate.as_deref().and_then(Certificate::read);
        }
        self.found.exchanges.push(exchange);
        kind
    }
}

/// `Date` has whole seconds: what lies within the second is no difference.
#[expect(clippy::cast_precision_loss, reason = "an HTTP date is far below 2^53 seconds")]
fn difference(date: u64, now: Time) -> f64 {
    let difference = date as f64 - now.seconds();
    if (-1.0..=0.0).contains(&difference) { 0.0 } else { difference.round() }
}

/// The places where the document may be, the likeliest first.
fn places(typed: &KeyUrl) -> Vec<KeyUrl> {
    let path = typed.as_url().path();
    if path.contains("/.well-known/") || typed.as_url().query().is_some() {
        return vec![typed.clone()];
    }
    let below = typed.at(&format!("{}{DISCOVERY}", path.strip_suffix('/').unwrap_or(path)));
    let last = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_document = ["jwk", "keys", "certs", "bundle", ".json"].iter().any(|word| last.contains(word));
    let mut places: Vec<_> = below.into_iter().chain([typed.clone()]).collect();
    if is_document {
        places.reverse();
    }
    places
}

/// Whether the document may still be elsewhere on this server.
const fn is_another_place(result: FetchResult) -> bool {
    matches!(result, FetchResult::Status | FetchResult::NotJson | FetchResult::Malformed)
}

/// Reads a document beside the runtime: curve points take a while to check.
async fn recognised(url: KeyUrl, body: Vec<u8>) -> Result<Kind, FetchError> {
    let read = tokio::task::spawn_blocking(move || recognise(&url, &body));
    read.await.map_err(|_| FetchError::new(FetchResult::Internal, "a document", "reading it failed"))?
}

fn recognise(url: &KeyUrl, body: &[u8]) -> Result<Kind, FetchError> {
    let json = Json::parse(body, MAX_DEPTH)
        .map_err(|error| FetchError::new(FetchResult::NotJson, url, not_json(body, &error)))?;
    if json.get("keys").is_some() {
        return published(url, &json, body).map(Kind::Keys);
    }
    let (Some(issuer), Some(jwks_uri)) = (text(&json, "issuer"), text(&json, "jwks_uri")) else {
        let what = "JSON, but neither a discovery document (issuer, jwks_uri) nor a key set (keys)";
        return Err(FetchError::new(FetchResult::Malformed, url, what));
    };
    let listed = json.get("id_token_signing_alg_values_supported").and_then(Json::as_array).unwrap_or_default();
    let place = KeyUrl::parse(&jwks_uri).ok();
    let other_host = place.filter(|keys| !keys.is_same_origin(url)).map(|keys| keys.place());
    let hosts: Vec<String> = other_host.clone().into_iter().collect();
    let keys = discovery::jwks_uri(body, url, &Issuer::new(issuer.as_str()), &hosts);
    let document = Document {
        url: url.as_url().to_string(),
        by_issuer: format!("{}{DISCOVERY}", issuer.strip_suffix('/').unwrap_or(&issuer)),
        is_cluster: jwks_uri.ends_with(CLUSTER_KEYS),
        issuer,
        jwks_uri,
        other_host,
        algorithms: listed.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
    };
    Ok(Kind::Discovery(document, keys))
}

fn published(url: &KeyUrl, json: &Json, body: &[u8]) -> Result<Published, FetchError> {
    let elements = json.get("keys").and_then(Json::as_array).unwrap_or_default();
    let used_for = |key: &Json| text(key, "use");
    let is_bundle = json.get("spiffe_sequence").or_else(|| json.get("spiffe_refresh_hint")).is_some()
        || elements.iter().filter_map(used_for).any(|purpose| matches!(purpose.as_str(), "jwt-svid" | "x509-svid"));
    let refused = |error| FetchError::new(FetchResult::Malformed, url, error);
    let (set, bundle) = if is_bundle {
        let mut read = SpiffeBundle::parse(body).map_err(refused)?;
        let set = std::mem::take(&mut read.keys);
        let bundle = Bundle {
            trust_domain: trust_domain(&read.authorities),
            authorities: read.authorities.len(),
            sequence: read.sequence,
            refresh_hint: read.refresh_hint,
        };
        (set, Some(bundle))
    } else {
        (KeySet::parse(body).map_err(refused)?, None)
    };
    let mut usable = set.keys().iter().cloned();
    let mut keys = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let purpose = used_for(element);
        if is_bundle && purpose.as_deref() == Some("x509-svid") {
            continue;
        }
        let ignored = set.ignored().iter().find(|ignored| ignored.index == index);
        let judged = match ignored {
            Some(ignored) => Err(ignored.why.clone()),
            None => usable.next().ok_or_else(|| "is left out".to_owned()),
        };
        let kty = || text(element, "kty").unwrap_or_else(|| "?".to_owned());
        keys.push(PublishedKey {
            kid: text(element, "kid"),
            shape: judged.as_ref().map_or_else(|_| kty(), Jwk::shape),
            algorithm: text(element, "alg"),
            usage: purpose,
            judged,
        });
    }
    Ok(Published { url: url.as_url().to_string(), set: Arc::new(set), keys, bundle })
}

/// The one trust domain in the names of these certificates (SPIFFE: X509-SVID §2), if they agree.
fn trust_domain(authorities: &[Vec<u8>]) -> Option<String> {
    let mut found: Option<String> = None;
    for der in authorities {
        let der = rustls::pki_types::CertificateDer::from(der.as_slice());
        let Ok(certificate) = webpki::EndEntityCert::try_from(&der) else { continue };
        for uri in certificate.valid_uri_names() {
            let domain = uri.strip_prefix("spiffe://")?.split('/').next()?.to_owned();
            if found.as_ref().is_some_and(|known| *known != domain) {
                return None;
            }
            found = Some(domain);
        }
    }
    found
}

fn text(json: &Json, member: &str) -> Option<String> {
    json.get(member).and_then(Json::as_str).map(str::to_owned)
}

impl Exchange {
    /// The server's certificate, and for how many days it is still valid.
    pub fn certificate_left(&self) -> Option<(&Certificate, f64)> {
        let certificate = self.certificate.as_ref()?;
        Some((certificate, (certificate.valid_until.since(self.at) / 86_400.0).floor()))
    }
}

impl PublishedKey {
    /// The `kid` for people, escaped and cut.
    pub fn name(&self) -> String {
        self.kid.as_deref().map_or_else(|| "(no kid)".to_owned(), quoted)
    }
}
