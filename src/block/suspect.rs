//! What of a token a block can be about.

use super::BlockedKey;
use crate::claims::{Actor, Claims, trust_domain};
use crate::credential::Header;
use crate::keys::VerifyKey;
use crate::memory::Token;
use crate::name::{Algorithm, Thumbprint};
use crate::trust::{Authentic, NamedBy, TrustedIssuer};

/// A token whose signature stood; or, where that is said, what one says of itself.
#[derive(Debug)]
pub struct Suspect<'t> {
    /// The name of the entry that vouched.
    pub(super) entry: &'t str,
    /// The first half of the principal.
    pub(super) issuer: &'t str,
    /// The `iss` that the token carries, where that is not the first half of its principal.
    pub(super) carried: Option<&'t str>,
    pub(super) subject: &'t str,
    /// Who acts, outermost first.
    pub(super) actor: Option<&'t Actor>,
    /// The key that verified; `None` where nobody checked.
    pub(super) key: Option<Thumbprint>,
    /// The name under which that key is published; where nobody checked, the one that the token gives it.
    pub(super) key_id: Option<&'t str>,
    /// SHA-256 of `jti`.
    pub(super) token_id: Option<&'t [u8; 32]>,
    /// `iat`
    pub(super) issued_at: Option<f64>,
}

/// Who of the table has which name: an actor may be of another issuer than the one that vouches for it.
pub trait Namesakes {
    /// Whether `iss` is that of the entry with this name.
    fn is_entry(&self, iss: &str, name: &str) -> bool;
}

impl<'t> Suspect<'t> {
    /// Of a caller whose pins were not looked at yet.
    pub fn new<P>(caller: &'t Authentic<'_, P>) -> Self {
        let (issuer, testimony) = (caller.issuer(), caller.testimony());
        let token = testimony.token();
        let claims = testimony.claims();
        let published = testimony.signed().and_then(|signed| signed.key_id()).map(|name| name.as_str());
        let carried = match &issuer.named_by {
            NamedBy::Issuer => None,
            NamedBy::TrustDomain { carried, .. } => carried.as_ref().map(|carried| carried.as_str()),
        };
        Self {
            entry: issuer.name.as_str(),
            issuer: issuer.issuer.as_str(),
            carried,
            subject: claims.subject(),
            actor: claims.actor(),
            key: token.key,
            key_id: published.or(token.key_id),
            token_id: token.token_id,
            issued_at: token.issued_at,
        }
    }

    /// Of a token whose signature did not stand: what it says of itself, were it of this entry, which may be in no table.
    /// Good for refusing alone.
    pub fn claimed(claims: &'t Claims, token: &Token<'t>, issuer: &'t str, entry: Option<&'t TrustedIssuer>) -> Self {
        let header = match token {
            Token::Read(read) => Some(&read.envelope().header),
            Token::Remembered(_) => None,
        };
        let key_id = header.and_then(Header::key_id).or(match token {
            Token::Read(_) => None,
            Token::Remembered(testimony) => testimony.token().key_id,
        });
        let algorithm = Algorithm::parse(&token.header().algorithm);
        let found = entry
            .zip(algorithm)
            .and_then(|(entry, algorithm)| entry.keys.ring().find(key_id, algorithm).ok().map(VerifyKey::thumbprint));
        let carried = match entry.map(|entry| &entry.named_by) {
            Some(NamedBy::TrustDomain { carried, .. }) => carried.as_ref().map(|carried| carried.as_str()),
            Some(NamedBy::Issuer) | None => None,
        };
        Self {
            entry: entry.map_or("", |entry| entry.name.as_str()),
            issuer: entry.map_or(issuer, |entry| entry.issuer.as_str()),
            carried,
            subject: claims.subject(),
            actor: claims.actor(),
            key: found,
            key_id,
            token_id: claims.token_id(),
            issued_at: claims.issued_at(),
        }
    }

    /// By what a block may call the entry that vouched.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &'t str> {
        [self.entry, self.issuer].into_iter().chain(self.carried)
    }

    /// Everybody who acts, outermost first.
    fn actors(&self) -> impl Iterator<Item = &'t Actor> {
        std::iter::successors(self.actor, |actor| actor.before.as_deref())
    }

    /// The principal's subject, then that of everybody who acts.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &'t str> {
        std::iter::once(self.subject).chain(self.actors().map(|actor| actor.subject.as_str()))
    }

    /// Whether somebody in it is this subject of this issuer. The entry that vouched stands for everybody whom its token
    /// names; besides, an actor is of the issuer that it is said to be of, and one with a SPIFFE ID of its trust domain.
    pub(super) fn is_pair(&self, issuer: Option<&str>, subject: Option<&str>, namesakes: &dyn Namesakes) -> bool {
        let vouched = issuer.is_none_or(|issuer| self.issuers().any(|own| own == issuer));
        let Some(subject) = subject else { return vouched };
        if vouched {
            return self.subjects().any(|one| one == subject);
        }
        let foreign = |actor: &Actor| {
            let Some(issuer) = issuer else { return false };
            let is = |iss: &str| iss == issuer || namesakes.is_entry(iss, issuer);
            let domain = trust_domain(&actor.subject).map(|domain| format!("spiffe://{domain}"));
            actor.issuer.as_deref().is_some_and(is) || domain.as_deref().is_some_and(is)
        };
        self.actors().any(|actor| actor.subject == subject && foreign(actor))
    }

    pub(super) fn is_signed_by(&self, key: &BlockedKey) -> bool {
        let thumbprint = key.thumbprint.is_some() && key.thumbprint == self.key;
        thumbprint || self.key_id == Some(key.key_id.as_str())
    }
}
