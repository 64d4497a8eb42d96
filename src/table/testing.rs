//! What the tests of this room share.

use std::sync::Arc;

use super::{Place, SourceFile, Span};

/// The first `part` of a file of this text.
pub(super) fn place(text: &str, part: &str) -> Place {
    let start = text.find(part).unwrap();
    Place { file: Arc::new(SourceFile::new("trust.yaml", text)), span: Span::locate(text, start, start + part.len()) }
}
