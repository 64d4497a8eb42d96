//! One source of keys and the handles that it feeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::doorbell::{Button, Doorbell};
use super::timing::Timing;
use crate::clock::Time;
use crate::keys::{FetchLog, KeyOrigin, KeyRules, KeySet, KeySource, LiveKeys, Supply};
use crate::name::{Issuer, IssuerName};

/// A handle that is told of is one line each; of more than this many only the number.
const TOLD: usize = 8;

/// The last good set of one source, and one handle for each set of rules that a table in force has for it.
pub(super) struct Feed {
    pub(super) name: IssuerName,
    pub(super) issuer: Issuer,
    pub(super) origin: KeyOrigin,
    pub(super) log: Arc<FetchLog>,
    pub(super) bell: Arc<Doorbell>,
    /// `maxStale` of entries that do not say.
    max_stale: Duration,
    state: Mutex<State>,
    reruled: Notify,
    tries: AtomicU64,
    /// Made for the first who asks.
    told: OnceLock<watch::Sender<u64>>,
}

#[derive(Default)]
struct State {
    good: Option<Good>,
    outlets: Vec<Outlet>,
}

/// The last good set, and when the source last said that it holds.
struct Good {
    set: Arc<KeySet>,
    seen: Instant,
}

struct Outlet {
    keys: Arc<LiveKeys>,
    /// From when on nobody needs its keys.
    until: Option<Time>,
    /// Whether it has the good set.
    fed: bool,
}

impl Feed {
    pub(super) fn new(name: IssuerName, issuer: Issuer, origin: KeyOrigin, timing: &Timing) -> Self {
        Self {
            name,
            issuer,
            origin,
            log: Arc::default(),
            bell: Arc::new(Doorbell::new(timing.budget.clone())),
            max_stale: timing.max_stale,
            state: Mutex::default(),
            reruled: Notify::new(),
            tries: AtomicU64::new(0),
            told: OnceLock::new(),
        }
    }

    /// The handle for `rules`, needed until then: the one there is, or a new one with the keys at hand.
    pub(super) fn outlet(&self, rules: &KeyRules, until: Option<Time>) -> Arc<LiveKeys> {
        let mut state = self.state();
        let is_known = |outlet: &&Outlet| outlet.keys.rules() == rules && outlet.until == until;
        if let Some(known) = state.outlets.iter().find(is_known) {
            return known.keys.clone();
        }
        let button = || Arc::new(Button(Arc::clone(&self.bell))) as Arc<dyn Supply>;
        let supply = (!self.is_inline()).then(button);
        let keys = Arc::new(LiveKeys::fed(Some(self.issuer.clone()), rules, self.log.clone(), supply));
        let mut outlet = Outlet { keys: keys.clone(), until, fed: false };
        if let Some(good) = &state.good
            && (self.is_inline() || Instant::now() < good.seen + self.max_stale_of(&outlet))
        {
            self.pour(&mut outlet, &good.set);
        }
        state.outlets.reserve_exact(1);
        state.outlets.push(outlet);
        drop(state);
        self.reruled.notify_one();
        keys
    }

    /// Keys that stand in the table do not age, and nobody answers the bell for more.
    const fn is_inline(&self) -> bool {
        matches!(self.origin.source, KeySource::Inline(_))
    }

    /// Drops the handles that are not wanted; false when none is left.
    pub(super) fn retain(&self, wanted: impl Fn(&Arc<LiveKeys>) -> bool) -> bool {
        let mut state = self.state();
        state.outlets.retain(|outlet| wanted(&outlet.keys));
        !state.outlets.is_empty()
    }

    /// The source has spoken: this set holds, or, with `None`, the last one still does. True if it is a new one.
    pub(super) fn fill(&self, set: Option<Arc<KeySet>>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let Some(set) = set.or_else(|| Some(Arc::clone(&state.good.as_ref()?.set))) else { return false };
        let new = state.good.as_ref().is_none_or(|good| good.set != set);
        for outlet in state.outlets.iter_mut().filter(|outlet| new || !outlet.fed) {
            self.pour(outlet, &set);
        }
        state.good = Some(Good { set, seen: Instant::now() });
        new
    }

    fn pour(&self, outlet: &mut Outlet, set: &Arc<KeySet>) {
        outlet.keys.publish(Arc::clone(set));
        outlet.fed = true;
        let ring = outlet.keys.ring();
        for kid in ring.ambiguous().into_iter().take(TOLD) {
            tracing::error!(
                issuer = %self.name, iss = %self.issuer, kid = %kid.as_str().escape_debug(),
                "several published keys have one kid, so it names none of them: tokens that name it are refused"
            );
        }
        if ring.usable().next().is_none() {
            tracing::error!(
                issuer = %self.name, iss = %self.issuer, published = set.keys().len(),
                "none of the published keys counts under signingAlgs, pin.keys, their names and their own issuer member: \
                 every token of this issuer is refused"
            );
        }
        for key in ring.quarantine().iter().take(TOLD) {
            let kid = key.kid.as_ref().map(|kid| kid.as_str().escape_debug().to_string()).unwrap_or_default();
            tracing::warn!(
                issuer = %self.name, iss = %self.issuer, kid, thumbprint = %key.thumbprint,
                "a published key is not pinned (pin.keys) and is ignored"
            );
        }
        if let Some(more) = ring.quarantine().len().checked_sub(TOLD).filter(|more| *more > 0) {
            tracing::warn!(issuer = %self.name, iss = %self.issuer, more, "further published keys are not pinned");
        }
    }

    /// Takes the keys out of every handle that may not have them any longer, and says when the next one is due.
    pub(super) fn expire(&self) -> Option<Instant> {
        let mut state = self.state();
        let seen = state.good.as_ref()?.seen;
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for outlet in state.outlets.iter_mut().filter(|outlet| outlet.fed) {
            let bound = self.max_stale_of(outlet);
            if now < seen + bound {
                next = Some(next.map_or(seen + bound, |next| next.min(seen + bound)));
                continue;
            }
            outlet.keys.withdraw();
            outlet.fed = false;
            tracing::error!(
                issuer = %self.name, iss = %self.issuer, max_stale_seconds = bound.as_secs(),
                "the last good keys are older than maxStale and are no longer used: every token of this issuer is refused"
            );
        }
        next
    }

    /// Forgets the last good set, also for later handles: nobody watches its age any more.
    pub(super) fn empty(&self) {
        let mut state = self.state();
        state.good = None;
        for outlet in &mut state.outlets {
            outlet.keys.withdraw();
            outlet.fed = false;
        }
    }

    /// Whether all whom it feeds have ended.
    pub(super) fn is_over(&self, now: Time) -> bool {
        let state = self.state();
        !state.outlets.is_empty() && state.outlets.iter().all(|outlet| outlet.until.is_some_and(|end| now >= end))
    }

    /// Whether there is a set that still serves.
    pub(super) fn is_fed(&self) -> bool {
        self.state().outlets.iter().any(|outlet| outlet.fed)
    }

    /// The shortest `maxStale` of the handles: the source must be asked again before its keys count as stale.
    pub(super) fn shortest(&self) -> Duration {
        self.state().outlets.iter().map(|outlet| self.max_stale_of(outlet)).min().unwrap_or(self.max_stale)
    }

    /// When the source is to be asked again at the latest, by the rules that are in force now.
    pub(super) fn due(&self) -> Option<Instant> {
        let seen = self.state().good.as_ref()?.seen;
        Some(seen + self.shortest() / 2)
    }

    fn max_stale_of(&self, outlet: &Outlet) -> Duration {
        outlet.keys.rules().max_stale.unwrap_or(self.max_stale)
    }

    /// Ends when a handle with other rules has come.
    pub(super) async fn reruled(&self) {
        self.reruled.notified().await;
    }

    /// Counts a finished try.
    pub(super) fn tried(&self) {
        self.tries.fetch_add(1, Ordering::SeqCst);
        self.tell();
    }

    /// How often the source has been tried.
    pub(super) fn tries(&self) -> watch::Receiver<u64> {
        let tries = self.told.get_or_init(|| watch::Sender::new(0)).subscribe();
        // What was counted while nobody had asked yet.
        self.tell();
        tries
    }

    fn tell(&self) {
        if let Some(told) = self.told.get() {
            let count = self.tries.load(Ordering::SeqCst);
            told.send_if_modified(|told| std::mem::replace(told, (*told).max(count)) < count);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
