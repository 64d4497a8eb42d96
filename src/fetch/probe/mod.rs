//! A look at what somebody typed: is there an issuer, and what would its entry in the table have to say?
//!
//! It goes the way of every fetch, with the same limits, and asks at most three URLs: two where the typed text may
//! lead, and the key set that a discovery document names.

mod found;
mod recognise;

use std::sync::Arc;

pub use found::{Bundle, Document, Exchange, Probe, Published, PublishedKey};
use recognise::{Kind, recognised};

use super::address::System;
use super::discovery::is_page;
use super::error::FetchError;
use super::http::{Getter, Look};
use super::memory::Memory;
use super::surroundings::Surroundings;
use super::timing::Timing;
use super::url::KeyUrl;
use super::visit::Visit;
use crate::certificate::Certificate;
use crate::clock::{Clock, Time};
use crate::keys::{Access, FetchResult, KeyOrigin, KeySource};

/// Where a discovery document is, below the issuer (OpenID Connect Discovery §4).
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where a Kubernetes API server has its key set.
const CLUSTER_KEYS: &str = "/openid/v1/jwks";
/// What one search may cost those who are asked.
const MOST_REQUESTS: usize = 3;

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
    async fn follow(&mut self, typed: &KeyUrl, document: Document, named: Result<KeyUrl, FetchError>) {
        let is_elsewhere = !named.as_ref().is_ok_and(|keys| keys.is_same_origin(typed));
        // What an API server says of itself may hold within its cluster only: its key set is asked for where it was
        // found, too.
        let own = if document.is_cluster && is_elsewhere { typed.at(CLUSTER_KEYS).ok() } else { None };
        self.found.document = Some(document);
        let mut error = None;
        for keys in own.map(Ok).into_iter().chain([named]) {
            if self.found.exchanges.len() == MOST_REQUESTS {
                break;
            }
            match self.key_set(keys).await {
                Ok(published) => return self.keep(published),
                Err(failed) => drop(error.get_or_insert(failed)),
            }
        }
        self.found.error = error;
    }

    async fn key_set(&mut self, url: Result<KeyUrl, FetchError>) -> Result<Published, FetchError> {
        let url = url.inspect_err(|error| self.blame(error))?;
        match self.ask(&url).await? {
            Kind::Keys(published) => Ok(published),
            Kind::Discovery(..) => {
                let what = "is another discovery document, where jwks_uri promises a key set";
                Err(FetchError::new(FetchResult::Malformed, url, what)).inspect_err(|error| self.blame(error))
            }
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
            let error = FetchError::new(FetchResult::NoUsableKeys, &published.url, what);
            self.blame(&error);
            self.found.error = Some(error);
        }
        self.found.published = Some(published);
    }

    /// The last answer was not what it should be.
    fn blame(&mut self, error: &FetchError) {
        if let Some(last) = self.found.exchanges.last_mut() {
            last.error = Some(error.clone());
        }
    }

    async fn ask(&mut self, url: &KeyUrl) -> Result<Kind, FetchError> {
        let Look { head, body } = match self.visit.kit(url, &Memory::default()).await {
            Ok(kit) => self.getter.look(url, kit).await,
            Err(error) => Look { head: None, body: Err(error) },
        };
        let now = self.clock.now();
        let is_page = body.as_deref().is_ok_and(is_page);
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
            is_page,
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
