//! What a document is, whatever it was asked for as.

use std::sync::Arc;

use super::super::discovery::{self, not_json};
use super::super::error::FetchError;
use super::super::url::KeyUrl;
use super::found::{Bundle, Document, Published, PublishedKey};
use super::{CLUSTER_KEYS, DISCOVERY};
use crate::certificate::Certificate;
use crate::claims;
use crate::json::Json;
use crate::keys::{FetchResult, Jwk, KeySet, SpiffeBundle};
use crate::name::Issuer;

/// The deepest nesting of a document; real ones need four levels.
const MAX_DEPTH: usize = 16;

/// What a document is.
pub(super) enum Kind {
    Discovery(Document, Result<KeyUrl, FetchError>),
    Keys(Published),
}

/// Reads a document beside the runtime: curve points take a while to check.
pub(super) async fn recognised(url: KeyUrl, body: Vec<u8>) -> Result<Kind, FetchError> {
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
    let is_cluster = place.as_ref().is_some_and(|keys| keys.as_url().path() == CLUSTER_KEYS);
    let other_host = place.filter(|keys| !keys.is_same_origin(url)).map(|keys| keys.place());
    let hosts: Vec<String> = other_host.clone().into_iter().collect();
    let keys = discovery::jwks_uri(body, url, &Issuer::new(issuer.as_str()), &hosts);
    let document = Document {
        url: url.as_url().to_string(),
        by_issuer: format!("{}{DISCOVERY}", issuer.strip_suffix('/').unwrap_or(&issuer)),
        is_cluster,
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
        let Some(certificate) = Certificate::read(der) else { continue };
        for uri in &certificate.uris {
            let domain = claims::trust_domain(uri)?.to_owned();
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
