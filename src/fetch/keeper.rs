//! Which sources are being kept, and for whom.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::address::System;
use super::feed::Feed;
use super::load::Loader;
use super::refresh::{Tools, keep};
use super::surroundings::Surroundings;
use super::timing::Timing;
use crate::clock::Clock;
use crate::keys::{KeySource, LiveKeys};
use crate::name::{Issuer, IssuerName};
use crate::observe::FetchTimes;
use crate::table::KeyNeed;

/// Keeps the keys of all issuers fresh. Each source has its own task, so one issuer's trouble is never another's;
/// a reload that leaves a source as it was causes no fetch. Dropping the keeper ends all tasks.
pub struct Keeper {
    runtime: Handle,
    tools: Arc<Tools>,
    sources: Mutex<HashMap<(IssuerName, Issuer), Vec<Kept>>>,
}

/// A source with its task; keys that stand in the table have none.
struct Kept {
    feed: Arc<Feed>,
    task: Option<AbortHandle>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Keeper {
    /// A keeper without sources, whose tasks will run on `runtime`.
    pub fn new(runtime: Handle, clock: Clock, surroundings: Surroundings, times: FetchTimes) -> Self {
        let timing = Timing::default();
        let loader = Loader::new(Arc::new(System), timing.clone()).within(surroundings);
        Self::of(runtime, Tools { loader, clock, timing, times })
    }

    /// The same with other limits, and another way to look names up.
    #[cfg(test)]
    pub(super) fn with(
        runtime: Handle,
        clock: Clock,
        timing: Timing,
        resolver: Arc<dyn reqwest::dns::Resolve>,
        times: FetchTimes,
    ) -> Self {
        let loader = Loader::new(resolver, timing.clone());
        Self::of(runtime, Tools { loader, clock, timing, times })
    }

    fn of(runtime: Handle, tools: Tools) -> Self {
        Self { runtime, tools: Arc::new(tools), sources: Mutex::default() }
    }

    /// The keys of one exact issuer under one entry of the table. The first call for a source starts its task and
    /// returns at once, without keys; a later one returns the same handle, or, under other rules, a new handle with
    /// the keys that are already there.
    pub fn bind(&self, need: &KeyNeed<'_>) -> Arc<LiveKeys> {
        let KeyNeed { name, issuer, origin, rules, until } = *need;
        let mut sources = self.sources();
        let kept = sources.entry((name.clone(), issuer.clone())).or_default();
        if let Some(known) = kept.iter().find(|kept| kept.feed.origin == *origin) {
            return known.feed.outlet(rules, until);
        }
        let feed = Arc::new(Feed::new(name.clone(), issuer.clone(), origin.clone(), &self.tools.timing));
        // Before the work on it begins, which looks whether anybody needs the keys.
        let outlet = feed.outlet(rules, until);
        let task = match &origin.source {
            KeySource::Inline(set) => {
                feed.fill(Some(set.clone()));
                None
            }
            _ => {
                let task = keep(feed.clone(), self.tools.clone());
                Some(self.runtime.spawn(task).abort_handle())
            }
        };
        kept.reserve_exact(1);
        kept.push(Kept { feed, task });
        outlet
    }

    /// Ends what no handle of `held` is fed by: to be called once the new table is in force.
    pub fn retain(&self, held: &[Arc<LiveKeys>]) {
        let held: HashSet<*const LiveKeys> = held.iter().map(Arc::as_ptr).collect();
        self.sources().retain(|_, kept| {
            kept.retain(|kept| kept.feed.retain(|outlet| held.contains(&Arc::as_ptr(outlet))));
            !kept.is_empty()
        });
    }

    /// Waits until every source bound so far has been tried once, well or not, or found not to be needed.
    pub async fn tried(&self) {
        for mut count in self.tries() {
            // An error means that the source is gone, and with it the reason to wait.
            let _ = count.wait_for(|count| *count >= 1).await;
        }
    }

    /// How often each source with a task has been tried.
    pub(super) fn tries(&self) -> Vec<watch::Receiver<u64>> {
        let sources = self.sources();
        sources.values().flatten().filter(|kept| kept.task.is_some()).map(|kept| kept.feed.tries()).collect()
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<(IssuerName, Issuer), Vec<Kept>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
