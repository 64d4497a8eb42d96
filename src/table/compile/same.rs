//! Entries that tokens could name alike (CR104).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::Code;
use super::Bench;
use super::issuer::IssuerPlan;
use crate::keys::KeySource;

/// Of more entries that share a name not every pair is judged.
const MANY: usize = 64;

impl<'a> Bench<'a> {
    /// Two entries may share an `iss` or a trust domain only if each has its own keys and a realm of its own: then a key
    /// tells whose a token is, and the realm tells their principals apart.
    pub(super) fn same_issuer(&mut self, plans: &[IssuerPlan<'a>]) {
        let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, plan) in plans.iter().enumerate() {
            for name in plan.exact.iter().flat_map(|exact| exact.names()) {
                let group = named.entry(name.as_str()).or_default();
                if group.last() != Some(&index) {
                    group.push(index);
                }
            }
        }
        let mut pairs: BTreeMap<(usize, usize), &str> = BTreeMap::new();
        for (name, group) in named.iter().filter(|(_, group)| group.len() > 1) {
            for pair in if group.len() > MANY { suspects(plans, group) } else { all_pairs(group) } {
                pairs.entry(pair).or_insert(name);
            }
        }
        for ((first, second), name) in pairs {
            if let (Some(first), Some(second)) = (plans.get(first), plans.get(second)) {
                self.told_apart(first, second, name);
            }
        }
    }

    fn told_apart(&mut self, first: &IssuerPlan<'a>, second: &IssuerPlan<'a>, name: &str) {
        let (what, own) = match name.strip_prefix("spiffe://") {
            Some(_) => ("trust domain", "or give each its own bundle and a `realm`"),
            None => (
                "`iss`",
                "clusters need a `--service-account-issuer` of their own, or each entry its own keys (`jwksUri`) and a `realm`",
            ),
        };
        let both = format!("issuer \"{}\" and issuer \"{}\" have one {what}", first.name, second.name);
        let site = first.draft.name.place.to_string();
        let place = second.draft.issuer.given().map_or(&second.draft.name.place, |at| &at.place);
        let (one, two) = (&first.draft.realm, &second.draft.realm);
        if one.is_absent() || two.is_absent() {
            let message = format!("{both}, so nobody could tell their tokens apart");
            let help = match (one.is_absent(), two.is_absent()) {
                (true, false) => lacking(first),
                (false, true) => lacking(second),
                _ => format!("make one entry of the two; {own}"),
            };
            return self.report(Code::CR104, place, message, format!("first at {site}"), help);
        }
        if let (Some(one), Some(two)) = (one.given(), two.given())
            && one.value == two.value
        {
            let message = format!("{both} and one `realm`, so their principals would be the same");
            let label = format!("the same realm as at {}", one.place);
            return self.report(Code::CR104, &two.place, message, label, "give each a realm of its own");
        }
        for (plan, other) in [(first, second), (second, first)] {
            if plan.draft.keys.is_silent() {
                let message = format!("{both}, and the keys of \"{}\" would be discovered from it", plan.name);
                let help = "say where this entry's own keys are: `jwksUri`, `discoveryUrl`, `jwksFile` or `jwks`";
                let label = format!("the other at {}", other.draft.name.place);
                return self.report(Code::CR104, &plan.draft.name.place, message, label, help);
            }
        }
        if let (Some(one), Some(two)) = (source(first), source(second))
            && one == two
        {
            let message = format!("{both} and take their keys from one place, so no key could tell their tokens apart");
            let help = format!("make one entry of the two; {own}");
            self.report(Code::CR104, place, message, format!("the same keys as at {site}"), help);
        }
    }
}

fn source<'p>(plan: &'p IssuerPlan<'_>) -> Option<&'p KeySource> {
    plan.exact.first()?.origin.as_ref().map(|origin| &origin.source)
}

fn all_pairs(group: &[usize]) -> Vec<(usize, usize)> {
    let with_earlier = |(at, second): (usize, &usize)| {
        let second = *second;
        group.iter().take(at).map(move |first| (*first, second))
    };
    group.iter().enumerate().flat_map(with_earlier).collect()
}

/// Among many, the pairs without which no fault would go unseen: with the first, and with one of the same realm or the
/// same keys.
fn suspects(plans: &[IssuerPlan<'_>], group: &[usize]) -> Vec<(usize, usize)> {
    let mut pairs = BTreeSet::new();
    let (mut by_realm, mut by_source) = (HashMap::new(), HashMap::new());
    let first = group.first().copied();
    for (index, plan) in group.iter().filter_map(|index| Some((*index, plans.get(*index)?))) {
        let realm = plan.draft.realm.value().and_then(|realm| by_realm.insert(realm, index));
        let keys = source(plan).and_then(|source| by_source.insert(traits(source), index));
        let suspected = first.into_iter().chain(realm).chain(keys).filter(|other| *other != index);
        pairs.extend(suspected.map(|other| (other, index)));
    }
    pairs.into_iter().collect()
}

/// Equal for equal sources.
fn traits(source: &KeySource) -> String {
    match source {
        KeySource::Inline(set) => set.keys().iter().map(|key| key.thumbprint().to_string()).collect(),
        other => format!("{other:?}"),
    }
}

/// What to do about the one of two entries that has no `realm`.
fn lacking(plan: &IssuerPlan<'_>) -> String {
    format!("issuer \"{}\" has no `realm`: give it one of its own, beside its own keys", plan.name)
}
