//! Sends what the queue holds, batch by batch, and tells when that fails and when it works again.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use super::collector::Collector;
use super::exchange::Trouble;
use super::queue::Queue;
use super::retry;
use crate::proto::otlp::{
    ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span,
};

/// Pauses before a batch is tried again, where the collector asks for no longer ones; it is lost after the last.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Runs until the queue is closed and empty.
pub(super) async fn run(queue: Arc<Queue>, collector: Collector, resource: Vec<KeyValue>) {
    let mut is_told = false;
    while let Some(spans) = queue.take().await {
        let mut hand = Hand { queue: &queue, spans: u64::try_from(spans.len()).unwrap_or(u64::MAX) };
        let request = request(spans, &resource);
        match deliver(&queue, &collector, request, &mut is_told).await {
            Ok(rejected) => {
                let rejected = rejected.min(hand.spans);
                queue.counts.exported.inc_by(hand.spans - rejected);
                hand.spans = rejected;
                if std::mem::take(&mut is_told) {
                    tracing::info!(to = %collector, "traces are delivered again");
                }
            }
            Err(trouble) => tell(&collector, &trouble, &mut is_told),
        }
    }
}

/// The spans of a batch; those that are left in it when it goes are lost.
struct Hand<'q> {
    queue: &'q Queue,
    spans: u64,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.queue.counts.failed.inc_by(self.spans);
    }
}

/// Tries until it is taken, there is no hope, or nothing more comes. Returns how many spans were taken but rejected.
async fn deliver(queue: &Queue, collector: &Collector, request: Vec<u8>, is_told: &mut bool) -> Result<u64, Trouble> {
    let packed = match collector.packed(request) {
        Ok(packed) => packed,
        Err(error) => return Err(Trouble::for_good(format!("they cannot be packed: {error}"))),
    };
    for pause in PAUSES {
        let trouble = match collector.send(packed.clone()).await {
            Err(trouble) => trouble,
            taken => return taken,
        };
        let Some(asked) = trouble.again else { return Err(trouble) };
        tell(collector, &trouble, is_told);
        tokio::select! {
            () = tokio::time::sleep(retry::wait(pause, asked)) => {}
            () = queue.closed() => break,
        }
    }
    collector.send(packed).await
}

/// Once, until something was delivered.
fn tell(collector: &Collector, trouble: &Trouble, is_told: &mut bool) {
    if !std::mem::replace(is_told, true) {
        tracing::warn!(
            to = %collector,
            "traces cannot be delivered: {}. Decisions do not wait for it; spans that are lost are counted in credence_trace_spans_total",
            trouble.what
        );
    }
}

fn request(spans: Vec<Span>, resource: &[KeyValue]) -> Vec<u8> {
    let scope = InstrumentationScope { name: "credence".into(), version: env!("CARGO_PKG_VERSION").into() };
    let resource = Resource { attributes: resource.to_vec() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans }],
        }],
    }
    .encode_to_vec()
}
