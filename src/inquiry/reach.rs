//! The blast radius: what an issuer, a key, a subject or the holder of a token can reach.

use super::Asked;
use super::line::{Line, of};
use crate::claims::trust_domain;
use crate::credential::ClaimedIssuer;
use crate::json::Json;
use crate::keys::KeySource;
use crate::name::Thumbprint;
use crate::table::Snapshot;
use crate::trust::{NamedBy, TrustedIssuer};

/// Of whom the question is.
#[derive(Debug)]
pub enum Whose<'a> {
    /// Whoever can make an issuer of this name sign.
    Issuer(&'a str),
    /// Whoever has the private half of this key.
    Key(Thumbprint),
    /// Tokens with this `sub`, of one issuer or of any.
    Subject(&'a str, Option<&'a str>),
    /// Whoever holds a token that says this. Nothing of it is verified.
    Token(&'a Json),
}

/// How an issuer comes by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// `pin.keys` names it.
    Pinned,
    /// The table itself holds it, and nothing pins another.
    Written,
}

/// What can be reached.
#[derive(Debug, Default)]
pub struct Reach<'s> {
    /// The exact issuers that the question leads to.
    pub issuers: Vec<&'s TrustedIssuer>,
    /// For a key: how each of them comes by it.
    pub holdings: Vec<Holding>,
    /// For a key: how many issuers pin none, so that any key they publish counts; they cannot be told from a table.
    pub unpinned: usize,
    /// What their grants allow, in the order of the grants.
    pub lines: Vec<Line<'s>>,
}

/// What is reached.
pub fn reach<'s>(table: Asked<'s>, whose: &Whose<'_>) -> Reach<'s> {
    let snapshot = table.snapshot;
    let mut reach = Reach::default();
    for issuer in snapshot.issuers.iter() {
        let meant = match whose {
            Whose::Issuer(name) => issuer.name.as_str() == *name,
            Whose::Key(key) => {
                let holding = holding(table, issuer, *key);
                reach.holdings.extend(holding);
                reach.unpinned += usize::from(holding.is_none() && is_open(table, issuer));
                holding.is_some()
            }
            Whose::Subject(subject, name) => {
                name.is_none_or(|name| issuer.name.as_str() == name) && may_say(issuer, subject)
            }
            Whose::Token(claims) => vouches(snapshot, issuer, claims),
        };
        if meant {
            reach.issuers.push(issuer);
        }
    }
    let lines = snapshot.grants.iter().flat_map(|grant| of(snapshot, grant));
    let meant: std::collections::HashSet<_> = reach.issuers.iter().map(|issuer| issuer.id).collect();
    reach.lines = lines.filter(|line| meant.contains(&line.issuer.id) && is_open_to(line, whose)).collect();
    reach
}

/// Whether the holder may fit the grant, as far as the question says who it is.
fn is_open_to(line: &Line<'_>, whose: &Whose<'_>) -> bool {
    let subject = |subject: &str| line.grant.subject.as_ref().is_none_or(|rule| rule.matches(subject));
    match whose {
        Whose::Issuer(_) | Whose::Key(_) => true,
        Whose::Subject(given, _) => subject(given),
        Whose::Token(claims) => {
            claims.get("sub").and_then(Json::as_str).is_some_and(subject)
                && line.grant.claims.iter().all(|rule| rule.matcher.holds(rule.key.find(claims)))
        }
    }
}

fn holding(table: Asked<'_>, issuer: &TrustedIssuer, key: Thumbprint) -> Option<Holding> {
    match &issuer.keys.rules().pins {
        Some(pins) => pins.iter().any(|pin| *pin == key).then_some(Holding::Pinned),
        None => {
            let origin = table.origins.get(&(issuer.name.clone(), issuer.issuer.clone()))?;
            let KeySource::Inline(set) = &origin.source else { return None };
            set.keys().iter().any(|known| known.thumbprint() == key).then_some(Holding::Written)
        }
    }
}

/// Whether the table does not tell the keys of an issuer.
fn is_open(table: Asked<'_>, issuer: &TrustedIssuer) -> bool {
    let origin = table.origins.get(&(issuer.name.clone(), issuer.issuer.clone()));
    issuer.keys.rules().pins.is_none() && !origin.is_some_and(|origin| matches!(origin.source, KeySource::Inline(_)))
}

/// An issuer of a trust domain speaks of nobody outside it.
fn may_say(issuer: &TrustedIssuer, subject: &str) -> bool {
    match &issuer.named_by {
        NamedBy::Issuer => true,
        NamedBy::TrustDomain { domain, .. } => trust_domain(subject) == Some(domain.as_str()),
    }
}

/// Whether a token that says this would be held against this issuer, and keeps its pins.
fn vouches(snapshot: &Snapshot, issuer: &TrustedIssuer, claims: &Json) -> bool {
    let Some(claimed) = ClaimedIssuer::of(claims) else { return false };
    snapshot.issuers.named(claimed).any(|named| named.id == issuer.id)
        && issuer.pins.iter().all(|pin| pin.matcher.holds(pin.key.find(claims)))
}
