//! What is known about the terms of a grant that are neither who nor where: who acts, and when.

use std::fmt;

use super::explain_knowledge::Remark;
use super::explain_story::Story;
use crate::decide::{Failed, Grant};
use crate::json::Json;
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
        Failed::MaxTokenAge => age(story, grant),
        Failed::Audience | Failed::Subject | Failed::Claim(_) | Failed::Method | Failed::Path | Failed::Replay(_) => {
            None
        }
    }
}

/// How long a token lives and how old it is, in seconds; of a token without `iat` neither is known.
pub(super) struct Age {
    life: Option<f64>,
    age: Option<f64>,
}

impl Age {
    pub(super) fn of(story: &Story<'_>) -> Self {
        let date = |name: &str| match story.payload?.get(name)? {
            Json::Number(seconds) => Some(*seconds),
            _ => None,
        };
        let issued = date("iat");
        let since = |later: Option<f64>| Some(later? - issued?);
        // A part of a second counts: what is told must not look like what would do.
        Self { life: since(date("exp")), age: since(Some(story.now.seconds().ceil())) }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.life, self.age) {
            (Some(life), Some(age)) => write!(f, "{life} s from `iat` to `exp`, and {age} s since `iat`"),
            _ => f.write_str("unknown: the token has no `iat`"),
        }
    }
}

/// Waiting or asking again helps against age, not against a life that is always too long.
fn age(story: &Story<'_>, grant: &Grant) -> Option<Remark> {
    let bound = grant.times.max_token_age?;
    let (name, most) = (&grant.name, bound.as_secs());
    let Age { life, age } = Age::of(story);
    Some(Remark::token(match (life, age) {
        (Some(life), _) if life > bound.as_secs_f64() => format!(
            "the token lives {life} s, at most {most} s by grant {name}: one made anew lives as long. Have its issuer make them \
             for at most {most} s, or ask whoever wrote `maxTokenAge` whether {life} s will do"
        ),
        (Some(_), Some(age)) => format!(
            "the token was made {age} s ago, and grant {name} takes one for {most} s: get a fresh one for each use"
        ),
        _ => format!(
            "the token does not say with `iat` when it was made, and grant {name} takes only tokens of at most {most} s: see \
             whether its issuer can say it"
        ),
    }))
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
