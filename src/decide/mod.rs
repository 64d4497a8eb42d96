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
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wanted;

pub use actor::ActorRule;
pub use fit::{Failed, NearMiss};
pub use grant::{AudienceFrom, Grant, GrantId, GrantTimes, Mode, Replay, SubjectRule};
pub use index::{GrantIndex, Grants};
pub use permit::{Permit, Refusal};

use crate::clock::Time;
use crate::reason::Reason;
use crate::replay::{Ticket, Use};
use crate::request::AuthzRequest;
use crate::resource::Place;
use crate::trail::{Note, Trail};
use crate::trust::Verified;
use fit::Case;
use permit::Allowing;

/// At most this many near misses are told.
const MAX_NEAR_MISSES: usize = 3;

/// Decides by the grants of the caller's issuer for this resource. They are a set: one enforcing grant that fits is
/// enough, and their order has no say.
///
/// This is the one place where a token is spent: when all that a grant with `replay: once` asks for holds, so that no
/// refusal spends one. That it was spent is not taken back: neither for a fault of ours after it, nor for a client that
/// does not wait for the answer.
///
/// # Errors
/// The reason of contract order (audience, actor, times, replay, none), with the nearest grants.
pub fn decide<'s, T: Trail>(
    grants: &'s GrantIndex,
    place: &Place<'s, '_>,
    request: &AuthzRequest<'_>,
    caller: Verified<'s, T::Proof>,
    now: Time,
    trail: &mut T,
) -> Result<Permit<'s, T::Proof>, Refusal<'s>> {
    let (claims, issuer) = (caller.claims(), caller.issuer());
    let ticket = Ticket { id: claims.token_id(), issued_at: claims.issued_at(), expires: claims.expires };
    let once = Use::of(&issuer.issuer, issuer.realm.as_ref(), ticket, now);
    let first_use = once.map(|_| ());
    let mut case = Case { place, request, claims, acting: caller.acting(), now, first_use };
    let grants = grants.of(issuer.id, place.id);
    let Judged { fitting, shadow, otherwise } = case.judge(grants);
    let found = if fitting.is_empty() { Err(otherwise) } else { Ok(()) };
    let mut walked = trail.check("grants", found, || note(&case, grants, &fitting, issuer.name.as_str())).and(found);
    let asks = walked.is_ok() && fitting.iter().any(|grant| grant.replay == Replay::Once);
    let mut spent = None;
    if asks {
        let spending = once.and_then(|once| trail.spend(&once));
        case.first_use = spending.as_ref().map(|_| ()).map_err(|reason| *reason);
        spent = spending.ok();
    }
    // To a grant that asks for a first use where there is none it does not fit; others are not touched by it.
    let allowing = Allowing::<T>::of(&fitting, spent);
    if asks {
        // What a grant beside them lacks comes before this in the order of reasons.
        let left = if allowing.is_none() { case.first_use.map_err(|used| used.min(otherwise)) } else { Ok(()) };
        let left_over = allowing.as_ref().map_or(&[][..], Allowing::grants);
        walked = trail.check("replay", left, || replay_note(case.first_use, &fitting, left_over)).and(left);
    }
    match (walked, allowing) {
        (Ok(()), Some(allowing)) => Ok(Permit::new(place, caller, allowing, shadow)),
        (Ok(()), None) => Err(Refusal { reason: otherwise, near_misses: case.near_misses(grants), shadow }),
        (Err(reason), _) => Err(Refusal { reason, near_misses: case.near_misses(grants), shadow }),
    }
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

/// What `explain` prints: which grants ask for a first use, and whether this is one.
fn replay_note(first_use: Result<(), Reason>, fitting: &[&Grant], left: &[&Grant]) -> Note {
    let asking: Vec<_> = fitting.iter().copied().filter(|grant| grant.replay == Replay::Once).collect();
    let names = |grants: &[&Grant]| grants.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>().join(", ");
    let once = names(&asking);
    let text = match (first_use, left.is_empty()) {
        (Ok(()), _) => {
            format!("grant {once} asks for a token that was not used before: a server spends it with this use")
        }
        (Err(reason), true) => format!("grant {once}: {}", reason.sentence()),
        (Err(reason), false) => format!("grant {once}: {}; grant {} does not ask", reason.sentence(), names(left)),
    };
    match asking.first() {
        Some(grant) => Note::at(&grant.site, text),
        None => Note::new(text),
    }
}

/// What came of holding the grants against a case, but for whether the token was used before; both lists in the order of
/// names.
#[derive(Debug)]
struct Judged<'s> {
    /// Enforcing grants that fit.
    fitting: Vec<&'s Grant>,
    /// Shadow grants that fit.
    shadow: Vec<&'s Grant>,
    /// Why not, if none of those that fit is left.
    otherwise: Reason,
}

impl Case<'_> {
    fn judge<'s>(&self, grants: Grants<'s>) -> Judged<'s> {
        let (mut enforcing, mut shadow) = (Vec::new(), Vec::new());
        let (mut all_but_actor, mut all_but_times) = (false, false);
        grants.candidates(self, &mut |grant| {
            if !self.relation_fits(grant) {
                return;
            }
            match (grant.mode, self.actor_fits(grant), self.times_fit(grant)) {
                (Mode::Enforce, true, true) => enforcing.push(grant),
                (Mode::Shadow, true, true) => shadow.push(grant),
                (Mode::Enforce, false, true) => all_but_actor = true,
                (Mode::Enforce, true, false) => all_but_times = true,
                _ => {}
            }
        });
        for fit in [&mut enforcing, &mut shadow] {
            fit.sort_unstable_by_key(|grant| grant.id);
            fit.dedup_by_key(|grant| grant.id);
        }
        let otherwise = if all_but_actor {
            Reason::ActorNotAllowed
        } else if all_but_times {
            Reason::GrantExpired
        } else if !enforcing.is_empty() || !grants.any_enforces() && !self.names_no_audience() {
            // A token for nobody is the wrong one everywhere; one for somebody meets no grant here.
            Reason::GrantNone
        } else if !grants.any_audience_fits(self) {
            Reason::AudienceMismatch
        } else {
            Reason::GrantNone
        };
        Judged { fitting: enforcing, shadow, otherwise }
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
