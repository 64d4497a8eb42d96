//! The spent ids of several processes: a Redis or Valkey that they share.
//!
//! In: a [`Claim`] that a walk left behind, and where the store is. Out: what came of it, an [`Answered`], or nothing in time;
//! and how the store is. It must know neither tokens nor grants: of a use it has only a key, and how long that is kept.
//!
//! A *session* is a connection over which uses have been known without a gap since a time, its *epoch*. The store is asked
//! over a session only, and each spending checks within the same round trip that the epoch still stands. Whatever goes
//! wrong ends the session: until there is another one, nothing is spent.

mod access;
mod address;
mod contact;
mod greeting;
mod pace;
mod session;
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
use session::{Ended, Session};
use trouble::Trouble;

/// How often a session is held against the store when nothing gives reason to, and how long after a failure the next
/// try is made.
const BEAT: Duration = Duration::from_secs(1);

/// The future of an answer.
pub type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A shared store, and the task that keeps in touch with it until this is dropped.
#[derive(Debug)]
pub struct RedisStore {
    link: Arc<Link>,
    keeper: JoinHandle<()>,
}

/// What calls and the keeper share.
#[derive(Debug)]
struct Link {
    session: RwLock<Option<Arc<Session>>>,
    told: Mutex<Told>,
    clock: Clock,
    times: StoreTimes,
}

/// How the store is, as far as it was told.
#[derive(Debug, Default)]
struct Told {
    trouble: Option<Trouble>,
    warning: Option<String>,
    /// Since when uses were known by the last session.
    since: Option<f64>,
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
        let link = Link { session: RwLock::default(), told: Mutex::default(), clock, times };
        let link = Arc::new(link);
        let keeper = tokio::spawn(keep(access, Arc::clone(&link)));
        Ok(Self { link, keeper })
    }

    /// Whether there is a session. Without one nothing need be asked.
    pub fn is_up(&self) -> bool {
        self.link.session().is_some()
    }

    /// Puts a claim to the store; `None` without a session. A future that is dropped before its end may have spent the token.
    pub fn ask(&self, claim: Claim) -> Option<Answering> {
        let session = self.link.session()?;
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
        let up = self.is_up();
        let told = self.link.told();
        StoreState {
            up,
            trouble: told.trouble.as_ref().filter(|_| !up).map(|trouble| trouble.text.clone()),
            warning: told.warning.clone(),
            since: told.since.map(Time::from_seconds),
        }
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Keeps a session for as long as one can be had.
async fn keep(access: Access, link: Arc<Link>) {
    loop {
        match contact(&access, &link.clock).await {
            Ok(session) => {
                let session = Arc::new(session);
                link.begin(&session);
                match session.ended(BEAT).await {
                    // What comes next is another epoch, and says so.
                    Ended::Forgotten => {
                        link.set(None);
                        continue;
                    }
                    Ended::Trouble(trouble) => link.end(trouble),
                }
            }
            Err(trouble) => link.end(trouble),
        }
        tokio::time::sleep(BEAT).await;
    }
}

impl Link {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, session: Option<Arc<Session>>) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = session;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a session; what that changes is told.
    fn begin(&self, session: &Arc<Session>) {
        let mut told = self.told();
        let since = Time::from_seconds(session.since);
        match (told.since, told.trouble.take()) {
            (Some(before), _) if before < session.since => tracing::warn!(
                %since,
                "the replay store was flushed, restarted, failed over or has evicted keys: grants with `replay: once` take no \
                 token that was issued before"
            ),
            (None, _) => tracing::info!(%since, "the replay store answers, and knows every use since"),
            (Some(_), Some(_)) => tracing::info!(%since, "the replay store answers again"),
            (Some(_), None) => {}
        }
        told.since = Some(session.since);
        if told.warning != session.warning {
            if let Some(warning) = &session.warning {
                tracing::warn!("the replay store {warning}");
            }
            told.warning.clone_from(&session.warning);
        }
        drop(told);
        self.set(Some(Arc::clone(session)));
    }

    /// There is none; told once for each kind of trouble.
    fn end(&self, trouble: Trouble) {
        self.set(None);
        let mut told = self.told();
        if told.trouble.as_ref().is_none_or(|before| before.kind != trouble.kind) {
            tracing::error!(
                "the replay store {}: grants with `replay: once` refuse (replay_unavailable) until it is well; it is tried \
                 every second",
                trouble.text
            );
        }
        told.trouble = Some(trouble);
    }
}
