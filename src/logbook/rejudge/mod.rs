//! One logged decision, judged again by another table, three-valued: what is known to hold, what is known not to, and
//! what the log does not tell. The order is the corridor's (`path::walk`), and so are the rooms' own rules wherever what
//! they judge is known.

mod grants;
mod known;
mod place;
mod possible;
#[cfg(test)]
mod tests;
mod token;

use std::collections::HashMap;

use super::record::Record;
use crate::clock::Time;
use crate::keys::KeyOrigin;
use crate::name::{Issuer, IssuerName};
use crate::reason::{Accepted, Reason};
use crate::table::Snapshot;
pub use possible::{Kind, Told, Verdict};
use possible::{Outcome, Possible};

/// Where the keys of each exact issuer of a table come from.
pub type Origins = HashMap<(IssuerName, Issuer), KeyOrigin>;

/// A table to judge by.
#[derive(Debug, Clone, Copy)]
pub struct Table<'s> {
    /// What it means.
    pub snapshot: &'s Snapshot,
    /// Where its keys come from.
    pub origins: &'s Origins,
}

/// One decision under judgement.
#[derive(Debug, Clone, Copy)]
struct Rejudged<'s, 'r> {
    record: &'r Record,
    /// How it ended.
    logged: Outcome,
    /// The table to judge by.
    table: Table<'s>,
    /// The table that decided.
    base: Option<Table<'s>>,
}

/// What becomes of a logged decision under `table`. `base` is the table that decided, if it is at hand: only it tells
/// which conditions held then.
pub(super) fn rejudge(record: &Record, table: Table<'_>, base: Option<Table<'_>>) -> Verdict {
    let logged = match (record.accepted(), record.refusal()) {
        (Some(Accepted::Ok), _) => Outcome::Allowed,
        (Some(Accepted::Anonymous), _) => Outcome::Open,
        // What would have become of it: whether a table observes has no say in what it means.
        (Some(Accepted::Observed) | None, Some(reason)) => Outcome::Refused(reason),
        (Some(Accepted::Observed) | None, None) => {
            let gaps = [format!("what the reason {:?} means", record.reason)].into();
            return Verdict::CannotTell { stays: false, gaps };
        }
    };
    Rejudged { record, logged, table, base }.possible().against(record, logged)
}

impl Rejudged<'_, '_> {
    fn possible(&self) -> Possible {
        match self.logged {
            // No table has a say in these.
            Outcome::Refused(
                Reason::NotReady
                | Reason::Overloaded
                | Reason::MalformedRequest
                | Reason::LogUnavailable
                | Reason::Internal,
            ) => Possible::only(self.logged),
            _ => self.request(),
        }
    }

    /// How far the logged walk came: whether everything before this reason was passed.
    fn passed(&self, reason: Reason) -> bool {
        match self.logged {
            Outcome::Allowed => true,
            Outcome::Open => reason < Reason::NoToken,
            Outcome::Refused(last) => last > reason,
        }
    }

    /// Whether it ended there.
    fn ended_with(&self, reason: Reason) -> bool {
        self.logged == Outcome::Refused(reason)
    }

    /// A judgement that depends on the time alone. The log's is rounded down to a millisecond, so that what changed
    /// within it cannot be told.
    fn at<T: PartialEq>(&self, judge: impl Fn(Time) -> T) -> Option<T> {
        let logged = self.record.time.seconds();
        let (first, last) = (Time::from_seconds(logged - 1e-6), Time::from_seconds(logged + 1e-3));
        let verdict = judge(first);
        (verdict == judge(last)).then_some(verdict)
    }
}
