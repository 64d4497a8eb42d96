//! What is known about the terms of a grant that are neither who nor where: who acts, and when.

use super::explain_knowledge::Remark;
use super::explain_story::Story;
use crate::decide::{Failed, Grant};
use crate::trust::Principal;

/// Which side should change where one of these conditions does not hold; `None` of any other.
pub(super) fn remark(story: &Story<'_>, grant: &Grant, failed: &Failed<'_>) -> Option<Remark> {
    let wanted = failed.wanted(grant, story.walk.facts.resource);
    match failed {
        Failed::Actor => actor(story, grant),
        Failed::Starts => Some(Remark::table(format!(
            "grant {} holds only {wanted} on: wait, or ask whoever set the date",
            grant.name
        ))),
        Failed::Expires => Some(Remark::table(format!(
            "grant {} was for calls {wanted}; whoever set that end knows whether it was meant",
            grant.name
        ))),
        Failed::MaxTokenAge => Some(Remark::token(format!(
            "grant {} takes only tokens that are {wanted}, and that say with `iat` when they were made: get a fresh one for \
             each use",
            grant.name
        ))),
        Failed::Audience | Failed::Subject | Failed::Claim(_) | Failed::Method | Failed::Path | Failed::Replay(_) => {
            None
        }
    }
}

fn actor(story: &Story<'_>, grant: &Grant) -> Option<Remark> {
    let acting = story.walk.facts.verified.as_ref().and_then(Principal::acting);
    Some(match (&acting, &grant.actor) {
        (Some(acting), _) if !acting.is_of_the_same_issuer() => Remark::token(format!(
            "the token names {:?} of {:?} as acting. Its issuer is {}: of an actor at another issuer nobody has proof, so no \
             grant can name it",
            acting.pair().1,
            acting.pair().0,
            acting.asserted_by()
        )),
        (Some(acting), Some(rule)) if rule.subject.matches(acting.pair().1) => Remark::token(format!(
            "the token went through {} hands, and the grant allows {}: get one that was handed on less often",
            acting.depth(),
            rule.max_depth
        )),
        (Some(acting), Some(rule)) => Remark::table(format!(
            "{:?} acts for the subject, and the grant is for {} alone",
            acting.pair().1,
            rule.subject
        )),
        (Some(acting), None) => Remark::table(format!(
            "{:?} acts for the subject, and the grant is for a subject that acts for itself. What lets an actor in is a grant \
             with `actor: {{subject: …}}`",
            acting.pair().1
        )),
        (None, Some(rule)) => Remark::token(format!(
            "the grant is for {} acting for the subject, and the token names nobody who acts: that one has to ask the \
             issuer for a token of its own (token exchange, RFC 8693)",
            rule.subject
        )),
        (None, None) => return None,
    })
}
