//! From a source to a key set, once.

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use tokio::sync::Semaphore;

use super::address::System;
use super::cache::Validator;
use super::discovery;
use super::document;
use super::error::FetchError;
use super::http::{Getter, Reply};
use super::surroundings::Surroundings;
use super::timing::Timing;
use super::url::KeyUrl;
use super::visit::Visit;
use crate::keys::{FetchResult, KeyOrigin, KeySet, KeySource};

pub(super) use super::memory::Memory;

/// Fetches at once, over all issuers: above any sane table, below the file descriptors of a small machine. Each ends
/// within the time of two exchanges, so that is what a fetch waits for at most while not more sources hang.
const FLIGHTS: usize = 256;
/// Of sources that did not answer in time: they wait for each other, and nobody for them.
const LATE_FLIGHTS: usize = 32;
/// The longest that reading the files of one visit may take: authorities, token, client certificate.
const FILES: Duration = Duration::from_secs(2);
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
    surroundings: Surroundings,
    flights: Semaphore,
    late_flights: Semaphore,
    readers: Semaphore,
}

/// Fetches an origin's keys once, without a background task: for offline commands.
pub async fn once(origin: &KeyOrigin, surroundings: Surroundings) -> Result<Arc<KeySet>, FetchError> {
    once_and_keep(origin, surroundings).await.map(|(set, _)| set)
}

/// The same, with the time that the sender says the keys may be kept.
pub async fn once_and_keep(
    origin: &KeyOrigin,
    surroundings: Surroundings,
) -> Result<(Arc<KeySet>, Option<Duration>), FetchError> {
    let loader = Loader::new(Arc::new(System), Timing::default()).within(surroundings);
    let loaded = loader.load(origin, Errand::Round, &mut Memory::default()).await?;
    let nothing = || FetchError::new(FetchResult::Internal, "a key set", "nothing came of the first fetch");
    Ok((loaded.set.ok_or_else(nothing)?, loaded.keep))
}

impl Loader {
    /// A loader without secrets, proxies or a cluster around it.
    pub(super) fn new(resolver: Arc<dyn Resolve>, timing: Timing) -> Self {
        Self {
            getter: Getter::new(resolver, timing),
            surroundings: Surroundings::default(),
            flights: Semaphore::new(FLIGHTS),
            late_flights: Semaphore::new(LATE_FLIGHTS),
            readers: Semaphore::new(READERS),
        }
    }

    /// The same within these surroundings.
    pub(super) fn within(self, surroundings: Surroundings) -> Self {
        let getter = self.getter.through(surroundings.proxies.clone());
        Self { getter, surroundings, ..self }
    }

    /// Fetches the keys of `origin`. What `memory` holds changes only by what was good.
    pub(super) async fn load(
        &self,
        origin: &KeyOrigin,
        errand: Errand,
        memory: &mut Memory,
    ) -> Result<Loaded, FetchError> {
        let lane = if memory.was_late { &self.late_flights } else { &self.flights };
        let outcome = match &origin.source {
            KeySource::Inline(set) => Ok(Loaded { set: Some(set.clone()), keep: None }),
            KeySource::File(path) => {
                let late = |_| FetchError::new(FetchResult::Timeout, path.display(), "takes too long to read");
                let body = tokio::time::timeout(FILES, memory.disk.read(path)).await.map_err(late)??;
                let read = self.read(origin, path.display().to_string(), body, memory).await?;
                Ok(Loaded { set: Some(read), keep: None })
            }
            _ => {
                let _flight = lane.acquire().await;
                self.fetch(origin, errand, memory).await
            }
        };
        memory.was_late = outcome.as_ref().is_err_and(|error| error.result() == FetchResult::Timeout);
        outcome
    }

    async fn fetch(&self, origin: &KeyOrigin, errand: Errand, memory: &mut Memory) -> Result<Loaded, FetchError> {
        let surroundings = &self.surroundings;
        let (visit, keys) = match &origin.source {
            KeySource::InCluster => {
                let visit = Visit::in_cluster(origin, surroundings)?;
                let keys = visit.configured().clone();
                (visit, keys)
            }
            KeySource::Discovery { issuer, url, hosts } => {
                let visit = Visit::new(origin, KeyUrl::parse(url)?, surroundings);
                let keys = match (errand, &memory.keys_url) {
                    (Errand::Keys, Some(known)) => known.clone(),
                    _ => {
                        let document = self.discover(&visit, memory).await?;
                        discovery::jwks_uri(&document, visit.configured(), issuer, hosts)?
                    }
                };
                (visit, keys)
            }
            KeySource::Url { url } => {
                let keys = KeyUrl::parse(url)?;
                (Visit::new(origin, keys.clone(), surroundings), keys)
            }
            KeySource::Inline(_) | KeySource::File(_) => {
                return Err(FetchError::new(FetchResult::Internal, "a key source", "is not fetched"));
            }
        };
        let loaded = self.keys(origin, &visit, &keys, memory).await?;
        memory.keys_url = Some(keys);
        Ok(loaded)
    }

    /// The discovery document, always whole: it is small, and what came of it last time is not kept.
    async fn discover(&self, visit: &Visit<'_>, memory: &Memory) -> Result<Vec<u8>, FetchError> {
        let url = visit.configured();
        match self.get(visit, url, memory, None).await? {
            Reply::Fresh(answer) => Ok(answer.body),
            Reply::Unchanged { .. } => Err(FetchError::new(FetchResult::Internal, url, "was asked for whole")),
        }
    }

    async fn get(
        &self,
        visit: &Visit<'_>,
        url: &KeyUrl,
        memory: &Memory,
        validator: Option<&Validator>,
    ) -> Result<Reply, FetchError> {
        // A file on a disk that hangs would else keep its place among the flights for ever.
        let late = |_| FetchError::new(FetchResult::Timeout, url, "the files it is visited with take too long to read");
        let kit = tokio::time::timeout(FILES, visit.kit(url, memory)).await.map_err(late)??;
        self.getter.get(url, kit, validator).await
    }

    async fn keys(
        &self,
        origin: &KeyOrigin,
        visit: &Visit<'_>,
        url: &KeyUrl,
        memory: &mut Memory,
    ) -> Result<Loaded, FetchError> {
        let (set, keep) = match self.get(visit, url, memory, memory.validator(url)).await? {
            Reply::Unchanged { keep } => (None, keep),
            Reply::Fresh(answer) => {
                let set = self.read(origin, url.to_string(), answer.body, memory).await?;
                memory.remember(url, answer.validator);
                (Some(set), answer.keep)
            }
        };
        Ok(Loaded { set, keep: memory.bundle.refresh_hint().or(keep) })
    }

    /// Reads a document beside the runtime: curve points take a while to check.
    async fn read(
        &self,
        origin: &KeyOrigin,
        place: String,
        body: Vec<u8>,
        memory: &mut Memory,
    ) -> Result<Arc<KeySet>, FetchError> {
        let _reader = self.readers.acquire().await;
        let (format, at) = (origin.format.clone(), place.clone());
        let read = tokio::task::spawn_blocking(move || document::read(&format, &at, &body));
        let failed = |_| FetchError::new(FetchResult::Internal, "a key set", "reading it failed");
        let mut bundle = read.await.map_err(failed)??;
        memory.bundle.check(&place, bundle.sequence)?;
        let set = Arc::new(std::mem::take(&mut bundle.keys));
        memory.bundle.remember(bundle);
        Ok(set)
    }
}
