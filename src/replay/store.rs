//! Where spent ids are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::ledger::{BYTES, Id, Ledger, Most, Unspent};
use super::{AFTER_EXPIRY, Spent, Use};
use crate::clock::{Beginning, Time};
use crate::name::{Issuer, Realm};
use crate::reason::Reason;

/// Each issuer's ledger; entries that share an `iss` have realms, and each realm its own.
type Ledgers = HashMap<Issuer, Vec<(Option<Realm>, Ledger)>>;

/// The spent ids of this process. It knows nothing of what was before it: a token that was issued earlier may have been
/// used earlier, and is not taken. It is bounded by what it may take, and each issuer by its share of that, so that none
/// can fill it for another.
///
/// A store that several processes share answers later, not at once: see [`Round`](super::Round).
#[derive(Debug)]
pub struct Store {
    ledgers: RwLock<Ledgers>,
    /// Since when uses are known.
    since: Beginning,
    /// How many ids there may be of all issuers together, and how many there are.
    room: usize,
    total: Arc<AtomicUsize>,
    /// How many there may be of one issuer. The shares of those in the table make up the room, so that only what is
    /// left of another table can take any of it away from them.
    share: AtomicUsize,
    /// The second in which a call last looked for what has ended because there was no room.
    looked: AtomicU32,
    /// When empty ledgers were last thrown away: what ended before that may have been forgotten.
    forgotten: AtomicU32,
}

impl Store {
    /// An empty store that knows every use from `since` on, with room for about so many bytes; with 0 it takes nothing.
    pub fn new(bytes: usize, since: impl Into<Beginning>) -> Self {
        let room = bytes / BYTES;
        Self {
            ledgers: RwLock::default(),
            since: since.into(),
            room,
            total: Arc::default(),
            share: AtomicUsize::new(room),
            looked: AtomicU32::new(0),
            forgotten: AtomicU32::new(0),
        }
    }

    /// From now on the room is shared by so many issuers. What is remembered stays, also of those that are not among them.
    pub fn share_among(&self, issuers: usize, now: Time) {
        self.share.store(self.room / issuers.max(1), Ordering::Relaxed);
        let now = seconds(now.seconds());
        self.sweep(now);
        let mut ledgers = self.ledgers.write().unwrap_or_else(PoisonError::into_inner);
        // An empty one is made anew when it is needed.
        self.forgotten.fetch_max(now, Ordering::Relaxed);
        ledgers.retain(|_, realms| {
            realms.retain(|(_, ledger)| ledger.len() > 0);
            !realms.is_empty()
        });
    }

    /// Spends the token: the answer is yes once, and for nobody else before the token has ended.
    ///
    /// # Errors
    /// [`Reason::Replayed`]; [`Reason::ReplayUnavailable`] where the token was issued before this store began, or where
    /// there is no room for another one of its issuer.
    pub fn spend(&self, once: &Use<'_>) -> Result<Spent, Reason> {
        // A host may begin with a clock that is behind, and set it right later.
        if once.issued_at < self.since.by(once.now).seconds() {
            return Err(Reason::ReplayUnavailable);
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *once.id;
        let id: Id = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
        let (until, now) = (seconds(once.expires + AFTER_EXPIRY), seconds(once.now.seconds()));
        let mut spent = self.enter(once, id, until, now);
        if spent == Err(Unspent::Full) && self.looked.swap(now, Ordering::Relaxed) != now {
            let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
            ledgers.values().flatten().for_each(|(_, ledger)| ledger.sweep_some(now));
            drop(ledgers);
            spent = self.enter(once, id, until, now);
        }
        spent.map(|()| Spent(())).map_err(|unspent| match unspent {
            Unspent::Before => Reason::Replayed,
            Unspent::Full | Unspent::Forgotten => Reason::ReplayUnavailable,
        })
    }

    /// Enters the id in its issuer's ledger.
    fn enter(&self, once: &Use<'_>, id: Id, until: u32, now: u32) -> Result<(), Unspent> {
        let most = Most { here: self.share.load(Ordering::Relaxed), in_all: self.room };
        let known = || {
            let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
            Some(of_realm(ledgers.get(once.issuer)?, once.realm)?.spend(id, until, now, most))
        };
        known().unwrap_or_else(|| {
            self.open(once);
            // It goes only as long as it is empty, when another table comes into force: once more, then.
            known().unwrap_or(Err(Unspent::Full))
        })
    }

    /// How many spent ids are remembered at this time.
    pub fn entries(&self, now: Time) -> usize {
        self.sweep(seconds(now.seconds()));
        self.total.load(Ordering::Relaxed)
    }

    fn sweep(&self, now: u32) {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        ledgers.values().flatten().for_each(|(_, ledger)| ledger.sweep(now));
    }

    /// Makes the ledger of an issuer that has none yet. Only verified tokens come here, so that there are no more than the
    /// table has issuers.
    fn open(&self, once: &Use<'_>) {
        let mut ledgers = self.ledgers.write().unwrap_or_else(PoisonError::into_inner);
        let realms = ledgers.entry(once.issuer.clone()).or_default();
        // Two may have found it missing.
        if of_realm(realms, once.realm).is_none() {
            let ledger = Ledger::new(Arc::clone(&self.total), self.forgotten.load(Ordering::Relaxed));
            realms.push((once.realm.cloned(), ledger));
        }
    }
}

fn of_realm<'l>(realms: &'l [(Option<Realm>, Ledger)], realm: Option<&Realm>) -> Option<&'l Ledger> {
    realms.iter().find(|(own, _)| own.as_ref() == realm).map(|(_, ledger)| ledger)
}

/// Whole seconds, rounded up: what lies beyond 2106 is as good as without end.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
const fn seconds(time: f64) -> u32 {
    time.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::super::Ticket;
    use super::*;
    use crate::clock::Clock;

    const START: f64 = 1_000.0;

    fn store(ids: usize) -> Store {
        Store::new(ids * BYTES, Time::from_seconds(START))
    }

    /// The use of a token that lives for five minutes.
    fn spend(
        store: &Store,
        (iss, realm): (&str, Option<&str>),
        id: u8,
        issued_at: f64,
        now: f64,
    ) -> Result<(), Reason> {
        let (issuer, realm, id) = (Issuer::new(iss), realm.map(Realm::new), [id; 32]);
        let ticket = Ticket { id: Some(&id), issued_at: Some(issued_at), expires: issued_at + 300.0 };
        store.spend(&Use::of(&issuer, realm.as_ref(), ticket, Time::from_seconds(now))?).map(|_spent| ())
    }

    const A: (&str, Option<&str>) = ("https://a.test", None);
    const B: (&str, Option<&str>) = ("https://b.test", None);

    #[test]
    fn an_id_means_something_at_one_issuer_and_realm_only() {
        let store = store(100);
        for who in [A, B, (A.0, Some("eu")), (A.0, Some("us"))] {
            assert_eq!(spend(&store, who, 1, START, START), Ok(()), "{who:?}");
            assert_eq!(spend(&store, who, 1, START, START + 1.0), Err(Reason::Replayed), "{who:?}");
        }
        assert_eq!(store.entries(Time::from_seconds(START)), 4);
    }

    #[test]
    fn a_token_that_was_issued_before_the_store_began_is_not_taken() {
        let store = store(100);
        assert_eq!(spend(&store, A, 1, START - 0.001, START + 1.0), Err(Reason::ReplayUnavailable));
        assert_eq!(spend(&store, A, 1, START, START + 1.0), Ok(()));
    }

    #[test]
    fn a_clock_that_was_behind_at_the_start_and_is_set_right_brings_no_used_token_back() {
        let system = Clock::System;
        let (store, now) = (Store::new(100 * BYTES, system.beginning()), system.now().seconds());
        assert_eq!(spend(&store, A, 1, now, now), Ok(()));
        // An hour too early, the one before it took a token of half an hour later.
        assert_eq!(spend(&store, A, 2, now + 1_800.0, now + 1_900.0), Err(Reason::ReplayUnavailable));
        assert_eq!(spend(&store, A, 2, now + 1_800.0, now + 3_600.0), Err(Reason::ReplayUnavailable));
        assert_eq!(spend(&store, A, 3, now + 3_600.0, now + 3_600.0), Ok(()));
    }

    #[test]
    fn a_spent_id_outlives_the_token_by_the_longest_skew_and_a_minute() {
        let store = store(100);
        assert_eq!(spend(&store, A, 1, START, START), Ok(()));
        assert_eq!(store.entries(Time::from_seconds(START + 300.0 + 359.0)), 1);
        assert_eq!(spend(&store, A, 1, START, START + 300.0 + 359.0), Err(Reason::Replayed));
        assert_eq!(store.entries(Time::from_seconds(START + 300.0 + 360.0)), 0);
    }

    #[test]
    fn one_issuer_that_fills_its_share_leaves_the_others_theirs() {
        let store = store(20);
        store.share_among(2, Time::from_seconds(START));
        let spent = (0..100).filter(|id| spend(&store, A, *id, START, START).is_ok()).count();
        assert_eq!((spent, spend(&store, A, 0, START, START)), (10, Err(Reason::Replayed)));
        assert_eq!(spend(&store, A, 200, START, START), Err(Reason::ReplayUnavailable));
        assert_eq!((0..10).filter(|id| spend(&store, B, *id, START, START).is_ok()).count(), 10);
    }

    #[test]
    fn what_has_ended_makes_room_in_a_full_store_and_what_lives_does_not() {
        let store = store(10);
        assert_eq!((0..20).filter(|id| spend(&store, A, *id, START, START).is_ok()).count(), 10);
        assert_eq!(spend(&store, A, 30, START + 600.0, START + 600.0), Err(Reason::ReplayUnavailable));
        // Each call that finds it full looks at a part, so that none looks for long.
        let later = (661..700).map(|after| spend(&store, A, 30, START + 600.0, START + f64::from(after)));
        assert!(later.take_while(|spent| *spent == Err(Reason::ReplayUnavailable)).count() < 33);
        assert_eq!(spend(&store, A, 30, START + 600.0, START + 700.0), Err(Reason::Replayed));
        assert_eq!(store.entries(Time::from_seconds(START + 700.0)), 1);
    }

    #[test]
    fn another_table_forgets_nothing_and_an_issuer_that_left_makes_room_as_its_tokens_end() {
        let store = store(10);
        assert_eq!((0..10).filter(|id| spend(&store, A, *id, START, START).is_ok()).count(), 10);
        store.share_among(1, Time::from_seconds(START + 1.0));
        assert_eq!(spend(&store, A, 1, START, START + 2.0), Err(Reason::Replayed));
        assert_eq!(spend(&store, B, 1, START, START + 2.0), Err(Reason::ReplayUnavailable));
        store.share_among(1, Time::from_seconds(START + 700.0));
        assert!(store.ledgers.read().unwrap().is_empty());
        assert_eq!(spend(&store, B, 1, START + 700.0, START + 700.0), Ok(()));
        assert_eq!(spend(&store, A, 1, START, START + 10.0), Err(Reason::ReplayUnavailable), "the clock was set back");
    }

    #[test]
    fn without_memory_nothing_is_taken() {
        assert_eq!(spend(&store(0), A, 1, START, START), Err(Reason::ReplayUnavailable));
    }
}
