//! What is known about single claims.

/// A claim that is a name, and the claims that say the same in a way that stays.
#[derive(Debug, Clone, Copy)]
pub struct Reusable {
    /// The claim that holds the name.
    pub claim: &'static str,
    /// The stable ids of which a grant, or a pin, matches at least one beside it.
    pub stable: &'static [&'static str],
    /// How the name passes to someone else.
    pub danger: &'static str,
}

/// The JSON type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimType {
    /// A string.
    String,
    /// A number.
    Number,
    /// A boolean.
    Bool,
    /// An array of strings.
    Strings,
}

impl ClaimType {
    /// With its article, for messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Strings => "an array of strings",
        }
    }
}
