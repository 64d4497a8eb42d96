//! What one table allows that another does not: by meaning, never by text.
//!
//! The question is asked twice, once each way: whatever the second table allows is looked for in the first, and what is
//! not found there is a widening; the other way round it is a narrowing. The algebra of `relation` never promises too
//! much, so no widening is missed; where it cannot see that something was allowed before, it is told as new.
//!
//! Keys are compared by where they come from, and by who may sign where they stand in the table; what a URL or a file
//! holds is not looked at.

mod fields;
mod gains;
mod grants;
mod issuers;
mod resources;
mod territory;
#[cfg(test)]
mod tests;

use std::fmt;

use super::Asked;
use crate::name::Site;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something is allowed, believed or handed on that was not.
    Widened,
    /// Something is not allowed, believed or handed on any more, and nothing new is.
    Narrowed,
    /// Neither: a name, or by which of several grants something is allowed.
    Changed,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of entry of the table changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// Under `issuers:`.
    Issuer,
    /// Under `resources:`.
    Resource,
    /// Under `grants:`.
    Grant,
}

impl Entry {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Resource => "resource",
            Self::Grant => "grant",
        }
    }
}

/// One difference in meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it does.
    pub kind: Kind,
    /// Which kind of entry.
    pub entry: Entry,
    /// The name of the entry, of the new table where it is there.
    pub name: String,
    /// What happened, in one sentence without a full stop.
    pub text: String,
    /// What was written, and what is.
    pub details: Vec<Detail>,
    /// Where: in the new table, or in the old one for what is gone.
    pub site: Site,
}

/// A field that says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The field.
    pub field: String,
    /// What it said; none where the entry is new.
    pub old: Option<String>,
    /// What it says; none where the entry is gone.
    pub new: Option<String>,
}

/// Everything that differs in meaning, what widens first, then by entry and name.
pub fn diff(old: Asked<'_>, new: Asked<'_>) -> Vec<Change> {
    let issuers = issuers::Matched::of(old.snapshot, new.snapshot);
    let resources = resources::Matched::of(old.snapshot, new.snapshot);
    let mut changes = issuers.changes(old, new);
    changes.extend(resources.changes(old.snapshot, new.snapshot));
    changes.extend(grants::changes(old.snapshot, new.snapshot, &issuers, &resources));
    changes.sort_by(|one, two| {
        let key = |change: &Change| (change.kind, change.entry);
        key(one).cmp(&key(two)).then_with(|| one.name.cmp(&two.name)).then_with(|| one.text.cmp(&two.text))
    });
    changes.dedup_by(|one, two| {
        (one.kind, one.entry, &one.name, &one.text, &one.details)
            == (two.kind, two.entry, &two.name, &two.text, &two.details)
    });
    changes
}

/// What a pair of directions says: whether the new one has more, and whether the old one had.
fn kind(gains: bool, loses: bool) -> Option<Kind> {
    match (gains, loses) {
        (true, _) => Some(Kind::Widened),
        (false, true) => Some(Kind::Narrowed),
        (false, false) => None,
    }
}
