//! The grants of the other table.

use std::time::Duration;

use super::Replay;
use super::known::Known;
use super::possible::{Outcome, Possible};
use super::token::rules;
use crate::decide::{Grant, Mode};
use crate::reason::Reason;
use crate::resource::{Place, Resource};
use crate::trust::TrustedIssuer;

/// How far one enforcing grant fits.
struct Fit<'s> {
    grant: &'s Grant,
    audience: Option<bool>,
    /// All but actor and times.
    relation: Option<bool>,
    times: Option<bool>,
}

/// All of several conditions: one that does not hold settles it.
fn all(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for condition in conditions {
        match condition {
            Some(true) => {}
            Some(false) => return Some(false),
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(true) }
}

/// Any of several.
fn any(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(conditions.into_iter().map(|condition| condition.map(|holds| !holds))).map(|holds| !holds)
}

impl<'s> Replay<'s, '_> {
    /// The last judgement.
    pub(super) fn grants(&self, place: &Place<'s, '_>, entry: &TrustedIssuer, mut possible: Possible) -> Possible {
        let known = self.known();
        let grants = self.table.snapshot.grants.of(entry.id, place.id);
        let enforcing: Vec<_> = grants.iter().filter(|grant| grant.mode == Mode::Enforce).collect();
        let fits: Vec<_> = enforcing.into_iter().map(|grant| self.fit(grant, place, &known, &mut possible)).collect();
        let acts = known.acts.map(|acts| !acts);
        let whole = |fit: &Fit<'_>| all([fit.relation, acts, fit.times]);
        for fit in &fits {
            let (name, scopes) =
                (fit.grant.name.as_str(), fit.grant.scopes.iter().map(|scope| scope.as_str().to_owned()));
            match whole(fit) {
                Some(true) => {
                    possible.grants.certain.insert(name.to_owned());
                    possible.scopes.certain.extend(scopes);
                }
                None => {
                    possible.grants.maybe.insert(name.to_owned());
                    possible.scopes.maybe.extend(scopes);
                    if acts.is_none() && fit.relation != Some(false) {
                        possible.gap("whether the token named an acting party");
                    }
                }
                Some(false) => {}
            }
        }
        if !(possible.grants.certain.is_empty() && possible.grants.maybe.is_empty()) {
            possible.add(Outcome::Allowed);
        }
        if possible.grants.certain.is_empty() {
            self.refusals(&fits, &known, &mut possible);
        }
        possible
    }

    /// The reasons for which it may be refused, where no grant fits.
    fn refusals(&self, fits: &[Fit<'_>], known: &Known<'_>, possible: &mut Possible) {
        let audience = if fits.is_empty() {
            known.names_no_audience.map(|none| !none)
        } else {
            any(fits.iter().map(|fit| fit.audience))
        };
        if audience != Some(true) {
            possible.refuse(Reason::AudienceMismatch);
        }
        if audience == Some(false) {
            return;
        }
        if audience.is_none() {
            possible.gap("the audiences of the token");
        }
        // In the order of judgement: the first that is certain settles it.
        let actor = any(fits.iter().map(|fit| all([fit.relation, fit.times, known.acts])));
        if actor != Some(false) {
            possible.refuse(Reason::ActorNotAllowed);
        }
        let acts = known.acts.map(|acts| !acts);
        let expired = any(fits.iter().map(|fit| all([fit.relation, acts, fit.times.map(|fits| !fits)])));
        if actor != Some(true) && expired != Some(false) {
            possible.refuse(Reason::GrantExpired);
        }
        if actor != Some(true) && expired != Some(true) {
            possible.refuse(Reason::GrantNone);
        }
    }

    fn fit<'g>(&self, grant: &'g Grant, place: &Place<'_, '_>, known: &Known<'_>, possible: &mut Possible) -> Fit<'g> {
        let audience = known.audience_fits(grant);
        let here = self.is_for(grant, place);
        let times = self.times_of(grant, place.resource);
        if !here {
            return Fit { grant, audience, relation: Some(false), times };
        }
        let subject = match &grant.subject {
            None => Some(true),
            Some(rule) => self.subject().map(|subject| rule.matches(subject)),
        };
        let claims: Vec<_> = grant.claims.iter().map(|rule| known.holds(rule)).collect();
        let told = all([audience, subject].into_iter().chain(claims.iter().copied()));
        let relation = told.or_else(|| self.fitted_then(grant, place));
        if relation.is_none() {
            if audience.is_none() {
                possible.gap("the audiences of the token");
            }
            if subject.is_none() {
                possible.gap("the subject of the token");
            }
            for (rule, _) in grant.claims.iter().zip(&claims).filter(|(_, holds)| holds.is_none()) {
                possible.gap(format!("claim {}", rule.key));
            }
        }
        if times.is_none() && relation != Some(false) {
            possible.gap("the times of the token");
        }
        Fit { grant, audience, relation, times }
    }

    /// Whether the grant is for this very place.
    fn is_for(&self, grant: &Grant, place: &Place<'_, '_>) -> bool {
        let method = self.record.http.as_ref().is_some_and(|http| grant.methods.contain(&http.method));
        method && grant.paths.iter().any(|pattern| pattern.matches(&place.path))
    }

    /// Whether the grant, and its resource, hold at this time.
    fn times_of(&self, grant: &Grant, resource: &Resource) -> Option<bool> {
        let started = self.before(grant.times.starts).map(|before| grant.times.starts.is_none() || !before);
        let young = match (grant.times.max_token_age.as_ref().map(Duration::as_secs_f64), self.times_said()) {
            (None, _) => Some(true),
            (Some(_), None) => None,
            (Some(_), Some((_, None))) => Some(false),
            (Some(bound), Some((expires, Some(issued)))) => {
                self.at(|now| expires - issued <= bound && now.seconds() - issued <= bound)
            }
        };
        all([started, self.before(grant.times.expires), self.before(resource.expires), young])
    }

    /// What the line tells of who and which audience by a grant of then that asked for the same: whether it allowed.
    fn fitted_then(&self, grant: &Grant, place: &Place<'_, '_>) -> Option<bool> {
        if !self.passed(Reason::ConfirmationRequired) {
            return None;
        }
        let (base, resource, entry) = (self.base?, self.resource_then()?, self.entry_then()?);
        let asks = |grant: &Grant| {
            let who = format!("{:?}", (&grant.subject, &grant.audience, grant.audience_from));
            (who, rules(&grant.claims))
        };
        let wanted = asks(grant);
        let then = Place { id: resource.id, resource, path: place.path };
        let acts = self.known().acts;
        let told = |other: &Grant| {
            if !self.is_for(other, &then) {
                return None;
            }
            let named = if other.mode == Mode::Enforce { &self.record.grants } else { &self.record.shadow };
            if named.iter().any(|name| name == other.name.as_str()) {
                return Some(true);
            }
            // It did not fit. If that was not for its times or an acting party, it was for what is asked here.
            let in_time = self.times_of(other, resource)?;
            let only_late = other.mode == Mode::Enforce && self.ended_with(Reason::GrantNone);
            (acts == Some(false) && (in_time || only_late)).then_some(false)
        };
        base.snapshot.grants.of(entry.id, resource.id).iter().filter(|other| asks(other) == wanted).find_map(told)
    }

    /// What the line and the table of its time tell about the claims.
    pub(super) fn known(&self) -> Known<'s> {
        let mut known = Known::default();
        let (Some(base), Some(entry), Some(_)) = (self.base, self.entry_then(), self.record.pair()) else {
            return known;
        };
        if self.passed(Reason::PinMismatch) {
            entry.pins.iter().for_each(|pin| known.rule(pin, true));
        }
        if !self.passed(Reason::ConfirmationRequired) {
            return known;
        }
        let Some(resource) = self.resource_then() else { return known };
        let grants = base.snapshot.grants.of(entry.id, resource.id);
        let named = |name: &str| grants.iter().find(|grant| grant.name.as_str() == name);
        let fitted = self.record.grants.iter().chain(&self.record.shadow).filter_map(|name| named(name));
        fitted.for_each(|grant| known.fitted(grant));
        for miss in &self.record.near_misses {
            if let Some(grant) = named(&miss.grant) {
                known.differed(grant, &miss.failed);
            }
        }
        let enforcing: Vec<_> = grants.iter().filter(|grant| grant.mode == Mode::Enforce).collect();
        let mismatch = self.ended_with(Reason::AudienceMismatch);
        match enforcing.as_slice() {
            [] if self.logged != Outcome::Allowed => known.names_no_audience = Some(mismatch),
            all if mismatch => all.iter().for_each(|grant| known.audience(grant, false)),
            [only, rest @ ..] => {
                // One of them had the audience; where all have one and the same, it was that.
                let asks = |grant: &Grant| (grant.audience.clone(), grant.audience_from);
                if rest.iter().all(|grant| asks(grant) == asks(only)) {
                    known.audience(only, true);
                }
            }
            [] => {}
        }
        if self.record.actor.is_some() {
            known.acts = None;
        }
        if self.ended_with(Reason::ActorNotAllowed) {
            known.acts = Some(true);
        }
        known
    }
}
