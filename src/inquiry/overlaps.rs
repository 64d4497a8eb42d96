//! Grants of one issuer for one resource that one call may fit.
//!
//! Not everything is held against everything: those that name the same subject or the same value of a claim, and those
//! that name no subject against all, until so much was looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::decide::{Grant, SubjectRule};
use crate::name::{GrantName, IssuerName, ResourceName, Scope};
use crate::relation::overlaps;
use crate::resource::ResourceId;
use crate::table::Snapshot;
use crate::trust::IssuerId;

/// Of many that share a condition, each is compared with so many.
const MOST_NEIGHBOURS: usize = 64;
/// Of those without an exact subject, so many pairs are compared.
const MOST_PAIRS: usize = 2_000_000;
/// So many are told.
const MOST_FOUND: usize = 10_000;

/// Two grants that one call may fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The issuer.
    pub issuer: IssuerName,
    /// The resource.
    pub resource: ResourceName,
    /// The grants.
    pub grants: (GrantName, GrantName),
    /// The scopes that a caller has who fits both.
    pub scopes: Vec<Scope>,
}

/// The search, and what it found.
#[derive(Default)]
struct Search<'s> {
    found: BTreeSet<(&'s GrantName, &'s GrantName, IssuerId)>,
    compared: usize,
    cut: bool,
}

impl<'s> Search<'s> {
    fn compare(&mut self, one: &'s Grant, two: &'s Grant, issuer: IssuerId) {
        if !overlaps(one, two) {
            return;
        }
        let pair = if one.name <= two.name { (&one.name, &two.name) } else { (&two.name, &one.name) };
        if self.found.len() < MOST_FOUND {
            self.found.insert((pair.0, pair.1, issuer));
        } else {
            self.cut |= !self.found.contains(&(pair.0, pair.1, issuer));
        }
    }
}

/// Those of a table, in the order of the grants' names, and whether there may be more.
pub(super) fn overlapping(snapshot: &Snapshot) -> (Vec<Overlap>, bool) {
    let mut search = Search::default();
    let mut places: BTreeMap<(IssuerId, ResourceId), Vec<&Grant>> = BTreeMap::new();
    for grant in snapshot.grants.iter() {
        for issuer in &grant.issuers {
            places.entry((*issuer, grant.resource)).or_default().push(grant);
        }
    }
    for ((issuer, _), grants) in &places {
        like_named(*issuer, grants, &mut search);
    }
    for ((issuer, _), grants) in &places {
        loose(*issuer, grants, &mut search);
    }
    let by_name: HashMap<_, _> = snapshot.grants.iter().map(|grant| (&grant.name, grant)).collect();
    let overlap = |(one, two, issuer): (&GrantName, &GrantName, IssuerId)| {
        let (first, second) = (by_name.get(one)?, by_name.get(two)?);
        let scopes: BTreeSet<_> = first.scopes.iter().chain(&second.scopes).cloned().collect();
        Some(Overlap {
            issuer: snapshot.issuers.get(issuer)?.name.clone(),
            resource: snapshot.resources.get(first.resource)?.name.clone(),
            grants: (one.clone(), two.clone()),
            scopes: scopes.into_iter().collect(),
        })
    };
    (search.found.into_iter().filter_map(overlap).collect(), search.cut)
}

/// Those that name the same, each against the nearest of its kind.
fn like_named<'s>(issuer: IssuerId, grants: &[&'s Grant], search: &mut Search<'s>) {
    let mut groups: HashMap<String, Vec<&Grant>> = HashMap::new();
    for grant in grants {
        for name in named(grant) {
            let group = groups.entry(name).or_default();
            search.cut |= group.len() > MOST_NEIGHBOURS && !is_loose(grant);
            for other in group.iter().rev().take(MOST_NEIGHBOURS) {
                search.compare(other, grant, issuer);
            }
            group.push(grant);
        }
    }
}

/// Those without an exact subject against all.
fn loose<'s>(issuer: IssuerId, grants: &[&'s Grant], search: &mut Search<'s>) {
    for (at, one) in grants.iter().enumerate().filter(|(_, grant)| is_loose(grant)) {
        for (other_at, two) in grants.iter().enumerate() {
            // Two loose ones meet once.
            if other_at == at || (other_at < at && is_loose(two)) {
                continue;
            }
            if search.compared >= MOST_PAIRS {
                search.cut = true;
                return;
            }
            search.compared += 1;
            search.compare(one, two, issuer);
        }
    }
}

/// Whether a grant names nobody exactly.
const fn is_loose(grant: &Grant) -> bool {
    !matches!(grant.subject, Some(SubjectRule::Exact(_)))
}

/// Whom a grant names: its subjects, else what its claims say exactly, else anyone.
fn named(grant: &Grant) -> Vec<String> {
    match &grant.subject {
        Some(SubjectRule::Exact(all)) => all.iter().map(|subject| format!("sub {subject}")).collect(),
        Some(SubjectRule::Glob(glob)) => vec![format!("like {}", glob.as_str())],
        Some(SubjectRule::Any) | None => {
            let exact = grant.claims.iter().filter_map(|rule| Some((rule.key.as_str(), rule.matcher.exact()?)));
            let names: Vec<_> =
                exact.flat_map(|(key, values)| values.iter().map(move |value| format!("{key} {value}"))).collect();
            if names.is_empty() { vec![String::new()] } else { names }
        }
    }
}
