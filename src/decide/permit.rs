//! The yes, and the no.

use std::sync::Arc;

use super::fit::NearMiss;
use super::grant::{Grant, Replay};
use crate::claims::Said;
use crate::json::{Json, is_exact};
use crate::memory::{Testimony, TokenFacts};
use crate::name::{GrantName, IssuerName, Scope};
use crate::reason::Reason;
use crate::resource::{Place, Resource};
use crate::trail::Trail;
use crate::trust::{Acting, Principal, TrustedIssuer, Verified};

/// A yes: who, for what, by which grants. Made only by [`decide`](super::decide), and with `P` it says what stands
/// behind the caller: only a permit with a real signature can be answered to Envoy.
#[derive(Debug)]
pub struct Permit<'s, P> {
    principal: Principal,
    issuer: &'s TrustedIssuer,
    testimony: Arc<Testimony>,
    resource: &'s Resource,
    grants: Vec<&'s Grant>,
    shadow: Vec<&'s Grant>,
    scopes: Vec<&'s Scope>,
    proof: P,
}

/// A no among the grants.
#[derive(Debug)]
pub struct Refusal<'s> {
    /// Why.
    pub reason: Reason,
    /// The enforcing grants in which the least differs, nearest first, at most three.
    pub near_misses: Vec<NearMiss<'s>>,
    /// Grants in `mode: shadow` that would have fitted.
    pub shadow: Vec<&'s Grant>,
}

/// The enforcing grants that fit, in the order of their names. One that asks for a first use comes in only with what stands
/// behind it: on the walk that decides, that is [`Spent`](crate::replay::Spent), which only a store makes.
#[derive(Debug)]
pub(super) struct Allowing<'s, T: Trail> {
    grants: Vec<&'s Grant>,
    _first_use: Option<T::FirstUse>,
}

impl<'s, T: Trail> Allowing<'s, T> {
    /// Those of `grants` that allow by this use; `None` if there is none. Without a first use, those that ask for one
    /// are left out.
    pub(super) fn of(grants: &[&'s Grant], first_use: Option<T::FirstUse>) -> Option<Self> {
        let fit = |grant: &&&Grant| first_use.is_some() || grant.replay == Replay::Allow;
        let grants: Vec<_> = grants.iter().filter(fit).copied().collect();
        (!grants.is_empty()).then_some(Self { grants, _first_use: first_use })
    }

    pub(super) fn grants(&self) -> &[&'s Grant] {
        &self.grants
    }
}

impl<'s, P> Permit<'s, P> {
    /// There is at least one grant that fits.
    pub(super) fn new<T: Trail<Proof = P>>(
        place: &Place<'s, '_>,
        caller: Verified<'s, P>,
        allowing: Allowing<'s, T>,
        shadow: Vec<&'s Grant>,
    ) -> Self {
        let grants = allowing.grants;
        let mut scopes: Vec<_> = grants.iter().flat_map(|grant| &grant.scopes).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let issuer = caller.issuer();
        let principal = caller.principal();
        let (testimony, proof) = caller.into_parts();
        Self { principal, issuer, testimony, resource: place.resource, grants, shadow, scopes, proof }
    }

    /// The pair.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who acts for the principal: an actor that the grants name.
    pub fn actor(&self) -> Option<Acting<'_>> {
        self.principal.acting()
    }

    /// The entry of the table that vouched.
    pub const fn issuer_name(&self) -> &'s IssuerName {
        &self.issuer.name
    }

    /// Which token it was.
    pub fn token(&self) -> TokenFacts<'_> {
        self.testimony.token()
    }

    /// What is accessed.
    pub const fn resource(&self) -> &'s Resource {
        self.resource
    }

    /// The grants that fit, in the order of their names.
    pub fn granted(&self) -> &[&'s Grant] {
        &self.grants
    }

    /// The names of the grants that fit, sorted.
    pub fn grants(&self) -> impl Iterator<Item = &'s GrantName> {
        self.grants.iter().map(|grant| &grant.name)
    }

    /// The names of the shadow grants that would have fitted, sorted.
    pub fn shadow(&self) -> &[&'s Grant] {
        &self.shadow
    }

    /// The audience that the first of the grants asked for.
    pub fn audience(&self) -> &'s str {
        self.grants.first().map_or(self.resource.audience.as_str(), |grant| grant.audience.as_str())
    }

    /// The union of the scopes, sorted.
    pub fn scopes(&self) -> &[&'s Scope] {
        &self.scopes
    }

    /// What leaves credence by `forwardClaims`: strings, numbers, booleans.
    pub fn forwarded(&self) -> Vec<(&'s str, Said<'_>)> {
        let mut forwarded: Vec<(&'s str, Said<'_>)> = Vec::new();
        for (name, key) in self.grants.iter().flat_map(|grant| &grant.forward_claims) {
            let known = forwarded.iter().any(|(other, _)| other == name);
            let value = self.testimony.claims().find(key).filter(|value| is_plain(*value));
            if let (false, Some(value)) = (known, value) {
                forwarded.push((name, value));
            }
        }
        forwarded
    }

    /// What stands behind the caller.
    pub const fn proof(&self) -> &P {
        &self.proof
    }
}

/// What can be handed on as it is: a scalar that says something. Numbers from 2^53 were rounded when they were read.
fn is_plain(value: Said<'_>) -> bool {
    match value {
        Said::Text(text) => !text.is_empty(),
        Said::Other(Json::Number(number)) => is_exact(*number),
        Said::Other(Json::Bool(_)) => true,
        Said::Other(_) => false,
    }
}
