//! A token on its way through the walk: read just now, or remembered.

use std::borrow::Cow;
use std::sync::Arc;

use super::Testimony;
use crate::claims::{Asked, BadClaim, Claims};
use crate::credential::{Claimed, ClaimedIssuer, Header, Unverified};
use crate::keys::{SignatureInvalid, Signed, VerifyKey};
use crate::name::Issuer;

/// A token that has to be judged. One that is remembered is judged by the same rules: only that its signature stands by
/// one certain key need not be worked out again.
#[derive(Debug, Clone, Copy)]
pub enum Token<'t> {
    /// Read from its text.
    Read(&'t Unverified<'t>),
    /// The very same text was verified before.
    Remembered(&'t Arc<Testimony>),
}

impl<'t> Token<'t> {
    /// `iss`, or without it the trust domain of `sub`: only to look up entries of the table by byte equality.
    pub fn claimed_issuer(&self) -> Option<ClaimedIssuer<'t>> {
        match self {
            Self::Read(token) => token.claimed_issuer(),
            Self::Remembered(testimony) => testimony.claimed_issuer(),
        }
    }

    /// What the token says of itself, cut short, for log and metadata.
    pub fn claimed(&self) -> Claimed {
        let testimony = match self {
            Self::Read(token) => return token.claimed(),
            Self::Remembered(testimony) => testimony,
        };
        let header = self.header();
        let subject = testimony.claims().subject();
        Claimed::cut(testimony.issuer().map(Issuer::as_str), Some(subject), header.key_id(), Some(&header.algorithm))
    }

    /// The JOSE header.
    pub(crate) fn header(&self) -> Cow<'t, Header<'t>> {
        match self {
            Self::Read(token) => Cow::Borrowed(&token.envelope().header),
            Self::Remembered(testimony) => {
                let token = testimony.token();
                Cow::Owned(Header {
                    algorithm: Cow::Borrowed(token.algorithm.map_or("", |algorithm| algorithm.as_str())),
                    key_id: token.key_id.map(Cow::Borrowed),
                    kind: token.kind.map(Cow::Borrowed),
                })
            }
        }
    }

    /// Whether it is a Security Event Token (RFC 8417 §2.2), whatever its `typ` says. Such a one is never remembered.
    pub(crate) fn is_event(&self) -> bool {
        matches!(self, Self::Read(token) if token.payload().get("events").is_some())
    }

    /// What it says, of which only what is `asked` for is kept besides the registered claims.
    pub(crate) fn claims(&self, asked: &Asked) -> Result<Cow<'t, Claims>, BadClaim> {
        match self {
            Self::Read(token) => Claims::read(token.payload(), asked).map(Cow::Owned),
            Self::Remembered(testimony) => Ok(Cow::Borrowed(testimony.claims())),
        }
    }

    /// Whether the signature is by this key.
    pub(crate) fn verify(&self, key: &VerifyKey) -> Result<Signed, SignatureInvalid> {
        match self {
            Self::Read(token) => key.verify(token.envelope().signing_input, &token.envelope().signature),
            Self::Remembered(testimony) => key.verify_again(testimony.signed().ok_or(SignatureInvalid)?),
        }
    }

    /// What is left of it when everything was judged: with the proof, if the signature stood.
    pub(crate) fn testimony(&self, claims: Cow<'t, Claims>, by: Option<Signed>, issuer: &Issuer) -> Arc<Testimony> {
        let token = match self {
            Self::Read(token) => token,
            Self::Remembered(testimony) => return Arc::clone(testimony),
        };
        let issuer = match token.claimed_issuer() {
            // One text for all tokens of the issuer.
            Some(ClaimedIssuer::Issuer(text)) if text == issuer.as_str() => Some(issuer.clone()),
            Some(ClaimedIssuer::Issuer(text)) => Some(Issuer::new(text)),
            Some(ClaimedIssuer::TrustDomain(_)) | None => None,
        };
        Arc::new(Testimony::new(&token.envelope().header, issuer, claims.into_owned(), by))
    }
}
