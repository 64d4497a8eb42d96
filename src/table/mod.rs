//! The trust table, and the blocks beside it: from what people wrote to what every decision reads.
//!
//! In: YAML files. Out: every problem at once, each with its place and its fix, or a [`Snapshot`] (of blocks:
//! [`Blocks`](crate::block::Blocks)), immutable and indexed. It must never see a request: a table means the same whoever asks.

mod blocks;
mod claim_header;
mod code;
mod compile;
mod diagnostic;
mod draft;
mod json_schema;
mod kind;
mod live;
mod node;
mod offsets;
mod place;
mod render;
mod report;
mod rules;
mod snapshot;
mod source;
mod steward;
mod syntax;
#[cfg(test)]
mod testing;
mod text;
mod vectors;
mod watch;
mod written;
mod yaml;

pub use blocks::{CompiledBlocks, Documents, compile_blocks, lifted_by_absence, unknown_issuers};
pub use claim_header::ClaimHeader;
pub use code::{Code, Severity};
pub use compile::{Compiled, KeyNeed, Permissions, compile};
pub use diagnostic::Diagnostic;
pub(crate) use draft::nearest;
pub use json_schema::{blocks as blocks_schema, reference, table as table_schema, vectors as vectors_schema};
pub use live::Live;
use node::{Key, Kind, Node, Type};
pub use place::{Place, Span};
pub use report::Report;
pub use rules::Page;
pub use snapshot::{Issuers, Published, Snapshot};
pub use source::{SourceFile, Sources, Unstable};
pub use steward::{Acceptance, Steward, Stewards};
pub use vectors::{Expectation, Presented, Vector, VectorRequest, Vectors};
pub use watch::{Pace, Watcher};
pub use written::written;
