//! The buckets of a native histogram of times: eight to each doubling, so that a quantile is known to within five per cent.
//!
//! Their number is fixed, so that counting is one atomic addition; only those that hold something are told.

use std::array;
use std::f64::consts::FRAC_1_SQRT_2;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;

/// 2^3 buckets to each doubling; bucket `i` ends at 2^(i/8) seconds, and that is within.
const SCHEMA: i32 = 3;

/// Ends of the buckets between a half and one, without the last.
const STEPS: [f64; 8] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    FRAC_1_SQRT_2,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_1,
];

/// 2^-24 seconds, 60 nanoseconds: what is not longer counts as none.
const ZERO: f64 = 1.0 / 16_777_216.0;
/// The bucket after [`ZERO`].
const FIRST: i32 = -24 * 8 + 1;
/// The bucket that ends at eight seconds. What is longer counts in it too: no decision may wait for more than 50 ms.
const LAST: i32 = 3 * 8;
const BUCKETS: usize = (LAST - FIRST + 1) as usize;

/// Counts by bucket.
#[derive(Debug)]
pub(super) struct Native {
    zero: AtomicU64,
    counts: [AtomicU64; BUCKETS],
}

impl Default for Native {
    fn default() -> Self {
        Self { zero: AtomicU64::default(), counts: array::from_fn(|_| AtomicU64::default()) }
    }
}

impl Native {
    /// One more of so many seconds.
    pub(super) fn count(&self, seconds: f64) {
        let slot = usize::try_from(index(seconds).clamp(FIRST, LAST) - FIRST).unwrap_or_default();
        let slot = self.counts.get(slot).filter(|_| seconds > ZERO);
        slot.unwrap_or(&self.zero).fetch_add(1, Ordering::Relaxed);
    }

    /// The native part of a histogram, and its `sample_count`, which Prometheus wants to be the sum of these very counts.
    pub(super) fn histogram(&self) -> model::Histogram {
        let zero = self.zero.load(Ordering::Relaxed);
        let mut told = model::Histogram {
            sample_count: zero,
            schema: SCHEMA,
            zero_threshold: ZERO,
            zero_count: zero,
            ..model::Histogram::default()
        };
        let (mut before, mut end) = (0_i64, 0);
        for (index, count) in (FIRST..).zip(&self.counts) {
            let count = count.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            // Counts are told as differences, places as gaps between runs, the first one from bucket 0.
            match told.positive_span.last_mut().filter(|_| index == end) {
                Some(span) => span.length += 1,
                None => told.positive_span.push(model::BucketSpan { offset: index - end, length: 1 }),
            }
            let signed = i64::try_from(count).unwrap_or(i64::MAX);
            told.positive_delta.push(signed - before);
            told.sample_count += count;
            (before, end) = (signed, index + 1);
        }
        told
    }
}

/// The bucket that a positive number is in.
fn index(value: f64) -> i32 {
    const FRACTION: u64 = (1 << 52) - 1;
    // value = half * 2^exponent, half from 0.5 up to 1.
    let exponent = i32::try_from(value.to_bits() >> 52).unwrap_or_default() - 1022;
    let half = f64::from_bits(value.to_bits() & FRACTION | 1022 << 52);
    let step = STEPS.iter().map(|step| i32::from(*step < half)).sum::<i32>();
    (exponent - 1) * 8 + step
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prometheus_client::encoding::prometheus_protobuf::encode;
    use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
    use prometheus_client::registry::Registry;
    use proptest::prelude::*;

    use super::*;

    /// Counts by bucket, as a reader finds them.
    fn read(histogram: &model::Histogram) -> BTreeMap<i32, i64> {
        let (mut index, mut count) = (0, 0);
        let mut deltas = histogram.positive_delta.iter();
        let mut found = BTreeMap::new();
        for span in &histogram.positive_span {
            index += span.offset;
            for _ in 0..span.length {
                count += deltas.next().unwrap();
                found.insert(index, count);
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        found.retain(|_, count| *count != 0);
        found
    }

    fn theirs(values: &[f64]) -> model::Histogram {
        let histogram = Histogram::new_native(NativeHistogramConfig::with_schema(3).zero_threshold(ZERO));
        values.iter().for_each(|value| histogram.observe(*value));
        let mut registry = Registry::default();
        registry.register("x", "x", histogram);
        encode(&registry).unwrap().remove(0).metric.remove(0).histogram.unwrap()
    }

    fn ours(values: &[f64]) -> model::Histogram {
        let native = Native::default();
        values.iter().for_each(|value| native.count(*value));
        native.histogram()
    }

    fn same(values: &[f64]) {
        let (ours, theirs) = (ours(values), theirs(values));
        assert_eq!(read(&ours), read(&theirs), "{values:?}");
        let facts = |told: &model::Histogram| (told.sample_count, told.schema, told.zero_threshold, told.zero_count);
        assert_eq!(facts(&ours), facts(&theirs), "{values:?}");
    }

    #[test]
    fn it_counts_like_the_native_histogram_of_the_library_at_the_edges() {
        let up = |value: f64| f64::from_bits(value.to_bits() + 1);
        same(&[]);
        same(&[0.0, ZERO, up(ZERO), 1e-300, 1.0, up(1.0), 0.5, 2.0, 8.0, 0.001, 0.000_001_1]);
    }

    #[test]
    fn what_takes_longer_than_anything_may_is_in_the_last_bucket() {
        for value in [8.1, 1e9, f64::INFINITY] {
            assert_eq!(read(&ours(&[value, 8.0])), BTreeMap::from([(LAST, 2)]));
        }
    }

    proptest! {
        #[test]
        fn it_counts_like_the_native_histogram_of_the_library(
            nanoseconds in prop::collection::vec((0..33_u32, 0.0..1.0), 0..60),
        ) {
            let values: Vec<_> = nanoseconds.iter().map(|(power, part)| 2_f64.powi(*power as i32) * (1.0 + part) / 1e9)
                .filter(|value| *value <= 8.0).collect();
            same(&values);
        }
    }
}
