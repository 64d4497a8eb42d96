//! The life of one source: fetch, publish, wait, again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::error::FetchError;
use super::load::{Errand, Loaded, Loader, Memory};
use super::timing::Timing;
use crate::clock::Clock;
use crate::keys::{FetchLog, KeyOrigin, KeyRules, KeySet, KeySource, LiveKeys};
use crate::name::{Issuer, IssuerName};

/// One source of keys and the handles that it feeds: one for each set of rules that a table in force has for it.
pub(super) struct Feed {
    name: IssuerName,
    issuer: Issuer,
    origin: KeyOrigin,
    log: Arc<FetchLog>,
    state: Mutex<State>,
    tries: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// The last good set, while it may be used.
    set: Option<Arc<KeySet>>,
    outlets: Vec<Arc<LiveKeys>>,
}

impl Feed {
    pub(super) fn new(name: IssuerName, issuer: Issuer, origin: KeyOrigin) -> Self {
        let tries = watch::Sender::new(0);
        Self { name, issuer, origin, log: Arc::default(), state: Mutex::default(), tries }
    }

    /// The handle for `rules`: the one there is, or a new one with the keys at hand.
    pub(super) fn outlet(&self, rules: &KeyRules) -> Arc<LiveKeys> {
        let mut state = self.state();
        if let Some(known) = state.outlets.iter().find(|outlet| outlet.rules() == rules) {
            return known.clone();
        }
        let outlet = Arc::new(LiveKeys::fed(Some(self.issuer.clone()), rules, self.log.clone()));
        if let Some(set) = &state.set {
            outlet.publish(set.clone());
        }
        state.outlets.push(outlet.clone());
        outlet
    }

    /// Drops the handles that are not wanted; false when none is left.
    pub(super) fn retain(&self, wanted: impl Fn(&Arc<LiveKeys>) -> bool) -> bool {
        let mut state = self.state();
        state.outlets.retain(wanted);
        !state.outlets.is_empty()
    }

    /// Puts a set in force; false if it is the one already there.
    pub(super) fn fill(&self, set: Arc<KeySet>) -> bool {
        let mut state = self.state();
        if state.set.as_ref() == Some(&set) {
            return false;
        }
        state.outlets.iter().for_each(|outlet| outlet.publish(set.clone()));
        state.set = Some(set);
        true
    }

    /// Takes the last good set out of force, for later handles too.
    fn empty(&self) {
        let mut state = self.state();
        state.set = None;
        state.outlets.iter().for_each(|outlet| outlet.withdraw());
    }

    /// How often the source has been tried.
    pub(super) fn tries(&self) -> watch::Receiver<u64> {
        self.tries.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a feed filled until this task is ended. Should a fault of ours end the work early, nobody would watch the
/// age of the keys any more: they are taken out of force, and the work begins anew.
pub(super) async fn keep(feed: Arc<Feed>, loader: Arc<Loader>, clock: Clock, timing: Timing) {
    loop {
        // A set of one, because dropping it ends the work with this task.
        let mut work = JoinSet::new();
        work.spawn(run(feed.clone(), loader.clone(), clock.clone(), timing.clone()));
        work.join_next().await;
        feed.empty();
        tracing::error!(issuer = %feed.name, iss = %feed.issuer, "fetching keys failed by a fault of credence");
        tokio::time::sleep(timing.after_failure(u32::MAX)).await;
    }
}

/// Fetches and publishes for ever. Waits and ages go by the monotonic clock; the wall clock is only told.
async fn run(feed: Arc<Feed>, loader: Arc<Loader>, clock: Clock, timing: Timing) {
    let mut failures = Failures::default();
    let mut last_good: Option<Instant> = None;
    let mut memory = Memory::default();
    loop {
        let loaded = loader.load(&feed.origin, Errand::Round, &mut memory).await;
        let wait = match loaded {
            Ok(loaded) => {
                last_good = Some(Instant::now());
                succeed(&feed, &mut failures, &clock, &timing, loaded)
            }
            Err(error) => failures.fail(&feed, &timing, &error),
        };
        feed.log.scheduled(clock.now().after(wait));
        let next = Instant::now() + wait;
        feed.tries.send_modify(|count| *count += 1);
        if let Some(end) = last_good.map(|good| good + timing.max_stale)
            && end <= next
        {
            sleep_until(end).await;
            last_good = None;
            feed.empty();
            memory.forget_document();
            tracing::error!(issuer = %feed.name, iss = %feed.issuer, "the last good keys are too old and no longer used");
        }
        sleep_until(next).await;
    }
}

fn succeed(feed: &Feed, failures: &mut Failures, clock: &Clock, timing: &Timing, loaded: Loaded) -> Duration {
    let Loaded { set, keep } = loaded;
    feed.log.succeeded(clock.now());
    if failures.recover() {
        tracing::info!(issuer = %feed.name, iss = %feed.issuer, "keys are fetched again");
    }
    if let Some(set) = set {
        let (usable, unusable) = (set.keys().len(), set.ignored().len());
        let first_unusable = set.ignored().first().map(ToString::to_string).unwrap_or_default();
        if feed.fill(set) {
            tracing::info!(issuer = %feed.name, iss = %feed.issuer, usable, unusable, first_unusable, "new keys in force");
        }
    }
    match &feed.origin.source {
        KeySource::File(_) => timing.file,
        _ => timing.after_success(keep),
    }
}

/// Failures in a row. The same one is told once.
#[derive(Default)]
struct Failures {
    count: u32,
    told: Option<FetchError>,
}

impl Failures {
    fn fail(&mut self, feed: &Feed, timing: &Timing, error: &FetchError) -> Duration {
        self.count = self.count.saturating_add(1);
        feed.log.failed(error.result(), error.to_string());
        if self.told.as_ref() != Some(error) {
            tracing::warn!(issuer = %feed.name, iss = %feed.issuer, result = error.label(), "keys not fetched: {error}");
            self.told = Some(error.clone());
        }
        let wait = timing.after_failure(self.count);
        match &feed.origin.source {
            KeySource::File(_) => wait.min(timing.file),
            _ => wait,
        }
    }

    /// Forgets; true if there was something to recover from.
    fn recover(&mut self) -> bool {
        std::mem::take(self).count > 0
    }
}
