//! Conditions that let danger in (CR206): values that the profile warns of, and patterns that fit something else than they
//! seem to.

use super::super::super::draft::{Common, Subject};
use super::super::super::{Code, Place};
use super::super::Bench;
use super::super::issuer::IssuerPlan;
use super::super::tenancy::shown;
use super::{Conditions, is};
use crate::claims::{Glob, Matcher, Scalar};
use crate::profile::{Alarm, Profile};

impl Bench<'_> {
    /// Values that mean danger, which a grant asks for or admits. Gives whether one is asked for, so that it is known
    /// which runs get in.
    pub(super) fn dangerous(&mut self, owner: &str, conditions: &Conditions<'_, '_>) -> bool {
        let (grant, plan, profile) = (conditions.grant, conditions.plan, conditions.profile);
        let entries = [&grant.common, &plan.draft.common];
        let mut asked_for = false;
        for alarm in profile.alarms {
            let claims = grant.claims.items().iter().filter(|claim| is(alarm.claim, &claim.rule.key));
            let claims = claims.filter_map(|claim| Some((sounding(alarm, &claim.rule.matcher)?, &claim.value)));
            let said = conditions.said.iter().zip(subjects(conditions));
            let said = said.flat_map(|(said, place)| said.iter().map(move |(claim, value)| (*claim, value, place)));
            let said = said.filter(|(claim, ..)| *claim == alarm.claim);
            let said = said.filter_map(|(_, value, place)| Some((sounding_text(alarm, value)?, place)));
            let found: Vec<_> = claims.chain(said).collect();
            for (found, place) in found {
                if found.always || !settled_elsewhere(alarm, conditions) {
                    self.lets_in(owner, entries, alarm, &found, place);
                }
                asked_for |= found.always;
            }
        }
        asked_for
    }

    /// The same of what an issuer pins.
    pub(super) fn dangerous_pins(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let Some(profile) = plan.profile else { return };
        let entries = [&plan.draft.common, &plan.draft.common];
        for alarm in profile.alarms {
            for pin in plan.draft.pin_claims.items().iter().filter(|pin| is(alarm.claim, &pin.rule.key)) {
                if let Some(found) = sounding(alarm, &pin.rule.matcher) {
                    self.lets_in(owner, entries, alarm, &found, &pin.value);
                }
            }
        }
    }

    fn lets_in(&mut self, owner: &str, entries: [&Common; 2], alarm: &Alarm, found: &Sounding, place: &Place) {
        let message = format!("{owner} lets in `{}` that is {:?}", alarm.claim, found.value);
        let label = format!("{:?} {}", found.value, alarm.danger);
        let help = format!("{}; where it is meant, accept CR206 with the reason", alarm.instead);
        self.warn_either(entries, Code::CR206, place, message, label, help);
    }

    /// Patterns that fit something else than they seem to, on the subject or a claim: CR122 where that is nothing. Gives
    /// whether there was one.
    pub(super) fn reaching(&mut self, owner: &str, conditions: &Conditions<'_, '_>) -> bool {
        let (grant, plan, profile) = (conditions.grant, conditions.plan, conditions.profile);
        let claims = grant.claims.items().iter().filter_map(|claim| match &claim.rule.matcher {
            Matcher::Glob(glob) => Some((shown(&claim.rule.key), glob, &claim.value)),
            _ => None,
        });
        let subject = grant.subject.given().and_then(|subject| match &subject.value {
            Subject::Glob(glob) => Some(("sub", glob, &subject.place)),
            Subject::Exact(_) | Subject::Any => None,
        });
        let mut found = false;
        for (claim, glob, place) in claims.chain(subject) {
            let Some(reach) = (profile.reach)(claim, glob.as_str()) else { continue };
            found = true;
            let what = if claim == "sub" { "subject" } else { claim };
            if reach.never {
                let message = format!("the pattern for the `{what}` of {owner} can never match");
                self.report(Code::CR122, place, message, reach.fits, reach.help);
                continue;
            }
            let message = format!(
                "the pattern for the `{what}` of {owner} does not fit what it seems to: `*` stops at `/`, `:` and `@`"
            );
            let entries = [&grant.common, &plan.draft.common];
            self.warn_either(entries, Code::CR206, place, message, reach.fits, reach.help);
        }
        found
    }
}

/// A value of an alarm that a condition lets in.
struct Sounding {
    value: String,
    /// Whether that is what the condition asks for, and no one value among others of a pattern.
    always: bool,
}

fn sounding(alarm: &Alarm, matcher: &Matcher) -> Option<Sounding> {
    if let Matcher::Glob(glob) = matcher {
        return admitted(alarm, glob);
    }
    let text = |scalar: &Scalar| match scalar {
        Scalar::String(text) => text.clone(),
        other => other.to_string(),
    };
    let value = matcher.exact()?.iter().map(text).find(|text| alarm.sounds_for(text))?;
    Some(Sounding { value, always: true })
}

/// A part of a subject, or of a pattern for one.
fn sounding_text(alarm: &Alarm, text: &str) -> Option<Sounding> {
    if let Ok(glob) = Glob::parse(text) {
        return admitted(alarm, &glob);
    }
    alarm.sounds_for(text).then(|| Sounding { value: text.to_owned(), always: true })
}

fn admitted(alarm: &Alarm, glob: &Glob) -> Option<Sounding> {
    let found = alarm.admitted_by(glob)?;
    Some(Sounding { value: found.value.to_owned(), always: found.always })
}

/// Whether another claim says exactly which runs are meant, so that a pattern which also fits others does no harm.
fn settled_elsewhere(alarm: &Alarm, conditions: &Conditions<'_, '_>) -> bool {
    let Profile { run_claims, alarms, .. } = conditions.profile;
    let others = run_claims.iter().copied().chain(alarms.iter().map(|other| other.claim));
    let pins = conditions.plan.draft.pin_claims.items();
    let exactly = |claim: &str| {
        let sound = |text: &str| !alarms.iter().any(|other| other.claim == claim && other.sounds_for(text));
        let all_sound =
            |values: &[Scalar]| values.iter().all(|value| !matches!(value, Scalar::String(text) if !sound(text)));
        let matched = conditions.grant.claims.items().iter().chain(pins).filter(|one| is(claim, &one.rule.key));
        matched.into_iter().any(|one| one.rule.matcher.exact().is_some_and(all_sound))
            || (!conditions.said.is_empty()
                && conditions.said.iter().all(|said| {
                    said.iter().any(|(name, value)| *name == claim && !value.contains('*') && sound(value))
                }))
    };
    others.filter(|claim| *claim != alarm.claim).any(exactly)
}

/// Where each subject stands that says something.
pub(super) fn subjects<'c>(conditions: &Conditions<'c, '_>) -> Vec<&'c Place> {
    match conditions.grant.subject.given().map(|at| (&at.value, &at.place)) {
        Some((Subject::Exact(subjects), _)) => subjects.iter().map(|at| &at.place).collect(),
        Some((_, place)) => vec![place],
        None => Vec::new(),
    }
}
