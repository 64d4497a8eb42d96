//! What waits to be sent: bounded, and never waited for by those who bring it.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::observe::SpanCounts;
use crate::proto::otlp::Span;

/// How spans are gathered (`OTEL_BSP_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    /// Spans that may wait; more are lost.
    pub(super) queue: usize,
    /// Most spans in one request; so many are sent at once.
    pub(super) size: usize,
    /// How long fewer wait for others.
    pub(super) delay: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self { queue: 2048, size: 512, delay: Duration::from_secs(5) }
    }
}

/// The queue between those who decide and the one who sends.
#[derive(Debug)]
pub(super) struct Queue {
    batch: Batch,
    waiting: Mutex<Waiting>,
    /// Rung when a batch is full.
    bell: Notify,
    closed: watch::Sender<bool>,
    pub(super) counts: SpanCounts,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: Vec<Span>,
    /// Spans were lost since there last was none, and it was told.
    overflowed: bool,
}

impl Queue {
    pub(super) fn new(batch: Batch, counts: SpanCounts) -> Self {
        let waiting = Mutex::new(Waiting::default());
        Self { batch, waiting, bell: Notify::new(), closed: watch::Sender::new(false), counts }
    }

    /// Takes one more, or counts it as dropped.
    pub(super) fn push(&self, span: Span) {
        let mut waiting = self.lock();
        if waiting.spans.len() >= self.batch.queue || *self.closed.borrow() {
            let first = !mem::replace(&mut waiting.overflowed, true);
            drop(waiting);
            self.counts.dropped.inc();
            if first {
                tracing::warn!(
                    "more spans than the collector takes: what finds no room is lost, and counted in credence_trace_spans_total"
                );
            }
            return;
        }
        waiting.spans.push(span);
        let is_full = waiting.spans.len() == self.batch.size;
        drop(waiting);
        if is_full {
            self.bell.notify_one();
        }
    }

    /// Waits for a batch, or for as long as fewer are to wait. `None` once the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Vec<Span>> {
        let mut closed = self.closed.subscribe();
        loop {
            if self.lock().spans.len() < self.batch.size && !*closed.borrow_and_update() {
                tokio::select! {
                    () = self.bell.notified() => {}
                    () = tokio::time::sleep(self.batch.delay) => {}
                    _ = closed.changed() => {}
                }
            }
            let spans = self.take_now(self.batch.size);
            if !spans.is_empty() || *self.closed.borrow() {
                return Some(spans).filter(|spans| !spans.is_empty());
            }
        }
    }

    fn take_now(&self, most: usize) -> Vec<Span> {
        let mut waiting = self.lock();
        let some = waiting.spans.len().min(most);
        let taken = waiting.spans.drain(..some).collect();
        waiting.overflowed &= !waiting.spans.is_empty();
        taken
    }

    /// Takes no more spans.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends when the queue is closed.
    pub(super) async fn closed(&self) {
        // The sender is ours: it is not gone before the queue is.
        _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Counts all that still waits as failed.
    pub(super) fn give_up(&self) {
        let left = self.take_now(usize::MAX).len();
        self.counts.failed.inc_by(u64::try_from(left).unwrap_or(u64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
