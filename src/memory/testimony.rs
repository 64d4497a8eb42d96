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
    signer: Signer,
    claims: Claims,
}

/// Whose signature it is, and what else the header says.
#[derive(Debug)]
enum Signer {
    /// The key that verified; whether the header names it; `typ`.
    Proven { by: Signed, named: bool, kind: Kind },
    /// The same where `typ` is one of its own.
    Odd(Box<(Signed, bool, Box<str>)>),
    /// What the header says.
    Claimed(Box<Claimed>),
}

/// What the header of a token says that nobody vouches for.
#[derive(Debug)]
struct Claimed {
    key_id: Option<KeyId>,
    algorithm: Option<Algorithm>,
    kind: Option<Box<str>>,
}

/// `typ`: nearly all tokens have one of two, or none.
#[derive(Debug, Clone, Copy)]
enum Kind {
    None,
    Jwt,
    AccessToken,
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
    /// `None` for one of its own.
    fn new(kind: Option<&str>) -> Option<Self> {
        match kind {
            None => Some(Self::None),
            Some("JWT") => Some(Self::Jwt),
            Some("at+jwt") => Some(Self::AccessToken),
            Some(_) => None,
        }
    }

    const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Jwt => Some("JWT"),
            Self::AccessToken => Some("at+jwt"),
        }
    }
}

impl Testimony {
    /// Of a token that was in order up to its signature; `by` is the proof that the signature stood.
    pub(super) fn new(header: &Header<'_>, issuer: Option<Issuer>, claims: Claims, by: Option<Signed>) -> Self {
        let (key_id, kind) = (header.key_id(), header.kind());
        let signer = match (by, Kind::new(kind)) {
            (Some(by), Some(kind)) => Signer::Proven { by, named: key_id.is_some(), kind },
            (Some(by), None) => Signer::Odd(Box::new((by, key_id.is_some(), kind.unwrap_or_default().into()))),
            (None, _) => {
                let (key_id, kind) = (key_id.map(KeyId::new), kind.map(Box::from));
                Signer::Claimed(Box::new(Claimed { key_id, algorithm: Algorithm::parse(&header.algorithm), kind }))
            }
        };
        Self { issuer, signer, claims }
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
            Signer::Odd(odd) => Some(&odd.0),
            Signer::Claimed(_) => None,
        }
    }

    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Which token it was.
    pub fn token(&self) -> TokenFacts<'_> {
        let (by, named, kind) = match &self.signer {
            Signer::Proven { by, named, kind } => (by, *named, kind.as_str()),
            Signer::Odd(odd) => (&odd.0, odd.1, Some(&*odd.2)),
            Signer::Claimed(said) => {
                return self.facts(said.key_id.as_ref(), said.algorithm, None, said.kind.as_deref());
            }
        };
        self.facts(by.key_id().filter(|_| named), Some(by.algorithm()), Some(by.key()), kind)
    }

    fn facts<'t>(
        &'t self,
        key_id: Option<&'t KeyId>,
        algorithm: Option<Algorithm>,
        key: Option<Thumbprint>,
        kind: Option<&'t str>,
    ) -> TokenFacts<'t> {
        TokenFacts {
            key_id: key_id.map(KeyId::as_str),
            algorithm,
            key,
            kind,
            token_id: self.claims.token_id(),
            issued_at: self.claims.issued_at(),
            expires: self.claims.expires,
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn weight(&self) -> usize {
        let odd = if let Signer::Odd(odd) = &self.signer { size_of_val(&**odd) + odd.2.len() } else { 0 };
        2 * size_of::<Arc<()>>() + size_of::<Self>() + odd + self.claims.weight()
    }
}
