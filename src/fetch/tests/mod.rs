//! Fetching from issuers on real sockets that behave, and that do not.

mod caching;
mod credentials;
mod ended;
mod exchange;
mod life;
mod proxies;
mod spiffe;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use serde_json::json;

use super::address::System;
use super::load::{Errand, Loader, Memory};
use super::testing::{Names, Server};
use super::{FetchError, Surroundings, Timing};
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
    Timing { refresh: blink, backoff: (blink, blink), file: blink, look_again: blink, ..Timing::default() }
}

async fn load(origin: &KeyOrigin) -> Result<Arc<KeySet>, FetchError> {
    load_with(origin, Arc::new(System), Timing::default()).await
}

async fn load_with(origin: &KeyOrigin, resolver: Arc<dyn Resolve>, timing: Timing) -> Result<Arc<KeySet>, FetchError> {
    let loaded = Loader::new(resolver, timing).load(origin, Errand::Round, &mut Memory::default()).await?;
    Ok(loaded.set.expect("a first fetch brings a set"))
}

/// A loader for which every name leads to this machine.
fn loader(surroundings: Surroundings) -> Loader {
    let here: &[&str] = &["127.0.0.1"];
    let names = names(&[("idp.test", here), ("keys.test", here), ("proxy.test", here)]);
    Loader::new(names, Timing::default()).within(surroundings)
}

async fn load_within(surroundings: Surroundings, origin: &KeyOrigin) -> Result<Arc<KeySet>, FetchError> {
    let loaded = loader(surroundings).load(origin, Errand::Round, &mut Memory::default()).await?;
    Ok(loaded.set.expect("a first fetch brings a set"))
}

/// The values of a header, over all requests that a server has seen.
fn sent(server: &Server, name: &str) -> Vec<String> {
    let prefix = format!("{name}: ");
    let heads = server.heads();
    heads
        .iter()
        .flat_map(|head| head.lines())
        .filter_map(|line| line.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

/// A file in a folder, with this content.
fn file(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
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
