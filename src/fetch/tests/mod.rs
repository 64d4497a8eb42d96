//! Fetching from issuers on real sockets that behave, and that do not.

mod exchange;
mod life;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use serde_json::json;

use super::address::System;
use super::load::{Errand, Loader, Memory};
use super::testing::Names;
use super::{FetchError, Timing};
use crate::keys::testing::{RSA, document};
use crate::keys::{Access, FetchResult, KeyOrigin, KeySet, KeySource};
use crate::name::Issuer;

/// A set with one key of this name.
fn keys(kid: &str) -> String {
    document(&[RSA[0].named(kid)])
}

fn discovery_document(issuer: &str, jwks_uri: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": jwks_uri, "response_types_supported": ["id_token"]}).to_string()
}

fn jwks(url: String) -> KeyOrigin {
    KeyOrigin::plain(KeySource::Url { url })
}

fn discovery(issuer: &str, url: String, hosts: &[&str]) -> KeyOrigin {
    let hosts = hosts.iter().map(ToString::to_string).collect();
    KeyOrigin::plain(KeySource::Discovery { issuer: Issuer::new(issuer), url, hosts })
}

/// Short waits, so that a test that must see many tries ends soon.
fn quick() -> Timing {
    let blink = Duration::from_millis(1);
    Timing { refresh: blink, backoff: (blink, blink), file: blink, ..Timing::default() }
}

async fn load(origin: &KeyOrigin) -> Result<Arc<KeySet>, FetchError> {
    load_with(origin, Arc::new(System), Timing::default()).await
}

async fn load_with(origin: &KeyOrigin, resolver: Arc<dyn Resolve>, timing: Timing) -> Result<Arc<KeySet>, FetchError> {
    let loaded = Loader::new(resolver, timing).load(origin, Errand::Round, &mut Memory::default()).await?;
    Ok(loaded.set.expect("a first fetch brings a set"))
}

#[track_caller]
fn fails(outcome: Result<Arc<KeySet>, FetchError>, result: FetchResult, words: &str) {
    let error = outcome.expect_err("the fetch should fail");
    assert_eq!(error.result(), result, "{error}");
    assert!(error.to_string().contains(words), "{error} does not say {words:?}");
}

fn names(names: &[(&str, &[&str])]) -> Arc<Names> {
    Names::of(names)
}
