//! Whether this caller may do this here: the grants of one issuer for one resource, and nothing else.
//!
//! In: a [`Place`], a [`Verified`] caller and the grants. Out: a [`Permit`], the only thing an allow is made of, or
//! a [`Refusal`] with the grants that came near. It must know neither wire messages nor files nor keys.

mod fit;
mod grant;
mod permit;

pub use fit::{Failed, NearMiss};
pub use grant::{AudienceFrom, Grant, GrantIndex, GrantTimes, Mode, SubjectRule};
pub use permit::{Permit, Refusal};

use crate::clock::Time;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::Place;
use crate::trail::{Note, Trail};
use crate::trust::Verified;
use fit::Case;

/// Near misses are looked for among at most this many grants.
const MAX_CANDIDATES: usize = 32;
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
    let case = Case { place, request, claims: caller.claims(), now };
    let candidates = grants.of(caller.issuer().id, place.id);
    let matching = |mode| candidates.iter().filter(move |grant| grant.mode == mode && case.fits(grant));
    let shadow: Vec<&Grant> = matching(Mode::Shadow).collect();
    let allowing: Vec<&Grant> = matching(Mode::Enforce).collect();

    let outcome = if allowing.is_empty() { Err(case.reason(candidates)) } else { Ok(()) };
    let walked = trail.check("grants", outcome, || note(&case, candidates, &allowing, caller.issuer().name.as_str()));
    if let Err(reason) = walked.and(outcome) {
        return Err(Refusal { reason, near_misses: case.near_misses(candidates), shadow });
    }
    Ok(Permit::new(place, caller, allowing, shadow))
}

/// What `explain` prints: the grants that fit, or how many were looked at.
fn note(case: &Case<'_>, candidates: &[Grant], allowing: &[&Grant], issuer: &str) -> Note {
    let resource = &case.place.resource.name;
    match (allowing.first(), candidates.len()) {
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

impl Case<'_> {
    /// Which reason it is when no enforcing grant fits.
    fn reason(&self, candidates: &[Grant]) -> Reason {
        let enforcing = || candidates.iter().filter(|grant| grant.mode == Mode::Enforce);
        if enforcing().next().is_none() {
            // A token for nobody is the wrong one everywhere; one for somebody meets no grant here.
            return if self.names_no_audience() { Reason::AudienceMismatch } else { Reason::GrantNone };
        }
        if !enforcing().any(|grant| self.audience_fits(grant)) {
            return Reason::AudienceMismatch;
        }
        if enforcing().any(|grant| self.fits_but_actor(grant)) {
            return Reason::ActorNotAllowed;
        }
        if enforcing().any(|grant| self.fits_but_times(grant)) {
            return Reason::GrantExpired;
        }
        Reason::GrantNone
    }

    /// The enforcing grants in which the least differs, nearest first. A grant for another method or path is further
    /// away than one for this very place that asks for another claim.
    fn near_misses<'s>(&self, candidates: &'s [Grant]) -> Vec<NearMiss<'s>> {
        let enforcing = candidates.iter().filter(|grant| grant.mode == Mode::Enforce);
        let mut misses: Vec<_> = enforcing.take(MAX_CANDIDATES).map(|grant| self.miss(grant)).collect();
        misses.sort_by_key(|miss| (miss.distance(), miss.grant.name.clone()));
        misses.truncate(MAX_NEAR_MISSES);
        misses
    }
}
