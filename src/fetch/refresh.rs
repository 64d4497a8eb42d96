//! The life of one source: fetch, publish, wait, again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};

use super::error::FetchError;
use super::feed::Feed;
use super::load::{Errand, Loaded, Loader, Memory};
use super::timing::Timing;
use crate::clock::Clock;
use crate::keys::{FetchResult, KeySource};
use crate::observe::FetchTimes;

/// Keeps a feed filled until this task is ended. Should a fault of ours end the work early, nobody would watch the
/// age of the keys any more: they are taken out of force, and the work begins anew.
pub(super) async fn keep(feed: Arc<Feed>, tools: Arc<Tools>) {
    loop {
        // A set of one, because dropping it ends the work with this task.
        let mut work = JoinSet::new();
        let refresh = Refresh::new(feed.clone(), tools.clone());
        work.spawn(refresh.run());
        work.join_next().await;
        feed.empty();
        feed.bell.answered();
        feed.bell.landed();
        tracing::error!(issuer = %feed.name, iss = %feed.issuer, "fetching keys failed by a fault of credence");
        tokio::time::sleep(tools.timing.after_failure(u32::MAX)).await;
    }
}

/// What the work on every source needs.
pub(super) struct Tools {
    pub(super) loader: Loader,
    pub(super) clock: Clock,
    pub(super) timing: Timing,
    pub(super) times: FetchTimes,
}

/// The work on one source. Waits and ages go by the monotonic clock; the wall clock is only told.
struct Refresh {
    feed: Arc<Feed>,
    tools: Arc<Tools>,
    memory: Memory,
    failures: Failures,
    /// When the next regular round is due.
    next: Instant,
    /// Whether the fetch under way was asked for over a token.
    asked: bool,
}

impl Refresh {
    fn new(feed: Arc<Feed>, tools: Arc<Tools>) -> Self {
        let (memory, failures) = (Memory::default(), Failures::default());
        Self { feed, tools, memory, failures, next: Instant::now(), asked: false }
    }

    /// Fetches and publishes for ever.
    async fn run(mut self) {
        loop {
            let errand = self.errand().await;
            self.feed.bell.took_off();
            let begun = Instant::now();
            // On the heap, because while it waits, which is nearly always, this task is to take no room for it.
            let load = Box::pin(self.tools.loader.load(&self.feed.origin, errand, &mut self.memory));
            let loaded = ageing_meanwhile(&self.feed, load).await;
            self.tools.times.took(begun.elapsed());
            self.feed.bell.answered();
            match loaded {
                Ok(loaded) => self.succeed(loaded, errand).await,
                Err(error) => self.fail(&error),
            }
            self.feed.bell.landed();
            self.feed.tried();
        }
    }

    /// Waits for the next reason to fetch. Meanwhile keys grow old, rules change, and trust ends.
    async fn errand(&mut self) -> Errand {
        loop {
            if self.is_over() {
                self.rest().await;
            }
            // Rules that came meanwhile may let keys grow old faster than this round was planned for.
            if let Some(due) = self.feed.due().filter(|due| self.failures.count == 0 && *due < self.next) {
                self.schedule(due.saturating_duration_since(Instant::now()));
            }
            let stale = self.feed.expire().unwrap_or(self.next);
            tokio::select! {
                () = sleep_until(self.next) => {
                    if self.is_over() {
                        continue;
                    }
                    self.asked = false;
                    return Errand::Round;
                }
                () = self.feed.bell.rung() => {
                    self.asked = true;
                    // What was learnt of a source that fails is not built upon: everything is looked up anew.
                    return if self.failures.count == 0 { Errand::Keys } else { Errand::Round };
                }
                () = sleep_until(stale), if stale < self.next => {}
                () = self.feed.reruled() => {}
            }
        }
    }

    fn is_over(&self) -> bool {
        self.feed.is_over(self.tools.clock.now())
    }

    /// Of an issuer that has ended no token counts, and nobody asks for its keys. More time for it in the table ends that at once,
    /// a clock that is set back soon. It may have been wrong for a moment only, so that the keys at hand go at the second look.
    async fn rest(&mut self) {
        tracing::info!(issuer = %self.feed.name, iss = %self.feed.issuer, "the trust in this issuer has ended: its keys are not fetched");
        self.feed.log.rested();
        self.failures = Failures::default();
        self.feed.tried();
        while self.is_over() {
            if timeout(self.tools.timing.look_again, self.feed.reruled()).await.is_err() && self.is_over() {
                self.feed.empty();
                self.memory = Memory::default();
            }
        }
        self.next = Instant::now();
    }

    async fn succeed(&mut self, loaded: Loaded, errand: Errand) {
        let Loaded { set, keep } = loaded;
        let feed = Arc::clone(&self.feed);
        let (published, unusable) = set.as_ref().map_or((0, 0), |set| (set.keys().len(), set.ignored().len()));
        let first_unusable =
            set.as_ref().and_then(|set| set.ignored().first()).map(ToString::to_string).unwrap_or_default();
        // Reading a thousand keys takes a while: not on the threads that answer.
        let Ok(new) = spawn_blocking(move || feed.fill(set)).await else {
            // What did not come into force must not be vouched for by a later "not modified".
            self.memory.forget_validator();
            let error = FetchError::new(FetchResult::Internal, "a key set", "putting it in force failed");
            return self.fail(&error);
        };
        self.feed.log.succeeded(self.tools.clock.now());
        let (issuer, iss) = (&self.feed.name, &self.feed.issuer);
        if self.failures.recover() {
            tracing::info!(%issuer, %iss, "keys are fetched, after failures");
        }
        if new {
            tracing::info!(%issuer, %iss, published, unusable, first_unusable, "a new key set is in force");
        }
        if errand == Errand::Round {
            let wait = match &self.feed.origin.source {
                KeySource::File(_) => self.tools.timing.file,
                _ => self.tools.timing.after_success(keep).min(self.feed.shortest() / 2),
            };
            self.schedule(wait);
        }
    }

    fn fail(&mut self, error: &FetchError) {
        let wait = self.failures.fail(&self.feed, &self.tools.timing, error);
        let wait = match &self.feed.origin.source {
            KeySource::File(_) => wait.min(self.tools.timing.file),
            _ => wait,
        };
        if !self.asked {
            return self.schedule(wait);
        }
        // What tokens cause puts no round off, and brings none nearer than what they may cause themselves.
        let wait = wait.max(self.tools.timing.budget.fetches.1);
        if Instant::now() + wait < self.next {
            self.schedule(wait);
        }
    }

    fn schedule(&mut self, wait: Duration) {
        self.next = Instant::now() + wait;
        self.feed.log.scheduled(self.tools.clock.now().after(wait));
    }
}

/// Ends with `work`. However long that takes, keys grow old meanwhile.
async fn ageing_meanwhile<T>(feed: &Feed, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        let stale = feed.expire();
        let expired = async {
            match stale {
                Some(moment) => sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = &mut work => return done,
            () = expired => {}
            () = feed.reruled() => {}
        }
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
            let (issuer, iss, result) = (&feed.name, &feed.issuer, error.label());
            match (feed.is_fed(), error.result()) {
                (true, FetchResult::NoUsableKeys) => tracing::error!(
                    %issuer, %iss, result,
                    "the issuer publishes no usable key any more; the last good ones serve on until maxStale: {error}"
                ),
                (true, _) => {
                    tracing::warn!(%issuer, %iss, result, "keys not fetched, the last good ones serve on: {error}");
                }
                (false, _) => {
                    tracing::warn!(%issuer, %iss, result, "keys not fetched, and there are none to serve on: {error}");
                }
            }
            self.told = Some(error.clone());
        }
        timing.after_failure(self.count)
    }

    /// Forgets; true if there was something to recover from.
    fn recover(&mut self) -> bool {
        std::mem::take(self).count > 0
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    /// How large what an async function returns is.
    const fn size<T, F>(_: fn(T) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn a_source_at_rest_takes_little_memory() {
        assert!(size(Refresh::run) < 2048, "ten thousand sources wait at once: {} bytes each", size(Refresh::run));
    }
}
