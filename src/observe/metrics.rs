//! Metrics in OpenMetrics text. Labels are names from the table or closed lists: no caller can make a series.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clock::Time;
use crate::decide::{Grant, Mode};
use crate::keys::Signed;
use crate::path::{Outcome, Walk};
use crate::reason::{Accepted, Reason};
use crate::table::{Published, Snapshot};

type Number = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    decision: &'static str,
    reason: &'static str,
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtResource {
    resource: String,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByGrant {
    grant: String,
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verification {
    issuer: String,
    result: &'static str,
    cache: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDecision {
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyState {
    issuer: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fetch {
    issuer: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIssuer {
    issuer: String,
}

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
struct Config {
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfListener {
    listener: &'static str,
}

/// What is reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadKind {
    /// The trust table.
    Table,
    /// The files for TLS on the listener.
    Tls,
}

impl EncodeLabelValue for ReloadKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self {
            Self::Table => "table".encode(encoder),
            Self::Tls => "tls".encode(encoder),
        }
    }
}

/// Takes the time of fetches; clones count together.
#[derive(Debug, Clone)]
pub struct FetchTimes(Histogram);

impl Default for FetchTimes {
    fn default() -> Self {
        // No exchange takes longer than two seconds, and discovery takes two exchanges.
        Self(Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0]))
    }
}

impl FetchTimes {
    /// A fetch ended, well or not, after this long.
    pub fn took(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }
}

/// Every series of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Family<Decision, Counter>,
    resource_decisions: Family<AtResource, Counter>,
    grant_matches: Family<ByGrant, Counter>,
    durations: Family<OfDecision, Histogram>,
    verifications: Family<Verification, Counter>,
    keys: Family<KeyState, Gauge>,
    fetches: Family<Fetch, Counter>,
    fetched: Family<OfIssuer, Number>,
    fetch_times: FetchTimes,
    ends: Family<Ends, Number>,
    reload_ok: Family<OfKind, Gauge>,
    reload_time: Family<OfKind, Number>,
    config: Family<Config, Gauge>,
    entries: Family<Entries, Gauge>,
    dropped: Counter,
    /// Without a series where there is no TLS.
    certificate: Family<OfListener, Number>,
    /// Names of the published table and of those that went with the one before, to take their series away.
    names: Mutex<Seen>,
    /// One exposition at a time: some series are written anew for each.
    exposing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Seen {
    known: Names,
    gone: Names,
}

#[derive(Debug, Default)]
struct Names {
    issuers: BTreeSet<String>,
    resources: BTreeSet<String>,
    grants: BTreeSet<(String, &'static str)>,
}

impl Names {
    fn without(&self, other: &Self) -> Self {
        Self {
            issuers: &self.issuers - &other.issuers,
            resources: &self.resources - &other.resources,
            grants: &self.grants - &other.grants,
        }
    }
}

fn buckets() -> Histogram {
    Histogram::new([
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("credence");
        let decisions = Family::default();
        let resource_decisions = Family::default();
        let grant_matches = Family::default();
        let durations = Family::<OfDecision, Histogram>::new_with_constructor(buckets);
        let verifications = Family::default();
        let keys = Family::default();
        let fetches = Family::default();
        let fetched = Family::default();
        let fetch_times = FetchTimes::default();
        let ends = Family::default();
        let reload_ok = Family::default();
        let reload_time = Family::default();
        let config = Family::default();
        let entries = Family::default();
        let dropped = Counter::default();
        let certificate = Family::default();
        registry.register("decisions", "Decisions; issuer is `unverified` before a signature stood", decisions.clone());
        registry.register("resource_decisions", "Decisions by resource", resource_decisions.clone());
        registry.register("grant_matches", "Requests that a grant fitted, shadow grants too", grant_matches.clone());
        registry.register(
            "decision_duration_seconds",
            "From the arrival of a call's headers to its verdict",
            durations.clone(),
        );
        registry.register("token_verifications", "Tokens held against an issuer's entry", verifications.clone());
        registry.register("keys", "Keys of an issuer by state: usable, ignored, not_pinned", keys.clone());
        registry.register("jwks_fetches", "Fetches of an issuer's keys", fetches.clone());
        registry.register(
            "jwks_fetch_duration_seconds",
            "How long a fetch of an issuer's keys took, well or not",
            fetch_times.0.clone(),
        );
        registry.register(
            "jwks_last_success_timestamp_seconds",
            "When an issuer's keys were last fetched",
            fetched.clone(),
        );
        registry.register("trust_expires_timestamp_seconds", "When an entry of the table ends", ends.clone());
        registry.register("config_last_reload_successful", "Whether the last reload was taken", reload_ok.clone());
        registry.register(
            "config_last_reload_success_timestamp_seconds",
            "When a reload was last taken",
            reload_time.clone(),
        );
        registry.register("config_info", "Digest of the meaning of what is in force", config.clone());
        registry.register("table_entries", "Entries of the table in force", entries.clone());
        registry.register("decision_log_dropped", "Lines of the decision log that were lost", dropped.clone());
        registry.register(
            "tls_certificate_expires_timestamp_seconds",
            "When the certificate that a listener shows ends",
            certificate.clone(),
        );
        registry.register("build", "The running program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            registry,
            decisions,
            resource_decisions,
            grant_matches,
            durations,
            verifications,
            keys,
            fetches,
            fetched,
            fetch_times,
            ends,
            reload_ok,
            reload_time,
            config,
            entries,
            dropped,
            certificate,
            names: Mutex::default(),
            exposing: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts one decision.
    pub fn decided(&self, walk: &Walk<'_, Signed>, duration: Duration) {
        let decision = if matches!(walk.outcome, Outcome::Refused(_)) { "deny" } else { "allow" };
        let issuer =
            walk.facts.vouching_issuer().map_or_else(|| "unverified".to_owned(), |issuer| issuer.name.to_string());
        self.decisions.get_or_create(&Decision { decision, reason: walk.outcome.code(), issuer }).inc();
        self.durations.get_or_create(&OfDecision { decision }).observe(duration.as_secs_f64());
        if let Some(resource) = walk.facts.resource {
            self.resource_decisions.get_or_create(&AtResource { resource: resource.name.to_string(), decision }).inc();
        }
        if let Some(issuer) = walk.facts.issuer {
            let result = match &walk.outcome {
                Outcome::Refused(reason) if walk.facts.verified.is_none() => reason.code(),
                _ => Accepted::Ok.code(),
            };
            let label = Verification { issuer: issuer.name.to_string(), result, cache: "miss" };
            self.verifications.get_or_create(&label).inc();
        }
        if let Outcome::Allowed(permit) = &walk.outcome {
            for grant in permit.grants() {
                self.grant_matches.get_or_create(&ByGrant { grant: grant.to_string(), mode: "enforce" }).inc();
            }
        }
        for grant in &walk.facts.shadow {
            self.grant_matches.get_or_create(&ByGrant { grant: grant.name.to_string(), mode: "shadow" }).inc();
        }
    }

    /// A table came into force: its series appear, those of removed entries go.
    pub fn published(&self, published: &Published) {
        let snapshot = &published.snapshot;
        let now = Names {
            issuers: snapshot.issuers.iter().map(|issuer| issuer.name.to_string()).collect(),
            resources: snapshot.resources.iter().map(|(_, resource)| resource.name.to_string()).collect(),
            grants: snapshot.grants.iter().map(|grant| (grant.name.to_string(), mode(grant))).collect(),
        };
        {
            let mut names = lock(&self.names);
            names.gone = names.known.without(&now);
            names.known = now;
        }
        self.forget_the_gone();
        self.describe(snapshot);
        self.config.clear();
        self.config.get_or_create(&Config { sha256: snapshot.digest.clone() }).set(1);
        self.reloaded(ReloadKind::Table, Some(published.since));
    }

    /// Where fetches are timed.
    pub fn fetch_times(&self) -> FetchTimes {
        self.fetch_times.clone()
    }

    /// A reload was taken at this time, or not.
    pub fn reloaded(&self, kind: ReloadKind, taken: Option<Time>) {
        self.reload_ok.get_or_create(&OfKind { kind }).set(i64::from(taken.is_some()));
        if let Some(time) = taken {
            self.reload_time.get_or_create(&OfKind { kind }).set(time.seconds());
        }
    }

    /// The listener shows a certificate that ends then.
    pub fn certificate(&self, ends: Time) {
        self.certificate.get_or_create(&OfListener { listener: "grpc" }).set(ends.seconds());
    }

    /// The exposition: OpenMetrics text. `dropped` is what the decision log has lost so far.
    pub fn expose(&self, snapshot: Option<&Snapshot>, dropped: u64) -> String {
        let _alone = lock(&self.exposing);
        // A call that was in hand while the table changed may have counted for an entry that had just gone.
        self.forget_the_gone();
        self.dropped.inc_by(dropped.saturating_sub(self.dropped.get()));
        self.keys.clear();
        self.fetches.clear();
        self.fetched.clear();
        for issuer in snapshot.into_iter().flat_map(|snapshot| snapshot.issuers.iter()) {
            let status = issuer.keys.status();
            let name = issuer.name.to_string();
            for (state, count) in
                [("usable", status.usable), ("ignored", status.ignored), ("not_pinned", status.not_pinned)]
            {
                self.keys
                    .get_or_create(&KeyState { issuer: name.clone(), state })
                    .inc_by(i64::try_from(count).unwrap_or(i64::MAX));
            }
            for (result, count) in status.fetches {
                self.fetches.get_or_create(&Fetch { issuer: name.clone(), result: result.label() }).inc_by(count);
            }
            // An entry that stands for several issuers is as fresh as the one that was fetched longest ago.
            if let Some(time) = status.last_success {
                let label = OfIssuer { issuer: name };
                let oldest = self.fetched.get(&label).map_or(f64::INFINITY, |seen| seen.get());
                self.fetched.get_or_create(&label).set(oldest.min(time.seconds()));
            }
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
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

    fn forget_the_gone(&self) {
        let names = lock(&self.names);
        for issuer in &names.gone.issuers {
            self.forget_issuer(issuer);
        }
        for resource in &names.gone.resources {
            for decision in ["allow", "deny"] {
                self.resource_decisions.remove(&AtResource { resource: resource.clone(), decision });
            }
        }
        for (grant, mode) in &names.gone.grants {
            self.grant_matches.remove(&ByGrant { grant: grant.clone(), mode });
        }
    }

    fn forget_issuer(&self, issuer: &str) {
        let codes = Reason::ALL.iter().map(|reason| ("deny", reason.code())).chain([("allow", Accepted::Ok.code())]);
        for (decision, reason) in codes {
            self.decisions.remove(&Decision { decision, reason, issuer: issuer.to_owned() });
            self.verifications.remove(&Verification { issuer: issuer.to_owned(), result: reason, cache: "miss" });
        }
    }
}

const fn mode(grant: &Grant) -> &'static str {
    match grant.mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
