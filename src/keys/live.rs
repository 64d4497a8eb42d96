//! The handle that a trust-table entry holds: always readable, written behind its back.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::ring::{KeyRing, KeyRules};
use super::set::KeySet;
use super::status::{FetchLog, Status};
use crate::name::Issuer;

/// The current keys of one issuer under one set of rules. Reading never waits; a new set replaces the ring whole.
#[derive(Debug)]
pub struct LiveKeys {
    issuer: Option<Issuer>,
    rules: KeyRules,
    ring: ArcSwap<KeyRing>,
    log: Arc<FetchLog>,
}

impl LiveKeys {
    /// Keys that never change: those written in the table, or given to an offline command.
    pub fn fixed(set: Arc<KeySet>, rules: &KeyRules) -> Self {
        let keys = Self::unfetched(rules);
        keys.publish(set);
        keys
    }

    /// No keys yet: every look-up is `keys_unavailable`.
    pub fn unfetched(rules: &KeyRules) -> Self {
        Self::fed(None, rules, Arc::default())
    }

    /// No keys yet; `log` is where the writer keeps what came of its fetches.
    pub fn fed(issuer: Option<Issuer>, rules: &KeyRules, log: Arc<FetchLog>) -> Self {
        Self { issuer, rules: rules.clone(), ring: ArcSwap::from_pointee(KeyRing::empty()), log }
    }

    /// The ring of this moment.
    pub fn ring(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// Puts a new set in force, under this handle's rules.
    pub fn publish(&self, set: Arc<KeySet>) {
        self.ring.store(Arc::new(KeyRing::build_for(self.issuer.as_ref(), set, &self.rules)));
    }

    /// Takes all keys out of force: the last good ones are too old to be believed.
    pub fn withdraw(&self) {
        self.ring.store(Arc::new(KeyRing::empty()));
    }

    /// The rules that the ring is built under.
    pub const fn rules(&self) -> &KeyRules {
        &self.rules
    }

    /// Whether at least one key verifies.
    pub fn is_ready(&self) -> bool {
        !self.ring().keys().is_empty()
    }

    /// The state of this moment, for metrics and readiness.
    pub fn status(&self) -> Status {
        let ring = self.ring();
        let ignored = ring.set().ignored().len() + ring.left_out();
        self.log.status(ring.keys().len(), ignored, ring.not_pinned())
    }
}
