//! A connection over which every use since a time is known.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, ServerErrorKind, pipe};
use tokio::sync::Notify;

use super::address::StoreAddress;
use super::contact::{KEPT, fresh_name, greet};
use super::greeting::Greeting;
use super::pace::{ahead, too_far_ahead};
use super::part::Part;
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::replay::Claim;

/// What is only there while nothing was forgotten.
#[derive(Debug)]
pub(super) struct Marker {
    pub(super) key: String,
    pub(super) name: String,
    /// The key under which the time of its beginning is.
    pub(super) begun: String,
    /// That time.
    pub(super) text: String,
}

/// A connection and what is known of the store behind it.
pub(super) struct Session {
    connection: MultiplexedConnection,
    life: String,
    evicted: String,
    marker: Marker,
    /// By the store's clock.
    pub(super) since: f64,
    pub(super) warning: Option<String>,
    /// So many seconds at least the store's clock is before ours: the bits of an `f64`.
    ahead: AtomicU64,
    /// Something gave reason to look at once.
    suspicion: Notify,
    part: Part,
    address: StoreAddress,
    clock: Clock,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("address", &self.address).field("since", &self.since).finish_non_exhaustive()
    }
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The store is there, but not what it knew.
    Forgotten,
    Trouble(Trouble),
}

/// Has a look taken when it is dropped, unless all went well.
struct Unless<'s>(Option<&'s Notify>);

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        if let Some(suspicion) = self.0 {
            suspicion.notify_one();
        }
    }
}

impl Session {
    pub(super) fn new(
        connection: MultiplexedConnection,
        greeting: Greeting,
        marker: Marker,
        since: f64,
        ahead: f64,
        (part, address, clock): (Part, StoreAddress, Clock),
    ) -> Self {
        let Greeting { life, evicted, warning } = greeting;
        let (ahead, suspicion) = (AtomicU64::new(ahead.to_bits()), Notify::new());
        Self { connection, life, evicted, marker, since, warning, ahead, suspicion, part, address, clock }
    }

    /// Whether this is the first use; `None` if nobody knows. The marker is read after the key was set, so that if it stands, the
    /// key was not set in a store that has forgotten.
    pub(super) async fn spend(&self, claim: &Claim) -> Option<bool> {
        if !claim.is_known_since(self.since, f64::from_bits(self.ahead.load(Ordering::Relaxed))) {
            return None;
        }
        let mut spending = pipe();
        let key = self.part.key(&claim.key());
        spending.cmd("SET").arg(key).arg("").arg("NX").arg("PX").arg(claim.milliseconds());
        spending.cmd("GET").arg(&self.marker.key);
        let mut unless = Unless(Some(&self.suspicion));
        let said: RedisResult<(Option<String>, Option<String>)> =
            spending.query_async(&mut self.connection.clone()).await;
        let (set, marker) = said.ok()?;
        if marker.as_ref() != Some(&self.marker.name) {
            return None;
        }
        let first = match set.as_deref() {
            Some("OK") => true,
            None => false,
            // Whatever this is, no key was set that anybody promised to keep.
            Some(_) => return None,
        };
        unless.0 = None;
        Some(first)
    }

    /// Waits for the end: a look is taken every `beat`, and when something gives reason to.
    pub(super) async fn ended(&self, beat: Duration) -> Ended {
        loop {
            // Woken or not, a look is taken now.
            let _ = tokio::time::timeout(beat, self.suspicion.notified()).await;
            match self.look().await {
                Ok(true) => {}
                Ok(false) => return Ended::Forgotten,
                Err(trouble) => return Ended::Trouble(trouble),
            }
        }
    }

    /// Whether the life of the store goes on. Writes too, so that a store that takes no writes is noticed before a call does.
    async fn look(&self) -> Result<bool, Trouble> {
        let mut connection = self.connection.clone();
        let greeting = match greet(&mut connection, self.part).await {
            Ok(greeting) => greeting?,
            Err(error) if is(&error, ServerErrorKind::Moved) => return Ok(false),
            Err(error) => {
                if is(&error, ServerErrorKind::Ask) {
                    self.spoil().await;
                }
                return Err(Trouble::of(&error, &self.address));
            }
        };
        let mut looking = pipe();
        looking.cmd("TIME");
        // Never the marker itself: it may be another's by now.
        looking.cmd("SET").arg(&self.marker.begun).arg(&self.marker.text).arg("PX").arg(KEPT).ignore();
        looking.cmd("PEXPIRE").arg(&self.marker.key).arg(KEPT).ignore();
        looking.cmd("GET").arg(&self.marker.key);
        let said: RedisResult<((u64, u32), Option<String>)> = looking.query_async(&mut connection).await;
        let (time, marker) = said.map_err(|error| Trouble::of(&error, &self.address))?;
        let ahead = ahead(time, self.clock.now());
        self.ahead.store(ahead.to_bits(), Ordering::Relaxed);
        too_far_ahead(ahead)?;
        Ok(marker.as_ref() == Some(&self.marker.name) && greeting.life == self.life && greeting.evicted == self.evicted)
    }

    /// The slot is on its way to another node, and some of its keys are there already. Should it stay in the end, without
    /// them, then nothing of before may be believed here.
    async fn spoil(&self) {
        let Ok(name) = fresh_name(&self.evicted) else { return };
        let mut spoiling = redis::cmd("SET");
        spoiling.arg(&self.marker.key).arg(name).arg("PX").arg(KEPT);
        // Where the marker has gone ahead it is gone here, which is as good.
        let _: RedisResult<()> = spoiling.query_async(&mut self.connection.clone()).await;
    }
}

/// Whether the store said this, to one of several commands perhaps.
fn is(error: &RedisError, kind: ServerErrorKind) -> bool {
    let errors = error.clone().into_server_errors();
    errors.iter().flat_map(|errors| errors.iter()).any(|(_, error)| error.kind() == Some(kind))
}
