//! What a condition of a grant asks for, in words: said here once, for whoever is told that it does not hold.

use super::fit::Failed;
use super::grant::{AudienceFrom, Grant};
use crate::clock::Time;
use crate::reason::Reason;
use crate::resource::Resource;

impl<'s> Failed<'s> {
    /// What `grant`, which is for `resource`, asks for here; it completes a sentence that begins with "must be".
    pub fn wanted(&self, grant: &Grant, resource: Option<&Resource>) -> String {
        let instant = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
        match self {
            Self::Audience => match grant.audience_from {
                AudienceFrom::Audience => format!("{:?} among aud", grant.audience.as_str()),
                AudienceFrom::ClientId => format!("{:?} as client_id", grant.audience.as_str()),
            },
            Self::Subject => grant.subject.as_ref().map(ToString::to_string).unwrap_or_default(),
            Self::Claim(rule) => rule.matcher.to_string(),
            Self::Actor => match &grant.actor {
                Some(actor) => format!("{actor}, and not the subject itself"),
                None => "absent".to_owned(),
            },
            Self::Method => grant.methods.to_string(),
            Self::Path => grant.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
            Self::Starts => format!("from {}", instant(grant.times.starts)),
            Self::Expires => format!("before {}", instant(grant.ends(resource))),
            Self::MaxTokenAge => {
                let bound = grant.times.max_token_age.unwrap_or_default().as_secs();
                format!("at most {bound} s, both from `iat` to `exp` and since `iat`")
            }
            Self::Replay(Reason::JtiMissing) => "a `jti`".to_owned(),
            Self::Replay(_) => "a first use".to_owned(),
        }
    }

    /// The condition of `grant` that a decision log means by this name, where the call was refused for `reason`. Of a
    /// claim and a field that share a name, the claim.
    pub fn named(name: &str, grant: &'s Grant, reason: Option<Reason>) -> Option<Self> {
        if let Some(rule) = grant.claims.iter().find(|rule| rule.key.as_str() == name) {
            return Some(Self::Claim(rule));
        }
        let used = reason.filter(|reason| matches!(reason, Reason::JtiMissing | Reason::ReplayUnavailable));
        let fields = [
            Self::Audience,
            Self::Subject,
            Self::Actor,
            Self::Method,
            Self::Path,
            Self::Starts,
            Self::Expires,
            Self::MaxTokenAge,
            Self::Replay(used.unwrap_or(Reason::Replayed)),
        ];
        fields.into_iter().find(|field| field.to_string() == name && field.is_asked(grant))
    }

    /// Whether a grant asks for this at all. That nobody acts is asked by every grant that names no actor.
    fn is_asked(&self, grant: &Grant) -> bool {
        match self {
            Self::Subject => grant.subject.is_some(),
            Self::Starts => grant.times.starts.is_some(),
            Self::MaxTokenAge => grant.times.max_token_age.is_some(),
            Self::Replay(_) => grant.replay == super::Replay::Once,
            Self::Audience | Self::Claim(_) | Self::Actor | Self::Method | Self::Path | Self::Expires => true,
        }
    }
}

impl Grant {
    /// When it ends: with its resource, if that ends first.
    pub fn ends(&self, resource: Option<&Resource>) -> Option<Time> {
        let ends = [self.times.expires, resource.and_then(|resource| resource.expires)];
        ends.into_iter().flatten().reduce(|one, two| if two < one { two } else { one })
    }
}
