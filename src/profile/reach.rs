//! Patterns that fit something else than they seem to.

/// What a pattern really fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether it fits nothing at all.
    pub never: bool,
    /// What it fits, in a few words.
    pub fits: &'static str,
    /// What to write instead.
    pub help: String,
}
