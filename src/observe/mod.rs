//! What is left of a walk: one line in the decision log, and counters.
//!
//! In: a finished walk. Out: a JSON line that an incident responder can rely on, and metrics whose labels are names
//! from the table or closed lists. It must never hold a token, a signature, a query string, or a claim that the
//! table does not forward; and it never makes a caller wait.

mod decisions;
mod durations;
mod exemplars;
mod exposition;
mod format;
mod handshakes;
mod id;
mod keys;
mod level;
mod line;
#[cfg(test)]
mod line_tests;
mod log;
mod metrics;
mod native;
mod process;
mod queue;
mod spans;
mod stamp;
mod store;
mod text;

pub use exemplars::Made;
pub use format::Format;
pub use handshakes::{Handshake, HandshakeCounts};
pub use id::DecisionId;
pub use keys::FetchTimes;
pub use level::{Level, LogLevel, Turn};
pub use line::{Call, Table, line};
pub use log::{DecisionLog, Full, Sink, WhenFull};
pub use metrics::{Counts, Metrics, ReloadKind};
pub use spans::SpanCounts;
pub use store::{StoreTimes, Timed};
