//! Who acts for the principal, as the token's issuer says it.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::claims::{Actor, Claims};
use crate::name::Issuer;

/// An acting party (RFC 8693 §4.1 `act`): a pair, like a principal, and whose word it is. Nobody but the token's issuer
/// vouches for it; what it names as the actor's issuer has signed nothing.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'t> {
    actor: &'t Actor,
    asserted_by: &'t Issuer,
}

impl<'t> Acting<'t> {
    /// The outermost acting party that these claims name; `issuer` is the first half of the principal.
    pub(crate) fn of(claims: &'t Claims, issuer: &'t Issuer) -> Option<Self> {
        Some(Self { actor: claims.actor()?, asserted_by: issuer })
    }

    /// `act.iss` and `act.sub`; without `act.iss` the token's issuer speaks of a subject of its own.
    pub fn pair(&self) -> (&'t str, &'t str) {
        (self.actor.issuer.as_deref().unwrap_or(self.asserted_by.as_str()), &self.actor.subject)
    }

    /// The token's issuer.
    pub const fn asserted_by(&self) -> &'t Issuer {
        self.asserted_by
    }

    /// Whether it is a subject of the issuer that vouches for the token. Byte equality, as everywhere.
    pub fn is_of_the_same_issuer(&self) -> bool {
        self.pair().0 == self.asserted_by.as_str()
    }

    /// Who acted before, latest first: `act.iss`, where it is there, and `act.sub`. History for the log, never authority.
    pub fn before(&self) -> impl Iterator<Item = (Option<&'t str>, &'t str)> + use<'t> {
        let next = |actor: &&'t Actor| actor.before.as_deref();
        let earlier = std::iter::successors(self.actor.before.as_deref(), next);
        earlier.map(|actor| (actor.issuer.as_deref(), actor.subject.as_str()))
    }

    /// How many parties the chain has, this one counted.
    pub fn depth(&self) -> usize {
        1 + self.before().count()
    }
}

/// The pair and whose word it is.
impl Serialize for Acting<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (issuer, subject) = self.pair();
        let mut members = serializer.serialize_struct("Acting", 3)?;
        members.serialize_field("iss", issuer)?;
        members.serialize_field("sub", subject)?;
        members.serialize_field("asserted_by", self.asserted_by)?;
        members.end()
    }
}
