//! What tokens said whose signature stood, so that it need not be checked again.
//!
//! In: the text of a token, and what came of its verification. Out: a [`Testimony`] for the very same text. Only that
//! the signature of one key stood is remembered; that the key still counts, the times, and every rule of the table are
//! judged on each walk anew. It must never hold a token, and never what was not verified.

mod testimony;
mod token;

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::claims::Asked;

pub use testimony::{Testimony, TokenFacts};
pub use token::Token;

/// Bytes that an entry takes in the cache, besides the testimony.
const SLOT: usize = 96;

/// About how much a testimony weighs: by it the number of entries is estimated, which only sizes tables.
const TYPICAL: usize = 320;

/// SHA-256 of the whole text of a token, its signature included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of this text.
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// Nothing by which a token could be told: neither in a log nor elsewhere.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

impl std::hash::Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A fingerprint is hashed already. Whoever could choose it would have found tokens of a trusted issuer by their hash.
#[derive(Debug, Clone, Copy, Default)]
struct AsItIs(u64);

impl BuildHasher for AsItIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Fingerprint, Arc<Testimony>> for Weight {
    fn weight(&self, _: &Fingerprint, testimony: &Arc<Testimony>) -> u64 {
        u64::try_from(SLOT + testimony.weight()).unwrap_or(u64::MAX)
    }
}

/// The memory of verified tokens; bounded by the bytes that it takes. Of more tokens than fit, those that are seen again
/// and again stay, so that a flood of tokens that are each seen once drives nothing out.
pub struct Memory(Option<Cache<Fingerprint, Arc<Testimony>, Weight, AsItIs>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} tokens)", self.len())
    }
}

impl Memory {
    /// With room for about so many bytes; 0: nothing is remembered.
    pub fn new(bytes: usize) -> Self {
        if bytes == 0 {
            return Self(None);
        }
        let (entries, weight) = (bytes / (SLOT + TYPICAL), u64::try_from(bytes).unwrap_or(u64::MAX));
        let cache = Cache::with(entries.max(1), weight, Weight, AsItIs::default(), DefaultLifecycle::default());
        Self(Some(cache))
    }

    /// What the token with this fingerprint said, if it is remembered and what was kept of it is what is asked for now.
    pub fn recall(&self, token: &Fingerprint, asked: &Asked) -> Option<Arc<Testimony>> {
        self.0.as_ref()?.get(token).filter(|testimony| testimony.claims().asked().is(asked))
    }

    /// Remembers a testimony. One that no signature stands behind is not taken.
    pub fn learn(&self, token: Fingerprint, testimony: &Arc<Testimony>) {
        if let (Some(cache), Some(_)) = (&self.0, testimony.signed()) {
            cache.insert(token, Arc::clone(testimony));
        }
    }

    /// Whether anything can be remembered.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// How many tokens are remembered.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
