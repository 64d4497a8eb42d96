//! Whether this caller may do this here: the grants of one issuer for one resource, and nothing else.
//!
//! In: a [`Place`], a [`Verified`] caller and the grants. Out: a [`Permit`], the only thing an allow is made of, or
//! a [`Refusal`] with the grants that came near. It must know neither wire messages nor files nor keys.

mod actor;
mod fit;
mod grant;
mod index;
mod permit;
mod split;
#[cfg(test)]
mod tests;

pub use actor::ActorRule;
pub use fit::{Failed, NearMiss};
pub use grant::{AudienceFrom, Grant, GrantId, GrantTimes, Mode, SubjectRule};
pub use index::{GrantIndex, Grants};
pub use permit::{Permit, Refusal};

use crate::clock::Time;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::Place;
use crate::trail::{Note, Trail};
use crate::trust::Verified;
use fit::Case;

/// At most this many near misses are told.
const MAX_NEAR_MISSES: usize = 3;

/// Decides by the grants of the caller's issuer for this resource. They are a set: one enforcing grant that fits is
/// enough, and their order has no say.
///
/// # Errors
/// The reason of contract order (audience, actor, times, none), with the nearest grants.
pub fn decide<'s, T: Trail>(
    grants: &'s GrantIndex,
    place: &Place<'s, '_>,
    request: &AuthzRequest<'_>,
    caller: Verified<'s, T::Proof>,
    now: Time,
    trail: &mut T,
) -> Result<Permit<'s, T::Proof>, Refusal<'s>> {
    let case = Case { place, request, claims: caller.claims(), acting: caller.acting(), now };
    let grants = grants.of(caller.issuer().id, place.id);
    let Judged { allowing, shadow, outcome } = case.judge(grants);
    let walked = trail.check("grants", outcome, || note(&case, grants, &allowing, caller.issuer().name.as_str()));
    if let Err(reason) = walked.and(outcome) {
        return Err(Refusal { reason, near_misses: case.near_misses(grants), shadow });
    }
    Ok(Permit::new(place, caller, allowing, shadow))
}

/// What `explain` prints: the grants that fit, or how many were looked at.
fn note(case: &Case<'_>, grants: Grants<'_>, allowing: &[&Grant], issuer: &str) -> Note {
    let resource = &case.place.resource.name;
    match (allowing.first(), grants.len()) {
        (Some(first), _) => {
            let names = allowing.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>().join(", ");
            Note::at(&first.site, format!("grant {names} fits"))
        }
        (None, 0) => Note::new(format!("issuer {issuer} has no grant for resource {resource}")),
        (None, 1) => Note::new(format!("the one grant of issuer {issuer} for resource {resource} does not fit")),
        (None, count) => {
            Note::new(format!("none of the {count} grants of issuer {issuer} for resource {resource} fits"))
        }
    }
}

/// What came of holding the grants against a case; both lists in the order of names.
#[derive(Debug)]
struct Judged<'s> {
    /// Enforcing grants that fit.
    allowing: Vec<&'s Grant>,
    /// Shadow grants that fit.
    shadow: Vec<&'s Grant>,
    outcome: Result<(), Reason>,
}

impl Case<'_> {
    fn judge<'s>(&self, grants: Grants<'s>) -> Judged<'s> {
        let (mut allowing, mut shadow) = (Vec::new(), Vec::new());
        let (mut all_but_actor, mut all_but_times) = (false, false);
        grants.candidates(self, &mut |grant| {
            if !self.relation_fits(grant) {
                return;
            }
            match (grant.mode, self.actor_fits(grant), self.times_fit(grant)) {
                (Mode::Enforce, true, true) => allowing.push(grant),
                (Mode::Shadow, true, true) => shadow.push(grant),
                (Mode::Enforce, false, true) => all_but_actor = true,
                (Mode::Enforce, true, false) => all_but_times = true,
                _ => {}
            }
        });
        for fitting in [&mut allowing, &mut shadow] {
            fitting.sort_unstable_by_key(|grant| grant.id);
            fitting.dedup_by_key(|grant| grant.id);
        }
        let outcome = if !allowing.is_empty() {
            Ok(())
        } else if !grants.any_enforces() && !self.names_no_audience() {
            // A token for nobody is the wrong one everywhere; one for somebody meets no grant here.
            Err(Reason::GrantNone)
        } else if !grants.any_audience_fits(self) {
            Err(Reason::AudienceMismatch)
        } else if all_but_actor {
            Err(Reason::ActorNotAllowed)
        } else if all_but_times {
            Err(Reason::GrantExpired)
        } else {
            Err(Reason::GrantNone)
        };
        Judged { allowing, shadow, outcome }
    }

    /// The enforcing grants in which the least differs, nearest first. A grant for another method or path is further away than one for this very place
    /// that asks for another claim.
    fn near_misses<'s>(&self, grants: Grants<'s>) -> Vec<NearMiss<'s>> {
        let mut misses: Vec<_> = grants.near(self).into_iter().map(|grant| self.miss(grant)).collect();
        misses.sort_by_key(|miss| (miss.distance(), miss.grant.id));
        misses.truncate(MAX_NEAR_MISSES);
        misses
    }
}
