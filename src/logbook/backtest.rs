//! Many logged decisions under one other table.

use std::collections::BTreeSet;

use super::record::{Record, Who};
use super::rejudge::{Kind, Table, Told, Verdict, rejudge};
use super::tally::Tally;

/// So many different changes are told apart; more are counted.
const MOST_GROUPS: usize = 10_000;
/// And their names weigh so many bytes at most.
const MOST_BYTES: usize = 32 << 20;

/// Takes decisions one after another.
#[derive(Debug)]
pub struct Backtest<'s> {
    table: Table<'s>,
    bases: Vec<Table<'s>>,
    summary: Summary,
    changes: Tally<Change, Seen>,
    unsettled: Tally<(bool, BTreeSet<String>), Seen>,
}

/// What makes two changes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    kind: Kind,
    who: Who,
    realm: Option<String>,
    resource: Option<String>,
    method: Option<String>,
    from: Told,
    to: Told,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    example: String,
}

impl Seen {
    fn once_more(&mut self, record: &Record) {
        if self.count == 0 {
            self.example.clone_from(&record.decision_id);
        }
        self.count += 1;
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Decisions that were judged.
    pub decisions: u64,
    /// Those that stay.
    pub same: u64,
    /// Those that cannot stay.
    pub changed: u64,
    /// Those of which the log does not tell enough.
    pub cannot_tell: u64,
    /// Of these, those that are at least allowed or denied as they were.
    pub stays: u64,
    /// Refusals that were only observed.
    pub observed: u64,
    /// Of these, those that the table refuses as well: what enforcing would refuse.
    pub observed_refused: u64,
    /// Decisions of tables that are not at hand.
    pub without_base: u64,
    /// The changes, what lets someone in first, then the most frequent.
    pub changes: Vec<Changes>,
    /// What could not be told, the most frequent first.
    pub unsettled: Vec<Unsettled>,
    /// Decisions that changed or could not be told, and that there was no room to list.
    pub not_listed: u64,
}

/// One change, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// In what.
    pub kind: Kind,
    /// Of whom.
    pub who: Who,
    /// Their realm.
    pub realm: Option<String>,
    /// Where.
    pub resource: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// What was logged.
    pub from: Told,
    /// What it becomes.
    pub to: Told,
    /// How often.
    pub count: u64,
    /// One of these decisions.
    pub example: String,
}

/// One thing that the log does not tell, and how often that mattered.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsettled {
    /// What it does not tell.
    pub gaps: BTreeSet<String>,
    /// Whether the decision stays all the same, so that only the reason, grants or scopes are open.
    pub stays: bool,
    /// How often.
    pub count: u64,
    /// One of these decisions.
    pub example: String,
}

impl<'s> Backtest<'s> {
    /// Decisions are held against `table`; `bases` are tables that may have made them.
    pub fn new(table: Table<'s>, mut bases: Vec<Table<'s>>) -> Self {
        bases.push(table);
        Self {
            table,
            bases,
            summary: Summary::default(),
            changes: Tally::new(MOST_GROUPS, MOST_BYTES),
            unsettled: Tally::new(MOST_GROUPS, MOST_BYTES),
        }
    }

    /// Judges one decision.
    pub fn take(&mut self, record: &Record) {
        self.summary.decisions += 1;
        self.summary.observed += u64::from(record.is_observed());
        let digest = record.digest();
        if digest == Some(self.table.snapshot.digest.as_str()) {
            // The same table answers the same question the same.
            self.summary.same += 1;
            self.summary.observed_refused += u64::from(record.is_observed());
            return;
        }
        let base = self.bases.iter().find(|base| Some(base.snapshot.digest.as_str()) == digest).copied();
        if base.is_none() {
            self.summary.without_base += 1;
        }
        let verdict = rejudge(record, self.table, base);
        let refused = match &verdict {
            Verdict::Same | Verdict::CannotTell { stays: true, .. } => true,
            Verdict::Changes { to, .. } => to.allowed == Some(false),
            Verdict::CannotTell { stays: false, .. } => false,
        };
        self.summary.observed_refused += u64::from(refused && record.is_observed());
        match verdict {
            Verdict::Same => self.summary.same += 1,
            Verdict::Changes { kind, to } => {
                self.summary.changed += 1;
                let change = Change {
                    kind,
                    who: record.who.clone(),
                    realm: record.realm.clone(),
                    resource: record.resource.clone(),
                    method: record.http.as_ref().map(|http| http.method.clone()),
                    from: Told::of(record),
                    to,
                };
                let weight = change.weight();
                if let Some(seen) = self.changes.at(change, weight) {
                    seen.once_more(record);
                }
            }
            Verdict::CannotTell { stays, gaps } => {
                // Without it nearly everything is missing: that is the one thing to tell.
                let base_is_missing = || BTreeSet::from(["the table of that time, which `--base` brings".to_owned()]);
                let gaps = if base.is_none() { base_is_missing() } else { gaps };
                self.summary.cannot_tell += 1;
                self.summary.stays += u64::from(stays);
                let weight = gaps.iter().map(String::len).sum();
                if let Some(seen) = self.unsettled.at((stays, gaps), weight) {
                    seen.once_more(record);
                }
            }
        }
    }

    /// What came of all of them.
    pub fn finish(self) -> Summary {
        let not_listed = self.changes.left_out() + self.unsettled.left_out();
        let told = |(change, seen): (Change, Seen)| Changes {
            kind: change.kind,
            who: change.who,
            realm: change.realm,
            resource: change.resource,
            method: change.method,
            from: change.from,
            to: change.to,
            count: seen.count,
            example: seen.example,
        };
        let mut changes: Vec<_> = self.changes.into_entries().map(told).collect();
        changes.sort_by_key(|change| (change.kind, std::cmp::Reverse(change.count)));
        let open = |((stays, gaps), seen): ((bool, BTreeSet<String>), Seen)| Unsettled {
            gaps,
            stays,
            count: seen.count,
            example: seen.example,
        };
        let mut unsettled: Vec<_> = self.unsettled.into_entries().map(open).collect();
        unsettled.sort_by_key(|open| (open.stays, std::cmp::Reverse(open.count)));
        Summary { changes, unsettled, not_listed, ..self.summary }
    }
}

impl Change {
    /// Bytes of what strangers chose.
    fn weight(&self) -> usize {
        let (iss, sub) = self.who.names();
        let texts = [iss, sub, self.realm.as_deref(), self.resource.as_deref(), self.method.as_deref()];
        let told = |told: &Told| told.grants.iter().chain(&told.scopes).map(String::len).sum::<usize>();
        texts.iter().flatten().map(|text| text.len()).sum::<usize>() + told(&self.from) + told(&self.to)
    }
}
