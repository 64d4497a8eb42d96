//! Decisions by name, as examples of how long one took: from a slow bucket to a line of the decision log.

use std::array;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;

use super::id::DecisionId;
use super::text::hex;
use crate::clock::Time;
use crate::trace_context::{SpanId, TraceId};

/// When and under which name a decision was made, and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// As in the decision log.
    pub id: DecisionId,
    /// When it was judged.
    pub at: Time,
    /// From the arrival of the call to its verdict.
    pub took: Duration,
    /// Its span, where one is recorded.
    pub span: Option<(TraceId, SpanId)>,
}

impl Made {
    /// What an exemplar of it says: 110 characters at most, where OpenMetrics 1.0 allows 128.
    fn labels(&self) -> Vec<model::LabelPair> {
        let label = |name: &str, value| model::LabelPair { name: name.into(), value };
        let mut labels = vec![label("decision_id", self.id.as_str().to_owned())];
        if let Some((TraceId(trace), SpanId(span))) = self.span {
            labels.extend([label("trace_id", written(&trace)), label("span_id", written(&span))]);
        }
        labels
    }
}

fn written(id: &[u8]) -> String {
    id.iter().copied().flat_map(hex).map(char::from).collect()
}

/// One example for each of `N` buckets: the first decision after the last exposition, so that a call mostly finds that none is
/// wanted.
#[derive(Debug)]
pub(super) struct Exemplars<const N: usize> {
    is_there: [AtomicBool; N],
    made: [Mutex<Option<Made>>; N],
}

impl<const N: usize> Default for Exemplars<N> {
    fn default() -> Self {
        Self { is_there: array::from_fn(|_| AtomicBool::default()), made: array::from_fn(|_| Mutex::default()) }
    }
}

impl<const N: usize> Exemplars<N> {
    /// A decision fell into this bucket.
    pub(super) fn offer(&self, bucket: usize, made: &Made) {
        let Some(is_there) = self.is_there.get(bucket).filter(|is_there| !is_there.load(Ordering::Relaxed)) else {
            return;
        };
        // Nobody waits for a place: who holds it has an example as good as this one.
        if let Some(Ok(mut place)) = self.made.get(bucket).map(Mutex::try_lock) {
            *place = Some(*made);
            is_there.store(true, Ordering::Relaxed);
        }
    }

    /// The example of this bucket, if it ever had one; a newer one is wanted from now on.
    pub(super) fn tell(&self, bucket: usize) -> Option<model::Exemplar> {
        let made = *self.made.get(bucket)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(is_there) = self.is_there.get(bucket) {
            is_there.store(false, Ordering::Relaxed);
        }
        let made = made?;
        let since = Duration::try_from_secs_f64(made.at.seconds()).unwrap_or_default();
        Some(model::Exemplar {
            label: made.labels(),
            value: made.took.as_secs_f64(),
            timestamp: UNIX_EPOCH.checked_add(since).map(Into::into),
        })
    }
}
