//! What may come of a logged call under another table: every outcome that the log does not rule out.

use std::collections::BTreeSet;
use std::fmt;

use super::super::record::Record;
use crate::reason::{Accepted, Reason};

/// How a call may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Outcome {
    Allowed,
    Open,
    Refused(Reason),
}

impl Outcome {
    const fn allows(self) -> bool {
        matches!(self, Self::Allowed | Self::Open)
    }
}

/// Every outcome that the log does not rule out, and what it would have had to tell to rule out more.
#[derive(Debug, Default)]
pub(super) struct Possible {
    pub(super) outcomes: BTreeSet<Outcome>,
    /// Where it is allowed: grants that fit for certain, and those that may fit.
    pub(super) grants: Fitting,
    /// And their scopes.
    pub(super) scopes: Fitting,
    /// What is not known.
    pub(super) gaps: BTreeSet<String>,
}

/// Names that are there for certain, and those that may be.
#[derive(Debug, Default)]
pub(super) struct Fitting {
    pub(super) certain: BTreeSet<String>,
    pub(super) maybe: BTreeSet<String>,
}

impl Fitting {
    /// One of two: certain is only what is in both.
    fn or(self, other: Self) -> Self {
        let certain: BTreeSet<_> = self.certain.intersection(&other.certain).cloned().collect();
        let all = [self.certain, self.maybe, other.certain, other.maybe].into_iter().flatten();
        Self { maybe: all.filter(|name| !certain.contains(name)).collect(), certain }
    }

    /// Whether it is these, where that can be told.
    fn are(&self, logged: &BTreeSet<String>) -> Option<bool> {
        let all: BTreeSet<_> = self.certain.union(&self.maybe).cloned().collect();
        if self.certain == *logged && all == *logged {
            return Some(true);
        }
        (!self.certain.is_subset(logged) || !logged.is_subset(&all)).then_some(false)
    }
}

impl Possible {
    pub(super) fn only(outcome: Outcome) -> Self {
        Self { outcomes: BTreeSet::from([outcome]), ..Self::default() }
    }

    /// One of two.
    pub(super) fn or(mut self, mut other: Self) -> Self {
        self.outcomes.append(&mut other.outcomes);
        self.gaps.append(&mut other.gaps);
        Self { grants: self.grants.or(other.grants), scopes: self.scopes.or(other.scopes), ..self }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.outcomes.insert(outcome);
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        self.add(Outcome::Refused(reason));
    }

    pub(super) fn gap(&mut self, what: impl Into<String>) {
        self.gaps.insert(what.into());
    }

    /// Every outcome that is judged by the token, and an allow.
    pub(super) fn anything_of_a_token(&mut self, gap: &str) {
        self.outcomes.extend(Reason::ALL.into_iter().filter(|reason| of_token(*reason)).map(Outcome::Refused));
        self.add(Outcome::Allowed);
        self.gap(gap);
    }

    /// Every outcome that a table has a say in.
    pub(super) fn anything(gap: &str) -> Self {
        let mut possible = Self::default();
        possible.anything_of_a_token(gap);
        for reason in [Reason::PathNotNormalized, Reason::ResourceUnknown] {
            possible.refuse(reason);
        }
        possible.add(Outcome::Open);
        possible
    }

    /// What this says about a logged decision.
    pub(super) fn against(&self, record: &Record, logged: Outcome) -> Verdict {
        let decisions: BTreeSet<_> = self.outcomes.iter().map(|outcome| outcome.allows()).collect();
        let one = if decisions.len() == 1 { decisions.first().copied() } else { None };
        if !self.outcomes.contains(&logged) {
            let kind = match one {
                Some(true) if !logged.allows() => Kind::DenyToAllow,
                Some(false) if logged.allows() => Kind::AllowToDeny,
                Some(_) => Kind::Otherwise,
                None => Kind::Unsettled,
            };
            return Verdict::Changes { kind, to: self.told() };
        }
        let settled = if self.outcomes.len() > 1 { None } else { self.same_grants(record, logged) };
        match settled {
            Some(true) => Verdict::Same,
            Some(false) => Verdict::Changes { kind: Kind::Otherwise, to: self.told() },
            None => Verdict::CannotTell { stays: one == Some(logged.allows()), gaps: self.gaps.clone() },
        }
    }

    /// Where the decision is the same: whether the grants and scopes are.
    fn same_grants(&self, record: &Record, logged: Outcome) -> Option<bool> {
        if logged != Outcome::Allowed {
            return Some(true);
        }
        let grants = self.grants.are(&record.grants.iter().cloned().collect());
        let scopes = self.scopes.are(&record.scopes.iter().cloned().collect());
        match (grants, scopes) {
            (Some(true), Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        }
    }

    fn told(&self) -> Told {
        let outcome = if self.outcomes.len() == 1 { self.outcomes.first() } else { None };
        match outcome {
            Some(Outcome::Allowed) => Told {
                allowed: Some(true),
                reason: Some(Accepted::Ok.code().to_owned()),
                grants: self.grants.certain.iter().cloned().collect(),
                scopes: self.scopes.certain.iter().cloned().collect(),
                perhaps: self.grants.maybe.iter().cloned().collect(),
            },
            Some(Outcome::Open) => Told::plain(true, Accepted::Anonymous.code()),
            Some(Outcome::Refused(reason)) => Told::plain(false, reason.code()),
            None => {
                let denied = self.outcomes.iter().all(|outcome| !outcome.allows());
                let allowed = self.outcomes.iter().all(|outcome| outcome.allows());
                Told { allowed: (denied || allowed).then_some(allowed), ..Told::default() }
            }
        }
    }
}

/// Whether it is judged by the token: not by the request alone, and not by the state of the service.
const fn of_token(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::NotReady
            | Reason::Overloaded
            | Reason::MalformedRequest
            | Reason::PathNotNormalized
            | Reason::ResourceUnknown
            | Reason::LogUnavailable
            | Reason::Internal
    )
}

/// What becomes of one logged decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Decision, reason, grants and scopes stay.
    Same,
    /// It cannot stay.
    Changes {
        /// In what.
        kind: Kind,
        /// What it becomes, as far as that can be told.
        to: Told,
    },
    /// The log does not tell enough.
    CannotTell {
        /// Whether at least the decision stays: allowed or denied as it was.
        stays: bool,
        /// What the log would have had to tell, a few words each.
        gaps: BTreeSet<String>,
    },
}

/// In what a decision changes; what lets someone in comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Was denied, is allowed.
    DenyToAllow,
    /// Was allowed, is denied.
    AllowToDeny,
    /// Allowed as before or denied as before, for another reason, by other grants or with other scopes.
    Otherwise,
    /// It does not stay what it was, but whether it is allowed cannot be told.
    Unsettled,
}

impl Kind {
    /// As it is told to programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DenyToAllow => "deny_to_allow",
            Self::AllowToDeny => "allow_to_deny",
            Self::Otherwise => "otherwise",
            Self::Unsettled => "unsettled",
        }
    }
}

/// A decision in a few words; what is `None` cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Told {
    /// Whether it is an allow.
    pub allowed: Option<bool>,
    /// The code of the reason.
    pub reason: Option<String>,
    /// The grants that allow it.
    pub grants: Vec<String>,
    /// The scopes that they hand on.
    pub scopes: Vec<String>,
    /// Grants that may allow it too.
    pub perhaps: Vec<String>,
}

impl Told {
    fn plain(allowed: bool, reason: &str) -> Self {
        Self { allowed: Some(allowed), reason: Some(reason.to_owned()), ..Self::default() }
    }

    /// What was logged; of a refusal that was only observed, the refusal.
    pub fn of(record: &Record) -> Self {
        let observed = record.observed_reason.as_ref().filter(|_| record.is_observed());
        Self {
            allowed: Some(record.allowed && observed.is_none()),
            reason: Some(observed.unwrap_or(&record.reason).clone()),
            grants: record.grants.clone(),
            scopes: record.scopes.clone(),
            perhaps: Vec::new(),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.allowed {
            Some(true) => "allow",
            Some(false) => "deny",
            None => "another decision, which cannot be told",
        })?;
        match &self.reason {
            Some(reason) => write!(f, " {reason}")?,
            None if self.allowed.is_some() => f.write_str(", the reason cannot be told")?,
            None => {}
        }
        if !self.grants.is_empty() {
            write!(f, " by {}", self.grants.join(" "))?;
        }
        if !self.scopes.is_empty() {
            write!(f, " with scopes {}", self.scopes.join(" "))?;
        }
        if !self.perhaps.is_empty() {
            write!(f, ", perhaps by {}", self.perhaps.join(" "))?;
        }
        Ok(())
    }
}
