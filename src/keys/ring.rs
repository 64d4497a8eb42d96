//! The keys of one exact issuer, under its rules, found by name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::jwk::Jwk;
use super::set::KeySet;
use super::verify::VerifyKey;
use crate::name::{Algorithm, Issuer, KeyId, NonEmpty, Thumbprint};
use crate::reason::Reason;

/// What the table says about an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRules {
    /// `signingAlgs`, in the order of preference: a key without `alg` is bound to the first that fits it.
    pub algorithms: NonEmpty<Algorithm>,
    /// `pin.keys`: when written, no other key counts.
    pub pins: Option<NonEmpty<Thumbprint>>,
}

impl KeyRules {
    fn pins(&self, key: &Jwk) -> bool {
        self.pins.as_ref().is_none_or(|pins| pins.iter().any(|pin| *pin == key.thumbprint()))
    }

    fn bind(&self, key: &Jwk) -> Option<Algorithm> {
        self.algorithms.iter().copied().find(|algorithm| key.fits(*algorithm))
    }
}

/// The keys that may speak for one exact issuer. There is one ring per issuer and no map across issuers, so equal
/// `kid`s of two issuers cannot meet.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<VerifyKey>,
    not_pinned: Vec<Algorithm>,
    named: HashMap<KeyId, Named>,
    left_out: usize,
    set: Arc<KeySet>,
}

/// What a `kid` names.
#[derive(Debug, Clone, Copy)]
enum Named {
    Key(usize),
    NotPinned(Algorithm),
    /// Two keys, or one that the rules leave out: no key to verify with.
    Nothing,
}

/// Why no key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMiss {
    /// The issuer has no key at all at hand: none fetched yet, or past the time that the last good ones may serve.
    Unavailable,
    /// No key is named, the name is of two, the key is bound to another algorithm, or without a name not exactly
    /// one fits.
    Unknown,
    /// The key is published but not pinned.
    NotPinned,
}

impl KeyMiss {
    /// The reason to refuse with.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unavailable => Reason::KeysUnavailable,
            Self::Unknown => Reason::KeyUnknown,
            Self::NotPinned => Reason::KeyNotPinned,
        }
    }
}

impl KeyRing {
    /// A ring without keys: every look-up is [`KeyMiss::Unavailable`].
    pub fn empty() -> Self {
        Self::default()
    }

    /// The ring of an issuer whose name is not known here: keys that say whose they are stay out.
    pub fn build(set: Arc<KeySet>, rules: &KeyRules) -> Self {
        Self::build_for(None, set, rules)
    }

    /// The ring of `issuer`: its keys under `rules`. A key with an `issuer` member counts only where that is this
    /// one.
    pub fn build_for(issuer: Option<&Issuer>, set: Arc<KeySet>, rules: &KeyRules) -> Self {
        let mut ring = Self::empty();
        for key in set.keys().iter().filter(|key| key.speaks_for(issuer)) {
            let named = ring.take(key, rules);
            let Some(kid) = key.kid() else { continue };
            match ring.named.entry(kid.clone()) {
                Entry::Vacant(free) => drop(free.insert(named)),
                Entry::Occupied(mut taken) => drop(taken.insert(Named::Nothing)),
            }
        }
        ring.left_out = set.keys().len() - ring.keys.len() - ring.not_pinned.len();
        ring.set = set;
        ring
    }

    fn take(&mut self, key: &Jwk, rules: &KeyRules) -> Named {
        let Some(algorithm) = rules.bind(key) else { return Named::Nothing };
        if !rules.pins(key) {
            self.not_pinned.push(algorithm);
            return Named::NotPinned(algorithm);
        }
        let Some(parsed) = key.parsed(algorithm) else { return Named::Nothing };
        let thumbprint = key.thumbprint();
        self.keys.push(VerifyKey { kid: key.kid().cloned(), algorithm, thumbprint, key: parsed });
        Named::Key(self.keys.len() - 1)
    }

    /// The key that a token names. A `kid` matches exactly and no other key is tried; without one exactly one key
    /// must fit the algorithm. Constant time by `kid`, linear in the ring without.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&VerifyKey, KeyMiss> {
        if self.keys.is_empty() && self.not_pinned.is_empty() {
            return Err(KeyMiss::Unavailable);
        }
        let Some(kid) = kid else { return self.only(algorithm) };
        match self.named.get(kid) {
            Some(Named::Key(index)) => {
                self.keys.get(*index).filter(|key| key.algorithm == algorithm).ok_or(KeyMiss::Unknown)
            }
            Some(Named::NotPinned(bound)) if *bound == algorithm => Err(KeyMiss::NotPinned),
            Some(Named::NotPinned(_) | Named::Nothing) | None => Err(KeyMiss::Unknown),
        }
    }

    fn only(&self, algorithm: Algorithm) -> Result<&VerifyKey, KeyMiss> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(KeyMiss::Unknown),
            (None, _) => match self.not_pinned.iter().filter(|bound| **bound == algorithm).count() {
                1 => Err(KeyMiss::NotPinned),
                _ => Err(KeyMiss::Unknown),
            },
        }
    }

    /// The keys that verify, in the order of the set.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.keys
    }

    /// How many keys are published and would do, but are not pinned.
    pub const fn not_pinned(&self) -> usize {
        self.not_pinned.len()
    }

    /// How many usable keys of the set the rules leave out: another algorithm, or another issuer's.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// The set that the ring was built from.
    pub const fn set(&self) -> &Arc<KeySet> {
        &self.set
    }
}
