//! How far a grant fits a case, condition by condition.

use std::fmt;
use std::time::Duration;

use super::grant::{AudienceFrom, CLIENT_ID, Grant, Replay};
use crate::claims::{ClaimKey, ClaimRule, Claims, Said};
use crate::clock::Time;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::Place;
use crate::trust::Acting;

/// What a grant is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) place: &'a Place<'a, 'a>,
    pub(super) request: &'a AuthzRequest<'a>,
    pub(super) claims: &'a Claims,
    /// Who acts for the caller.
    pub(super) acting: Option<Acting<'a>>,
    pub(super) now: Time,
    /// Whether this is the first use of the token, as far as that is known.
    pub(super) first_use: Result<(), Reason>,
}

/// A grant that did not fit, and in what.
#[derive(Debug, Clone)]
pub struct NearMiss<'s> {
    /// The grant.
    pub grant: &'s Grant,
    /// What differs; never empty.
    pub failed: Vec<Failed<'s>>,
}

/// A condition that does not hold.
#[derive(Debug, Clone)]
pub enum Failed<'s> {
    /// The audience is not among the token's.
    Audience,
    /// The subject is not the one that is meant.
    Subject,
    /// A claim differs.
    Claim(&'s ClaimRule),
    /// The acting party is not the one that is meant: none where one must be, one where none may be, another, or one behind
    /// too many others.
    Actor,
    /// The method is not granted.
    Method,
    /// The path is not granted.
    Path,
    /// The grant has not started.
    Starts,
    /// The grant, or its resource, has ended.
    Expires,
    /// The token lives longer, or is older, than the grant allows, or does not say so.
    MaxTokenAge,
    /// The token was used before, or cannot be known not to have been: [`Reason::Replayed`], [`Reason::JtiMissing`],
    /// [`Reason::ReplayUnavailable`].
    Replay(Reason),
}

/// The name for the log: a claim's own name, else the field of the grant. Never a value.
impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audience => "audience",
            Self::Subject => "subject",
            Self::Claim(rule) => rule.key.as_str(),
            Self::Actor => "actor",
            Self::Method => "methods",
            Self::Path => "paths",
            Self::Starts => "starts",
            Self::Expires => "expires",
            Self::MaxTokenAge => "maxTokenAge",
            Self::Replay(_) => "replay",
        })
    }
}

impl NearMiss<'_> {
    /// How far away: one for each condition, two where the place itself differs.
    pub(super) fn distance(&self) -> usize {
        let weight = |failed: &Failed<'_>| if matches!(failed, Failed::Method | Failed::Path) { 2 } else { 1 };
        self.failed.iter().map(weight).sum()
    }
}

impl Case<'_> {
    /// Whether who and where fit: what a grant says besides actor and times.
    pub(super) fn relation_fits(&self, grant: &Grant) -> bool {
        self.method_fits(grant)
            && self.path_fits(grant)
            && self.audience_fits(grant)
            && self.subject_fits(grant)
            && grant.claims.iter().all(|rule| self.holds(rule))
    }

    /// Everything that differs, in the order of the fields of a grant.
    pub(super) fn miss<'s>(&self, grant: &'s Grant) -> NearMiss<'s> {
        let mut failed = Vec::new();
        let mut unless = |holds: bool, what| {
            if !holds {
                failed.push(what);
            }
        };
        unless(self.audience_fits(grant), Failed::Audience);
        unless(self.subject_fits(grant), Failed::Subject);
        for rule in &grant.claims {
            unless(self.holds(rule), Failed::Claim(rule));
        }
        unless(self.actor_fits(grant), Failed::Actor);
        unless(self.method_fits(grant), Failed::Method);
        unless(self.path_fits(grant), Failed::Path);
        unless(self.started(grant), Failed::Starts);
        unless(self.unexpired(grant), Failed::Expires);
        unless(self.young_enough(grant), Failed::MaxTokenAge);
        if let (Replay::Once, Err(reason)) = (grant.replay, self.first_use) {
            failed.push(Failed::Replay(reason));
        }
        NearMiss { grant, failed }
    }

    fn holds(&self, rule: &ClaimRule) -> bool {
        self.claims.hold(rule)
    }

    /// What the token says there.
    pub(super) fn claim(&self, key: &ClaimKey) -> Option<Said<'_>> {
        self.claims.find(key)
    }

    /// `sub`
    pub(super) fn subject(&self) -> &str {
        self.claims.subject()
    }

    /// `aud`
    pub(super) fn audiences(&self) -> impl Iterator<Item = &str> {
        self.claims.audience()
    }

    /// `client_id`
    pub(super) fn client_id(&self) -> Option<&str> {
        self.claims.find(&CLIENT_ID)?.as_str()
    }

    fn audience_fits(&self, grant: &Grant) -> bool {
        let wanted = grant.audience.as_str();
        match grant.audience_from {
            AudienceFrom::Audience => self.audiences().any(|given| given == wanted),
            AudienceFrom::ClientId => self.client_id() == Some(wanted),
        }
    }

    /// `aud` is absent or empty.
    pub(super) fn names_no_audience(&self) -> bool {
        self.audiences().all(str::is_empty)
    }

    fn subject_fits(&self, grant: &Grant) -> bool {
        grant.subject.as_ref().is_none_or(|rule| rule.matches(self.subject()))
    }

    fn method_fits(&self, grant: &Grant) -> bool {
        grant.methods.contain(self.request.method)
    }

    fn path_fits(&self, grant: &Grant) -> bool {
        grant.paths.iter().any(|pattern| pattern.matches(&self.place.path))
    }

    /// A grant that names an actor is for that one alone, any other for callers who act for themselves.
    pub(super) fn actor_fits(&self, grant: &Grant) -> bool {
        match (&grant.actor, &self.acting) {
            (None, None) => true,
            (Some(rule), Some(acting)) => rule.matches(acting, self.subject()),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    pub(super) fn times_fit(&self, grant: &Grant) -> bool {
        self.started(grant) && self.unexpired(grant) && self.young_enough(grant)
    }

    fn started(&self, grant: &Grant) -> bool {
        grant.times.starts.is_none_or(|start| self.now >= start)
    }

    fn unexpired(&self, grant: &Grant) -> bool {
        let before = |end: Option<Time>| end.is_none_or(|end| self.now < end);
        before(grant.times.expires) && before(self.place.resource.expires)
    }

    /// Like the issuer's `maxTokenAge`, but always with `iat`: what a grant narrows it must be able to see.
    fn young_enough(&self, grant: &Grant) -> bool {
        let Some(bound) = grant.times.max_token_age.as_ref().map(Duration::as_secs_f64) else { return true };
        self.claims
            .issued_at()
            .is_some_and(|issued| self.claims.expires - issued <= bound && self.now.seconds() - issued <= bound)
    }
}
