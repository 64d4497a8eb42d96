//! The walk itself.

use std::sync::Arc;

use super::observed::{Observed, may_be_blocked, unfound_may_be_blocked, unread_may_be_blocked};
use crate::block::{Block, Blocks, Suspect};
use crate::clock::Time;
use crate::credential::{Claimed, Parts, Unverified, locate};
use crate::decide::{Grant, NearMiss, Permit, decide};
use crate::memory::{Testimony, Token, TokenFacts};
use crate::name::KeyId;
use crate::reason::{Accepted, Reason};
use crate::request::AuthzRequest;
use crate::resource::{Opened, RequestPath, Resource};
use crate::table::Snapshot;
use crate::trail::{Note, Trail};
use crate::trust::{Authentic, Found, Principal, TrustedIssuer};

/// By what a call is judged: one state of each, to its end.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'s> {
    /// Who may.
    pub table: &'s Snapshot,
    /// Who may not, whatever the table says.
    pub blocks: &'s Blocks,
}

impl<'s> Rules<'s> {
    /// Of a table alone, where nobody is blocked.
    pub fn without_blocks(table: &'s Snapshot) -> Self {
        Self { table, blocks: Blocks::none() }
    }
}

/// How a walk ended.
#[derive(Debug)]
pub enum Outcome<'s, P> {
    /// A grant allows it.
    Allowed(Permit<'s, P>),
    /// The place is open to all; nothing was verified.
    Open(Opened<'s>),
    /// No; but its resource only observes, so it goes on without identity.
    Observed(Observed<'s>),
    /// No.
    Refused(Reason),
}

impl<P> Outcome<'_, P> {
    /// `ok`, `anonymous`, `observed`, or the reason of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Allowed(_) => Accepted::Ok.code(),
            Self::Open(_) => Accepted::Anonymous.code(),
            Self::Observed(_) => Accepted::Observed.code(),
            Self::Refused(reason) => reason.code(),
        }
    }

    /// Why it is refused, or would be if its resource did more than observe.
    pub const fn refusal(&self) -> Option<Reason> {
        match self {
            Self::Allowed(_) | Self::Open(_) => None,
            Self::Observed(observed) => Some(observed.refusal()),
            Self::Refused(reason) => Some(*reason),
        }
    }
}

/// What was learnt on the way, whatever the outcome: for the log, the metadata and the metrics.
#[derive(Debug, Default)]
pub struct Facts<'s> {
    /// Where the request goes.
    pub resource: Option<&'s Resource>,
    /// The entry that the token's `iss` named, and a key where entries share it.
    pub issuer: Option<&'s TrustedIssuer>,
    /// Where the token was not verified: the entries of which one may have vouched, had it the key.
    pub candidates: Vec<&'s TrustedIssuer>,
    /// What the token merely said, where it was not verified.
    pub claimed: Option<Claimed>,
    /// Where the token was not verified, the name of the key that it asks for, whole: what is told of it is cut.
    pub key_id: Option<KeyId>,
    /// Who called, once the signature stood (on a recorded walk: once it was assumed).
    pub verified: Option<Principal>,
    /// What the token says, once the signature stood.
    pub testimony: Option<Arc<Testimony>>,
    /// Whether the token was remembered: its signature stood before, by the key that it then was.
    pub remembered: bool,
    /// The block that stands against the caller. Its name is for the log, never for the client.
    pub block: Option<&'s Block>,
    /// The signature did not stand, and by what the token says a block may stand against its caller; looked at only where
    /// the resource observes.
    pub may_be_blocked: bool,
    /// The grants that came near, nearest first.
    pub near_misses: Vec<NearMiss<'s>>,
    /// Shadow grants that would have allowed it.
    pub shadow: Vec<&'s Grant>,
}

impl<'s> Facts<'s> {
    /// Which token it was, once the signature stood.
    pub fn token(&self) -> Option<TokenFacts<'_>> {
        self.testimony.as_ref().map(|testimony| testimony.token())
    }

    /// The entry that vouched: only once the signature stood.
    pub fn vouching_issuer(&self) -> Option<&'s TrustedIssuer> {
        self.verified.as_ref().and(self.issuer)
    }
}

/// A finished walk.
#[derive(Debug)]
pub struct Walk<'s, P> {
    /// How it ended.
    pub outcome: Outcome<'s, P>,
    /// What was learnt.
    pub facts: Facts<'s>,
}

/// Walks the corridor.
pub fn walk<'s, T: Trail>(
    rules: Rules<'s>,
    request: &AuthzRequest<'_>,
    now: Time,
    trail: &mut T,
) -> Walk<'s, T::Proof> {
    let mut facts = Facts::default();
    let outcome = corridor(rules, request, now, trail, &mut facts).unwrap_or_else(Outcome::Refused);
    let observed = trail.passed_over().or(outcome.refusal()).and_then(|refusal| Observed::of(refusal, &facts, now));
    Walk { outcome: observed.map_or(outcome, Outcome::Observed), facts }
}

fn corridor<'s, T: Trail>(
    rules @ Rules { table: snapshot, blocks }: Rules<'s>,
    request: &AuthzRequest<'_>,
    now: Time,
    trail: &mut T,
    facts: &mut Facts<'s>,
) -> Result<Outcome<'s, T::Proof>, Reason> {
    trail.check("request", request.well_formed(), || {
        Note::new("one method, path and authority, not too many headers")
    })?;
    let read = RequestPath::read(request.path());
    let path = trail.need("path", read.map_err(|_| Reason::PathNotNormalized), |_| path_note(read))?;
    let place = trail.need("resource", snapshot.resources.find(request, path), |place| match place {
        Some(place) => Note::at(
            &place.resource.site,
            format!("{}{} is resource {}", request.host, path.as_str(), place.resource.name),
        ),
        None => Note::new(format!("no resource has host {:?} and path {:?}", request.host, path.as_str())),
    })?;
    facts.resource = Some(place.resource);
    trail.check("encoded slash", place.slashes_are_clear(), || {
        Note::at(&place.resource.site, "`%2F` in the path only where the resource says `encodedSlash: segment`")
    })?;
    if let Some(open) = place.anonymous(request, now) {
        trail.check("anonymous", Ok(()), || {
            Note::at(&open.entry().site, format!("open to all: {}", open.entry().reason))
        })?;
        return Ok(Outcome::Open(open));
    }

    let observes = place.resource.observing(now).is_some();
    let text = trail.need("credential", locate(request, &place.resource.credential), |_| {
        Note::at(&place.resource.site, "one bearer token in the place that the resource names")
    });
    let text = text.inspect_err(|_| {
        facts.may_be_blocked = observes && unfound_may_be_blocked(rules, request, &place.resource.credential, now);
    })?;
    let known = trail.recall(text, &snapshot.asked);
    facts.remembered = known.is_some();
    let (mut parts, read);
    let token = match &known {
        Some(testimony) => Token::Remembered(testimony),
        None => {
            parts = Parts::default();
            read = unverified(text, &mut parts, trail).inspect_err(|_| {
                facts.may_be_blocked = observes && unread_may_be_blocked(rules, text, now);
            })?;
            Token::Read(&read)
        }
    };
    let authentic = authenticate(snapshot, token, now, trail, facts).inspect_err(|_| {
        facts.claimed = Some(token.claimed());
        facts.key_id = token.header().key_id().map(KeyId::new);
        facts.may_be_blocked = observes && may_be_blocked(rules, token, now);
    })?;
    facts.verified = Some(authentic.principal());
    facts.testimony = Some(Arc::clone(authentic.testimony()));
    facts.block = blocks.against(&Suspect::new(&authentic), now, &snapshot.issuers);
    let blocked = if facts.block.is_some() { Err(Reason::Blocked) } else { Ok(()) };
    trail.check("block", blocked, || block_note(blocks, facts.block, authentic.testimony()))?;
    let caller = authentic.admit(trail)?;
    if let (None, Some(testimony)) = (&known, &facts.testimony) {
        trail.learn(testimony);
    }

    match decide(&snapshot.grants, &place, request, caller, now, trail) {
        Ok(permit) => {
            facts.shadow = permit.shadow().to_vec();
            Ok(Outcome::Allowed(permit))
        }
        Err(refusal) => {
            facts.near_misses = refusal.near_misses;
            facts.shadow = refusal.shadow;
            Err(refusal.reason)
        }
    }
}

/// Reads the text of a token.
fn unverified<'t, T: Trail>(text: &'t str, parts: &'t mut Parts, trail: &mut T) -> Result<Unverified<'t>, Reason> {
    let read = Unverified::read(text, parts);
    let fault = read.as_ref().err().cloned();
    trail.need("token", read.map_err(Reason::from), |_| match fault {
        Some(fault) => Note::new(fault.to_string()),
        None => Note::new("a compact JWS that reads in exactly one way"),
    })
}

/// Finds the entry that the token names, and asks it.
fn authenticate<'s, T: Trail>(
    snapshot: &'s Snapshot,
    token: Token<'_>,
    now: Time,
    trail: &mut T,
    facts: &mut Facts<'s>,
) -> Result<Authentic<'s, T::Proof>, Reason> {
    let found = snapshot.issuers.find(token, now, trail);
    let found = trail.need("issuer", found, |found| issuer_note(token, found))?;
    facts.issuer = found.settled();
    found.verify(token, now, trail).inspect_err(|_| facts.candidates = found.candidates())
}

fn issuer_note(token: Token<'_>, found: Option<&Found<'_>>) -> Note {
    let claimed = token.claimed_issuer().map(|claimed| claimed.to_string());
    let claimed = claimed.unwrap_or_else(|| "neither iss nor a SPIFFE ID as sub".to_owned());
    match found {
        None => Note::new(format!("no issuer of the table has {claimed}")),
        Some(Found { unsettled: Some(unsettled), .. }) => {
            let names: Vec<_> = unsettled.among.iter().map(|issuer| issuer.name.as_str()).collect();
            Note::new(format!("{claimed} is shared by issuers {}", names.join(", ")))
        }
        Some(Found { issuer, .. }) => {
            let realm = issuer.realm.as_ref().map(|realm| format!(", realm {realm}")).unwrap_or_default();
            Note::at(&issuer.site, format!("{claimed} is issuer {}{realm}", issuer.name))
        }
    }
}

fn block_note(blocks: &Blocks, block: Option<&Block>, testimony: &Testimony) -> Note {
    match block {
        Some(block) => Note::at(&block.site, format!("block {} stands against it: {}", block.name, block.reason)),
        None if blocks.is_empty() => Note::new("nobody is blocked"),
        None => {
            let unproven = "; which key verified was not looked at, only the `kid` that the token names";
            let unproven = if testimony.signed().is_some() { "" } else { unproven };
            Note::new(format!("none of {} blocks stands against it{unproven}", blocks.len()))
        }
    }
}

fn path_note(read: Result<RequestPath<'_>, crate::resource::PathFault>) -> Note {
    Note::new(match read {
        Ok(path) => format!("{:?} means one thing to every reader", path.as_str()),
        Err(fault) => fault.to_string(),
    })
}
