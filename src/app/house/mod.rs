//! What every call shares: the table and blocks in force, and whatever outlives them.

mod judge;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Settings;
use super::standing::Standing;
use super::till::Till;
use crate::answer::Style;
use crate::block::{Blocks, InForce};
use crate::clock::{Clock, Time};
use crate::flood::Floodgate;
use crate::grpc::Validity;
use crate::memory::Memory;
use crate::observe::{DecisionLog, FetchTimes, LogLevel, Metrics, ReloadKind, WhenFull};
use crate::spans::Spans;
use crate::table::{Live, Published, Report, Snapshot};

/// What every call shares.
#[derive(Debug)]
pub struct House {
    live: Live<Published>,
    blocks: Standing,
    clock: Clock,
    style: Style,
    log: DecisionLog,
    when_full: WhenFull,
    metrics: Metrics,
    spans: Option<Spans>,
    log_level: Option<Arc<LogLevel>>,
    memory: Memory,
    floodgate: Floodgate,
    /// Kept over every reload.
    spent: Till,
    reload_error: Mutex<Option<String>>,
    /// Whether every `required` issuer has had keys once. It stays so: were keys that are lost later to end the
    /// readiness, one issuer's trouble would take every gateway away from all the others.
    settled: AtomicBool,
    /// What was told of keys that several issuers publish, so that the same is told once.
    told: Mutex<Vec<String>>,
    /// A call found the keys of namesakes worth comparing.
    suspicion: Arc<Notify>,
}

impl House {
    pub(super) fn new(
        settings: &Settings,
        log: DecisionLog,
        metrics: Metrics,
        spans: Option<Spans>,
        spent: Till,
    ) -> Self {
        Self {
            live: Live::empty(),
            blocks: Standing::default(),
            clock: settings.clock.clone(),
            style: settings.style,
            log,
            when_full: settings.when_full,
            metrics,
            spans,
            log_level: settings.log_level.clone(),
            memory: Memory::new(settings.token_memory),
            floodgate: Floodgate::new(settings.max_bad_signatures),
            spent,
            reload_error: Mutex::new(None),
            settled: AtomicBool::new(false),
            told: Mutex::default(),
            suspicion: Arc::default(),
        }
    }

    /// Puts a table in force. What was in force comes back: calls in hand may still hold it, and the last to let go of a
    /// large table pays for it.
    pub(super) fn publish(&self, snapshot: Snapshot, findings: &Report) -> (u64, Option<Arc<Published>>) {
        let since = self.clock.now();
        let before = self.live.load();
        self.spent.share_among(snapshot.grants.issuers_with_single_use(), since);
        let generation = self.live.publish(|generation| Published { generation, since, snapshot });
        *self.reload_error() = None;
        if let Some(published) = self.live.load() {
            self.metrics.published(&published, findings);
        }
        (generation, before)
    }

    /// Puts blocks in force; what was in force comes back.
    pub(super) fn publish_blocks(&self, blocks: Blocks) -> (u64, Option<Arc<InForce>>) {
        let since = self.clock.now();
        self.metrics.blocked(blocks.len(), since);
        self.blocks.publish(blocks, since)
    }

    /// New blocks were not taken; the old ones go on.
    pub(super) fn keep_old_blocks(&self, error: String) {
        self.metrics.reloaded(ReloadKind::Blocks, None);
        self.blocks.keep(error);
    }

    /// The blocks in force, if any were ever named.
    pub(super) fn blocks(&self) -> Option<Arc<InForce>> {
        self.blocks.load()
    }

    /// Tells of blocks that stop nobody by the table in force, once there is one.
    pub(super) fn tell_idle_blocks(&self) {
        if let Some(published) = self.live.load() {
            self.blocks.tell_idle(&published.snapshot);
        }
    }

    /// A new table was not taken; the old one goes on.
    pub(super) fn keep_old(&self, error: String) {
        self.metrics.reloaded(ReloadKind::Table, None);
        *self.reload_error() = Some(error);
    }

    /// The listener shows this certificate from now on.
    pub(super) fn took_certificate(&self, validity: &Validity) {
        self.metrics.certificate(validity.not_before, validity.not_after);
        self.metrics.reloaded(ReloadKind::Tls, Some(self.now()));
    }

    /// New TLS files were not taken; the old ones go on.
    pub(super) fn kept_certificate(&self) {
        self.metrics.reloaded(ReloadKind::Tls, None);
    }

    pub(super) fn in_force(&self) -> Option<(u64, Time)> {
        self.live.load().map(|published| (published.generation, published.since))
    }

    pub(super) fn fetch_times(&self) -> FetchTimes {
        self.metrics.fetch_times()
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Names of the `required` issuers that readiness still waits for.
    fn awaited_issuers(&self, published: Option<&Published>) -> Vec<String> {
        let Some(published) = published.filter(|_| !self.settled.load(Ordering::Relaxed)) else { return Vec::new() };
        // Of one that has ended no token counts, whatever keys it has: nothing is to be waited for.
        let now = self.now();
        let in_force = published.snapshot.issuers.iter().filter(|issuer| issuer.is_in_force(now));
        let required = in_force.filter(|issuer| issuer.required);
        let mut names: Vec<_> =
            required.filter(|issuer| !issuer.keys.is_ready()).map(|issuer| issuer.name.to_string()).collect();
        names.dedup();
        self.settled.store(names.is_empty(), Ordering::Relaxed);
        names
    }

    /// Whether calls can be decided, and every `required` issuer has had keys.
    pub(super) fn is_ready(&self) -> bool {
        let published = self.live.load();
        published.is_some() && self.awaited_issuers(published.as_deref()).is_empty()
    }

    /// Told when a call has made it worth while to compare the keys of namesakes.
    pub(super) fn suspicion(&self) -> Arc<Notify> {
        Arc::clone(&self.suspicion)
    }

    /// Keys that several issuers publish; what is new of it is told in the log. Takes a while: not for a call.
    pub(super) fn compare_keys(&self) -> Vec<String> {
        let published = self.live.load();
        published.as_deref().map_or_else(Vec::new, |published| self.shared_keys(published))
    }

    fn shared_keys(&self, published: &Published) -> Vec<String> {
        let now = published.snapshot.issuers.shared_keys();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for sentence in now.iter().filter(|sentence| !told.contains(sentence)) {
            tracing::error!(
                "{sentence}: give each cluster a signing key of its own, or pin each one's keys (pin.keys)"
            );
        }
        told.clone_from(&now);
        now
    }

    fn reload_error(&self) -> MutexGuard<'_, Option<String>> {
        self.reload_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the spans that wait, until `deadline`.
    pub(super) async fn flush_spans(&self, deadline: Instant) {
        if let Some(spans) = &self.spans {
            spans.flush(deadline).await;
        }
    }
}
