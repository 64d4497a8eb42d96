//! Who is refused although a grant would let them in.
//!
//! In: a token whose signature stood, and whose entry of the table vouched for it. Out: the block that stands against it,
//! if one does. It must know neither requests nor grants: a block stands wherever its caller goes, and nothing that is
//! given anywhere else takes it away.

mod index;
mod suspect;

use crate::clock::Time;
use crate::name::{BlockName, KeyId, Site, Thumbprint};

pub use index::Blocks;
pub use suspect::{Namesakes, Suspect};

/// One entry under `blocks:`. It stands against a token for which every condition that is written holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its name: for the decision log, never for the client.
    pub name: BlockName,
    /// Where it is written.
    pub site: Site,
    /// What must hold.
    pub conditions: Conditions,
    /// From here on it stands no more; without it, it stays.
    pub expires: Option<Time>,
    /// Why it is there, for people.
    pub reason: String,
}

/// What a block is about; what is `None` is not asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// The entry that vouched, by its name in the table or by its exact `iss`: a text that is both means both.
    pub issuer: Option<String>,
    /// The exact `sub` of the principal, or of anybody in the chain of those who act for it.
    pub subject: Option<String>,
    /// The key that verified.
    pub key: Option<BlockedKey>,
    /// SHA-256 of `jti`.
    pub token_id: Option<[u8; 32]>,
    /// `iat` lies before this, or is not there.
    pub issued_before: Option<Time>,
}

impl Conditions {
    /// Whether nothing is asked, so that a block would stand against everybody.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every condition that is written holds.
    fn hold(&self, suspect: &Suspect<'_>, namesakes: &dyn Namesakes) -> bool {
        let Self { issuer, subject, key, token_id, issued_before } = self;
        suspect.is_pair(issuer.as_deref(), subject.as_deref(), namesakes)
            && key.as_ref().is_none_or(|key| suspect.is_signed_by(key))
            && token_id.is_none_or(|id| suspect.token_id == Some(&id))
            && issued_before.is_none_or(|end| suspect.issued_at.is_none_or(|issued| issued < end.seconds()))
    }
}

/// The key that verified a signature. A text that could be a thumbprint and a name means both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedKey {
    /// By its RFC 7638 thumbprint, where the text is one.
    pub thumbprint: Option<Thumbprint>,
    /// By the name under which it is published.
    pub key_id: KeyId,
}

impl BlockedKey {
    /// `sha256:…` or its RFC 9278 URN, or a `kid`.
    pub fn new(text: &str) -> Self {
        Self { thumbprint: Thumbprint::parse(text), key_id: KeyId::new(text) }
    }
}

impl Block {
    /// Whether it counts at this time.
    pub fn is_in_force(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// Which blocks are in force, and since when.
#[derive(Debug)]
pub struct InForce {
    /// 1 for the first blocks that this process took, and one more for each after them.
    pub generation: u64,
    /// When they came into force.
    pub since: Time,
    /// The blocks.
    pub blocks: Blocks,
}

#[cfg(test)]
mod tests;
