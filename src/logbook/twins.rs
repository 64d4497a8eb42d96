//! The same `sub` under several issuers: two identities that look like one user.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Record, Who};
use super::tally::Tally;
use crate::clock::Time;

/// So many pairs are kept of callers whose signature stood, and as many of what unverified tokens said: what anyone can
/// send must not push out what was verified.
const MOST_PAIRS: usize = 100_000;
/// And their names weigh so many bytes at most.
const MOST_BYTES: usize = 32 << 20;
/// So many grants and resources are named of a pair.
const MOST_NAMES: usize = 16;

/// Takes decisions one after another.
#[derive(Debug)]
pub struct Twins {
    verified: Tally<Key, Use>,
    claimed: Tally<Key, Use>,
}

/// Sorted so that one subject's pairs lie together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    sub: String,
    iss: Option<String>,
    realm: Option<String>,
    standing: &'static str,
}

/// One subject that several issuers name.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// The `sub`, which alone is nobody.
    pub sub: String,
    /// Whether at least two issuers said it with a signature that stood; else at least one of them is a mere claim.
    pub verified: bool,
    /// Each use, by issuer.
    pub uses: Vec<Use>,
}

/// What one issuer's subject did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Use {
    /// The issuer; `None` where a claim or an acting party names none.
    pub iss: Option<String>,
    /// Its realm.
    pub realm: Option<String>,
    /// `principal` (allowed), `verified` (refused), `actor` (asserted by the token's issuer) or `claimed` (proof of
    /// nothing).
    pub standing: &'static str,
    /// How often it was allowed.
    pub allowed: u64,
    /// How often it was denied.
    pub denied: u64,
    /// Grants that allowed it, at most 16.
    pub grants: BTreeSet<String>,
    /// Where it went, at most 16.
    pub resources: BTreeSet<String>,
    /// First and last decision.
    pub span: Option<(Time, Time)>,
}

impl Default for Twins {
    fn default() -> Self {
        Self { verified: Tally::new(MOST_PAIRS, MOST_BYTES), claimed: Tally::new(MOST_PAIRS, MOST_BYTES) }
    }
}

impl Twins {
    /// Takes one decision in.
    pub fn take(&mut self, record: &Record) {
        let (iss, sub) = record.who.names();
        if let Some(sub) = sub {
            self.note(record, record.who.standing(), iss, sub);
        }
        // Who acts is asserted by the token's issuer: without a signature it is a claim of a claim, and left out.
        if let (Some(actor), Some(pair)) = (&record.actor, record.pair()) {
            let iss = actor.iss.as_deref().unwrap_or(&pair.iss);
            if let Some(sub) = &actor.sub {
                self.note(record, "actor", Some(iss), sub);
            }
        }
    }

    fn note(&mut self, record: &Record, standing: &'static str, iss: Option<&str>, sub: &str) {
        let key = Key { sub: sub.to_owned(), iss: iss.map(str::to_owned), realm: record.realm.clone(), standing };
        let weight = sub.len() + iss.map_or(0, str::len);
        let tally = if matches!(record.who, Who::Claimed(_)) { &mut self.claimed } else { &mut self.verified };
        let Some(used) = tally.at(key, weight) else { return };
        if record.allowed {
            used.allowed += 1;
        } else {
            used.denied += 1;
        }
        let names = [(&mut used.grants, record.grants.as_slice()), (&mut used.resources, record.resource.as_slice())];
        for (kept, given) in names {
            for name in given {
                if kept.len() < MOST_NAMES && !kept.contains(name) {
                    kept.insert(name.clone());
                }
            }
        }
        let (first, last) = used.span.unwrap_or((record.time, record.time));
        let earlier = if record.time < first { record.time } else { first };
        let later = if record.time > last { record.time } else { last };
        used.span = Some((earlier, later));
    }

    /// Decisions that could not be taken in, because there was no room for another pair.
    pub const fn left_out(&self) -> u64 {
        self.verified.left_out() + self.claimed.left_out()
    }

    /// Every subject that more than one issuer names, those that were verified first.
    pub fn finish(self) -> Vec<Twin> {
        let mut subjects: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        for (key, used) in self.verified.into_entries().chain(self.claimed.into_entries()) {
            let used = Use { iss: key.iss, realm: key.realm, standing: key.standing, ..used };
            subjects.entry(key.sub).or_default().push(used);
        }
        let several = |uses: &[Use], counted: &dyn Fn(&Use) -> bool| {
            let pairs: BTreeSet<_> = uses
                .iter()
                .filter(|used| counted(used))
                .map(|used| (used.iss.as_deref(), used.realm.as_deref()))
                .collect();
            pairs.len() > 1
        };
        let mut twins: Vec<_> = subjects
            .into_iter()
            .filter(|(_, uses)| several(uses, &|_| true))
            .map(|(sub, uses)| Twin { sub, verified: several(&uses, &|used| used.standing != "claimed"), uses })
            .collect();
        twins.sort_by_key(|twin| !twin.verified);
        twins
    }
}
