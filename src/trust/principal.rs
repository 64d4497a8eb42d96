//! The pair, and the caller behind it.

use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{Acting, NamedBy, TrustedIssuer};
use crate::claims::{Claims, trust_domain};
use crate::memory::Testimony;
use crate::name::{Issuer, Realm};
use crate::reason::Reason;
use crate::trail::{Note, Trail};

/// Who calls: the pair (`iss`, `sub`) of RFC 7519, which alone names a principal; where entries of the table share one
/// `iss`, their realms are part of it. There is no way to ask for the subject by itself: what prints, logs or sends a
/// principal gets both.
#[derive(Debug, Clone)]
pub struct Principal {
    issuer: Issuer,
    realm: Option<Realm>,
    testimony: Arc<Testimony>,
}

impl Principal {
    /// The pair: issuer first.
    pub fn pair(&self) -> (&Issuer, &str) {
        (&self.issuer, self.testimony.claims().subject())
    }

    /// Who acts for it, as its issuer says (RFC 8693 §4.1).
    pub fn acting(&self) -> Option<Acting<'_>> {
        Acting::of(self.testimony.claims(), &self.issuer)
    }

    /// The realm of the issuer, where its entry has one.
    pub const fn realm(&self) -> Option<&Realm> {
        self.realm.as_ref()
    }
}

/// The pair alone; whoever tells of a principal tells the realm beside it.
impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_struct("Principal", 2)?;
        pair.serialize_field("iss", &self.issuer)?;
        pair.serialize_field("sub", self.testimony.claims().subject())?;
        pair.end()
    }
}

/// A token whose signature and times stood (`P` says what stands behind that), and whose issuer's conditions were
/// not looked at yet.
#[derive(Debug)]
pub struct Authentic<'s, P> {
    issuer: &'s TrustedIssuer,
    testimony: Arc<Testimony>,
    proof: P,
}

impl<'s, P> Authentic<'s, P> {
    pub(super) const fn new(issuer: &'s TrustedIssuer, testimony: Arc<Testimony>, proof: P) -> Self {
        Self { issuer, testimony, proof }
    }

    /// The pair.
    pub fn principal(&self) -> Principal {
        let (issuer, realm) = (self.issuer.issuer.clone(), self.issuer.realm.clone());
        Principal { issuer, realm, testimony: Arc::clone(&self.testimony) }
    }

    /// The entry of the table that vouched.
    pub const fn issuer(&self) -> &'s TrustedIssuer {
        self.issuer
    }

    /// What the token says, and which it was.
    pub const fn testimony(&self) -> &Arc<Testimony> {
        &self.testimony
    }

    /// Judges what holds for every token of the issuer that vouched, before any grant: its pins, and that the token is
    /// not bound to a key that nobody checked.
    ///
    /// # Errors
    /// [`Reason::PinMismatch`], [`Reason::ConfirmationRequired`].
    pub fn admit<T: Trail<Proof = P>>(self, trail: &mut T) -> Result<Verified<'s, P>, Reason> {
        if let NamedBy::TrustDomain { domain, .. } = &self.issuer.named_by {
            let inside = trust_domain(self.testimony.claims().subject()) == Some(domain.as_str());
            trail.check("trust domain", if inside { Ok(()) } else { Err(Reason::PinMismatch) }, || {
                Note::at(&self.issuer.site, format!("sub must be a SPIFFE ID of trust domain {domain}"))
            })?;
        }
        for pin in &self.issuer.pins {
            let holds = self.testimony.claims().hold(pin);
            trail.check("pin", if holds { Ok(()) } else { Err(Reason::PinMismatch) }, || {
                Note::at(&pin.site, format!("claim {} must be {}", pin.key, pin.matcher))
            })?;
        }
        let unbound = if self.testimony.claims().bound { Err(Reason::ConfirmationRequired) } else { Ok(()) };
        trail.check("confirmation", unbound, || Note::new("the token must not be bound to a key (`cnf`)"))?;
        Ok(Verified(self))
    }
}

/// A caller: the issuer is in the table, its own key verified the token, times and pins hold. Made only here.
#[derive(Debug)]
pub struct Verified<'s, P>(Authentic<'s, P>);

impl<'s, P> Verified<'s, P> {
    /// The pair.
    pub fn principal(&self) -> Principal {
        self.0.principal()
    }

    /// The entry of the table that vouched.
    pub const fn issuer(&self) -> &'s TrustedIssuer {
        self.0.issuer
    }

    /// Who acts for it, as its issuer says (RFC 8693 §4.1).
    pub fn acting(&self) -> Option<Acting<'_>> {
        Acting::of(self.claims(), &self.issuer().issuer)
    }

    /// What the token says.
    pub fn claims(&self) -> &Claims {
        self.0.testimony.claims()
    }

    /// Gives up everything, proof included.
    pub fn into_parts(self) -> (Arc<Testimony>, P) {
        (self.0.testimony, self.0.proof)
    }
}
