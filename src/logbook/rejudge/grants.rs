//! The grants of the other table.

use std::time::Duration;

use super::Rejudged;
use super::known::Known;
use super::possible::{Outcome, Possible};
use super::token::rules;
use crate::decide::{Grant, Mode, Replay};
use crate::reason::Reason;
use crate::resource::{Place, Resource};
use crate::trust::TrustedIssuer;

/// How far one enforcing grant fits.
struct Fit<'s> {
    grant: &'s Grant,
    audience: Option<bool>,
    /// Who and where: all but actor, times and replay.
    relation: Option<bool>,
    actor: Option<bool>,
    times: Option<bool>,
}

impl Fit<'_> {
    /// All that comes before the question whether the token was used.
    fn fits(&self) -> Option<bool> {
        all([self.relation, self.actor, self.times])
    }

    fn is_once(&self) -> bool {
        self.grant.replay == Replay::Once
    }
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
    not(all(conditions.into_iter().map(not)))
}

fn not(condition: Option<bool>) -> Option<bool> {
    condition.map(|holds| !holds)
}

/// Whether it is a first use, where nothing else is possible, or that is not.
fn first(uses: &[Result<(), Reason>]) -> Option<bool> {
    match (uses.iter().any(Result::is_ok), uses.iter().any(Result::is_err)) {
        (true, true) => None,
        (is_first, _) => Some(is_first),
    }
}

impl<'s> Rejudged<'s, '_> {
    /// The last judgement.
    pub(super) fn grants(&self, place: &Place<'s, '_>, entry: &TrustedIssuer, mut possible: Possible) -> Possible {
        let known = self.known();
        let grants = self.table.snapshot.grants.of(entry.id, place.id);
        let enforcing: Vec<_> = grants.iter().filter(|grant| grant.mode == Mode::Enforce).collect();
        let fits: Vec<_> =
            enforcing.into_iter().map(|grant| self.fit(grant, place, entry, &known, &mut possible)).collect();
        let used = self.uses();
        let first_use = first(&used);
        for fit in &fits {
            let first_use = if fit.is_once() { first_use } else { Some(true) };
            let (name, scopes) =
                (fit.grant.name.as_str(), fit.grant.scopes.iter().map(|scope| scope.as_str().to_owned()));
            match all([fit.fits(), first_use]) {
                Some(true) => {
                    possible.grants.certain.insert(name.to_owned());
                    possible.scopes.certain.extend(scopes);
                }
                None => {
                    possible.grants.maybe.insert(name.to_owned());
                    possible.scopes.maybe.extend(scopes);
                }
                Some(false) => {}
            }
            if fit.is_once() && fit.fits() != Some(false) && used.len() > 1 {
                possible.gap("whether the token had been used before, had this table been in force");
            }
        }
        if !(possible.grants.certain.is_empty() && possible.grants.maybe.is_empty()) {
            possible.add(Outcome::Allowed);
        }
        if possible.grants.certain.is_empty() {
            self.refusals(&fits, &known, &used, &mut possible);
        }
        possible
    }

    /// The reasons for which it may be refused, where no grant fits.
    fn refusals(&self, fits: &[Fit<'_>], known: &Known<'_>, used: &[Result<(), Reason>], possible: &mut Possible) {
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
        let actor = any(fits.iter().map(|fit| all([fit.relation, fit.times, not(fit.actor)])));
        let expired = any(fits.iter().map(|fit| all([fit.relation, fit.actor, not(fit.times)])));
        for (lacks, reason) in [(actor, Reason::ActorNotAllowed), (expired, Reason::GrantExpired)] {
            if lacks != Some(false) {
                possible.refuse(reason);
            }
            if lacks == Some(true) {
                return;
            }
        }
        let once = any(fits.iter().filter(|fit| fit.is_once()).map(Fit::fits));
        if once != Some(false) {
            used.iter().filter_map(|used| used.err()).for_each(|reason| possible.refuse(reason));
        }
        if once != Some(true) {
            possible.refuse(Reason::GrantNone);
        }
    }

    fn fit<'g>(
        &self,
        grant: &'g Grant,
        place: &Place<'_, '_>,
        entry: &TrustedIssuer,
        known: &Known<'_>,
        possible: &mut Possible,
    ) -> Fit<'g> {
        // A field that is new must have its say here, or be named as one that has none.
        let Grant {
            subject,
            claims,
            actor: _,    // `actor_fits`
            methods: _,  // `is_for`
            paths: _,    // `is_for`
            audience: _, // `Known`
            audience_from: _,
            times: _,  // `times_of`
            replay: _, // `grants`
            mode: _,
            id: _,
            name: _,
            site: _,
            issuers: _,
            resource: _,
            scopes: _,
            forward_claims: _,
        } = grant;
        let audience = known.audience_fits(grant);
        let (actor, times) = (self.actor_fits(grant, entry), self.times_of(grant, place.resource));
        if !self.is_for(grant, place) {
            return Fit { grant, audience, relation: Some(false), actor, times };
        }
        let subject = match subject {
            None => Some(true),
            Some(rule) => self.subject().map(|subject| rule.matches(subject)),
        };
        let held: Vec<_> = claims.iter().map(|rule| known.holds(rule)).collect();
        let told = all([audience, subject].into_iter().chain(held.iter().copied()));
        let relation = told.or_else(|| self.fitted_then(grant, place));
        if relation.is_none() {
            if audience.is_none() {
                possible.gap("the audiences of the token");
            }
            if subject.is_none() {
                possible.gap("the subject of the token");
            }
            for (rule, _) in claims.iter().zip(&held).filter(|(_, holds)| holds.is_none()) {
                possible.gap(format!("claim {}", rule.key));
            }
        }
        if relation != Some(false) {
            if times.is_none() {
                possible.gap("the times of the token");
            }
            if actor.is_none() {
                possible.gap("who acts for the subject, in full");
            }
        }
        let audience = if relation == Some(true) { Some(true) } else { audience };
        Fit { grant, audience, relation, actor, times }
    }

    /// Whether the acting party, or that there is none, is what the grant asks for.
    fn actor_fits(&self, grant: &Grant, entry: &TrustedIssuer) -> Option<bool> {
        // A line names the actor of every token whose signature stood, and of no other.
        let principal = &self.record.pair()?.sub;
        let (rule, said) = match (&grant.actor, &self.record.actor) {
            (None, said) => return Some(said.is_none()),
            (Some(_), None) => return Some(false),
            (Some(rule), Some(said)) => (rule, said),
        };
        let (iss, sub, asserted_by) = (said.iss.as_ref()?, said.sub.as_ref()?, said.asserted_by.as_ref()?);
        // An actor without an issuer of its own has the token's, which this table must call the same.
        let same_name = asserted_by == entry.issuer.as_str();
        let own_subject = (iss == asserted_by).then_some(sub.as_str());
        same_name.then(|| rule.means(own_subject, principal, 1 + said.before.len()))
    }

    /// What may come of asking whether this is the first use of the token. Whether it was used before depends on every
    /// other call that showed it, and on which of these the other table would have allowed.
    fn uses(&self) -> Vec<Result<(), Reason>> {
        let any_use = vec![Ok(()), Err(Reason::Replayed), Err(Reason::ReplayUnavailable)];
        let (Some(_), Some(token)) = (self.record.pair(), &self.record.token) else {
            return [any_use, vec![Err(Reason::JtiMissing)]].concat();
        };
        if token.jti_hash.is_none() {
            return vec![Err(Reason::JtiMissing)];
        }
        match token.iat.map(|issued| self.at(|now| issued <= now.seconds())) {
            None | Some(Some(false)) => vec![Err(Reason::ReplayUnavailable)],
            Some(Some(true) | None) => any_use,
        }
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
        let grants = base.snapshot.grants.of(entry.id, resource.id);
        let is_named = |other: &Grant| {
            let named = if other.mode == Mode::Enforce { &self.record.grants } else { &self.record.shadow };
            named.iter().any(|name| name == other.name.as_str())
        };
        // Where one that asks for a first use allowed it, none was kept from it by an earlier use.
        let was_first =
            grants.iter().any(|one| one.replay == Replay::Once && one.mode == Mode::Enforce && is_named(one));
        let told = |other: &Grant| {
            if !self.is_for(other, &then) {
                return None;
            }
            if is_named(other) {
                return Some(true);
            }
            // It did not fit. If that was for nothing else, it was for what is asked here.
            let (actor, times) = (self.actor_fits(other, entry), self.times_of(other, resource));
            let blameless = if other.mode == Mode::Enforce && self.ended_with(Reason::GrantNone) {
                // Had the actor alone been wrong, or the times or an earlier use alone, that would have been the reason.
                any([actor, times])
            } else {
                let used = other.replay == Replay::Once && other.mode == Mode::Enforce && !was_first;
                all([actor, times, Some(!used)])
            };
            (blameless == Some(true)).then_some(false)
        };
        grants.iter().filter(|other| asks(other) == wanted).find_map(told)
    }
}
