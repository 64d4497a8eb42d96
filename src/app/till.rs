//! Where tokens that may be used once are spent: in this process, or at a store that several share.

use super::Settings;
use crate::clock::Time;
use crate::observe::Metrics;
use crate::redis_store::{AccessError, Answering, RedisStore, StoreState};
use crate::replay::{Answered, Claim, Round, Store};
use crate::trail::Strict;

/// One or the other, for the life of the process.
#[derive(Debug)]
pub(super) enum Till {
    Embedded(Store),
    Shared(RedisStore),
}

impl Till {
    /// As the settings say.
    ///
    /// # Errors
    /// A file for the shared store that cannot be used.
    pub(super) async fn open(settings: &Settings, metrics: &mut Metrics) -> Result<Self, AccessError> {
        Ok(match settings.replay_store.clone() {
            None => Self::Embedded(Store::new(settings.replay_memory, settings.clock.beginning())),
            Some(access) => Self::Shared(RedisStore::start(access, settings.clock.clone(), metrics.share()).await?),
        })
    }

    /// A table came into force in which so many issuers have grants that spend.
    pub(super) fn share_among(&self, issuers: usize, now: Time) {
        if let Self::Embedded(store) = self {
            store.share_among(issuers, now);
        }
    }

    /// A walk that spends here, with what came of the claim of the one before.
    pub(super) fn open_to<'m>(&'m self, trail: Strict<'m>, answered: Option<Answered>) -> Strict<'m> {
        match self {
            Self::Embedded(store) => trail.spending(store),
            Self::Shared(_) => trail.spending_elsewhere(Round::with(answered)),
        }
    }

    /// Puts the claim of a walk to the store; `None` where there is nobody to ask.
    pub(super) fn ask(&self, claim: Claim) -> Option<Answering> {
        match self {
            Self::Embedded(_) => None,
            Self::Shared(store) => store.ask(claim),
        }
    }

    /// How many spent tokens this process remembers.
    pub(super) fn entries(&self, now: Time) -> usize {
        match self {
            Self::Embedded(store) => store.entries(now),
            Self::Shared(_) => 0,
        }
    }

    /// How the shared store is, if there is one.
    pub(super) fn state(&self) -> Option<StoreState> {
        match self {
            Self::Embedded(_) => None,
            Self::Shared(store) => Some(store.state()),
        }
    }
}
