//! The handle that a trust-table entry holds: always readable, written behind its back.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::ring::{KeyRing, KeyRules};
use super::set::KeySet;
use super::source::{KeyOrigin, KeySource};
use super::status::{FetchLog, Status};
use crate::name::Issuer;

/// Ends when a fetch has ended, well or not; whoever waits sets the bound.
pub type Landing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whoever can bring more keys: the writer, as far as a reader may know it.
pub trait Supply: fmt::Debug + Send + Sync {
    /// A token that is in order up to its signature names a key that is not here. Answers with something worth waiting
    /// for, or `None`: the budget is spent, the same key was asked for in vain a moment ago, or enough others wait.
    fn ask(&self, kid: &str) -> Option<Landing>;

    /// Something to wait for, if a fetch is under way already; never begins one.
    fn join(&self) -> Option<Landing>;
}

/// The current keys of one issuer under one set of rules. Reading never waits; a new set replaces the ring whole.
#[derive(Debug)]
pub struct LiveKeys {
    issuer: Option<Issuer>,
    rules: KeyRules,
    ring: ArcSwap<KeyRing>,
    log: Arc<FetchLog>,
    supply: Option<Arc<dyn Supply>>,
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
        Self::fed(None, rules, Arc::default(), None)
    }

    /// What an offline command has without fetching: the keys that stand in the table, else none.
    pub fn at_rest(issuer: &Issuer, origin: &KeyOrigin, rules: &KeyRules) -> Self {
        let keys = Self::fed(Some(issuer.clone()), rules, Arc::default(), None);
        if let KeySource::Inline(set) = &origin.source {
            keys.publish(Arc::clone(set));
        }
        keys
    }

    /// No keys yet; `log` is where the writer keeps what came of its fetches, `supply` how it is asked for more.
    pub fn fed(issuer: Option<Issuer>, rules: &KeyRules, log: Arc<FetchLog>, supply: Option<Arc<dyn Supply>>) -> Self {
        Self { issuer, rules: rules.clone(), ring: ArcSwap::from_pointee(KeyRing::empty()), log, supply }
    }

    /// The ring of this moment.
    pub fn ring(&self) -> Guard<Arc<KeyRing>> {
        self.ring.load()
    }

    /// What a caller may wait for whose token names a key that was not found: `None` where waiting cannot help. To be
    /// asked only for a token whose form, algorithm and times are in order, because it may cause one fetch of this
    /// issuer's own configured URL, within a budget.
    pub fn more(&self, kid: Option<&str>) -> Option<Landing> {
        let supply = self.supply.as_ref()?;
        let ring = self.ring();
        match kid {
            Some(kid) if !ring.names(kid) => supply.ask(kid),
            _ if ring.is_empty() => supply.join(),
            _ => None,
        }
    }

    /// Puts a new set in force, under this handle's rules.
    pub(crate) fn publish(&self, set: Arc<KeySet>) {
        self.ring.store(Arc::new(KeyRing::build_for(self.issuer.as_ref(), set, &self.rules)));
    }

    /// The exact issuer whose keys these are, where it is known.
    pub const fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// Takes all keys out of force: the last good ones are too old to be believed.
    pub(crate) fn withdraw(&self) {
        self.ring.store(Arc::new(KeyRing::withdrawn(&self.ring())));
    }

    /// The rules that the ring is built under.
    pub const fn rules(&self) -> &KeyRules {
        &self.rules
    }

    /// Whether at least one key verifies.
    pub fn is_ready(&self) -> bool {
        self.ring().usable().next().is_some()
    }

    /// The state of this moment, for metrics and readiness.
    pub fn status(&self) -> Status {
        let ring = self.ring();
        let usable = ring.usable().count();
        let ignored = ring.set().ignored().len() + ring.left_out() + (ring.keys().len() - usable);
        let mut status = self.log.status(self.supply.is_some(), usable, ignored, ring.quarantine().len());
        if usable == 0 && !ring.set().keys().is_empty() && status.last_error.is_none() {
            let published = ring.set().keys().len();
            status.last_error = Some(format!(
                "none of the {published} published keys counts under signingAlgs, pin.keys and their own names: every \
                 token of this issuer is refused"
            ));
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::FetchResult;
    use super::super::testing::{RSA, rules, set};
    use super::*;
    use crate::clock::Time;
    use crate::name::Algorithm;

    #[test]
    fn a_reader_keeps_its_ring_while_a_new_one_is_published() {
        let keys = LiveKeys::fixed(set(&[RSA[0].named("old")]), &rules(&[Algorithm::RS256]));
        let held = keys.ring();
        keys.publish(set(&[RSA[1].named("new")]));
        assert!(held.find(Some("old"), Algorithm::RS256).is_ok());
        assert!(keys.ring().find(Some("old"), Algorithm::RS256).is_err());
        assert!(keys.ring().find(Some("new"), Algorithm::RS256).is_ok());
        keys.withdraw();
        assert!(!keys.is_ready());
    }

    #[test]
    fn the_status_tells_usable_from_ignored_and_the_last_error_goes_with_success() {
        let log = Arc::new(FetchLog::default());
        let keys = LiveKeys::fed(None, &rules(&[Algorithm::RS256]), log.clone(), None);
        log.failed(FetchResult::Timeout, "too slow".to_owned());
        assert_eq!(keys.status().last_error.as_deref(), Some("too slow"));
        keys.publish(set(&[RSA[0].named("a"), json!({"kty": "oct"}), super::super::testing::Signer::ed().jwk()]));
        log.succeeded(Time::from_seconds(7.0));
        let status = keys.status();
        assert_eq!((status.usable, status.ignored, status.not_pinned), (1, 2, 0));
        assert_eq!((status.last_error, status.last_success), (None, Some(Time::from_seconds(7.0))));
        assert_eq!(status.fetches, [(FetchResult::Ok, 1), (FetchResult::Timeout, 1)]);
    }

    #[test]
    fn every_fetch_result_has_its_own_label() {
        let labels: std::collections::BTreeSet<_> = FetchResult::ALL.iter().map(|result| result.label()).collect();
        assert_eq!(labels.len(), FetchResult::ALL.len());
    }
}
