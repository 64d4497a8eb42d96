//! The trust table: what people wrote, read with care.
//!
//! In: the path given with `--trust`. Out: every problem at once with its place and a fix, or the meaning of the table.
//! It never sees a request or a token, and nothing it cannot read in exactly one way is ever taken.

mod code;
mod diagnostic;
mod live;
mod node;
mod place;
mod render;
mod source;
mod watch;
mod yaml;

pub use code::{Code, Severity};
pub use diagnostic::{Diagnostic, Report};
pub use live::{Live, Published};
pub use node::{Key, Kind, Node, Type};
pub use place::{Place, Span};
pub use source::{SourceFile, Sources};
pub use watch::{Pace, Watcher};
pub use yaml::parse;
