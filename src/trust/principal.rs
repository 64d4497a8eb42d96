//! The pair, and the caller behind it.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{NamedBy, TrustedIssuer};
use crate::claims::{Claims, trust_domain};
use crate::name::{Algorithm, Issuer, KeyId, Realm, Thumbprint};
use crate::reason::Reason;
use crate::trail::{Note, Trail};

/// Who calls: the pair (`iss`, `sub`) of RFC 7519, which alone names a principal; where entries of the table share one
/// `iss`, their realms are part of it. There is no way to ask for the subject by itself: what prints, logs or sends a
/// principal gets both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    issuer: Issuer,
    realm: Option<Realm>,
    subject: String,
}

impl Principal {
    /// The pair: issuer first.
    pub fn pair(&self) -> (&Issuer, &str) {
        (&self.issuer, &self.subject)
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
        pair.serialize_field("sub", &self.subject)?;
        pair.end()
    }
}

/// Which token it was: what log and metadata tell of it, never the token itself.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenFacts {
    /// `kid` as the header named it.
    pub key_id: Option<KeyId>,
    /// `alg` as the header named it; `None` where it is no algorithm that can be spelt here.
    pub algorithm: Option<Algorithm>,
    /// RFC 7638 thumbprint of the key that verified.
    pub key: Option<Thumbprint>,
    /// `typ`
    pub kind: Option<String>,
    /// `jti`, to be hashed before it is shown.
    pub token_id: Option<String>,
    /// `iat`
    pub issued_at: Option<f64>,
    /// `exp`
    pub expires: f64,
}

/// A token whose signature and times stood (`P` says what stands behind that), and whose issuer's conditions were
/// not looked at yet.
#[derive(Debug)]
pub struct Authentic<'s, P> {
    issuer: &'s TrustedIssuer,
    principal: Principal,
    claims: Claims,
    token: TokenFacts,
    proof: P,
}

impl<'s, P> Authentic<'s, P> {
    pub(super) fn new(issuer: &'s TrustedIssuer, claims: Claims, token: TokenFacts, proof: P) -> Self {
        let principal =
            Principal { issuer: issuer.issuer.clone(), realm: issuer.realm.clone(), subject: claims.subject.clone() };
        Self { issuer, principal, claims, token, proof }
    }

    /// The pair.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Which token it was.
    pub const fn token(&self) -> &TokenFacts {
        &self.token
    }

    /// Judges what holds for every token of the issuer that vouched, before any grant: its pins, and that the token is
    /// not bound to a key that nobody checked.
    ///
    /// # Errors
    /// [`Reason::PinMismatch`], [`Reason::ConfirmationRequired`].
    pub fn admit<T: Trail<Proof = P>>(self, trail: &mut T) -> Result<Verified<'s, P>, Reason> {
        if let NamedBy::TrustDomain { domain, .. } = &self.issuer.named_by {
            let inside = trust_domain(&self.claims.subject) == Some(domain.as_str());
            trail.check("trust domain", if inside { Ok(()) } else { Err(Reason::PinMismatch) }, || {
                Note::at(&self.issuer.site, format!("sub must be a SPIFFE ID of trust domain {domain}"))
            })?;
        }
        for pin in &self.issuer.pins {
            let holds = pin.holds(&self.claims.payload);
            trail.check("pin", if holds { Ok(()) } else { Err(Reason::PinMismatch) }, || {
                Note::at(&pin.site, format!("claim {} must be {}", pin.key, pin.matcher))
            })?;
        }
        let unbound = if self.claims.bound { Err(Reason::ConfirmationRequired) } else { Ok(()) };
        trail.check("confirmation", unbound, || Note::new("the token must not be bound to a key (`cnf`)"))?;
        Ok(Verified(self))
    }
}

/// A caller: the issuer is in the table, its own key verified the token, times and pins hold. Made only here.
#[derive(Debug)]
pub struct Verified<'s, P>(Authentic<'s, P>);

impl<'s, P> Verified<'s, P> {
    /// The pair.
    pub const fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The entry of the table that vouched.
    pub const fn issuer(&self) -> &'s TrustedIssuer {
        self.0.issuer
    }

    /// What the token says.
    pub const fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// Which token it was.
    pub const fn token(&self) -> &TokenFacts {
        &self.0.token
    }

    /// Gives up everything, proof included.
    pub fn into_parts(self) -> (Principal, Claims, TokenFacts, P) {
        (self.0.principal, self.0.claims, self.0.token, self.0.proof)
    }
}
