//! What the words themselves say can never match (CR122): a `sub` that contradicts a pin or a claim, and a value that the
//! profile's tokens never have.

use std::collections::BTreeSet;

use super::super::Code;
use super::super::draft::{ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::issuer::IssuerPlan;
use super::lint::is;
use super::never::contradict;
use super::tenancy::shown;
use crate::claims::{ClaimRule, Matcher, Scalar};
use crate::profile::Profile;

impl Bench<'_> {
    /// A `sub` that states an id or a name which the issuer's pins, or the grant's own claims, exclude.
    pub(super) fn never_said(&mut self, owner: &str, draft: &GrantDraft, plan: &IssuerPlan<'_>) {
        let (Some(profile), Some(subject)) = (plan.profile, draft.subject.given()) else { return };
        let subjects: Vec<_> = match &subject.value {
            Subject::Exact(subjects) => subjects.iter().map(|at| (at.value.as_str(), &at.place)).collect(),
            Subject::Glob(glob) => vec![(glob.as_str(), &subject.place)],
            Subject::Any => return,
        };
        for (text, place) in subjects {
            let mut said = (profile.says)(text);
            let formed = matches!(subject.value, Subject::Glob(_)) || (profile.subject)(text).is_ok();
            let judged = said.iter().filter(|(_, value)| formed && !value.contains('*'));
            let odd = judged.filter_map(|(claim, value)| Some((claim, value, (profile.value)(claim, value).err()?)));
            if let Some((claim, value, form)) = odd.into_iter().next() {
                let message = format!("no token has the subject of {owner}: its `{claim}` would be {value:?}");
                self.report(Code::CR122, place, message, "can never match", form);
                continue;
            }
            said.extend((profile.states)("sub", text));
            let besides: Vec<_> = said.iter().flat_map(|(claim, value)| (profile.states)(claim, value)).collect();
            let stated = said.into_iter().chain(besides).filter(|(_, value)| !value.contains('*'));
            let stated: Vec<_> = stated.map(|(claim, value)| (claim, Matcher::Equals(Scalar::String(value)))).collect();
            let against = |rule: &ClaimRule| {
                let mut same = stated.iter().filter(|(claim, _)| is(claim, &rule.key));
                same.any(|(_, value)| contradict(value, &rule.matcher))
            };
            let pinned = plan.draft.pin_claims.items().iter().find(|pin| against(&pin.rule));
            let asked = draft.claims.items().iter().find(|claim| against(&claim.rule));
            let (claim, whose) = match (pinned, asked) {
                (Some(pin), _) => (pin, format!("issuer \"{}\" pins", plan.name)),
                (None, Some(claim)) => (claim, String::from("its `claims` ask for")),
                (None, None) => continue,
            };
            let ClaimRule { key, matcher, .. } = &claim.rule;
            let message = format!("the subject of {owner} says another `{key}` than {whose}: {matcher}");
            let help = "one token cannot have both: correct the one or the other";
            self.report(Code::CR122, place, message, format!("`{key}` is at {}", claim.key), help);
        }
    }

    /// A claim whose value states another of a second claim than the one that is asked for: `ref: refs/heads/main` and
    /// `ref_type: tag`. `own` are the claims of a grant with the `pins` of its issuer, or pins alone.
    pub(super) fn never_together(&mut self, owner: &str, own: &[ClaimDraft], pins: &[ClaimDraft], profile: &Profile) {
        for (from, to, pinned) in [(own, own, false), (own, pins, false), (pins, own, true)] {
            for (claim, name, stated) in from.iter().flat_map(|claim| stated(profile, claim)) {
                let against =
                    |other: &&ClaimDraft| is(name, &other.rule.key) && contradict(&stated, &other.rule.matcher);
                let Some(other) = to.iter().find(against) else { continue };
                let (one, two) = (&claim.rule, &other.rule);
                let message = format!(
                    "no token has what {owner} needs: `{}` that is {}, and `{}` that is {}",
                    one.key, one.matcher, two.key, two.matcher
                );
                let place = if pinned { &other.value } else { &claim.value };
                let label = "can never match";
                let help = format!("where `{}` fits, `{name}` is {stated}: correct one of them", one.key);
                self.report(Code::CR122, place, message, label, help);
            }
        }
    }

    /// A value that no token of the profile has in this claim.
    pub(super) fn never_this_value(&mut self, owner: &str, claim: &ClaimDraft, plan: &IssuerPlan<'_>) {
        let (Some(profile), Some(values)) = (plan.profile, claim.rule.matcher.exact()) else { return };
        let key = &claim.rule.key;
        let name = shown(key);
        for value in values {
            let Scalar::String(text) = value else { continue };
            if let Err(form) = (profile.value)(name, text) {
                let message = format!("`{key}` of {owner} can never be {text:?} in tokens of {}", profile.name);
                self.report(Code::CR122, &claim.value, message, "can never match", form);
            }
        }
    }
}

/// What all values that a condition admits state about other claims; only what is certain.
fn stated<'c>(profile: &Profile, claim: &'c ClaimDraft) -> Vec<(&'c ClaimDraft, &'static str, Matcher)> {
    let name = shown(&claim.rule.key);
    let all: Vec<Vec<_>> = match (&claim.rule.matcher, claim.rule.matcher.exact()) {
        (Matcher::Glob(glob), _) => vec![(profile.states)(name, glob.as_str())],
        (_, Some(values)) => {
            let of = |value: &Scalar| match value {
                Scalar::String(text) => (profile.states)(name, text),
                Scalar::Number(_) | Scalar::Bool(_) => Vec::new(),
            };
            values.iter().map(of).collect()
        }
        _ => return Vec::new(),
    };
    let Some(first) = all.first() else { return Vec::new() };
    let one = |(name, _): &(&'static str, String)| {
        let of = |said: &Vec<(&'static str, String)>| {
            let (_, value) = said.iter().find(|(other, value)| other == name && !value.contains('*'))?;
            Some(value.clone())
        };
        let values: BTreeSet<String> = all.iter().map(of).collect::<Option<_>>()?;
        let mut values: Vec<_> = values.into_iter().map(Scalar::String).collect();
        let matcher = if values.len() == 1 { Matcher::Equals(values.pop()?) } else { Matcher::OneOf(values) };
        Some((claim, *name, matcher))
    };
    first.iter().filter_map(one).collect()
}
