//! One name, several people: the same subject under several issuers, and grants that fit the same callers.
//!
//! `sub` means something at its issuer only. Where two issuers use one text, they are two principals, and whoever reads
//! only half of the pair takes them for one. Everything is grouped before it is compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::line::iss;
use super::overlaps::{Overlap, overlapping};
use crate::claims::{Glob, trust_domain};
use crate::decide::SubjectRule;
use crate::name::{GrantName, IssuerName};
use crate::relation::globs_meet;
use crate::table::Snapshot;
use crate::trust::{IssuerId, NamedBy};

/// So many pairs of a form and a name are compared.
const MOST_PAIRS: usize = 4_000_000;
/// Of one identity, so many grants are named.
const MOST_GRANTS: usize = 16;

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
    /// The very same `sub`, of a caller or of who acts for one.
    Subject(String),
    /// A form that subjects of several issuers have, or that of one names a subject of another.
    Form(String),
    /// Nothing is asked of the `sub` by grants of these issuers, so that they may say that of any other.
    Any(Vec<IssuerName>),
    /// Nothing is asked of the `sub` by the grants of a trust domain's issuer, and another names its members.
    Domain(String),
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
    /// By which grants, at most 16.
    pub grants: Vec<GrantName>,
    /// By how many more.
    pub more: usize,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collisions {
    /// Sorted by what is shared.
    pub names: Vec<Collision>,
    /// In the order of the grants' names.
    pub overlaps: Vec<Overlap>,
    /// There were too many to hold all against each other: there may be more.
    pub cut: bool,
}

/// Who says a name, by which grants.
type Said<'s> = BTreeMap<IssuerId, BTreeSet<&'s GrantName>>;

/// Everything that collides in a table.
pub fn collisions(snapshot: &Snapshot) -> Collisions {
    let mentions = Mentions::of(snapshot);
    let (met, cut_forms) = mentions.forms_met();
    let mut names = Vec::new();
    for (subject, said) in &mentions.exact {
        names.extend(collision(snapshot, Shared::Subject((*subject).to_owned()), said));
    }
    for (form, said) in &met {
        names.extend(collision(snapshot, Shared::Form((*form).to_owned()), said));
    }
    let mut open: Vec<_> = mentions.any.keys().filter_map(|id| Some(snapshot.issuers.get(*id)?.name.clone())).collect();
    open.dedup();
    names.extend(collision(snapshot, Shared::Any(open), &mentions.beside_any()));
    for (domain, said) in mentions.beside_domains() {
        names.extend(collision(snapshot, Shared::Domain(domain.to_owned()), &said));
    }
    names.extend(claims(snapshot));
    names.sort();
    let (overlaps, cut_overlaps) = overlapping(snapshot);
    Collisions { names, overlaps, cut: cut_forms || cut_overlaps }
}

fn collision(snapshot: &Snapshot, shared: Shared, said: &Said<'_>) -> Option<Collision> {
    if said.len() < 2 {
        return None;
    }
    let identity = |(id, grants): (&IssuerId, &BTreeSet<&GrantName>)| {
        let issuer = snapshot.issuers.get(*id)?;
        let more = grants.len().saturating_sub(MOST_GRANTS);
        let grants = grants.iter().take(MOST_GRANTS).map(|name| (*name).clone()).collect();
        Some(Identity { issuer: issuer.name.clone(), iss: iss(issuer), grants, more })
    };
    Some(Collision { shared, identities: said.iter().filter_map(identity).collect() })
}

/// Whom the grants of a table name, as caller or as who acts for one.
#[derive(Default)]
struct Mentions<'s> {
    exact: BTreeMap<&'s str, Said<'s>>,
    forms: BTreeMap<&'s str, (&'s Glob, Said<'s>)>,
    /// By issuers whose grants ask nothing of the subject.
    any: Said<'s>,
    /// The same of issuers that speak of the members of a trust domain only.
    domains: BTreeMap<&'s str, Said<'s>>,
}

impl<'s> Mentions<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let mut mentions = Self::default();
        for grant in snapshot.grants.iter() {
            let actor = grant.actor.as_ref().map(|actor| Some(&actor.subject));
            for id in &grant.issuers {
                let Some(issuer) = snapshot.issuers.get(*id) else { continue };
                for rule in std::iter::once(grant.subject.as_ref()).chain(actor) {
                    let say = |said: &mut Said<'s>| {
                        said.entry(*id).or_default().insert(&grant.name);
                    };
                    match (rule, &issuer.named_by) {
                        (Some(SubjectRule::Exact(all)), _) => {
                            all.iter().for_each(|subject| say(mentions.exact.entry(subject).or_default()));
                        }
                        (Some(SubjectRule::Glob(glob)), _) => {
                            say(&mut mentions.forms.entry(glob.as_str()).or_insert_with(|| (glob, Said::new())).1);
                        }
                        (Some(SubjectRule::Any) | None, NamedBy::Issuer) => say(&mut mentions.any),
                        (Some(SubjectRule::Any) | None, NamedBy::TrustDomain { domain, .. }) => {
                            say(mentions.domains.entry(domain.as_str()).or_default());
                        }
                    }
                }
            }
        }
        mentions
    }

    /// Each form with everyone whose subjects may have it, and whether the search was cut.
    fn forms_met(&self) -> (BTreeMap<&'s str, Said<'s>>, bool) {
        // Forms by the text before their first star, as whole parts: a subject or a form can only meet those that begin
        // so.
        let mut by_start: HashMap<&str, Vec<&'s str>> = HashMap::new();
        for (text, (glob, _)) in &self.forms {
            by_start.entry(glob.literal_parts().1).or_default().push(text);
        }
        let mut left = MOST_PAIRS;
        let mut near = |text: &str| -> Vec<&'s str> {
            let starts = (1..).map_while(|parts| Glob::first_parts(text, parts));
            let all = std::iter::once("").chain(starts).filter_map(|start| by_start.get(start)).flatten();
            let some: Vec<_> = all.copied().take(left).collect();
            left -= some.len();
            some
        };
        let mut met: BTreeMap<&str, Said<'_>> = BTreeMap::new();
        for (text, (_, said)) in &self.forms {
            met.insert(text, said.clone());
        }
        for (subject, said) in &self.exact {
            for text in near(subject) {
                if self.forms.get(text).is_some_and(|(glob, _)| glob.matches(subject)) {
                    join(met.entry(text).or_default(), said);
                }
            }
        }
        for (text, (glob, said)) in &self.forms {
            for other in near(glob.literal_start()).into_iter().filter(|other| other != text) {
                if self.forms.get(other).is_some_and(|(other, _)| globs_meet(glob, other)) {
                    join(met.entry(other).or_default(), said);
                }
            }
        }
        (met, left == 0)
    }

    /// Those who may say any subject, and everybody else who says one.
    fn beside_any(&self) -> Said<'s> {
        let mut said = self.any.clone();
        if said.is_empty() {
            return said;
        }
        let named = self.exact.values().chain(self.forms.values().map(|(_, said)| said)).chain(self.domains.values());
        for (issuer, grants) in named.flatten().filter(|(issuer, _)| !self.any.contains_key(*issuer)) {
            said.entry(*issuer).or_default().extend(grants.iter().copied());
        }
        said
    }

    /// Of each trust domain: those who may say any member of it, and everybody else who says one.
    fn beside_domains(&self) -> BTreeMap<&'s str, Said<'s>> {
        let mut all = self.domains.clone();
        for (subject, said) in &self.exact {
            if let Some(members) = trust_domain(subject).and_then(|domain| all.get_mut(domain)) {
                join(members, said);
            }
        }
        for (glob, said) in self.forms.values() {
            for (domain, members) in &mut all {
                // The host of a SPIFFE ID stands before whatever a star may stand for.
                let start = format!("spiffe://{domain}/");
                if glob.literal_start().starts_with(&start) || start.starts_with(glob.literal_start()) {
                    join(members, said);
                }
            }
        }
        all
    }
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
