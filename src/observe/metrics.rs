//! The metrics of the process. Labels are names from the table or closed lists: no caller can make a series.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::decisions::Decisions;
use super::exemplars::Made;
use super::exposition;
use super::format::Format;
use super::handshakes::HandshakeCounts;
use super::keys::{FetchTimes, KeyMetrics};
use super::process;
use super::spans::SpanCounts;
use super::store::{StoreMetrics, StoreTimes};
use crate::clock::Time;
use crate::keys::Signed;
use crate::path::Walk;
use crate::table::{Published, Report, Snapshot};

pub(super) type Number = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ends {
    kind: &'static str,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: ReloadKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entries {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRule {
    code: &'static str,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Config {
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfListener {
    pub(super) listener: &'static str,
}

impl OfListener {
    /// The only one with TLS.
    pub(super) const GRPC: Self = Self { listener: "grpc" };
}

/// What is reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadKind {
    /// The trust table.
    Table,
    /// The blocks.
    Blocks,
    /// The files for TLS on the listener.
    Tls,
}

impl EncodeLabelValue for ReloadKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self {
            Self::Table => "table".encode(encoder),
            Self::Blocks => "blocks".encode(encoder),
            Self::Tls => "tls".encode(encoder),
        }
    }
}

/// What others count, at the moment of an exposition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Lines that the decision log has lost so far.
    pub dropped: u64,
    /// Ids of tokens that may be used once and were.
    pub spent: usize,
    /// Whether the shared store of such tokens answers, if there is one.
    pub store_up: Option<bool>,
}

/// Every series of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Decisions,
    keys: KeyMetrics,
    store: Option<StoreMetrics>,
    handshakes: Option<HandshakeCounts>,
    spans: Option<SpanCounts>,
    ends: Family<Ends, Number>,
    reload_ok: Family<OfKind, Gauge>,
    reload_time: Family<OfKind, Number>,
    config: Family<Config, Gauge>,
    entries: Family<Entries, Gauge>,
    findings: Family<OfRule, Gauge>,
    dropped: Counter,
    spent: Gauge,
    /// From when to when; without a series where there is no TLS.
    certificate: [Family<OfListener, Number>; 2],
    /// One exposition at a time: some series are written anew for each.
    exposing: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("credence");
        let ends = Family::default();
        let reload_ok = Family::default();
        let reload_time = Family::default();
        let config = Family::default();
        let entries = Family::default();
        let findings = Family::default();
        let dropped = Counter::default();
        let spent = Gauge::default();
        let certificate: [Family<_, _>; 2] = Default::default();
        let decisions = Decisions::register(&mut registry);
        let keys = KeyMetrics::register(&mut registry);
        registry.register("trust_expires_timestamp_seconds", "When an entry of the table ends", ends.clone());
        registry.register("config_last_reload_successful", "Whether the last reload was taken", reload_ok.clone());
        registry.register(
            "config_last_reload_success_timestamp_seconds",
            "When a reload was last taken",
            reload_time.clone(),
        );
        registry.register("config_info", "Digest of the meaning of what is in force", config.clone());
        registry.register("table_entries", "Entries of the table in force", entries.clone());
        registry.register("lint_findings", "Warnings of the table in force, as of its load", findings.clone());
        registry.register("decision_log_dropped", "Lines of the decision log that were lost", dropped.clone());
        registry.register("replay_entries", "Tokens that may be used once and were, remembered", spent.clone());
        let [starts, expires] = certificate.clone();
        registry.register(
            "tls_certificate_starts_timestamp_seconds",
            "When the certificate that a listener shows begins to be good",
            starts,
        );
        registry.register(
            "tls_certificate_expires_timestamp_seconds",
            "When the certificate that a listener shows ends",
            expires,
        );
        registry.register("build", "The running program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            registry,
            decisions,
            keys,
            store: None,
            handshakes: None,
            spans: None,
            ends,
            reload_ok,
            reload_time,
            config,
            entries,
            findings,
            dropped,
            spent,
            certificate,
            exposing: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts one decision of the table of this generation, or of none.
    pub fn decided(&self, generation: Option<u64>, walk: &Walk<'_, Signed>, made: &Made) {
        self.decisions.decided(generation, walk, made);
    }

    /// A table came into force, with what was found in it: its series appear, those of removed entries and of findings that
    /// are gone go.
    pub fn published(&self, published: &Published, findings: &Report) {
        let snapshot = &published.snapshot;
        self.decisions.published(published);
        self.describe(snapshot);
        self.findings.clear();
        for (code, count) in findings.by_code() {
            let rule = OfRule { code: code.as_str(), severity: code.severity().as_str() };
            self.findings.get_or_create(&rule).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.config.clear();
        self.config.get_or_create(&Config { sha256: snapshot.digest.clone() }).set(1);
        self.reloaded(ReloadKind::Table, Some(published.since));
    }

    /// So many blocks came into force.
    pub fn blocked(&self, blocks: usize, since: Time) {
        self.entries.get_or_create(&Entries { kind: "blocks" }).set(i64::try_from(blocks).unwrap_or(i64::MAX));
        self.reloaded(ReloadKind::Blocks, Some(since));
    }

    /// Where fetches are timed.
    pub fn fetch_times(&self) -> FetchTimes {
        self.keys.times()
    }

    /// Adds the series of a shared store of spent tokens, and says where spendings are timed.
    pub fn share(&mut self) -> StoreTimes {
        self.store.get_or_insert_with(|| StoreMetrics::register(&mut self.registry)).times()
    }

    /// Adds the series of spans that are sent, and says where they are counted.
    pub fn trace(&mut self) -> SpanCounts {
        self.spans.get_or_insert_with(|| SpanCounts::register(&mut self.registry)).clone()
    }

    /// Adds the series of handshakes, and says where they are counted.
    pub fn secure(&mut self) -> HandshakeCounts {
        self.handshakes.get_or_insert_with(|| HandshakeCounts::register(&mut self.registry)).clone()
    }

    /// A reload was taken at this time, or not.
    pub fn reloaded(&self, kind: ReloadKind, taken: Option<Time>) {
        self.reload_ok.get_or_create(&OfKind { kind }).set(i64::from(taken.is_some()));
        if let Some(time) = taken {
            self.reload_time.get_or_create(&OfKind { kind }).set(time.seconds());
        }
    }

    /// The listener shows a certificate that is good from then to then.
    pub fn certificate(&self, starts: Time, ends: Time) {
        for (family, time) in self.certificate.iter().zip([starts, ends]) {
            family.get_or_create(&OfListener::GRPC).set(time.seconds());
        }
    }

    /// The exposition, as of now.
    pub fn expose(&self, snapshot: Option<&Snapshot>, counts: Counts, now: Time, format: Format) -> Vec<u8> {
        let _alone = lock(&self.exposing);
        // A call that was in hand while the table changed may have counted for an entry that had just gone.
        self.decisions.forget_the_gone();
        self.dropped.inc_by(counts.dropped.saturating_sub(self.dropped.get()));
        self.spent.set(i64::try_from(counts.spent).unwrap_or(i64::MAX));
        if let (Some(store), Some(up)) = (&self.store, counts.store_up) {
            store.write(up);
        }
        self.keys.write(snapshot.into_iter().flat_map(|snapshot| snapshot.issuers.iter()), now);
        // What can fail is a value that the format has no place for; there is none.
        let mut families = prometheus_client::encoding::prometheus_protobuf::encode(&self.registry).unwrap_or_default();
        families.push(self.decisions.durations());
        families.extend(process::families());
        families.retain(|family| !family.metric.is_empty());
        exposition::write(&families, format)
    }

    fn describe(&self, snapshot: &Snapshot) {
        let counts = [
            ("issuer", snapshot.issuers.entries()),
            ("resource", snapshot.resources.iter().count()),
            ("grant", snapshot.grants.len()),
        ];
        for (kind, count) in counts {
            self.entries.get_or_create(&Entries { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.ends.clear();
        let end = |kind, name: &str, time: Option<Time>| {
            if let Some(time) = time {
                self.ends.get_or_create(&Ends { kind, name: name.to_owned() }).set(time.seconds());
            }
        };
        for issuer in snapshot.issuers.iter() {
            end("issuer", issuer.name.as_str(), issuer.expires);
        }
        for (_, resource) in snapshot.resources.iter() {
            end("resource", resource.name.as_str(), resource.expires);
        }
        for grant in snapshot.grants.iter() {
            end("grant", grant.name.as_str(), grant.times.expires);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
