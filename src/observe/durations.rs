//! How long decisions took: a histogram of atomic counts, so that no call waits for another one that counts.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds in seconds.
const BOUNDS: [f64; 13] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];

/// A histogram; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Durations(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Up to each bound, and not up to the one before.
    within: [AtomicU64; BOUNDS.len()],
    beyond: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Durations {
    /// One more took this long.
    pub(super) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.iter().zip(&self.0.within).find(|(bound, _)| seconds <= **bound);
        bucket.map_or(&self.0.beyond, |(_, count)| count).fetch_add(1, Ordering::Relaxed);
        self.0.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Counts { within, beyond, nanoseconds } = &*self.0;
        let mut bounds = BOUNDS.iter().zip(within);
        let buckets: [_; BOUNDS.len() + 1] = array::from_fn(|_| {
            bounds.next().map_or_else(
                || (f64::INFINITY, beyond.load(Ordering::Relaxed)),
                |(bound, count)| (*bound, count.load(Ordering::Relaxed)),
            )
        });
        let sum = Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use super::*;

    fn exposed(metric: impl prometheus_client::registry::Metric) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register("duration_seconds", "x", metric);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn it_counts_like_the_histogram_of_the_library() {
        let (ours, theirs) = (Durations::default(), Histogram::new(BOUNDS));
        assert_eq!(exposed(ours.clone()), exposed(theirs.clone()));
        for nanoseconds in [0, 9_999, 10_000, 10_001, 24_000, 100_000_000, 100_000_001, 5_000_000_000] {
            let time = Duration::from_nanos(nanoseconds);
            ours.took(time);
            theirs.observe(time.as_secs_f64());
        }
        assert_eq!(exposed(ours), exposed(theirs));
    }
}
