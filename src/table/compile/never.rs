//! Grants that can never match (CR122): somebody believes in access that is not there.

use super::super::Code;
use super::super::draft::{At, ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::exact::ExactIssuer;
use super::issuer::IssuerPlan;
use super::resource::{ResourcePlan, paths};
use crate::claims::{ClaimRule, Matcher, Scalar, trust_domain};
use crate::clock::Time;
use crate::json::Value;

impl Bench<'_> {
    pub(super) fn never(
        &mut self,
        owner: &str,
        draft: &GrantDraft,
        issuers: &[&IssuerPlan<'_>],
        resource: Option<&ResourcePlan<'_>>,
    ) {
        self.never_in_time(owner, draft, issuers, resource);
        if let Some(resource) = resource {
            self.never_there(owner, draft, issuers, resource);
        }
        for plan in issuers {
            self.never_this_subject(owner, draft, plan);
            self.never_said(owner, draft, plan);
            if let Some(profile) = plan.profile {
                self.never_together(owner, draft.claims.items(), plan.draft.pin_claims.items(), profile);
            }
            for claim in draft.claims.items() {
                self.never_this_claim(owner, claim, plan);
            }
        }
    }

    fn never_in_time(
        &mut self,
        owner: &str,
        draft: &GrantDraft,
        issuers: &[&IssuerPlan<'_>],
        resource: Option<&ResourcePlan<'_>>,
    ) {
        let Some(starts) = draft.starts.given() else { return };
        let own = draft.common.expires.given().map(|end| (String::from("the grant itself"), end));
        let of_issuers = issuers.iter().filter_map(|plan| {
            let end = plan.draft.common.expires.given()?;
            Some((format!("issuer \"{}\"", plan.name), end))
        });
        let of_resource = resource.and_then(|plan| {
            let end = plan.draft.common.expires.given()?;
            Some((format!("resource \"{}\"", plan.draft.name.value), end))
        });
        let ends: Vec<(String, &At<Time>)> = own.into_iter().chain(of_issuers).chain(of_resource).collect();
        for (whose, end) in ends.into_iter().filter(|(_, end)| starts.value >= end.value) {
            let message = format!("{owner} starts when {whose} has ended");
            let help = "set `starts` to an earlier date, or the end to a later one";
            self.report(Code::CR122, &starts.place, message, format!("the end is at {}", end.place), help);
        }
    }

    /// Outside the ceiling of the issuer, or outside the paths of the resource.
    fn never_there(
        &mut self,
        owner: &str,
        draft: &GrantDraft,
        issuers: &[&IssuerPlan<'_>],
        resource: &ResourcePlan<'_>,
    ) {
        let name = &resource.draft.name.value;
        for plan in issuers {
            let ceiling = plan.draft.resources.items();
            if ceiling.is_empty() || ceiling.iter().any(|allowed| allowed.value == *name) {
                continue;
            }
            let place = draft.resource.given().map_or(&draft.name.place, |at| &at.place);
            let message =
                format!("{owner} is for resource \"{name}\", and issuer \"{}\" may never be granted it", plan.name);
            let site = plan
                .draft
                .resources
                .given()
                .map_or_else(|| plan.draft.name.place.to_string(), |at| at.place.to_string());
            let help = format!("add `{name}` to `resources` of the issuer, if that is meant");
            self.report(Code::CR122, place, message, format!("the issuer's `resources` are at {site}"), help);
        }
        let of_resource = paths(resource.draft);
        let Some(of_grant) = draft.paths.given() else { return };
        if of_resource.is_empty() {
            return;
        }
        for path in &of_grant.value {
            if !of_resource.iter().any(|other| other.intersects(path)) {
                let all = of_resource.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(" ");
                let message = format!("path {path} of {owner} lies outside resource \"{name}\"");
                let help = format!("the paths of the resource are {all}");
                self.report(Code::CR122, &of_grant.place, message, "no request can fit", help);
            }
        }
    }

    /// A `sub` that the profile's tokens cannot have.
    fn never_this_subject(&mut self, owner: &str, draft: &GrantDraft, plan: &IssuerPlan<'_>) {
        let (Some(profile), Some(Subject::Exact(subjects))) = (plan.profile, draft.subject.value()) else { return };
        for At { value, place } in subjects {
            if let Err(form) = (profile.subject)(value) {
                let message = format!("no token of issuer \"{}\" has the subject that {owner} names", plan.name);
                self.report(Code::CR122, place, message, "can never match", form);
                continue;
            }
            let domain = plan.exact.iter().find_map(|exact| exact.trust_domain());
            if let Some(domain) = domain.filter(|domain| trust_domain(value) != Some(domain.as_str())) {
                let message = format!("the subject that {owner} names is not of the trust domain of \"{}\"", plan.name);
                let help =
                    format!("a subject there is `spiffe://{domain}/PATH`; another trust domain needs its own entry");
                self.report(Code::CR122, place, message, "can never match", help);
            }
        }
    }

    /// A pin that contradicts what follows from the `iss` itself.
    pub(super) fn never_pinned(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        if let Some(profile) = plan.profile {
            self.never_together(owner, plan.draft.pin_claims.items(), &[], profile);
        }
        for pin in plan.draft.pin_claims.items() {
            self.never_this_value(owner, pin, plan);
            if let Some(rule) = contradicted(pin, plan) {
                let message = format!("`{}` of {owner} can never be what is pinned", pin.rule.key);
                let help = format!("the `iss` says that it is {}: remove the pin", rule.matcher);
                self.report(Code::CR122, &pin.value, message, "contradicts the `iss`", help);
            }
        }
    }

    /// A claim that contradicts what the issuer pins, or what follows from its `iss`.
    fn never_this_claim(&mut self, owner: &str, claim: &ClaimDraft, plan: &IssuerPlan<'_>) {
        self.never_this_value(owner, claim, plan);
        if let Some(rule) = contradicted(claim, plan) {
            let message = format!("`{}` of {owner} contradicts the `iss` of issuer \"{}\"", claim.rule.key, plan.name);
            let help = format!("the `iss` says that it is {}", rule.matcher);
            self.report(Code::CR122, &claim.value, message, "can never match", help);
        }
        let pin = plan.draft.pin_claims.items().iter().find(|pin| pin.rule.key.path() == claim.rule.key.path());
        let Some(pin) = pin.filter(|pin| contradict(&pin.rule.matcher, &claim.rule.matcher)) else { return };
        let message = format!(
            "`{}` of {owner} contradicts what issuer \"{}\" pins: it must be {}",
            claim.rule.key, plan.name, pin.rule.matcher
        );
        let help = "every token must fit the pin and the grant: correct one of them";
        self.report(Code::CR122, &claim.value, message, format!("pinned at {}", pin.key), help);
    }
}

/// What follows from the `iss` and contradicts a condition, at each exact issuer of the entry.
fn contradicted<'p>(claim: &ClaimDraft, plan: &'p IssuerPlan<'_>) -> Option<&'p ClaimRule> {
    let against = |exact: &'p ExactIssuer| {
        let same = |rule: &&ClaimRule| rule.key.path() == claim.rule.key.path();
        exact.implied.iter().find(|rule| same(rule) && contradict(&rule.matcher, &claim.rule.matcher))
    };
    let found: Vec<_> = plan.exact.iter().map(against).collect::<Option<_>>()?;
    found.first().copied()
}

/// Whether no value can meet both conditions; only what is certain counts.
pub(super) fn contradict(one: &Matcher, two: &Matcher) -> bool {
    use Matcher::{Absent, ContainsAll, ContainsAny, Equals, Glob, OneOf, Present, Word};
    match (one, two) {
        (Absent, Absent) => false,
        (Absent, _) | (_, Absent) => true,
        (Present, _) | (_, Present) => false,
        // An array is no single value, and no string of some form.
        (ContainsAny(_) | ContainsAll(_), Equals(_) | OneOf(_) | Glob(_))
        | (Equals(_) | OneOf(_) | Glob(_), ContainsAny(_) | ContainsAll(_)) => true,
        (Glob(_) | Word(_), other) | (other, Glob(_) | Word(_)) if other.exact().is_some() => {
            let form = if matches!(one, Glob(_) | Word(_)) { one } else { two };
            let fits = |value: &Scalar| match value {
                Scalar::String(text) => form.holds(Some(&Value::String(text.as_str().into()))),
                Scalar::Number(_) | Scalar::Bool(_) => false,
            };
            !other.exact().is_some_and(|values| values.iter().any(fits))
        }
        _ => match (one.exact(), two.exact()) {
            (Some(one), Some(two)) => !one.iter().any(|value| two.contains(value)),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Glob;

    fn text(text: &str) -> Scalar {
        Scalar::String(text.to_owned())
    }

    #[test]
    fn only_what_no_value_can_meet_is_a_contradiction() {
        let glob = Matcher::Glob(Glob::parse("acme/*").unwrap());
        let (equals, one_of) = (Matcher::Equals(text("acme/x")), Matcher::OneOf(vec![text("a"), text("b")]));
        let (contains, word) = (Matcher::ContainsAny(vec![text("a")]), Matcher::Word("a".to_owned()));
        for (one, two, never) in [
            (&equals, &one_of, true),
            (&equals, &glob, false),
            (&one_of, &glob, true),
            (&one_of, &Matcher::Equals(text("b")), false),
            (&Matcher::Equals(Scalar::Bool(true)), &Matcher::Equals(text("true")), true),
            (&equals, &contains, true),
            (&glob, &contains, true),
            (&word, &contains, false),
            (&word, &one_of, false),
            (&word, &equals, true),
            (&Matcher::Present, &glob, false),
            (&Matcher::Absent, &Matcher::Present, true),
            (&Matcher::Absent, &Matcher::Absent, false),
        ] {
            assert_eq!((contradict(one, two), contradict(two, one)), (never, never), "{one} and {two}");
        }
    }
}
