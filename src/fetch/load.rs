//! From a source to a key set, once.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use tokio::sync::Semaphore;

use super::address::System;
use super::discovery;
use super::error::FetchError;
use super::http::{Answer, Getter};
use super::timing::Timing;
use super::url::KeyUrl;
use crate::keys::{FetchResult, KeyOrigin, KeySet, KeySetError, KeySource};

/// The largest file read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Fetches at once, over all issuers: far above any sane table, below the file descriptors of a small machine.
const FLIGHTS: usize = 128;
/// Sets read at once: a hostile 1 MiB document takes some 30 MiB while it is looked at.
const READERS: usize = 2;

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Loaded {
    /// A set with at least one usable key; `None` where the sender says that the one of before still holds.
    pub(super) set: Option<Arc<KeySet>>,
    /// How long the sender says that it may be kept, or when it wants to be asked again.
    pub(super) keep: Option<Duration>,
}

/// What a fetch needs to know of the ones before: one for each source, changed by nobody but [`Loader::load`].
#[derive(Debug, Default)]
pub(super) struct Memory {}

/// What a fetch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// The regular round: everything is looked up anew.
    Round,
    /// A token named a key that is not there: only the key set is asked for, where its place is known already.
    Keys,
}

/// What all sources share: the client, and the bounds on how much happens at once.
pub(super) struct Loader {
    getter: Getter,
    flights: Semaphore,
    readers: Semaphore,
}

/// Fetches an origin's keys once, without a background task: for offline commands.
pub async fn once(origin: &KeyOrigin) -> Result<Arc<KeySet>, FetchError> {
    let loader = Loader::new(Arc::new(System), Timing::default());
    let loaded = loader.load(origin, Errand::Round, &mut Memory::default()).await?;
    loaded.set.ok_or_else(|| FetchError::new(FetchResult::Internal, "a key set", "nothing came of the first fetch"))
}

impl Loader {
    pub(super) fn new(resolver: Arc<dyn Resolve>, timing: Timing) -> Self {
        let getter = Getter::new(resolver, timing);
        Self { getter, flights: Semaphore::new(FLIGHTS), readers: Semaphore::new(READERS) }
    }

    /// Fetches the keys of `origin`.
    pub(super) async fn load(
        &self,
        origin: &KeyOrigin,
        _errand: Errand,
        _memory: &mut Memory,
    ) -> Result<Loaded, FetchError> {
        let ca_file = origin.access.ca_file.as_deref();
        match &origin.source {
            KeySource::Inline(set) => Ok(Loaded { set: Some(set.clone()), keep: None }),
            KeySource::File(path) => {
                let body = read_file(path).await?;
                self.read(path.display().to_string(), Answer { body, max_age: None }).await
            }
            KeySource::Url { url } => {
                let url = KeyUrl::parse(url)?;
                let answer = self.get(&url, ca_file).await?;
                self.read(url.to_string(), answer).await
            }
            KeySource::InCluster => Err(FetchError::new(FetchResult::Url, "inCluster", "not built yet")),
            KeySource::Discovery { issuer, url, hosts } => {
                let url = KeyUrl::parse(url)?;
                let document = self.get(&url, ca_file).await?;
                let keys = discovery::jwks_uri(&document.body, &url, issuer, hosts)?;
                let answer = self.get(&keys, ca_file).await?;
                self.read(keys.to_string(), answer).await
            }
        }
    }

    async fn get(&self, url: &KeyUrl, ca_file: Option<&Path>) -> Result<Answer, FetchError> {
        let _flight = self.flights.acquire().await;
        self.getter.get(url, ca_file).await
    }

    /// Reads a set beside the runtime: curve points take a while to check.
    async fn read(&self, place: String, answer: Answer) -> Result<Loaded, FetchError> {
        let _reader = self.readers.acquire().await;
        let max_age = answer.max_age;
        let body = answer.body;
        let read = tokio::task::spawn_blocking(move || {
            let set = KeySet::parse(&body).map_err(|error| not_a_set(&place, &body, &error))?;
            if set.is_empty() { Err(no_usable_keys(&place, &set)) } else { Ok(Arc::new(set)) }
        });
        match read.await {
            Ok(set) => Ok(Loaded { set: Some(set?), keep: max_age }),
            Err(_) => Err(FetchError::new(FetchResult::Internal, "a key set", "reading it failed")),
        }
    }
}

fn not_a_set(place: &str, body: &[u8], error: &KeySetError) -> FetchError {
    match error {
        KeySetError::NotJson(error) => FetchError::new(FetchResult::NotJson, place, discovery::not_json(body, error)),
        KeySetError::TooLarge | KeySetError::TooManyKeys(_) => FetchError::new(FetchResult::TooLarge, place, error),
        KeySetError::NotAnObject(_) | KeySetError::NoKeys => FetchError::new(FetchResult::Malformed, place, error),
    }
}

fn no_usable_keys(place: &str, set: &KeySet) -> FetchError {
    let told: Vec<String> = set.ignored().iter().take(3).map(ToString::to_string).collect();
    let what = match set.ignored().len() {
        0 => "the key set is empty".to_owned(),
        count => format!("none of {count} keys can be used: {}", told.join("; ")),
    };
    FetchError::new(FetchResult::NoUsableKeys, place, what)
}

/// Reads a small regular file. A pipe or a device would never end.
pub(super) async fn read_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        if !std::fs::metadata(&owned)?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&owned)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match read.await {
        Ok(Ok(bytes)) if bytes.len() as u64 > MAX_FILE => {
            Err(FetchError::new(FetchResult::TooLarge, path.display(), format!("more than {MAX_FILE} bytes")))
        }
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(FetchError::new(FetchResult::File, path.display(), format!("cannot be read: {error}"))),
        Err(_) => Err(FetchError::new(FetchResult::Internal, path.display(), "reading it failed")),
    }
}
