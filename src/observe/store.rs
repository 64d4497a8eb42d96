//! How a shared store of spent tokens answers. Only there are its series registered.

use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

/// Takes the time of spendings; clones count together.
#[derive(Debug, Clone)]
pub struct StoreTimes(Family<Ended, Histogram, fn() -> Histogram>);

impl Default for StoreTimes {
    fn default() -> Self {
        // Nothing is waited for longer than 50 ms.
        Self(Family::new_with_constructor(|| {
            Histogram::new([0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05])
        }))
    }
}

impl StoreTimes {
    /// The store is asked now.
    pub fn start(&self) -> Timed<'_> {
        Timed { times: self, began: Instant::now(), result: "late" }
    }
}

/// One question to the store. Dropped without [`Timed::stop`], nobody waited for its end.
#[derive(Debug)]
pub struct Timed<'t> {
    times: &'t StoreTimes,
    began: Instant,
    result: &'static str,
}

impl Timed<'_> {
    /// It said that this is the first use, that it is not, or nothing of use.
    pub fn stop(mut self, first: Option<bool>) {
        self.result = match first {
            Some(true) => "spent",
            Some(false) => "replayed",
            None => "unavailable",
        };
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let took: Duration = self.began.elapsed();
        self.times.0.get_or_create(&Ended { result: self.result }).observe(took.as_secs_f64());
    }
}

/// The series of a shared store.
#[derive(Debug, Default)]
pub(super) struct StoreMetrics {
    up: Gauge,
    times: StoreTimes,
}

impl StoreMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let made = Self::default();
        registry.register(
            "replay_store_up",
            "Whether tokens can be spent at the shared store: 1 or 0",
            made.up.clone(),
        );
        registry.register(
            "replay_store_request_duration_seconds",
            "How long the shared store was waited for, by what came of it: spent, replayed, unavailable, late",
            made.times.0.clone(),
        );
        made
    }

    pub(super) fn times(&self) -> StoreTimes {
        self.times.clone()
    }

    /// Of this moment.
    pub(super) fn write(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}
