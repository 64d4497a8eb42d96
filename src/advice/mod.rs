//! What to write for a token that was refused.
//!
//! In: a token that nobody verified, the table, and where the call went. Out: what the token says, what kind of issuer that
//! would be, what is dangerous about it, and the tightest entries to review. It must never see a key, and it decides
//! nothing: whoever takes its proposal has to know the issuer by other means.

mod block;
mod grant;
mod kind;
mod remark;
mod stanza;
mod trial;
mod yaml;

pub use block::{Alternative, alternatives, document};
pub use grant::GrantFields;
pub use kind::{By, Kind};
pub use remark::{Remark, remarks};
pub use stanza::{PLACEHOLDER, Proposal};
pub use trial::Table;
pub use yaml::{condition, entry_name, quoted, scalar, string};

use crate::claims::ClaimKey;
use crate::clock::Time;
use crate::credential::{ClaimedIssuer, Unverified};
use crate::json::Json;
use crate::request::AuthzRequest;
use crate::resource::{RequestPath, Resource};
use crate::table::Snapshot;
use crate::trust::TrustedIssuer;
use trial::Trial;

/// A token that was looked at; nothing in it is verified.
#[derive(Debug)]
pub struct Inspection<'s> {
    /// `alg`
    pub algorithm: String,
    /// `typ`
    pub kind_of_token: Option<String>,
    /// `kid`
    pub key_id: Option<String>,
    /// What it says, every claim.
    pub payload: Json,
    /// The entries that it names: more than one where they share an `iss`.
    pub entries: Vec<&'s TrustedIssuer>,
    /// What kind of issuer that would be, and by what that was seen.
    pub kind: Kind,
    /// The resource that the call goes to, or that has the token's audience.
    pub resource: Option<&'s Resource>,
    /// What to think of before believing it.
    pub remarks: Vec<Remark>,
    /// What to add to the table, after review.
    pub proposal: Proposal,
}

/// Where the call went.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The authority of the URL.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a str,
}

/// Looks at a token, which is also given as its text. Without a table (`None`) nothing is known of entries and resources.
pub fn inspect<'s>(
    text: &str,
    token: Unverified<'_>,
    table: Option<Table<'s>>,
    destination: Option<Destination<'_>>,
    now: Time,
) -> Inspection<'s> {
    let snapshot = table.map(|table| table.snapshot);
    let header = &token.envelope().header;
    let (algorithm, kind_of_token) = (header.algorithm.to_string(), header.kind().map(str::to_owned));
    let key_id = header.key_id().map(str::to_owned);
    let payload = token.into_payload();
    let named = || snapshot.zip(ClaimedIssuer::of(&payload)).map(|(table, claimed)| table.issuers.named(claimed));
    let entries: Vec<_> = named().into_iter().flatten().collect();
    let kind = kind::of(&payload, entries.first().and_then(|entry| snapshot?.profiles.get(&entry.name).copied()));
    let resource = snapshot.and_then(|table| resource(table, destination, &payload));
    let seen = Seen {
        algorithm: &algorithm,
        kind_of_token: kind_of_token.as_deref(),
        payload: &payload,
        entries: &entries,
        profile: kind.profile,
        resource,
        destination,
        now,
    };
    let remarks = remarks(&seen);
    let proposal = stanza::propose(&Trial { seen: &seen, table, token: text });
    Inspection { algorithm, kind_of_token, key_id, payload, entries, kind, resource, remarks, proposal }
}

/// What remarks and proposals are made from.
pub struct Seen<'a> {
    algorithm: &'a str,
    kind_of_token: Option<&'a str>,
    payload: &'a Json,
    entries: &'a [&'a TrustedIssuer],
    profile: &'static crate::profile::Profile,
    resource: Option<&'a Resource>,
    destination: Option<Destination<'a>>,
    now: Time,
}

impl<'a> Seen<'a> {
    /// The entry that it names; where several share an `iss`, one of them.
    fn entry(&self) -> Option<&'a TrustedIssuer> {
        self.entries.first().copied()
    }

    /// The value of a claim, by its name or JSON Pointer.
    fn claim(&self, name: &str) -> Option<&Json> {
        ClaimKey::parse(name)?.find(self.payload)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.claim(name)?.as_number()
    }

    /// `aud` as a list.
    fn audiences(&self) -> Vec<&str> {
        match self.claim("aud") {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
            Some(one) => one.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// The resource of the place, else the only one that has an audience of the token.
fn resource<'s>(table: &'s Snapshot, destination: Option<Destination<'_>>, payload: &Json) -> Option<&'s Resource> {
    if let Some(Destination { method, host, target }) = destination {
        let request = AuthzRequest { method, host, target, ..AuthzRequest::default() };
        let path = RequestPath::read(request.path()).ok()?;
        return table.resources.find(&request, path).ok().map(|place| place.resource);
    }
    let among = |audience: &str| match payload.get("aud") {
        Some(Json::Array(list)) => list.iter().any(|one| one.as_str() == Some(audience)),
        Some(one) => one.as_str() == Some(audience),
        None => false,
    };
    let mut fitting = table.resources.iter().map(|(_, resource)| resource).filter(|one| among(one.audience.as_str()));
    fitting.next().filter(|_| fitting.next().is_none())
}
