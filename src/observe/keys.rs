//! What is told of the issuers' keys: how many, how old, how the last fetch ended, when the next one is due.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::metrics::Number;
use crate::clock::Time;
use crate::keys::{FetchResult, Status};
use crate::trust::TrustedIssuer;

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

/// The series of keys. All but the times are written anew for each exposition, from what the sources left behind.
#[derive(Debug)]
pub(super) struct KeyMetrics {
    keys: Family<KeyState, Gauge>,
    fetches: Family<Fetch, Counter>,
    last: Family<Fetch, Gauge>,
    fetched: Family<OfIssuer, Number>,
    due: Family<OfIssuer, Number>,
    times: FetchTimes,
}

impl KeyMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let made = Self {
            keys: Family::default(),
            fetches: Family::default(),
            last: Family::default(),
            fetched: Family::default(),
            due: Family::default(),
            times: FetchTimes::default(),
        };
        registry.register("keys", "Keys of an issuer by state: usable, ignored, not_pinned", made.keys.clone());
        registry.register("jwks_fetches", "Fetches of an issuer's keys", made.fetches.clone());
        registry.register("jwks_last_result", "How the last fetch of an issuer's keys ended: 1", made.last.clone());
        registry.register(
            "jwks_fetch_duration_seconds",
            "How long a fetch of an issuer's keys took, well or not",
            made.times.0.clone(),
        );
        registry.register(
            "jwks_last_success_timestamp_seconds",
            "When an issuer's keys were last fetched",
            made.fetched.clone(),
        );
        registry.register(
            "jwks_next_refresh_timestamp_seconds",
            "When an issuer's keys are fetched next",
            made.due.clone(),
        );
        made
    }

    pub(super) fn times(&self) -> FetchTimes {
        self.times.clone()
    }

    /// Writes the state of this moment; what it does not hold any more goes, and so do issuers that have ended, whose keys
    /// nobody needs.
    pub(super) fn write<'s>(&self, issuers: impl Iterator<Item = &'s TrustedIssuer>, now: Time) {
        self.keys.clear();
        self.fetches.clear();
        self.last.clear();
        self.fetched.clear();
        self.due.clear();
        let mut entries: BTreeMap<&str, Vec<Status>> = BTreeMap::new();
        for issuer in issuers.filter(|issuer| issuer.is_in_force(now)) {
            entries.entry(issuer.name.as_str()).or_default().push(issuer.keys.status());
        }
        for (name, states) in entries {
            self.write_entry(name, &states);
        }
    }

    /// An entry that stands for several issuers is as well and as fresh as the worst of them.
    fn write_entry(&self, name: &str, states: &[Status]) {
        let sum = |count: fn(&Status) -> usize| states.iter().map(count).sum::<usize>();
        for (state, count) in [
            ("usable", sum(|status| status.usable)),
            ("ignored", sum(|status| status.ignored)),
            ("not_pinned", sum(|status| status.not_pinned)),
        ] {
            let gauge = self.keys.get_or_create(&KeyState { issuer: name.to_owned(), state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (result, count) in states.iter().flat_map(|status| &status.fetches) {
            let label = Fetch { issuer: name.to_owned(), result: result.label() };
            self.fetches.get_or_create(&label).inc_by(*count);
        }
        let results = states.iter().filter_map(|status| status.last_result);
        // The order of results puts `ok` first.
        if let Some(worst) = results.max() {
            self.last.get_or_create(&Fetch { issuer: name.to_owned(), result: worst.label() }).set(1);
        }
        // Never is as long ago as can be, so that an alert on the age fires for an issuer that was never reached.
        const NEVER: Time = Time::from_seconds(0.0);
        let fetched = states.iter().filter(|status| status.is_fetched);
        earliest(&self.fetched, name, fetched.map(|status| Some(status.last_success.unwrap_or(NEVER))));
        earliest(&self.due, name, states.iter().map(|status| status.next_refresh));
    }
}

fn earliest(family: &Family<OfIssuer, Number>, name: &str, times: impl Iterator<Item = Option<Time>>) {
    if let Some(earliest) = times.flatten().map(Time::seconds).reduce(f64::min) {
        family.get_or_create(&OfIssuer { issuer: name.to_owned() }).set(earliest);
    }
}

// `ok` before all failures is what `write_entry` counts on.
const _: () = assert!(matches!(FetchResult::ALL, [FetchResult::Ok, ..]));
