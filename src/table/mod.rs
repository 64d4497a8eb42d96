//! The trust table: from what people wrote to what every decision reads.
//!
//! In: YAML files. Out: every problem at once, each with its place and its fix, or a [`Snapshot`], immutable and
//! indexed. It must never see a request: a table means the same whoever asks.

mod snapshot;

pub use snapshot::{Issuers, Published, Snapshot};
