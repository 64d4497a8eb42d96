//! One grant at one exact issuer, as people read it.

use crate::clock::Time;
use crate::decide::{AudienceFrom, Grant, Mode, Replay};
use crate::resource::{Methods, Resource};
use crate::table::{Snapshot, Steward};
use crate::trust::TrustedIssuer;

/// One line of the relation: a grant at one of its issuers, for its resource.
#[derive(Debug, Clone, Copy)]
pub struct Line<'s> {
    /// Who vouches.
    pub issuer: &'s TrustedIssuer,
    /// What is allowed.
    pub grant: &'s Grant,
    /// Where.
    pub resource: &'s Resource,
}

/// Whether a line counts at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It allows.
    InForce,
    /// Its grant has not started.
    NotStarted,
    /// Its grant, its issuer or its resource has ended.
    Ended,
    /// It only watches.
    Shadow,
}

impl State {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "enforce",
            Self::NotStarted => "not started",
            Self::Ended => "ended",
            Self::Shadow => "shadow",
        }
    }
}

/// Every line, by grant, then in the order of the issuers.
pub(super) fn lines(snapshot: &Snapshot) -> impl Iterator<Item = Line<'_>> {
    snapshot.grants.iter().flat_map(|grant| of(snapshot, grant))
}

/// The lines of one grant.
pub(super) fn of<'s>(snapshot: &'s Snapshot, grant: &'s Grant) -> impl Iterator<Item = Line<'s>> {
    grant.issuers.iter().filter_map(move |id| {
        let (issuer, resource) = (snapshot.issuers.get(*id)?, snapshot.resources.get(grant.resource)?);
        Some(Line { issuer, grant, resource })
    })
}

impl<'s> Line<'s> {
    /// Whether it counts now.
    pub fn state(&self, now: Time) -> State {
        let over = |end: Option<Time>| end.is_some_and(|end| now >= end);
        if over(self.grant.times.expires) || over(self.issuer.expires) || over(self.resource.expires) {
            State::Ended
        } else if self.grant.times.starts.is_some_and(|start| now < start) {
            State::NotStarted
        } else if self.grant.mode == Mode::Shadow {
            State::Shadow
        } else {
            State::InForce
        }
    }

    /// The earliest of the ends that end it.
    pub fn ends(&self) -> Option<Time> {
        let ends = [self.grant.times.expires, self.issuer.expires, self.resource.expires].into_iter().flatten();
        ends.reduce(|one, two| if two < one { two } else { one })
    }

    /// The first half of the principals, with the realm where there is one.
    pub fn iss(&self) -> String {
        iss(self.issuer)
    }

    /// Who is meant, by subject and claims.
    pub fn who(&self) -> String {
        let subject = self.grant.subject.iter().map(|subject| format!("sub {subject}"));
        let claims = self.grant.claims.iter().map(|rule| format!("{} {}", rule.key, rule.matcher));
        subject.chain(claims).collect::<Vec<_>>().join(", ")
    }

    /// Everything that a token must say besides who it is for, and when.
    pub fn conditions(&self) -> Vec<String> {
        let mut all: Vec<_> = self.issuer.pins.iter().map(|pin| format!("{} {}", pin.key, pin.matcher)).collect();
        let claim = match self.grant.audience_from {
            AudienceFrom::Audience => "aud",
            AudienceFrom::ClientId => "client_id",
        };
        all.push(format!("{claim} {:?}", self.grant.audience.as_str()));
        all.extend(self.grant.actor.iter().map(|actor| format!("act {actor}")));
        if self.grant.replay == Replay::Once {
            all.push("once for each jti".to_owned());
        }
        if let Some(age) = self.grant.times.max_token_age {
            all.push(format!("at most {}s old", age.as_secs()));
        }
        all.extend(self.grant.times.starts.map(|start| format!("from {start}")));
        all.extend(self.ends().map(|end| format!("before {end}")));
        all
    }

    /// Paths, as they are written.
    pub fn paths(&self) -> String {
        self.grant.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Methods.
    pub fn methods(&self) -> String {
        match &self.grant.methods {
            Methods::Any => "any".to_owned(),
            Methods::These(these) => these.join(" "),
        }
    }

    /// Scopes that it hands on.
    pub fn scopes(&self) -> String {
        self.grant.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Hosts of the resource, or the conditions by which the proxy says that it is meant.
    pub fn place(&self) -> String {
        let hosts = self.resource.hosts.iter().map(ToString::to_string);
        let context = self.resource.context.iter().map(|(key, value)| format!("{key}={value}"));
        let route = self
            .resource
            .route
            .iter()
            .map(|route| format!("route {}/{}", route.namespace, route.name.as_deref().unwrap_or("*")));
        hosts.chain(context).chain(route).collect::<Vec<_>>().join(" ")
    }

    /// Who looks after the grant.
    pub fn steward(&self, snapshot: &'s Snapshot) -> &'s Steward {
        snapshot.stewards.of_grant(&self.grant.name)
    }
}

/// The first half of an issuer's principals, with the realm where there is one.
pub fn iss(issuer: &TrustedIssuer) -> String {
    let realm = issuer.realm.as_ref().map(|realm| format!(";realm={realm}")).unwrap_or_default();
    format!("{}{realm}", issuer.issuer)
}
