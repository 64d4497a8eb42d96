//! Why keys could not be fetched.

use std::fmt;

use crate::keys::FetchResult;

/// A failed fetch: a label for machines, and a sentence for people that names the place, what was seen and, where
/// there is one, the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    result: FetchResult,
    sentence: String,
}

impl FetchError {
    /// `place` is a URL or a path, `what` what was seen there.
    pub(super) fn new(result: FetchResult, place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self { result, sentence: format!("{place}: {what}") }
    }

    /// What kind of failure this is.
    pub const fn result(&self) -> FetchResult {
        self.result
    }

    /// The stable label of the kind.
    pub const fn label(&self) -> &'static str {
        self.result.label()
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for FetchError {}

/// Text from a stranger, for a message: escaped, cut and in quotes.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let cut: String = text.chars().take(LONGEST).collect();
    format!("\"{}{}\"", cut.escape_debug(), if cut.len() < text.len() { "…" } else { "" })
}
