//! One line of a decision log, as far as it is understood.

use std::fmt;

use serde::Deserialize;

use crate::clock::Time;
use crate::reason::{Accepted, Reason};

/// The schema that is read.
const SCHEMA: &str = "credence.decision/v1";

/// One decision, as its line tells it. What a line leaves out is empty or `None`; members that a later version adds
/// are passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it was decided, to the millisecond, rounded down.
    pub time: Time,
    /// UUIDv7.
    pub decision_id: String,
    /// `decision: allow`, else `deny`.
    pub allowed: bool,
    /// The code of the reason, as it stands there.
    pub reason: String,
    /// What was refused, where this was let through only because it was being observed.
    pub observed_reason: Option<String>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// Who called, and how sure that is.
    pub who: Who,
    /// The realm of the pair, where its issuer has one.
    pub realm: Option<String>,
    /// The acting party (RFC 8693 `act`), where the token named one.
    pub actor: Option<ActorSaid>,
    /// The entry of the table that vouched.
    pub issuer_name: Option<String>,
    /// The block that stood against the caller.
    pub block: Option<String>,
    /// The resource that the request picked.
    pub resource: Option<String>,
    /// The grants that allowed it.
    pub grants: Vec<String>,
    /// The grants that came near, nearest first.
    pub near_misses: Vec<Miss>,
    /// What was handed to the upstream.
    pub scopes: Vec<String>,
    /// Shadow grants that would have allowed it.
    pub shadow: Vec<String>,
    /// What was asked.
    pub http: Option<Http>,
    /// Address of the proxy's downstream peer.
    pub source: Option<String>,
    /// Which token it was.
    pub token: Option<TokenSaid>,
    /// Which table decided.
    pub table: Option<TableSaid>,
    /// W3C trace and parent id.
    pub trace: Option<(String, Option<String>)>,
}

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The line names nobody: an open place, or refused before a token was read.
    Nobody,
    /// Allowed: the signature stood.
    Principal(Pair),
    /// Refused, although the signature stood.
    Verified(Pair),
    /// What an unverified token said of itself, cut to 256 bytes each: proof of nothing.
    Claimed(Names),
}

/// The pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Pair {
    /// First half.
    pub iss: String,
    /// Second half; means nothing without the first.
    pub sub: String,
}

/// Two names of which either may be missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Names {
    /// `iss`
    pub iss: Option<String>,
    /// `sub`
    pub sub: Option<String>,
}

/// The acting party, as the token's issuer named it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActorSaid {
    /// First half of its pair; the token's issuer, where the token named none.
    pub iss: Option<String>,
    /// Second half.
    pub sub: Option<String>,
    /// Whose word that is: the token's issuer.
    pub asserted_by: Option<String>,
    /// Who acted before, latest first.
    #[serde(default)]
    pub before: Vec<Names>,
}

/// A grant that came near.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Miss {
    /// Its name.
    pub grant: String,
    /// What differed: names of claims, or fields of the grant.
    #[serde(default)]
    pub failed: Vec<String>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Http {
    /// HTTP method.
    #[serde(default)]
    pub method: String,
    /// Authority, without what stood before an `@`.
    #[serde(default)]
    pub host: String,
    /// Path without its query, cut to 2 KiB.
    #[serde(default)]
    pub path: String,
    /// `x-request-id`
    pub request_id: Option<String>,
}

/// Which token it was.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TokenSaid {
    /// `kid`
    pub kid: Option<String>,
    /// `alg`
    pub alg: Option<String>,
    /// `typ`
    pub typ: Option<String>,
    /// SHA-256 of `jti`, in hexadecimal.
    pub jti_hash: Option<String>,
    /// `iat`, seconds since the epoch.
    pub iat: Option<f64>,
    /// `exp`, seconds since the epoch.
    pub exp: Option<f64>,
}

/// Which table decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableSaid {
    /// Counted by the process that decided.
    pub generation: u64,
    /// SHA-256 of its meaning.
    pub sha256: String,
}

/// The line as it is written.
#[derive(Deserialize)]
struct Line {
    ts: String,
    decision_id: String,
    decision: String,
    reason: String,
    observed_reason: Option<String>,
    status: Option<u16>,
    principal: Option<Pair>,
    verified: Option<Pair>,
    claimed: Option<Names>,
    realm: Option<String>,
    actor: Option<ActorSaid>,
    issuer_name: Option<String>,
    block: Option<String>,
    resource: Option<String>,
    #[serde(default)]
    grants: Vec<String>,
    #[serde(default)]
    near_miss: Vec<Miss>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    shadow: Vec<String>,
    http: Option<Http>,
    source: Option<Source>,
    token: Option<TokenSaid>,
    table: Option<TableSaid>,
    trace_id: Option<String>,
    span_id: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    address: Option<String>,
}

/// Only what every version of the line has.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

/// Why a line is not a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRecord {
    /// No JSON object, or one that contradicts itself: torn, or of another program.
    Torn,
    /// An object of another schema.
    Foreign,
}

impl Record {
    /// Reads one line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, NoRecord> {
        let head: Head = serde_json::from_slice(line).map_err(|_| NoRecord::Torn)?;
        if head.schema.as_deref() != Some(SCHEMA) {
            return Err(NoRecord::Foreign);
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| NoRecord::Torn)?;
        let allowed = match line.decision.as_str() {
            "allow" => true,
            "deny" => false,
            _ => return Err(NoRecord::Torn),
        };
        let who = match (line.principal, line.verified, line.claimed) {
            (None, None, None) => Who::Nobody,
            (Some(pair), None, None) if allowed => Who::Principal(pair),
            (None, Some(pair), None) => Who::Verified(pair),
            (None, None, Some(names)) => Who::Claimed(names),
            // Nobody is two of them at once: whatever wrote this is not the log.
            _ => return Err(NoRecord::Torn),
        };
        Ok(Self {
            time: Time::from_rfc3339(&line.ts).ok_or(NoRecord::Torn)?,
            decision_id: line.decision_id,
            allowed,
            reason: line.reason,
            observed_reason: line.observed_reason,
            status: line.status,
            who,
            realm: line.realm,
            actor: line.actor,
            issuer_name: line.issuer_name,
            block: line.block,
            resource: line.resource,
            grants: line.grants,
            near_misses: line.near_miss,
            scopes: line.scopes,
            shadow: line.shadow,
            http: line.http,
            source: line.source.and_then(|source| source.address),
            token: line.token,
            table: line.table,
            trace: line.trace_id.map(|trace| (trace, line.span_id)),
        })
    }

    /// The refusal, where the line tells of one that this version knows; also one that was only observed.
    pub fn refusal(&self) -> Option<Reason> {
        let code = match (self.allowed, self.is_observed()) {
            (false, _) => &self.reason,
            (true, true) => self.observed_reason.as_ref()?,
            (true, false) => return None,
        };
        Reason::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Whether it was a refusal, and was let through only because it was being observed.
    pub fn is_observed(&self) -> bool {
        self.allowed && self.reason == Accepted::Observed.code()
    }

    /// Why it was let through, where the line tells it and this version knows it.
    pub fn accepted(&self) -> Option<Accepted> {
        Accepted::ALL.into_iter().find(|accepted| self.allowed && accepted.code() == self.reason)
    }

    /// The pair whose signature stood, whatever was decided.
    pub const fn pair(&self) -> Option<&Pair> {
        match &self.who {
            Who::Principal(pair) | Who::Verified(pair) => Some(pair),
            Who::Nobody | Who::Claimed(_) => None,
        }
    }

    /// The digest of the table that decided.
    pub fn digest(&self) -> Option<&str> {
        self.table.as_ref().map(|table| table.sha256.as_str())
    }
}

impl Who {
    /// The member of the line that names them.
    pub const fn standing(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Principal(_) => "principal",
            Self::Verified(_) => "verified",
            Self::Claimed(_) => "claimed",
        }
    }

    /// Both names, as far as there are any.
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::Nobody => (None, None),
            Self::Principal(pair) | Self::Verified(pair) => (Some(&pair.iss), Some(&pair.sub)),
            Self::Claimed(names) => (names.iss.as_deref(), names.sub.as_deref()),
        }
    }
}

/// On one line, standing first, so that a claim is never taken for a fact.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (iss, sub) = self.names();
        match self {
            Self::Nobody => f.write_str("nobody"),
            _ => write!(f, "{} iss {} sub {}", self.standing(), iss.unwrap_or("absent"), sub.unwrap_or("absent")),
        }
    }
}
