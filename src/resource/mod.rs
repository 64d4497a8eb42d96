//! Where the request goes: the request alone picks exactly one resource.
//!
//! In: an [`AuthzRequest`] and the resources of the table. Out: a [`Place`], one
//! resource and the path inside it, and what is open there without identity. It must never see a token: what a
//! caller claims has no say in which rules apply.

mod conflict;
mod host;
mod hosts;
mod index;
mod method;
mod path;
mod scope;
mod tree;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use conflict::Conflict;
pub use host::{Authority, HostPattern};
pub use index::ResourceIndex;
pub use method::{Methods, is_method};
pub use path::{PathFault, PathPattern, PatternFault, RequestPath};
pub use tree::PathTree;

use crate::clock::Time;
use crate::name::{Audience, ResourceName, Site};
use crate::reason::Reason;
use crate::request::AuthzRequest;

/// Number of a resource within one snapshot: its position in the list the index was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(pub u32);

/// What is protected: an entry under `resources:`.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its number in the snapshot.
    pub id: ResourceId,
    /// Its name in the table.
    pub name: ResourceName,
    /// Where it is written.
    pub site: Site,
    /// The one value that `aud` must contain.
    pub audience: Audience,
    /// Authorities; may be empty only beside `context` or `route`.
    pub hosts: Vec<HostPattern>,
    /// The part of the host that this resource is; never empty.
    pub paths: Vec<PathPattern>,
    /// Pairs of `context_extensions` that must all be present and equal.
    pub context: Vec<(String, String)>,
    /// Envoy Gateway's route.
    pub route: Option<RouteMatch>,
    /// Places open to all.
    pub anonymous: Vec<Anonymous>,
    /// Where the token is.
    pub credential: CredentialPlace,
    /// Leave the credential for the upstream.
    pub forward_token: bool,
    /// Leave the method- and URL-override headers for the upstream.
    pub forward_overrides: bool,
    /// `%2F` is data inside a segment here.
    pub encoded_slash_is_data: bool,
    /// RFC 9728 metadata URL for the challenge.
    pub resource_metadata: Option<String>,
    /// From here on the resource has ended: still picked, nothing open, its grants count as expired.
    pub expires: Option<Time>,
    /// Refusals are only observed for now.
    pub observe: Option<Observe>,
}

/// `observe: {until, reason}`: for a roll-out, refusals are told and let through without identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Observe {
    /// From here on refusals are refusals.
    pub until: Time,
    /// Why.
    pub reason: String,
    /// Where it is written.
    pub site: Site,
}

impl Resource {
    /// What makes refusals only observed at this time. A resource that has ended observes nothing.
    pub fn observing(&self, now: Time) -> Option<&Observe> {
        let ended = self.expires.is_some_and(|end| now >= end);
        self.observe.as_ref().filter(|observe| !ended && now < observe.until)
    }

    /// From when on refusals count, where they do not yet.
    pub fn observed_until(&self) -> Option<Time> {
        let until = self.observe.as_ref()?.until;
        let end = self.expires.filter(|end| end.seconds() < until.seconds());
        Some(end.unwrap_or(until))
    }
}

/// `route: {namespace, name}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteMatch {
    /// Kubernetes namespace of the route.
    pub namespace: String,
    /// Kubernetes name of the route; any in the namespace when left out.
    pub name: Option<String>,
}

/// Where a resource's callers put their token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Authorization,
    /// The whole value of this header (lower case).
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

impl CredentialPlace {
    /// Name and value of the header in which a caller who read the documentation would send this token.
    pub fn carry(&self, token: &str) -> (&str, String) {
        match self {
            Self::Authorization => ("authorization", format!("Bearer {token}")),
            Self::Header(name) => (name, token.to_owned()),
            Self::Cookie(name) => ("cookie", format!("{name}={token}")),
        }
    }
}

/// An entry of `anonymous:`: open to all, without identity.
#[derive(Debug, Clone)]
pub struct Anonymous {
    /// Methods that are open; for a preflight, `OPTIONS` with the two CORS headers.
    pub methods: OpenMethods,
    /// Paths that are open.
    pub paths: Vec<PathPattern>,
    /// Why.
    pub reason: String,
    /// Where it is written.
    pub site: Site,
}

/// Which calls an [`Anonymous`] entry means.
#[derive(Debug, Clone)]
pub enum OpenMethods {
    /// These methods.
    Methods(Methods),
    /// CORS preflight requests only.
    Preflight,
}

/// One resource and the path inside it: where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'s, 'r> {
    /// Its number in the snapshot.
    pub id: ResourceId,
    /// The resource.
    pub resource: &'s Resource,
    /// The path, read once.
    pub path: RequestPath<'r>,
}

impl<'s> Place<'s, '_> {
    /// Whether the path may hold `%2F` here. Judged after the resource is picked, because the resource says so.
    ///
    /// # Errors
    /// [`Reason::PathNotNormalized`].
    pub fn slashes_are_clear(&self) -> Result<(), Reason> {
        let clear = !self.path.has_encoded_slash() || self.resource.encoded_slash_is_data;
        if clear { Ok(()) } else { Err(Reason::PathNotNormalized) }
    }

    /// The proof that this place is open to all, if it is. An expired resource is not.
    pub fn anonymous(&self, request: &AuthzRequest<'_>, now: Time) -> Option<Opened<'s>> {
        if self.resource.expires.is_some_and(|end| now >= end) {
            return None;
        }
        let entry = self.resource.anonymous.iter().find(|open| {
            let meant = match &open.methods {
                OpenMethods::Methods(methods) => methods.contain(request.method),
                OpenMethods::Preflight => request.is_preflight(),
            };
            meant && open.paths.iter().any(|pattern| pattern.matches(&self.path))
        })?;
        Some(Opened { resource: self.resource, entry })
    }
}

/// Proof that a request goes to a place that is open to all. Made only by [`Place::anonymous`].
#[derive(Debug, Clone, Copy)]
pub struct Opened<'s> {
    resource: &'s Resource,
    entry: &'s Anonymous,
}

impl<'s> Opened<'s> {
    /// The resource.
    pub const fn resource(&self) -> &'s Resource {
        self.resource
    }

    /// The entry of the table that opens it.
    pub const fn entry(&self) -> &'s Anonymous {
        self.entry
    }
}
