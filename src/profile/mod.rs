//! What is known about kinds of issuers, as data.
//!
//! In: nothing. Out: [`Profile`]s, one file each, and the list of hosts that must not be taken for anything else. A
//! profile never grants: it fills in defaults, refuses what can never be right, and explains.

mod generic;
mod github_actions;
mod known;

pub use known::{KnownIssuer, known_issuer};

use crate::name::Algorithm;

/// Knowledge about one kind of issuer.
#[derive(Debug)]
pub struct Profile {
    /// What `profile:` says.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Where its maker describes its tokens.
    pub documentation: &'static str,
    /// When these facts were last checked.
    pub checked: &'static str,
    /// The `iss` where an entry names none.
    pub default_issuer: Option<&'static str>,
    /// Judges an `iss` that an entry names; the error says what its form is.
    pub issuer: fn(&str) -> Result<Tenancy, &'static str>,
    /// Claims whose value is a tenant's stable id: an exact pin on one of them satisfies CR101.
    pub tenant_ids: &'static [&'static str],
    /// How to find the value of the first of them.
    pub tenant_hint: &'static str,
    /// `signingAlgs` where the entry names none.
    pub algorithms: &'static [Algorithm],
    /// `tokenTypes` where the entry names none; the empty string is an absent `typ`.
    pub token_types: &'static [&'static str],
    /// `maxTokenAge` where the entry names none, in seconds.
    pub max_token_age: u64,
    /// Claims and the JSON type that they have in every token of this kind.
    pub claims: &'static [(&'static str, ClaimType)],
    /// Judges a glob on a claim (`sub` for a grant's `subject`): a star must not stand on a name or a tenant, where
    /// whoever takes a fitting name would be let in. The error says so (CR125).
    pub glob: fn(&str, &str) -> Result<(), &'static str>,
    /// Judges an exact `subject` of a grant; the error says why no token can have it.
    pub subject: fn(&str) -> Result<(), &'static str>,
}

/// Whether one issuer signs for many customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenancy {
    /// Only for its owner.
    Private,
    /// For every customer of its operator: a tenant must be pinned.
    Shared,
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

impl Profile {
    /// Every profile that is built in.
    pub const ALL: [&'static Self; 2] = [&generic::GENERIC, &github_actions::GITHUB_ACTIONS];

    /// The profile with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// What an entry without `profile:` gets.
    pub const fn generic() -> &'static Self {
        &generic::GENERIC
    }

    /// The JSON type of a claim, where it is known.
    pub fn claim_type(&self, claim: &str) -> Option<ClaimType> {
        self.claims.iter().find(|(name, _)| *name == claim).map(|(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_whole_and_its_own_default_fits_it() {
        for profile in Profile::ALL {
            assert!(!profile.algorithms.is_empty() && !profile.token_types.is_empty(), "{}", profile.name);
            assert!(profile.default_issuer.is_none_or(|issuer| (profile.issuer)(issuer).is_ok()), "{}", profile.name);
            assert!(crate::name::is_name(profile.name), "{}", profile.name);
        }
    }
}
