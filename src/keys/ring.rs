//! The keys of one exact issuer, under its rules, found by name.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

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
    /// `maxStale`: how long the last good keys may serve while no new ones come; without it 24 hours.
    pub max_stale: Option<Duration>,
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
    quarantine: Vec<Quarantined>,
    /// Sorted by name: a set is small, and there are as many rings as issuers.
    named: Box<[(KeyId, Named)]>,
    left_out: usize,
    set: Arc<KeySet>,
    /// Keys that verified until they grew too old.
    withdrawn: Vec<Thumbprint>,
}

/// A published key that would do, and is ignored because it is not pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its name in the set.
    pub kid: Option<KeyId>,
    /// What `pin.keys` would have to say.
    pub thumbprint: Thumbprint,
    /// The algorithm that it would be bound to.
    pub algorithm: Algorithm,
}

/// What a `kid` names.
#[derive(Debug, Clone, Copy)]
enum Named {
    Key(usize),
    NotPinned(Algorithm),
    /// More than one key, so none of them.
    Several,
    /// One that the rules leave out.
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

    /// The same after `before` grew too old: no key verifies any more, but whose they were is not forgotten.
    pub fn withdrawn(before: &Self) -> Self {
        let known = before.keys.iter().map(VerifyKey::thumbprint).chain(before.withdrawn.iter().copied());
        Self { withdrawn: known.collect(), ..Self::default() }
    }

    /// Whether this key is one of the ring's, or was until the ring was withdrawn.
    pub fn owns(&self, key: Thumbprint) -> bool {
        self.keys.iter().map(VerifyKey::thumbprint).chain(self.withdrawn.iter().copied()).any(|own| own == key)
    }

    /// The ring of an issuer whose name is not known here: keys that say whose they are stay out.
    pub fn build(set: Arc<KeySet>, rules: &KeyRules) -> Self {
        Self::build_for(None, set, rules)
    }

    /// The ring of `issuer`: its keys under `rules`. A key with an `issuer` member counts only where that is this
    /// one.
    pub fn build_for(issuer: Option<&Issuer>, set: Arc<KeySet>, rules: &KeyRules) -> Self {
        let mut ring = Self::empty();
        // A key that is listed twice is one key.
        let mut seen = HashSet::new();
        let mut all: BTreeMap<&KeyId, Named> = BTreeMap::new();
        let listed = set.keys().iter().filter(|key| key.speaks_for(issuer));
        for key in listed.filter(|key| seen.insert((key.kid(), key.thumbprint()))) {
            let named = ring.take(key, rules);
            let Some(kid) = key.kid() else { continue };
            all.entry(kid).and_modify(|taken| *taken = Named::Several).or_insert(named);
        }
        ring.named = all.into_iter().map(|(kid, named)| (kid.clone(), named)).collect();
        ring.keys.shrink_to_fit();
        ring.left_out = set.keys().len() - ring.keys.len() - ring.quarantine.len();
        ring.set = set;
        ring
    }

    fn take(&mut self, key: &Jwk, rules: &KeyRules) -> Named {
        let Some(algorithm) = rules.bind(key) else { return Named::Nothing };
        if !rules.pins(key) {
            self.quarantine.push(Quarantined { kid: key.kid().cloned(), thumbprint: key.thumbprint(), algorithm });
            return Named::NotPinned(algorithm);
        }
        let Some(bound) = VerifyKey::bind(key, algorithm) else { return Named::Nothing };
        self.keys.push(bound);
        Named::Key(self.keys.len() - 1)
    }

    /// The key that a token names. A `kid` matches exactly and no other key is tried; without one exactly one key
    /// must fit the algorithm. Logarithmic by `kid`, linear in the ring without.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&VerifyKey, KeyMiss> {
        if self.is_empty() {
            return Err(KeyMiss::Unavailable);
        }
        let Some(kid) = kid else { return self.only(algorithm) };
        match self.named(kid) {
            Some(Named::Key(index)) => {
                self.keys.get(*index).filter(|key| key.algorithm() == algorithm).ok_or(KeyMiss::Unknown)
            }
            Some(Named::NotPinned(bound)) if *bound == algorithm => Err(KeyMiss::NotPinned),
            Some(Named::NotPinned(_) | Named::Several | Named::Nothing) | None => Err(KeyMiss::Unknown),
        }
    }

    fn named(&self, kid: &str) -> Option<&Named> {
        let at = self.named.binary_search_by(|(known, _)| known.as_str().cmp(kid)).ok()?;
        self.named.get(at).map(|(_, named)| named)
    }

    fn only(&self, algorithm: Algorithm) -> Result<&VerifyKey, KeyMiss> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm() == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(KeyMiss::Unknown),
            (None, _) => match self.quarantine.iter().filter(|key| key.algorithm == algorithm).count() {
                1 => Err(KeyMiss::NotPinned),
                _ => Err(KeyMiss::Unknown),
            },
        }
    }

    /// The keys that verify, in the order of the set.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.keys
    }

    /// Those of them that a token can name: a name of several keys names none.
    pub fn usable(&self) -> impl Iterator<Item = &VerifyKey> {
        let shared = |kid: &KeyId| matches!(self.named(kid.as_str()), Some(Named::Several));
        self.keys.iter().filter(move |key| !key.kid().is_some_and(shared))
    }

    /// What became of the key of this name, for people: to be read after the name.
    pub fn tell(&self, kid: &str) -> &'static str {
        let published = || self.set.keys().iter().any(|key| key.kid().is_some_and(|name| name.as_str() == kid));
        match self.named(kid) {
            Some(Named::Several) => "is the name of several published keys, so it names none",
            Some(Named::Key(_)) => "is a key of this issuer",
            Some(Named::NotPinned(_)) => "is published, but not pinned (pin.keys)",
            Some(Named::Nothing) => "is published, but for none of signingAlgs",
            None if published() => "is published, but its own issuer member says that it is another issuer's",
            None => "is not published by this issuer",
        }
    }

    /// The names that several keys have, sorted.
    pub fn ambiguous(&self) -> BTreeSet<&KeyId> {
        self.named.iter().filter(|(_, named)| matches!(named, Named::Several)).map(|(kid, _)| kid).collect()
    }

    /// The keys that are published and would do, but are not pinned.
    pub fn quarantine(&self) -> &[Quarantined] {
        &self.quarantine
    }

    /// Whether a key of the set has this name, whatever becomes of it.
    pub fn names(&self, kid: &str) -> bool {
        self.named(kid).is_some()
    }

    /// Whether there is no key at all, pinned or not.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.quarantine.is_empty()
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{RSA, Signer, any_rules, rules, set, with};
    use super::*;

    fn ring(keys: &[Value]) -> KeyRing {
        KeyRing::build(set(keys), &any_rules())
    }

    fn pinned(keys: &[Value], pin: Thumbprint) -> KeyRing {
        KeyRing::build(set(keys), &KeyRules { pins: Some(NonEmpty::of(pin)), ..any_rules() })
    }

    fn miss(ring: &KeyRing, kid: Option<&str>, algorithm: Algorithm) -> KeyMiss {
        ring.find(kid, algorithm).expect_err("no key should be found")
    }

    #[test]
    fn a_kid_matches_exactly_and_no_other_key_is_tried() {
        let ring = ring(&[Signer::ec("P-256").named("key-1")]);
        assert!(ring.find(Some("key-1"), Algorithm::ES256).is_ok());
        for kid in ["", "KEY-1", "key-1 ", "key-1\0", "key", "key-11", "../key-1"] {
            assert_eq!(miss(&ring, Some(kid), Algorithm::ES256), KeyMiss::Unknown, "{kid:?}");
        }
    }

    #[test]
    fn a_key_is_bound_to_one_algorithm() {
        let bare = KeyRing::build(set(&[RSA[0].named("k")]), &rules(&[Algorithm::PS256, Algorithm::RS256]));
        assert!(bare.find(Some("k"), Algorithm::PS256).is_ok());
        assert_eq!(miss(&bare, Some("k"), Algorithm::RS256), KeyMiss::Unknown);

        let declared = with(RSA[0].named("k"), json!({"alg": "RS256"}));
        let declared = KeyRing::build(set(&[declared]), &rules(&[Algorithm::PS256, Algorithm::RS256]));
        assert!(declared.find(Some("k"), Algorithm::RS256).is_ok());
        assert_eq!(miss(&declared, Some("k"), Algorithm::PS256), KeyMiss::Unknown);
    }

    #[test]
    fn a_key_for_an_algorithm_outside_the_rules_is_left_out() {
        let keys = [with(RSA[0].named("a"), json!({"alg": "RS512"})), Signer::ec("P-256").named("b")];
        let ring = KeyRing::build(set(&keys), &rules(&[Algorithm::ES256]));
        assert_eq!(miss(&ring, Some("a"), Algorithm::RS512), KeyMiss::Unknown);
        assert_eq!((ring.keys().len(), ring.left_out()), (1, 1));
    }

    #[test]
    fn a_kid_that_names_two_keys_names_none() {
        let (a, b, c) = (Signer::ec("P-256"), Signer::ed(), RSA[0].named("other"));
        let ring = ring(&[a.named("k"), b.named("k"), c]);
        assert_eq!(miss(&ring, Some("k"), Algorithm::ES256), KeyMiss::Unknown);
        assert_eq!(miss(&ring, Some("k"), Algorithm::EdDSA), KeyMiss::Unknown);
        assert!(ring.find(Some("other"), Algorithm::RS256).is_ok());
    }

    #[test]
    fn a_key_that_is_listed_twice_is_one_key() {
        let (a, other) = (Signer::ec("P-256"), Signer::ec("P-256"));
        let ring = ring(&[a.named("k"), a.named("k")]);
        assert!(ring.find(Some("k"), Algorithm::ES256).is_ok());
        assert_eq!((ring.usable().count(), ring.ambiguous().len()), (1, 0));
        let torn = KeyRing::build(set(&[a.named("k"), other.named("k")]), &any_rules());
        assert_eq!(miss(&torn, Some("k"), Algorithm::ES256), KeyMiss::Unknown);
        assert_eq!((torn.usable().count(), torn.ambiguous().len()), (0, 1));
    }

    #[test]
    fn a_pinned_key_does_not_lend_its_kid_to_an_unpinned_one() {
        let keys = [RSA[0].named("k"), RSA[1].named("k")];
        for key in set(&keys).keys() {
            assert_eq!(miss(&pinned(&keys, key.thumbprint()), Some("k"), Algorithm::RS256), KeyMiss::Unknown);
        }
    }

    #[test]
    fn without_kid_exactly_one_key_must_fit() {
        let (a, b, ed) = (Signer::ec("P-256"), Signer::ec("P-256"), Signer::ed());
        let ring = ring(&[a.named("a"), b.named("b"), ed.jwk()]);
        assert!(ring.find(None, Algorithm::EdDSA).is_ok());
        assert_eq!(miss(&ring, None, Algorithm::ES256), KeyMiss::Unknown);
        assert_eq!(miss(&ring, None, Algorithm::RS256), KeyMiss::Unknown);
        assert_eq!(miss(&ring, Some(""), Algorithm::EdDSA), KeyMiss::Unknown);
    }

    #[test]
    fn a_published_key_that_is_not_pinned_is_said_to_be_so() {
        let keys = [RSA[0].named("a"), RSA[1].named("b"), Signer::ed().jwk()];
        let pin = set(&keys).keys()[0].thumbprint();
        let ring = pinned(&keys, pin);
        assert_eq!(ring.find(Some("a"), Algorithm::RS256).unwrap().thumbprint(), pin);
        assert_eq!(miss(&ring, Some("b"), Algorithm::RS256), KeyMiss::NotPinned);
        assert_eq!(miss(&ring, Some("b"), Algorithm::PS256), KeyMiss::Unknown);
        assert_eq!(miss(&ring, Some("c"), Algorithm::RS256), KeyMiss::Unknown);
        assert_eq!(ring.find(None, Algorithm::RS256).unwrap().thumbprint(), pin);
        assert_eq!(miss(&ring, None, Algorithm::EdDSA), KeyMiss::NotPinned);
        assert_eq!(ring.quarantine().len(), 2);
    }

    #[test]
    fn keys_are_unavailable_only_while_there_is_none_at_all() {
        let empty = KeyRing::empty();
        assert_eq!(miss(&empty, Some("a"), Algorithm::RS256), KeyMiss::Unavailable);
        assert_eq!(miss(&empty, None, Algorithm::RS256), KeyMiss::Unavailable);
        assert_eq!(miss(&ring(&[json!({"kty": "oct", "k": "AA"})]), None, Algorithm::RS256), KeyMiss::Unavailable);
        let unpinned = pinned(&[RSA[0].named("a")], Thumbprint::new([7; 32]));
        assert_eq!(miss(&unpinned, Some("a"), Algorithm::RS256), KeyMiss::NotPinned);
        assert_eq!(miss(&unpinned, Some("b"), Algorithm::RS256), KeyMiss::Unknown);
        assert_eq!(KeyMiss::Unavailable.reason(), Reason::KeysUnavailable);
        assert_eq!(KeyMiss::Unknown.reason(), Reason::KeyUnknown);
        assert_eq!(KeyMiss::NotPinned.reason(), Reason::KeyNotPinned);
    }

    #[test]
    fn a_key_that_names_an_issuer_speaks_for_no_other() {
        let keys = [with(RSA[0].named("k"), json!({"issuer": "https://a.test"}))];
        let of = |issuer: Option<&str>| {
            KeyRing::build_for(issuer.map(Issuer::new).as_ref(), set(&keys), &any_rules()).keys().len()
        };
        assert_eq!(of(Some("https://a.test")), 1);
        assert_eq!(of(Some("https://a.test/")), 0);
        assert_eq!(of(Some("https://b.test")), 0);
        assert_eq!(of(None), 0);
    }
}
