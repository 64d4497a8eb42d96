//! One name, several people: the same subject under several issuers, and grants that fit the same callers.
//!
//! `sub` means something at its issuer only. Where two issuers use one text, they are two principals, and whoever reads
//! only half of the pair takes them for one. Everything is grouped before it is compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::line::iss;
use crate::claims::Glob;
use crate::decide::{Grant, SubjectRule};
use crate::name::{GrantName, IssuerName, ResourceName, Scope};
use crate::relation::{globs_meet, overlaps};
use crate::resource::ResourceId;
use crate::table::Snapshot;
use crate::trust::IssuerId;

/// Of many that share a condition, each is compared with so many.
const MAX_NEIGHBOURS: usize = 32;

/// One name that is said by several issuers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collision {
    /// What they share: a subject, a form of subjects, or conditions on claims.
    pub shared: Shared,
    /// Each of the issuers that say it.
    pub identities: Vec<Identity>,
}

/// What issuers share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// The very same `sub`.
    Subject(String),
    /// A form that subjects of several issuers have, or that of one names a subject of another.
    Form(String),
    /// The same conditions on claims, without a subject.
    Claims(String),
}

/// One issuer-scoped identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The name of the issuer in the table.
    pub issuer: IssuerName,
    /// The first half of the pair, with its realm.
    pub iss: String,
    /// By which grants.
    pub grants: Vec<GrantName>,
}

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

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collisions {
    /// Sorted by what is shared.
    pub names: Vec<Collision>,
    /// In the order of the grants' names.
    pub overlaps: Vec<Overlap>,
}

/// Who says a name, by which grants.
type Said<'s> = BTreeMap<IssuerId, BTreeSet<&'s GrantName>>;

/// Everything that collides in a table.
pub fn collisions(snapshot: &Snapshot) -> Collisions {
    let mut names = subjects(snapshot);
    names.extend(claims(snapshot));
    names.sort();
    Collisions { names, overlaps: shared_grants(snapshot) }
}

fn collision(snapshot: &Snapshot, shared: Shared, said: &Said<'_>) -> Option<Collision> {
    let identity = |(id, grants): (&IssuerId, &BTreeSet<&GrantName>)| {
        let issuer = snapshot.issuers.get(*id)?;
        let grants = grants.iter().map(|name| (*name).clone()).collect();
        Some(Identity { issuer: issuer.name.clone(), iss: iss(issuer), grants })
    };
    let identities: Vec<_> = said.iter().filter_map(identity).collect();
    (identities.len() > 1).then_some(Collision { shared, identities })
}

fn subjects(snapshot: &Snapshot) -> Vec<Collision> {
    let mut exact: BTreeMap<&str, Said<'_>> = BTreeMap::new();
    let mut forms: BTreeMap<&str, (&Glob, Said<'_>)> = BTreeMap::new();
    let mut any: Said<'_> = BTreeMap::new();
    for grant in snapshot.grants.iter() {
        for issuer in &grant.issuers {
            match &grant.subject {
                Some(SubjectRule::Exact(all)) => {
                    for subject in all {
                        exact.entry(subject).or_default().entry(*issuer).or_default().insert(&grant.name);
                    }
                }
                Some(SubjectRule::Glob(glob)) => {
                    let (_, said) = forms.entry(glob.as_str()).or_insert_with(|| (glob, Said::new()));
                    said.entry(*issuer).or_default().insert(&grant.name);
                }
                Some(SubjectRule::Any) => {
                    any.entry(*issuer).or_default().insert(&grant.name);
                }
                None => {}
            }
        }
    }
    // Forms by the text before their first star, as whole parts: a subject or a form can only meet those that begin so.
    let mut by_start: HashMap<&str, Vec<&str>> = HashMap::new();
    for (text, (glob, _)) in &forms {
        by_start.entry(glob.literal_parts().1).or_default().push(text);
    }
    let near = |text: &str| -> Vec<&str> {
        let starts = (1..).map_while(|parts| Glob::first_parts(text, parts));
        std::iter::once("").chain(starts).filter_map(|start| by_start.get(start)).flatten().copied().collect()
    };
    let mut found: Vec<_> = exact
        .iter()
        .filter_map(|(subject, said)| collision(snapshot, Shared::Subject((*subject).to_owned()), said))
        .collect();
    let mut met: BTreeMap<&str, Said<'_>> = BTreeMap::new();
    for (text, (_, said)) in &forms {
        met.insert(text, said.clone());
    }
    for (subject, said) in &exact {
        for text in near(subject) {
            if forms.get(text).is_some_and(|(glob, _)| glob.matches(subject)) {
                join(met.entry(text).or_default(), said);
            }
        }
    }
    for (text, (glob, said)) in &forms {
        for other in near(glob.literal_start()).into_iter().filter(|other| other != text) {
            let meets = forms.get(other).is_some_and(|(other, _)| globs_meet(glob, other));
            if meets {
                join(met.entry(other).or_default(), said);
            }
        }
    }
    found.extend(met.iter().filter_map(|(text, said)| collision(snapshot, Shared::Form((*text).to_owned()), said)));
    found.extend(collision(snapshot, Shared::Form("any".to_owned()), &any));
    found
}

fn join<'s>(into: &mut Said<'s>, from: &Said<'s>) {
    for (issuer, grants) in from {
        into.entry(*issuer).or_default().extend(grants.iter().copied());
    }
}

/// Grants that say who by claims alone, in the same words at several issuers.
fn claims(snapshot: &Snapshot) -> Vec<Collision> {
    let mut same: BTreeMap<String, Said<'_>> = BTreeMap::new();
    for grant in snapshot.grants.iter().filter(|grant| grant.subject.is_none()) {
        let mut texts: Vec<_> = grant.claims.iter().map(|rule| format!("{} {}", rule.key, rule.matcher)).collect();
        texts.sort();
        let said = same.entry(texts.join(", ")).or_default();
        for issuer in &grant.issuers {
            said.entry(*issuer).or_default().insert(&grant.name);
        }
    }
    same.iter().filter_map(|(text, said)| collision(snapshot, Shared::Claims(text.clone()), said)).collect()
}

/// Grants of one issuer for one resource that one call may fit, as far as they name the same subject, the same value of
/// a claim, or anyone at all.
fn shared_grants(snapshot: &Snapshot) -> Vec<Overlap> {
    let mut groups: HashMap<(IssuerId, ResourceId, String), Vec<&Grant>> = HashMap::new();
    let mut found: BTreeSet<(&GrantName, &GrantName, IssuerId)> = BTreeSet::new();
    for grant in snapshot.grants.iter() {
        for issuer in &grant.issuers {
            for name in named(grant) {
                let group = groups.entry((*issuer, grant.resource, name)).or_default();
                for other in group.iter().rev().take(MAX_NEIGHBOURS) {
                    if overlaps(other, grant) {
                        found.insert((&other.name, &grant.name, *issuer));
                    }
                }
                group.push(grant);
            }
        }
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
    found.into_iter().filter_map(overlap).collect()
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
