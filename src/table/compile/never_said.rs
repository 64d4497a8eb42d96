//! What the words themselves say can never match (CR122): a `sub` that contradicts a pin or a claim, and a value that the
//! profile's tokens never have.

use super::super::Code;
use super::super::draft::{ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::issuer::IssuerPlan;
use super::never::contradict;
use crate::claims::{ClaimRule, Matcher, Scalar};

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
            let said = (profile.says)(text);
            let stated = said.into_iter().filter(|(_, value)| !value.contains('*'));
            let stated: Vec<_> = stated.map(|(claim, value)| (claim, Matcher::Equals(Scalar::String(value)))).collect();
            let against = |rule: &ClaimRule| {
                let same = stated.iter().find(|(claim, _)| rule.key.name() == *claim);
                same.is_some_and(|(_, value)| contradict(value, &rule.matcher))
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

    /// A value that no token of the profile has in this claim.
    pub(super) fn never_this_value(&mut self, owner: &str, claim: &ClaimDraft, plan: &IssuerPlan<'_>) {
        let (Some(profile), Some(values)) = (plan.profile, claim.rule.matcher.exact()) else { return };
        let key = &claim.rule.key;
        let name = if key.name().is_empty() { key.as_str() } else { key.name() };
        for value in values {
            let Scalar::String(text) = value else { continue };
            if let Err(form) = (profile.value)(name, text) {
                let message = format!("`{key}` of {owner} can never be {text:?} in tokens of {}", profile.name);
                self.report(Code::CR122, &claim.value, message, "can never match", form);
            }
        }
    }
}
