//! The spent ids of several processes: a Redis or Valkey that they share.
//!
//! In: a [`Claim`] that a walk left behind, and where the store is. Out: what came of it, an [`Answered`], or nothing in time;
//! and how the store is. It must know neither tokens nor grants: of a use it has only a key, and how long that is kept.
//!
//! A *session* is a connection over which uses have been known without a gap since a time, its *epoch*. The store is asked
//! over a session only, and each spending checks within the same round trip that the epoch still stands. Whatever goes
//! wrong ends the session: until there is another one, nothing is spent.
//!
//! In a cluster ids fall into sixteen *parts* by their hash, each with a hash tag, so that its keys lie in one slot (`part`);
//! each part has its own session, epoch and trouble, and so a failing node closes only the parts that it has. A session is held to the
//! one node that owns the slot (found by following MOVED) over an ordinary connection. The library's cluster connection does not
//! fit: it follows MOVED, ASK and failovers within a call and does not tell, and since the marker of the epoch is copied to
//! replicas and moved along with its slot, a spending that went to a promoted replica, which may lack the last writes, would
//! find its marker there and be believed. So a failover or a moved slot ends the session, and the next one has
//! another life: `run_id`, the turn as primary, and the node's configuration epoch, without a higher one of which no slot ever comes to a
//! node; a marker that travelled is nobody's. While a slot is on its way (ASK) its part refuses; and whoever notices spoils the marker, for
//! the case that the move is called off and what has gone ahead is lost. What no client can see stays: two owners of
//! a slot at once, which a cluster allows for its node timeout, and slots that are taken and given by hand with ADDSLOTS and DELSLOTS.

mod access;
mod address;
mod contact;
mod greeting;
mod pace;
mod part;
mod session;
mod told;
mod trouble;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::clock::{Clock, Time};
use crate::observe::StoreTimes;
use crate::replay::{Answered, Claim};
pub use access::{Access, AccessError};
pub use address::{AddressError, StoreAddress};
use contact::contact;
use part::Part;
use session::{Ended, Session};
use told::Told;
use trouble::Trouble;

/// How often a session is held against the store when nothing gives reason to, and how long after a failure the next
/// try is made.
const BEAT: Duration = Duration::from_secs(1);

/// The future of an answer.
pub type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A shared store, and the tasks that keep in touch with it until this is dropped.
#[derive(Debug)]
pub struct RedisStore {
    link: Arc<Link>,
    keepers: Vec<JoinHandle<()>>,
}

/// What calls and the keepers share.
#[derive(Debug)]
struct Link {
    /// One for each part.
    sessions: Vec<RwLock<Option<Arc<Session>>>>,
    told: Mutex<Told>,
    clock: Clock,
    times: StoreTimes,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreState {
    /// Whether tokens can be spent.
    pub up: bool,
    /// Why not.
    pub trouble: Option<String>,
    /// What its operator should change although it works.
    pub warning: Option<String>,
    /// Tokens issued before this are not taken: uses before it may be forgotten.
    pub since: Option<Time>,
}

impl RedisStore {
    /// Begins to get in touch, on the runtime that this is called on; does not wait for it.
    ///
    /// # Errors
    /// A file that cannot be used. That the store cannot be reached is none: it may come.
    pub async fn start(access: Access, clock: Clock, times: StoreTimes) -> Result<Self, AccessError> {
        access.files().await?;
        if let Some(warning) = access.address.warning() {
            tracing::warn!("--replay-store: {warning}");
        }
        let parts = Part::all(access.address.cluster);
        let sessions = parts.iter().map(|_| RwLock::default()).collect();
        let link = Arc::new(Link { sessions, told: Mutex::new(Told::of(parts.len())), clock, times });
        let keeper = |(number, part)| tokio::spawn(keep(access.clone(), Arc::clone(&link), number, part));
        let keepers = parts.into_iter().enumerate().map(keeper).collect();
        Ok(Self { link, keepers })
    }

    /// Whether every token could be spent.
    pub fn is_up(&self) -> bool {
        (0..self.link.sessions.len()).all(|part| self.link.session(part).is_some())
    }

    /// Puts a claim to the store; `None` without a session for its part. A future that is dropped before its end may have spent the token.
    pub fn ask(&self, claim: Claim) -> Option<Answering> {
        let session = self.link.session(Part::of(&claim, self.link.sessions.len()))?;
        let link = Arc::clone(&self.link);
        Some(Box::pin(async move {
            let timed = link.times.start();
            let first = session.spend(&claim).await;
            timed.stop(first);
            claim.answered(first)
        }))
    }

    /// How it is now.
    pub fn state(&self) -> StoreState {
        self.link.told().state(self.is_up())
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.keepers.iter().for_each(JoinHandle::abort);
    }
}

/// Keeps a session for a part for as long as one can be had.
async fn keep(access: Access, link: Arc<Link>, number: usize, part: Part) {
    // Nodes of a cluster are asked in turn: first by each part another one, and after a failure the next.
    let mut first = number;
    loop {
        match contact(&access, &link.clock, part, first).await {
            Ok(session) => {
                let session = Arc::new(session);
                link.begin(number, &session);
                match session.ended(BEAT).await {
                    // What comes next is another epoch, and says so.
                    Ended::Forgotten => {
                        link.set(number, None);
                        continue;
                    }
                    Ended::Trouble(trouble) => link.end(number, trouble),
                }
            }
            Err(trouble) => link.end(number, trouble),
        }
        first = first.wrapping_add(1);
        tokio::time::sleep(BEAT).await;
    }
}

impl Link {
    fn session(&self, part: usize) -> Option<Arc<Session>> {
        self.sessions.get(part)?.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, part: usize, session: Option<Arc<Session>>) {
        if let Some(own) = self.sessions.get(part) {
            *own.write().unwrap_or_else(PoisonError::into_inner) = session;
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, part: usize, session: &Arc<Session>) {
        self.told().begin(part, session);
        self.set(part, Some(Arc::clone(session)));
    }

    fn end(&self, part: usize, trouble: Trouble) {
        self.set(part, None);
        self.told().end(part, trouble);
    }
}
