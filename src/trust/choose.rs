//! Whose token it is, where entries of the table share one name: clusters with one default `iss`. A key tells.

use std::fmt;

use super::TrustedIssuer;
use super::principal::Authentic;
use crate::clock::Time;
use crate::keys::{KeyMiss, VerifyKey};
use crate::memory::Token;
use crate::name::Algorithm;
use crate::reason::Reason;
use crate::trail::Trail;

/// The entry that a token names.
#[derive(Debug)]
pub struct Found<'s> {
    /// The entry; where that is not settled, one of those that share the name: the first that would take the token, had
    /// it the key, if any would.
    pub issuer: &'s TrustedIssuer,
    /// Why no key settles which of several entries it is.
    pub unsettled: Option<Unsettled<'s>>,
    /// Others that may turn out to have the key that the token names.
    rivals: Vec<&'s TrustedIssuer>,
}

/// No key settles whose a token is.
#[derive(Debug)]
pub struct Unsettled<'s> {
    /// What the caller is refused with.
    pub reason: Reason,
    /// The entries that share the name.
    pub among: Vec<&'s TrustedIssuer>,
    why: &'static str,
}

impl fmt::Display for Unsettled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.among.iter().map(|issuer| issuer.name.as_str()).collect();
        write!(f, "issuers {} share this `iss`, and {}", names.join(", "), self.why)
    }
}

impl<'s> Found<'s> {
    /// The entry that no other shares its name with: nothing to choose.
    pub const fn only(issuer: &'s TrustedIssuer) -> Self {
        Self { issuer, unsettled: None, rivals: Vec::new() }
    }

    /// The entry whose own keys hold the key that the token names. Where several do, it is the one whose key verifies;
    /// a key that two of them publish speaks for neither. `None` where there is no candidate at all.
    pub fn among<T: Trail>(candidates: Vec<&'s TrustedIssuer>, token: Token<'_>, now: Time, trail: &T) -> Option<Self> {
        match by_key(&candidates, token, now, trail) {
            Ok(issuer) => {
                // A name that another entry will use for a new key of its own is of two keys then.
                let header = token.header();
                let lacks = |other: &&&'s TrustedIssuer| {
                    other.id != issuer.id && header.key_id().is_some_and(|kid| !other.keys.ring().names(kid))
                };
                let rivals = candidates.iter().filter(lacks).copied().collect();
                Some(Self { rivals, ..Self::only(issuer) })
            }
            Err((reason, why)) => {
                let rivals: Vec<_> =
                    candidates.iter().filter(|issuer| issuer.would_take(token, now)).copied().collect();
                let in_force = candidates.iter().find(|issuer| issuer.is_in_force(now));
                // What one entry does not allow must not hide that another has a key on its way.
                let issuer = rivals.first().or(in_force).or(candidates.first()).copied()?;
                Some(Self { issuer, unsettled: Some(Unsettled { reason, among: candidates, why }), rivals })
            }
        }
    }

    /// The entry of this name, as an offline command assumes it; without one of that name no key would fit.
    pub fn assumed(candidates: Vec<&'s TrustedIssuer>, signer: &str) -> Option<Self> {
        let first = *candidates.first()?;
        Some(match candidates.iter().find(|issuer| issuer.name.as_str() == signer) {
            Some(issuer) => Self::only(issuer),
            None => {
                let why = "the one that is said to have signed is none of them";
                let unsettled = Unsettled { reason: Reason::KeyUnknown, among: candidates, why };
                Self { unsettled: Some(unsettled), ..Self::only(first) }
            }
        })
    }

    /// The entries whose keys are worth asking for, where the token was not verified.
    pub fn candidates(&self) -> Vec<&'s TrustedIssuer> {
        let own = self.settled().into_iter();
        own.chain(self.rivals.iter().copied()).collect()
    }

    /// The entry, where it is settled.
    pub const fn settled(&self) -> Option<&'s TrustedIssuer> {
        if self.unsettled.is_none() { Some(self.issuer) } else { None }
    }

    /// Judges everything that makes the token this entry's: algorithm and type, the shape of its claims, its times, and
    /// the signature, by a key of this entry alone.
    ///
    /// # Errors
    /// The first reason that fails, in the order of the list in [`Reason`].
    pub fn verify<T: Trail>(
        &self,
        token: Token<'_>,
        now: Time,
        trail: &mut T,
    ) -> Result<Authentic<'s, T::Proof>, Reason> {
        self.issuer.verify(token, self.unsettled.as_ref(), now, trail)
    }
}

/// The one candidate that the signature speaks for, or why there is none.
fn by_key<'s, T: Trail>(
    candidates: &[&'s TrustedIssuer],
    token: Token<'_>,
    now: Time,
    trail: &T,
) -> Result<&'s TrustedIssuer, (Reason, &'static str)> {
    const UNKNOWN: (Reason, &str) = (Reason::KeyUnknown, "none of them has the key that the token names");
    let header = token.header();
    let Some(algorithm) = Algorithm::parse(&header.algorithm) else { return Err(UNKNOWN) };
    let mut holders: Vec<(&'s TrustedIssuer, VerifyKey)> = Vec::new();
    let mut misses = Vec::new();
    for issuer in candidates {
        match issuer.keys.ring().find(header.key_id(), algorithm) {
            Ok(key) => holders.push((issuer, key.clone())),
            // One that has ended keeps nobody waiting for keys.
            Err(KeyMiss::Unavailable) if !issuer.is_in_force(now) => {}
            Err(miss) => misses.push(miss),
        }
    }
    if let [(holder, _), _, ..] = holders.as_slice() {
        let (name, why) = (&holder.issuer, "the signature is by no key of theirs");
        trail.may_verify(token, name).map_err(|reason| (reason, why))?;
        let tried = holders.len();
        holders.retain(|(_, key)| token.verify(key).is_ok());
        if holders.is_empty() {
            // Each key was work.
            (0..tried).for_each(|_| trail.bad_signature(token, name));
            return Err((Reason::SignatureInvalid, why));
        }
    }
    match (holders.as_slice(), misses.as_slice()) {
        ([(issuer, key)], _) if !is_shared(candidates, issuer, key) => Ok(issuer),
        ([], misses) if misses.contains(&KeyMiss::Unavailable) => {
            Err((Reason::KeysUnavailable, "one of them has no keys at hand, which may be the ones"))
        }
        ([], misses) if misses.contains(&KeyMiss::NotPinned) => {
            Err((Reason::KeyNotPinned, "the key that the token names is published but not pinned"))
        }
        ([], _) => Err(UNKNOWN),
        _ => Err((Reason::KeyUnknown, "the key is published by more than one of them, so it speaks for none")),
    }
}

/// Whether another candidate publishes the same key, under whatever name.
fn is_shared(candidates: &[&TrustedIssuer], owner: &TrustedIssuer, key: &VerifyKey) -> bool {
    candidates.iter().filter(|other| other.id != owner.id).any(|other| {
        // Also where it has no keys at the moment: an outage of one makes its key no more the other's.
        other.keys.ring().owns(key.thumbprint())
    })
}
