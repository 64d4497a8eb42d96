//! One span for each decision, for a collector of OpenTelemetry (OTLP).
//!
//! In: a finished walk and where in a trace its call stands. Out: a span with names from the table and closed lists, queued without
//! waiting, sent from the side, and counted when it is lost. It must never hold a token, a claim, a subject or a path; and nothing that a
//! collector does, or fails to do, reaches a decision.
//!
//! Why not `opentelemetry-otlp` (looked at in 0.33.1): it knows none of the variables for certificates, and its gRPC (tonic's `Channel`) no
//! proxy. What a collector rejects it logs, in the collector's words, and reports as sent (`exporter/http/trace.rs`, `exporter/tonic/trace.rs`:
//! `partial_success`), so that nothing could count it; a failure is reported only when every try is over. A header that cannot be read
//! is dropped without a word, a bad percent-encoding goes out as it stands, and headers are not marked as secret. The SDK's batch processor
//! has a thread of its own that runs no tokio, so reqwest's client of the house cannot be its; it keeps its counts to itself. Environment,
//! clients, counts and the words for people would all stay ours, around fourteen more crates: as much as this room is.

mod collector;
mod endpoint;
mod environment;
mod exchange;
mod pump;
mod queue;
mod retry;
mod sampler;
mod span;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use environment::{Tracing, TracingError};
pub use span::Decision;

use crate::keys::Signed;
use crate::observe::SpanCounts;
use crate::path::Walk;
use crate::trace_context::{SpanId, TraceContext, TraceId};
use collector::Collector;
use queue::Queue;
use sampler::Sampler;

/// Where spans are begun and ended. Neither waits for anything.
#[derive(Debug)]
pub struct Spans {
    sampler: Sampler,
    queue: Arc<Queue>,
    pump: Mutex<Option<JoinHandle<()>>>,
    /// Names of spans and traces are a keyed hash of a counter: as good as random to all who do not know the key.
    names: RandomState,
    next: AtomicU64,
}

/// A span that is being recorded.
#[derive(Debug)]
pub struct Begun {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its own name.
    pub span_id: SpanId,
    parent: Option<SpanId>,
    state: Option<Box<str>>,
}

impl Spans {
    /// Starts what sends them, on the runtime that this is called on.
    ///
    /// # Errors
    /// A file for TLS cannot be used.
    pub fn start(tracing: Tracing, counts: SpanCounts) -> Result<Self, TracingError> {
        let queue = Arc::new(Queue::new(tracing.batch, counts));
        let collector = Collector::new(&tracing)?;
        tracing::info!(to = %collector, "traces are sent");
        let pump = tokio::spawn(pump::run(Arc::clone(&queue), collector, tracing.resource));
        Ok(Self {
            sampler: tracing.sampler,
            queue,
            pump: Mutex::new(Some(pump)),
            names: RandomState::new(),
            next: AtomicU64::new(0),
        })
    }

    /// Begins the span of a call that was made in `parent`, or in no span that is known; `None` if it is not to be recorded.
    pub fn begin(&self, parent: Option<&TraceContext>) -> Option<Begun> {
        if parent.is_some_and(|parent| !self.sampler.follows(parent)) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let trace_id = match parent {
            Some(parent) => parent.trace_id,
            None => {
                let halves = u128::from(self.name(number, 1)) << 64 | u128::from(self.name(number, 2));
                TraceId(halves.to_be_bytes())
            }
        };
        self.sampler.records(parent, trace_id).then(|| Begun {
            trace_id,
            span_id: SpanId(self.name(number, 0).to_be_bytes()),
            parent: parent.map(|parent| parent.span_id),
            state: parent.and_then(|parent| parent.state.clone()),
        })
    }

    /// Ends it with what was decided. Where the queue is full it is lost and counted.
    pub fn end(&self, begun: Begun, walk: &Walk<'_, Signed>, decision: Decision<'_>) {
        self.queue.push(span::span(begun, walk, decision));
    }

    /// Takes no more spans, and sends those that wait, until `deadline`. What is left then is lost and counted.
    pub async fn flush(&self, deadline: Instant) {
        let before = self.queue.counts.failed.get();
        self.queue.close();
        let pump = self.pump.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut pump) = pump else { return };
        if tokio::time::timeout_at(deadline, &mut pump).await.is_err() {
            pump.abort();
            // What it had in hand is counted when it is gone.
            _ = pump.await;
        }
        self.queue.give_up();
        let lost = self.queue.counts.failed.get().saturating_sub(before);
        if lost > 0 {
            tracing::warn!(lost, "spans could not be sent before the end");
        }
    }

    fn name(&self, number: u64, part: u8) -> u64 {
        // All zero is no name.
        self.names.hash_one((number, part)).max(1)
    }
}
