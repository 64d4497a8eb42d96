//! Where in which file something was written.

use std::fmt;
use std::sync::Arc;

use super::SourceFile;
use crate::name::Site;

/// A stretch of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// First byte that is no longer part of it.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The span of the byte range, with line and column counted from the start of the text.
    pub fn locate(text: &str, start: usize, end: usize) -> Self {
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        Self { start: narrow(start), end: narrow(end), line: narrow(line + 1), column: narrow(column + 1) }
    }
}

/// Files are at most 16 MiB, so nothing is lost.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A span and the file it lies in.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The stretch of it.
    pub span: Span,
}

impl Place {
    /// Line and column after the last character, both from 1.
    pub fn end(&self) -> (usize, usize) {
        let Span { start, end, line, column } = self.span;
        let text = self.file.text().get(start as usize..end as usize).unwrap_or_default().trim_end();
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        (line as usize + lines, if lines == 0 { column as usize + last } else { last + 1 })
    }

    /// The part of it in which this text first stands; all of it where it does not.
    pub(super) fn inside(&self, part: &str) -> Self {
        let (start, end) = (self.span.start as usize, self.span.end as usize);
        let text = self.file.text();
        let Some(at) = text.get(start..end).and_then(|own| own.find(part)) else { return self.clone() };
        Self { file: Arc::clone(&self.file), span: Span::locate(text, start + at, start + at + part.len()) }
    }

    /// File, line and column, without the text.
    pub fn site(&self) -> Site {
        Site { file: Arc::clone(self.file.name()), line: self.span.line as usize, column: self.span.column as usize }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.name(), self.span.line, self.span.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
