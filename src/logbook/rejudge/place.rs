//! Where the request goes by the other table: what a log keeps of a request, and what it does not.

use super::possible::{Outcome, Possible};
use super::{Rejudged, Table};
use crate::clock::Time;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::{Authority, CredentialPlace, OpenMethods, Place, RequestPath, Resource};

/// A path of so many bytes may have been cut: the log cuts at 2 KiB, and there at a character.
const MAYBE_CUT: usize = 2 * 1024 - 3;

impl<'s> Rejudged<'s, '_> {
    /// From the request to the door of the resource.
    pub(super) fn request(&self) -> Possible {
        let Some(http) = &self.record.http else { return Possible::anything("the request") };
        if http.path.len() >= MAYBE_CUT {
            return Possible::anything("the whole path: the log cuts it at 2 KiB");
        }
        let Ok(path) = RequestPath::read(&http.path) else {
            let same = self.ended_with(Reason::PathNotNormalized);
            return if same { Possible::only(self.logged) } else { Possible::anything("the path") };
        };
        let request =
            AuthzRequest { method: &http.method, host: &http.host, target: &http.path, ..AuthzRequest::default() };
        match self.place(&request, path) {
            None => {
                let all = self.places(&request, path);
                let mut possible =
                    all.iter().fold(Possible::only(Outcome::Refused(Reason::ResourceUnknown)), |all, place| {
                        all.or(self.door(&request, place))
                    });
                possible.gap("the `context` and routes of the request, by which this table picks resources");
                possible
            }
            Some(Err(reason)) => Possible::only(Outcome::Refused(reason)),
            Some(Ok(place)) => self.door(&request, &place),
        }
    }

    /// The resource that this table picks; `None` where that depends on what the log does not keep.
    fn place<'p>(&self, request: &AuthzRequest<'p>, path: RequestPath<'p>) -> Option<Result<Place<'s, 'p>, Reason>> {
        let by_host = self.table.snapshot.resources.find(request, path);
        let scoped = scoped(self.table);
        if scoped.is_empty() {
            return Some(by_host);
        }
        let base = self.base.filter(|base| self::scoped(*base) == scoped)?;
        let Some(name) = &self.record.resource else {
            // Either it picked one that has no such path, as it does now, or none at all.
            let shut_out = base.snapshot.resources.find(request, path).is_ok();
            return Some(if shut_out { Err(Reason::ResourceUnknown) } else { by_host });
        };
        let mut all = self.table.snapshot.resources.iter();
        let same = all.find(|(_, resource)| resource.name.as_str() == name && is_scoped(resource));
        Some(same.map_or(by_host, |(id, resource)| Ok(Place { id, resource, path })))
    }

    /// Every place that this table may pick, whatever the `context` and the routes were.
    fn places<'p>(&self, request: &AuthzRequest<'p>, path: RequestPath<'p>) -> Vec<Place<'s, 'p>> {
        let here = |resource: &Resource| {
            let host = Authority::read(request.host)
                .is_some_and(|authority| resource.hosts.iter().any(|host| host.matches(&authority)));
            (host || resource.hosts.is_empty()) && resource.paths.iter().any(|pattern| pattern.matches(&path))
        };
        let scoped = self.table.snapshot.resources.iter().filter(|(_, resource)| is_scoped(resource) && here(resource));
        let by_host = self.table.snapshot.resources.find(request, path).ok();
        by_host.into_iter().chain(scoped.map(|(id, resource)| Place { id, resource, path })).collect()
    }

    /// What of the resource comes before any token.
    fn door(&self, request: &AuthzRequest<'_>, place: &Place<'s, '_>) -> Possible {
        let mut possible = Possible::default();
        if self.ended_with(Reason::ResourceUnknown) {
            // What stood before an `@` in the host is not kept, and makes it no host.
            possible.refuse(Reason::ResourceUnknown);
            possible.gap("the token, of which nothing was kept: the call met no resource");
        }
        if place.slashes_are_clear().is_err() {
            possible.refuse(Reason::PathNotNormalized);
            return possible;
        }
        match self.is_open(request, place) {
            Some(true) => {
                possible.add(Outcome::Open);
                return possible;
            }
            Some(false) => {}
            None => {
                possible.add(Outcome::Open);
                possible.gap("whether it was a CORS preflight");
            }
        }
        self.credential(place, possible)
    }

    /// Whether the place is open to all.
    fn is_open(&self, request: &AuthzRequest<'_>, place: &Place<'_, '_>) -> Option<bool> {
        if let Some(open) = self.at(|now| open(request, place, now))? {
            return Some(open);
        }
        // It depends on whether this was a preflight, which the outcome tells where the resource of then depended on it.
        let then = self.resource_then().filter(|_| self.passed(Reason::ResourceUnknown))?;
        let then = Place { id: then.id, resource: then, path: place.path };
        let depends = self.at(|now| open(request, &then, now))?.is_none();
        depends.then_some(self.logged == Outcome::Open)
    }

    /// The resource as the table of its time had it.
    pub(super) fn resource_then(&self) -> Option<&'s Resource> {
        let name = self.record.resource.as_deref()?;
        let mut all = self.base?.snapshot.resources.iter();
        all.find(|(_, resource)| resource.name.as_str() == name).map(|(_, resource)| resource)
    }

    /// Where the token is.
    fn credential(&self, place: &Place<'s, '_>, mut possible: Possible) -> Possible {
        let here = &place.resource.credential;
        let same = match (self.base, self.resource_then()) {
            // What met no resource, or an open place, showed no token to anybody.
            (_, Some(then)) => then.credential == *here,
            (Some(_), None) => !self.passed(Reason::ResourceUnknown),
            // Without the table of then it is taken to have been where tokens are.
            (None, None) => *here == CredentialPlace::Authorization,
        };
        if !same {
            possible.anything_of_a_token("the token: this table takes it from another place of the request");
            return possible;
        }
        match self.logged {
            Outcome::Refused(Reason::NoToken | Reason::MultipleTokens | Reason::Malformed) => {
                possible.add(self.logged);
                return possible;
            }
            _ if self.passed(Reason::Malformed) => {}
            _ => {
                possible.refuse(Reason::NoToken);
                possible.refuse(Reason::MultipleTokens);
                possible.refuse(Reason::Malformed);
                possible.gap("the token: then none was asked for");
            }
        }
        self.token(place, possible)
    }
}

/// Whether a place is open; `None` where that depends on a preflight's headers.
fn open(request: &AuthzRequest<'_>, place: &Place<'_, '_>, now: Time) -> Option<bool> {
    if place.anonymous(request, now).is_some() {
        return Some(true);
    }
    let ended = place.resource.expires.is_some_and(|end| now >= end);
    let mut preflights =
        place.resource.anonymous.iter().filter(|entry| matches!(entry.methods, OpenMethods::Preflight));
    let may_be = request.method == "OPTIONS"
        && !ended
        && preflights.any(|entry| entry.paths.iter().any(|pattern| pattern.matches(&place.path)));
    if may_be { None } else { Some(false) }
}

fn is_scoped(resource: &Resource) -> bool {
    !resource.context.is_empty() || resource.route.is_some()
}

/// What the picking of resources by `context` and `route` depends on.
fn scoped(table: Table<'_>) -> Vec<String> {
    let scoped = table.snapshot.resources.iter().filter(|(_, resource)| is_scoped(resource));
    let told = |resource: &Resource| {
        format!("{:?}", (&resource.name, &resource.context, &resource.route, &resource.hosts, &resource.paths))
    };
    let mut told: Vec<_> = scoped.map(|(_, resource)| told(resource)).collect();
    told.sort_unstable();
    told
}
