//! Grants of one issuer for one resource.

use super::glob;
use super::{implies, meet, methods_within, overlap_of_paths, times_meet, times_within, within_paths};
use crate::claims::ClaimRule;
use crate::decide::{ActorRule, Grant, Mode, Replay, SubjectRule};

/// Whether `wide` makes `narrow` useless: whatever `narrow` allows, `wide` allows, for as long, and hands on the same
/// scopes and claims at least. Both are taken to be grants of one issuer for one resource. Never wrongly true.
pub fn covers(wide: &Grant, narrow: &Grant) -> bool {
    admits(wide, narrow) && hands_on(wide, narrow)
}

/// Whether whatever `narrow` fits, `wide` fits too, by who, where, what and when; scopes aside. A grant in shadow mode
/// fits nothing but what is in shadow mode too. Never wrongly true.
pub fn admits(wide: &Grant, narrow: &Grant) -> bool {
    // Written out, so that a new field of a grant must say here whether it narrows.
    let Grant {
        id: _,
        name: _,
        site: _,
        issuers: _,
        resource: _,
        subject,
        claims,
        actor,
        methods,
        paths,
        scopes: _,
        audience,
        audience_from,
        replay,
        times,
        mode,
        forward_claims: _,
    } = wide;
    (*mode == Mode::Enforce || narrow.mode == Mode::Shadow)
        && (audience, audience_from) == (&narrow.audience, &narrow.audience_from)
        && (*replay == Replay::Allow || narrow.replay == Replay::Once)
        && actor_within(narrow.actor.as_ref(), actor.as_ref())
        && methods_within(&narrow.methods, methods)
        && times_within(&narrow.times, times)
        && subject_within(narrow.subject.as_ref(), subject.as_ref())
        && rules_imply(&narrow.claims, claims)
        && within_paths(&narrow.paths, paths)
}

/// Whether `wide` hands on every scope and claim that `narrow` does.
pub fn hands_on(wide: &Grant, narrow: &Grant) -> bool {
    narrow.scopes.iter().all(|scope| wide.scopes.contains(scope))
        && narrow.forward_claims.iter().all(|claim| wide.forward_claims.contains(claim))
}

/// Whether one request with one token may fit both, at one issuer and resource. Never wrongly false.
pub fn overlaps(one: &Grant, two: &Grant) -> bool {
    // Two audiences are no hindrance: a token may have both.
    one.methods.intersect(&two.methods)
        && actors_meet(one.actor.as_ref(), two.actor.as_ref())
        && times_meet(&one.times, &two.times)
        && subject_meets(one.subject.as_ref(), two.subject.as_ref())
        && overlap_of_paths(&one.paths, &two.paths)
        && one.claims.iter().all(|rule| {
            let same = two.claims.iter().filter(|other| other.key.path() == rule.key.path());
            same.into_iter().all(|other| meet(&rule.matcher, &other.matcher))
        })
}

/// Whether every subject of the one is one of the other; none written is any. Never wrongly true.
pub fn subject_within(narrow: Option<&SubjectRule>, wide: Option<&SubjectRule>) -> bool {
    match (narrow, wide) {
        (_, None | Some(SubjectRule::Any)) => true,
        (Some(SubjectRule::Exact(subjects)), Some(wide)) => subjects.iter().all(|subject| wide.matches(subject)),
        (Some(SubjectRule::Glob(narrow)), Some(SubjectRule::Glob(wide))) => glob::within(narrow, wide),
        (None | Some(SubjectRule::Any), Some(_)) | (Some(SubjectRule::Glob(_)), Some(SubjectRule::Exact(_))) => false,
    }
}

/// Whether some subject may be one of each. Never wrongly false.
pub fn subject_meets(one: Option<&SubjectRule>, two: Option<&SubjectRule>) -> bool {
    match (one, two) {
        (None | Some(SubjectRule::Any), _) | (_, None | Some(SubjectRule::Any)) => true,
        (Some(SubjectRule::Exact(subjects)), Some(other)) | (Some(other), Some(SubjectRule::Exact(subjects))) => {
            subjects.iter().any(|subject| other.matches(subject))
        }
        (Some(SubjectRule::Glob(one)), Some(SubjectRule::Glob(two))) => glob::meet(one, two),
    }
}

/// Whether every acting party of the one is one of the other. No actor is a condition too: nobody may act.
fn actor_within(narrow: Option<&ActorRule>, wide: Option<&ActorRule>) -> bool {
    match (narrow, wide) {
        (None, None) => true,
        (Some(narrow), Some(wide)) => {
            narrow.max_depth <= wide.max_depth && subject_within(Some(&narrow.subject), Some(&wide.subject))
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn actors_meet(one: Option<&ActorRule>, two: Option<&ActorRule>) -> bool {
    match (one, two) {
        (None, None) => true,
        (Some(one), Some(two)) => subject_meets(Some(&one.subject), Some(&two.subject)),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Whether a token that meets all of `narrow` meets all of `wide`. Never wrongly true.
pub fn rules_imply(narrow: &[ClaimRule], wide: &[ClaimRule]) -> bool {
    wide.iter().all(|wanted| {
        // `a` and `/a` are one claim.
        let mut same = narrow.iter().filter(|given| given.key.path() == wanted.key.path());
        same.any(|given| implies(&given.matcher, &wanted.matcher))
    })
}
