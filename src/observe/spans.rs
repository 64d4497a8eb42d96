//! What became of spans. Only where traces are sent are its series registered.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    result: &'static str,
}

/// Counts spans by what became of them; clones count together.
#[derive(Debug, Clone, Default)]
pub struct SpanCounts {
    /// A collector took them.
    pub exported: Counter,
    /// No collector took them, or it rejected them.
    pub failed: Counter,
    /// There was no room to wait.
    pub dropped: Counter,
}

impl SpanCounts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::<Came, Counter>::default();
        registry.register(
            "trace_spans",
            "Spans by what became of them: exported, failed (not taken by the collector), dropped (no room to wait)",
            family.clone(),
        );
        let of = |result| family.get_or_create_owned(&Came { result });
        Self { exported: of("exported"), failed: of("failed"), dropped: of("dropped") }
    }
}
