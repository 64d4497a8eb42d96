//! One entry of the table under `issuers:`, and how it judges a token that names it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::choose::Unsettled;
use super::principal::Authentic;
use super::{IssuerId, times};
use crate::claims::{Asked, BadClaim, ClaimRule, Claims};
use crate::clock::Time;
use crate::credential::Header;
use crate::keys::{LiveKeys, Signed};
use crate::memory::Token;
use crate::name::{Algorithm, Issuer, IssuerName, NonEmpty, Realm, Site, TrustDomain};
use crate::reason::Reason;
use crate::trail::{Note, Trail};

/// Who may vouch, and how that is verified.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// Its number in the snapshot.
    pub id: IssuerId,
    /// Its name in the table.
    pub name: IssuerName,
    /// Where it is written.
    pub site: Site,
    /// The first half of its principals: the exact `iss`, or `spiffe://TRUST-DOMAIN`.
    pub issuer: Issuer,
    /// What in a token names it.
    pub named_by: NamedBy,
    /// The realm of its principals, which tells it apart from another entry of the same name.
    pub realm: Option<Realm>,
    /// Its keys, and nobody else's.
    pub keys: Arc<LiveKeys>,
    /// Algorithms it may sign with.
    pub algorithms: NonEmpty<Algorithm>,
    /// Values of `typ` that its access tokens have.
    pub token_types: NonEmpty<TokenType>,
    /// How long its tokens may live.
    pub max_token_age: MaxTokenAge,
    /// How far its clock may be off, at most 300 s.
    pub clock_skew: Duration,
    /// Claims that each of its tokens must carry.
    pub pins: Vec<ClaimRule>,
    /// Claims that are kept of its tokens: those that the table asks for anywhere.
    pub asked: Asked,
    /// From here on nothing it says counts.
    pub expires: Option<Time>,
    /// Whether readiness waits for its keys.
    pub required: bool,
}

/// What in a token names an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedBy {
    /// `iss`, equal to the entry's `issuer` byte for byte.
    Issuer,
    /// The trust domain of `sub` (JWT-SVID §3).
    TrustDomain {
        /// In which every `sub` must lie.
        domain: TrustDomain,
        /// The one `iss` that its tokens may carry; without it they carry none.
        carried: Option<Issuer>,
    },
}

/// `maxTokenAge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTokenAge {
    /// `exp` − `iat` and now − `iat` are at most this.
    pub bound: Duration,
    /// Written out in the table: `iat` must be there.
    pub requires_issued_at: bool,
}

/// An allowed `typ` (RFC 7515 §4.1.9): lower case, without `application/`; empty for an absent one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenType(String);

impl TokenType {
    /// Lower-cases and drops a leading `application/`, as RFC 7515 §4.1.9 recommends to leave it out.
    pub fn new(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        Self(lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned))
    }

    /// Whether a token with this `typ` is of this type; only an absent one is the empty type.
    pub fn is(&self, kind: Option<&str>) -> bool {
        match kind {
            None => self.0.is_empty(),
            Some(text) => {
                const MEDIA_TYPE: &str = "application/";
                let start = text.get(..MEDIA_TYPE.len()).filter(|start| start.eq_ignore_ascii_case(MEDIA_TYPE));
                let kind = text.get(start.map_or(0, str::len)..).unwrap_or_default();
                !self.0.is_empty() && self.0.eq_ignore_ascii_case(kind)
            }
        }
    }

    /// The form that is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TrustedIssuer {
    /// Judges everything that makes a token this issuer's: its algorithm and type, the shape of its claims, its
    /// times, and the signature, by a key of this issuer alone. Where no key settles whose the token is, that is told in
    /// the place of the signature, and this entry stands in for all that comes before.
    ///
    /// # Errors
    /// The first reason that fails, in the order of the list in [`Reason`].
    pub(super) fn verify<T: Trail>(
        &self,
        token: Token<'_>,
        unsettled: Option<&Unsettled<'_>>,
        now: Time,
        trail: &mut T,
    ) -> Result<Authentic<'_, T::Proof>, Reason> {
        let alive = self.is_in_force(now);
        trail.check("issuer in force", if alive { Ok(()) } else { Err(Reason::IssuerExpired) }, || {
            let end = self.expires.map_or("without end".to_owned(), |end| format!("until {end}"));
            Note::at(&self.site, format!("issuer {:?} is trusted {end}", self.name))
        })?;
        let header = token.header();
        let algorithm = self.algorithm(&header);
        trail.check("algorithm", algorithm.map(|_| ()), || {
            let allowed = self.algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(" ");
            Note::at(&self.site, format!("alg is {:?}; signingAlgs: {allowed}", header.algorithm))
        })?;
        trail.check("type", self.kind(&header, token.is_event()), || {
            let allowed =
                self.token_types.iter().map(|kind| format!("{:?}", kind.as_str())).collect::<Vec<_>>().join(" ");
            let kind = header.kind().unwrap_or_default();
            Note::at(&self.site, format!("typ is {kind:?}; tokenTypes: {allowed}; and no `events` claim"))
        })?;
        let read = self.claims(token);
        let bad = read.as_ref().err().copied();
        let claims = trail.need("claims", read.map_err(|bad| bad.reason), |claims| match (claims, bad) {
            (Some(claims), _) => {
                Note::new(format!("registered claims have their types; sub is {:?}", claims.subject()))
            }
            (None, Some(bad)) => Note::new(bad.to_string()),
            (None, None) => Note::new("a registered claim cannot be read"),
        })?;
        trail.check("times", times::in_force(&claims, self.clock_skew, now), || {
            let end = Time::from_seconds(claims.expires);
            Note::at(&self.site, format!("now {now}, exp {end}, clockSkew {} s", self.clock_skew.as_secs()))
        })?;
        trail.check("age", times::age(&claims, self.max_token_age.bound, self.clock_skew, now), || {
            let bound = self.max_token_age.bound.as_secs();
            Note::at(&self.site, format!("maxTokenAge {bound} s, for exp - iat and for now - iat"))
        })?;
        if let Some(unsettled) = unsettled {
            return trail.need("realm", Err(unsettled.reason), |_: Option<&Authentic<'_, T::Proof>>| {
                Note::at(&self.site, unsettled.to_string())
            });
        }
        let signature = algorithm.and_then(|algorithm| self.signature(token, header.key_id(), algorithm, trail));
        let signed = signature.as_ref().ok().cloned();
        let proof = trail.proof(signature, || {
            if algorithm.is_err() {
                return Note::at(&self.site, "not checked: no key of this issuer is for such an algorithm");
            }
            let ring = self.keys.ring();
            let named = header.key_id().map_or("no kid".to_owned(), |kid| format!("kid {kid:?}"));
            let keys = format!("{} usable keys of issuer {:?}", ring.usable().count(), self.name);
            let text = match (&signed, header.key_id()) {
                (Some(signed), _) => format!("{named} is key {} of issuer {:?}", signed.key(), self.name),
                (None, Some(kid)) => format!("{named} {}; {keys}", ring.tell(kid)),
                (None, None) => format!("{named}, and not exactly one key fits; {keys}"),
            };
            Note::at(&self.site, text)
        })?;
        Ok(Authentic::new(self, token.testimony(claims, signed, &self.issuer), proof))
    }

    /// Whether the token is in order for this entry up to its signature.
    pub(super) fn would_take(&self, token: Token<'_>, now: Time) -> bool {
        let header = token.header();
        self.is_in_force(now)
            && self.algorithm(&header).is_ok()
            && self.kind(&header, token.is_event()).is_ok()
            && self.claims(token).is_ok_and(|claims| {
                times::in_force(&claims, self.clock_skew, now).is_ok()
                    && times::age(&claims, self.max_token_age.bound, self.clock_skew, now).is_ok()
            })
    }

    /// Whether it counts at this time.
    pub fn is_in_force(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// What the token says. A `maxTokenAge` that is written out can only be judged by `iat`.
    fn claims<'t>(&self, token: Token<'t>) -> Result<Cow<'t, Claims>, BadClaim> {
        let claims = token.claims(&self.asked)?;
        if self.max_token_age.requires_issued_at && claims.issued_at().is_none() {
            let wanted = "there, because the issuer's entry says `maxTokenAge`";
            return Err(BadClaim { claim: "iat", wanted, reason: Reason::ClaimsMalformed });
        }
        Ok(claims)
    }

    fn algorithm(&self, header: &Header<'_>) -> Result<Algorithm, Reason> {
        Algorithm::parse(&header.algorithm)
            .filter(|algorithm| self.algorithms.iter().any(|allowed| allowed == algorithm))
            .ok_or(Reason::AlgNotAllowed)
    }

    fn kind(&self, header: &Header<'_>, is_event: bool) -> Result<(), Reason> {
        let allowed = !is_event && self.token_types.iter().any(|allowed| allowed.is(header.kind()));
        if allowed { Ok(()) } else { Err(Reason::TypeNotAllowed) }
    }

    /// The signature, by the one key that the header names among this issuer's own.
    fn signature<T: Trail>(
        &self,
        token: Token<'_>,
        key_id: Option<&str>,
        algorithm: Algorithm,
        trail: &T,
    ) -> Result<Signed, Reason> {
        let ring = self.keys.ring();
        let key = ring.find(key_id, algorithm).map_err(|miss| miss.reason())?;
        trail.may_verify(token, &self.issuer)?;
        token.verify(key).map_err(|bad| {
            trail.bad_signature(token, &self.issuer);
            bad.reason()
        })
    }
}
