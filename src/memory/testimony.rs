//! What one token said, and the key that it was said with.

use std::sync::Arc;

use crate::claims::Claims;
use crate::credential::{ClaimedIssuer, Header};
use crate::keys::Signed;
use crate::name::{Algorithm, Issuer, KeyId, Thumbprint};

/// What is kept of a token that was in order up to its signature; with the proof, where the signature stood.
#[derive(Debug)]
pub struct Testimony {
    issuer: Option<Issuer>,
    kind: Kind,
    signer: Signer,
    claims: Claims,
}

/// `typ`: nearly all tokens have one of two.
#[derive(Debug)]
enum Kind {
    None,
    Jwt,
    AccessToken,
    Other(Box<Box<str>>),
}

/// Whose signature it is.
#[derive(Debug)]
enum Signer {
    /// The key that verified; whether the header names it.
    Proven { by: Signed, named: bool },
    /// What the header says.
    Claimed(Box<(Option<KeyId>, Option<Algorithm>)>),
}

/// Which token it was: what log and metadata tell of it, never the token itself.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'t> {
    /// `kid` as the header named it.
    pub key_id: Option<&'t str>,
    /// `alg` as the header named it; `None` where it is no algorithm that can be spelt here.
    pub algorithm: Option<Algorithm>,
    /// RFC 7638 thumbprint of the key that verified.
    pub key: Option<Thumbprint>,
    /// `typ`
    pub kind: Option<&'t str>,
    /// SHA-256 of `jti`.
    pub token_id: Option<&'t [u8; 32]>,
    /// `iat`
    pub issued_at: Option<f64>,
    /// `exp`
    pub expires: f64,
}

impl Kind {
    fn new(kind: Option<&str>) -> Self {
        match kind {
            None => Self::None,
            Some("JWT") => Self::Jwt,
            Some("at+jwt") => Self::AccessToken,
            Some(other) => Self::Other(Box::new(other.into())),
        }
    }

    fn as_str(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Jwt => Some("JWT"),
            Self::AccessToken => Some("at+jwt"),
            Self::Other(kind) => Some(kind),
        }
    }
}

impl Testimony {
    /// Of a token that was in order up to its signature; `by` is the proof that the signature stood.
    pub(super) fn new(header: &Header<'_>, issuer: Option<Issuer>, claims: Claims, by: Option<Signed>) -> Self {
        let signer = match by {
            Some(by) => Signer::Proven { by, named: header.key_id.is_some() },
            None => {
                let key_id = header.key_id().map(KeyId::new);
                Signer::Claimed(Box::new((key_id, Algorithm::parse(&header.algorithm))))
            }
        };
        Self { issuer, kind: Kind::new(header.kind()), signer, claims }
    }

    /// `iss`
    pub(super) const fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// `iss`, or without it the trust domain of `sub`.
    pub fn claimed_issuer(&self) -> Option<ClaimedIssuer<'_>> {
        ClaimedIssuer::said(self.issuer.as_ref().map(Issuer::as_str), self.claims.subject())
    }

    /// The proof that its signature stood.
    pub const fn signed(&self) -> Option<&Signed> {
        match &self.signer {
            Signer::Proven { by, .. } => Some(by),
            Signer::Claimed(_) => None,
        }
    }

    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Which token it was.
    pub fn token(&self) -> TokenFacts<'_> {
        let (key_id, algorithm, key) = match &self.signer {
            Signer::Proven { by, named } => (by.key_id().filter(|_| *named), Some(by.algorithm()), Some(by.key())),
            Signer::Claimed(claimed) => (claimed.0.as_ref(), claimed.1, None),
        };
        TokenFacts {
            key_id: key_id.map(KeyId::as_str),
            algorithm,
            key,
            kind: self.kind.as_str(),
            token_id: self.claims.token_id(),
            issued_at: self.claims.issued_at(),
            expires: self.claims.expires,
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn weight(&self) -> usize {
        let kind = if let Kind::Other(text) = &self.kind { size_of::<Box<str>>() + text.len() } else { 0 };
        2 * size_of::<Arc<()>>() + size_of::<Self>() + kind + self.claims.weight()
    }
}
