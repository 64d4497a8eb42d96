//! Who may do this there.

use super::line::{Line, State, of};
use crate::clock::Time;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::{Anonymous, Observe, RequestPath, Resource};
use crate::table::Snapshot;

/// Everyone who may do one thing at one place.
#[derive(Debug)]
pub struct WhoCan<'s> {
    /// Where the request goes.
    pub resource: &'s Resource,
    /// The place is open to all, so no grant is asked.
    pub open: Option<&'s Anonymous>,
    /// What is refused there is only observed for now, so that anybody else comes through too, without identity.
    pub observed: Option<&'s Observe>,
    /// Everyone who may, or would in shadow mode, each with whether it counts now; what has ended or not started last.
    pub lines: Vec<(State, Line<'s>)>,
}

/// Everyone who may do this.
///
/// # Errors
/// Why the request reaches no resource: whoever it comes from is refused.
pub fn who_can<'s>(snapshot: &'s Snapshot, request: &AuthzRequest<'_>, now: Time) -> Result<WhoCan<'s>, Reason> {
    let path = RequestPath::read(request.path()).map_err(|_| Reason::PathNotNormalized)?;
    let place = snapshot.resources.find(request, path)?;
    place.slashes_are_clear()?;
    let open = place.anonymous(request, now).map(|opened| opened.entry());
    let fits = snapshot.grants.iter().filter(|grant| {
        grant.resource == place.id
            && grant.methods.contain(request.method)
            && grant.paths.iter().any(|pattern| pattern.matches(&path))
    });
    let mut lines: Vec<_> = fits.flat_map(|grant| of(snapshot, grant)).map(|line| (line.state(now), line)).collect();
    lines.sort_by_key(|(state, _)| match state {
        State::InForce => 0,
        State::Shadow => 1,
        State::NotStarted => 2,
        State::Ended => 3,
    });
    Ok(WhoCan { resource: place.resource, open, observed: place.resource.observing(now), lines })
}
