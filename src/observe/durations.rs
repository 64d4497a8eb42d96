//! How long decisions took: a histogram of atomic counts, classic and native, so that no call waits for another one that
//! counts. The library's own stands behind a lock, and takes no exemplars into native histograms.

use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;

use super::exemplars::{Exemplars, Made};
use super::native::Native;

/// Upper bounds in seconds, of the classic buckets but for the last, which has none.
const BOUNDS: [f64; 13] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];

/// A histogram.
#[derive(Debug, Default)]
pub(super) struct Durations {
    /// Up to each bound, and not up to the one before. What is beyond the last is all that `native` has besides.
    within: [AtomicU64; BOUNDS.len()],
    native: Native,
    nanoseconds: AtomicU64,
    exemplars: Exemplars<{ BOUNDS.len() + 1 }>,
}

impl Durations {
    /// One more.
    pub(super) fn count(&self, made: &Made) {
        let seconds = made.took.as_secs_f64();
        let bucket = BOUNDS.iter().take_while(|bound| seconds > **bound).count();
        if let Some(within) = self.within.get(bucket) {
            within.fetch_add(1, Ordering::Relaxed);
        }
        self.native.count(seconds);
        self.nanoseconds.fetch_add(u64::try_from(made.took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.exemplars.offer(bucket, made);
    }

    /// All that was counted; none where nothing was.
    pub(super) fn histogram(&self) -> Option<model::Histogram> {
        let native = self.native.histogram();
        let all = native.sample_count;
        if all == 0 {
            return None;
        }
        // Counts are read one after another while others go on counting: none may be beyond the sum of all.
        let counts = self.within.iter().scan(0_u64, |sum, within| {
            *sum = sum.saturating_add(within.load(Ordering::Relaxed));
            Some((*sum).min(all))
        });
        let bounds = BOUNDS.into_iter().zip(counts).chain(iter::once((f64::INFINITY, all)));
        let bucket = |(number, (upper_bound, cumulative_count))| model::Bucket {
            cumulative_count,
            upper_bound,
            exemplar: self.exemplars.tell(number),
            ..model::Bucket::default()
        };
        Some(model::Histogram {
            sample_sum: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64(),
            bucket: bounds.enumerate().map(bucket).collect(),
            ..native
        })
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_protobuf::encode;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::clock::Time;
    use crate::observe::id::DecisionId;
    use crate::trace_context::{SpanId, TraceId};

    fn made(nanoseconds: u64, at: f64) -> Made {
        let at = Time::from_seconds(at);
        Made { id: DecisionId::new(at), at, took: Duration::from_nanos(nanoseconds), span: None }
    }

    /// Bounds and counts of the classic buckets, sum and count.
    fn classic(histogram: &model::Histogram) -> (Vec<(f64, u64)>, f64, u64) {
        let buckets = histogram.bucket.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count));
        (buckets.collect(), histogram.sample_sum, histogram.sample_count)
    }

    #[test]
    fn it_counts_like_the_classic_histogram_of_the_library() {
        let (ours, theirs) = (Durations::default(), Histogram::new(BOUNDS));
        assert_eq!(ours.histogram(), None);
        for nanoseconds in [0, 9_999, 10_000, 10_001, 24_000, 100_000_000, 100_000_001, 5_000_000_000] {
            ours.count(&made(nanoseconds, 1e9));
            theirs.observe(Duration::from_nanos(nanoseconds).as_secs_f64());
        }
        let mut registry = Registry::default();
        registry.register("x", "x", theirs);
        let theirs = encode(&registry).unwrap().remove(0).metric.remove(0).histogram.unwrap();
        assert_eq!(classic(&ours.histogram().unwrap()), classic(&theirs));
    }

    #[test]
    fn the_exemplar_of_a_bucket_is_the_first_decision_after_the_last_look() {
        let (durations, first, second, third) =
            (Durations::default(), made(11_000, 1e9), made(12_000, 2e9), made(13_000, 3e9));
        let told = || {
            let histogram = durations.histogram().unwrap();
            assert_eq!(histogram.bucket.iter().filter(|bucket| bucket.exemplar.is_some()).count(), 1);
            let exemplar = histogram.bucket[1].exemplar.clone().unwrap();
            assert_eq!(exemplar.label[0].name, "decision_id");
            (exemplar.label[0].value.clone(), exemplar.value, exemplar.timestamp.unwrap().seconds)
        };
        durations.count(&first);
        durations.count(&second);
        let wanted = (first.id.as_str().to_owned(), 0.000_011, 1_000_000_000);
        assert_eq!(told(), wanted);
        // It stays until there is another one.
        assert_eq!(told(), wanted);
        durations.count(&third);
        durations.count(&second);
        assert_eq!(told(), (third.id.as_str().to_owned(), 0.000_013, 3_000_000_000));
    }

    #[test]
    fn an_exemplar_names_the_span_of_its_decision_within_what_openmetrics_allows() {
        let durations = Durations::default();
        let labels = || {
            let exemplar = durations.histogram().unwrap().bucket[1].exemplar.clone().unwrap();
            exemplar.label.into_iter().map(|label| (label.name, label.value)).collect::<Vec<_>>()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let unrecorded = made(11_000, 1e9);
        let recorded = Made { span: Some((TraceId([0xab; 16]), SpanId([1; 8]))), ..unrecorded };
        durations.count(&recorded);
        let told = labels();
        let id = pair("decision_id", recorded.id.as_str());
        assert_eq!(told, [id.clone(), pair("trace_id", &"ab".repeat(16)), pair("span_id", &"01".repeat(8))]);
        assert!(told.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= 128, "{told:?}");
        durations.count(&unrecorded);
        assert_eq!(labels(), [id]);
    }
}
