//! The grants of a snapshot, found by issuer and resource, and of those the few that a token could fit.

use std::collections::{BTreeSet, HashMap};

use super::fit::Case;
use super::grant::{AudienceFrom, Grant, GrantId, Mode, Replay};
use super::split::Split;
use crate::name::Audience;
use crate::resource::ResourceId;
use crate::trust::IssuerId;

/// Near misses are looked for among at most this many grants.
const MAX_CANDIDATES: usize = 32;

/// All grants of a snapshot, by issuer and resource.
#[derive(Debug, Default)]
pub struct GrantIndex {
    /// Each once, in the order of names, so that the order of the table has no say.
    grants: Vec<Grant>,
    by_pair: HashMap<(IssuerId, ResourceId), Pair>,
}

/// What is known of the grants of one issuer for one resource before any token is seen.
#[derive(Debug)]
struct Pair {
    ids: Box<[GrantId]>,
    /// By what few of them are found; `None` where they are few.
    split: Option<Box<Split>>,
    /// Where they are split, the first enforcing ones.
    first: Box<[GrantId]>,
    /// What the enforcing ones want among the audiences, sorted: one of `aud`, or `client_id`.
    audiences: Box<[Audience]>,
    client_ids: Box<[Audience]>,
}

impl GrantIndex {
    /// Builds the index. A grant's number becomes its position in the order of names.
    pub fn build(mut grants: Vec<Grant>) -> Self {
        grants.sort_by(|one, two| one.name.cmp(&two.name));
        let mut by_pair: HashMap<_, Vec<&Grant>> = HashMap::new();
        for (id, grant) in (0..).map(GrantId).zip(&mut grants) {
            grant.id = id;
        }
        for grant in &grants {
            for issuer in &grant.issuers {
                by_pair.entry((*issuer, grant.resource)).or_default().push(grant);
            }
        }
        let by_pair = by_pair.into_iter().map(|(pair, members)| (pair, Pair::build(&members))).collect();
        Self { grants, by_pair }
    }

    /// The grants of this issuer for this resource.
    pub fn of(&self, issuer: IssuerId, resource: ResourceId) -> Grants<'_> {
        Grants { index: self, pair: self.by_pair.get(&(issuer, resource)) }
    }

    /// The grant with this number.
    pub fn get(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(usize::try_from(id.0).ok()?)
    }

    /// How many grants the table has.
    pub const fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether the table has none.
    pub const fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// Of how many issuers some grant takes each token once.
    pub fn issuers_with_single_use(&self) -> usize {
        let once = self.grants.iter().filter(|grant| grant.replay == Replay::Once && grant.mode == Mode::Enforce);
        once.flat_map(|grant| &grant.issuers).collect::<BTreeSet<_>>().len()
    }

    /// Every grant once, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }
}

impl Pair {
    fn build(members: &[&Grant]) -> Self {
        let wanted = |from: AudienceFrom| {
            let enforcing = members.iter().filter(|grant| grant.mode == Mode::Enforce && grant.audience_from == from);
            let mut wanted: Vec<_> = enforcing.map(|grant| grant.audience.clone()).collect();
            wanted.sort();
            wanted.dedup();
            wanted.into_boxed_slice()
        };
        let split = Split::of(members);
        let enforcing = members.iter().filter(|grant| split.is_some() && grant.mode == Mode::Enforce);
        Self {
            first: enforcing.take(MAX_CANDIDATES).map(|grant| grant.id).collect(),
            ids: members.iter().map(|grant| grant.id).collect(),
            split,
            audiences: wanted(AudienceFrom::Audience),
            client_ids: wanted(AudienceFrom::ClientId),
        }
    }
}

/// The grants of one issuer for one resource.
#[derive(Debug, Clone, Copy)]
pub struct Grants<'s> {
    index: &'s GrantIndex,
    pair: Option<&'s Pair>,
}

impl<'s> Grants<'s> {
    /// All of them, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = &'s Grant> {
        self.ids().iter().filter_map(move |id| self.index.get(*id))
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.ids().len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.ids().is_empty()
    }

    fn ids(self) -> &'s [GrantId] {
        self.pair.map_or(&[], |pair| &pair.ids)
    }

    /// Shows `each` every grant whose subject, claims and paths may all fit, some that do not, in no order, and one
    /// that has several paths perhaps twice: how many there are in all costs nothing.
    pub(super) fn candidates(self, case: &Case<'_>, each: &mut dyn FnMut(&'s Grant)) {
        match self.pair.and_then(|pair| pair.split.as_ref()) {
            None => self.iter().for_each(each),
            Some(split) => split.candidates(case, &mut |id| {
                if let Some(grant) = self.index.get(id) {
                    each(grant);
                }
            }),
        }
    }

    /// At most so many enforcing grants that may be near: of those that the index proposes, then of all.
    pub(super) fn near(self, case: &Case<'_>) -> Vec<&'s Grant> {
        let mut near: Vec<&Grant> = Vec::new();
        self.candidates(case, &mut |grant| {
            if grant.mode == Mode::Enforce {
                near.push(grant);
            }
        });
        near.sort_unstable_by_key(|grant| grant.id);
        near.dedup_by_key(|grant| grant.id);
        near.truncate(MAX_CANDIDATES);
        for grant in self.pair.iter().flat_map(|pair| &pair.first).filter_map(|id| self.index.get(*id)) {
            if near.len() < MAX_CANDIDATES && near.iter().all(|known| known.id != grant.id) {
                near.push(grant);
            }
        }
        near
    }

    /// Whether there is an enforcing grant at all.
    pub(super) fn any_enforces(self) -> bool {
        self.pair.is_some_and(|pair| !pair.audiences.is_empty() || !pair.client_ids.is_empty())
    }

    /// Whether the audience of any enforcing grant fits.
    pub(super) fn any_audience_fits(self, case: &Case<'_>) -> bool {
        let Some(pair) = self.pair else { return false };
        let holds = |wanted: &[Audience], given: &str| wanted.binary_search_by(|one| one.as_str().cmp(given)).is_ok();
        case.audiences().any(|given| holds(&pair.audiences, given))
            || case.client_id().is_some_and(|given| holds(&pair.client_ids, given))
    }
}
