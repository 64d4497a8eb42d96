//! The spent ids of one issuer, in memory.

use std::array;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A piece of the SHA-256 of a `jti`. Two ids that share it are taken for one, which refuses the second: to bring that about
/// takes 2^64 ids of one issuer, and hurts nobody else.
pub(super) type Id = [u8; 16];

/// Ids are spread over so many maps, each behind a lock of its own.
const SHARDS: usize = 32;

/// A shard forgets what has ended at most so often, in seconds.
const SWEEP_EVERY: u32 = 60;

/// What one id takes at most: 20 bytes and a mark in a table that is at least seven sixteenths full, and the half of a
/// shard that is copied while it grows.
pub(super) const BYTES: usize = 56;

/// The spent ids of one issuer.
#[derive(Debug)]
pub(super) struct Ledger {
    shards: [Mutex<Shard>; SHARDS],
    /// Ids that are remembered here.
    count: AtomicUsize,
    /// Ids that are remembered of all issuers.
    total: Arc<AtomicUsize>,
    /// Which shard [`Ledger::sweep_some`] looks through next.
    next: AtomicUsize,
}

/// How many ids may be remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Of this issuer.
    pub(super) here: usize,
    /// Of all.
    pub(super) in_all: usize,
}

#[derive(Debug)]
struct Shard {
    /// Until when each is remembered, in seconds since the epoch.
    spent: HashMap<Id, u32>,
    /// What was remembered until then or earlier may have been forgotten.
    swept: u32,
}

/// Why an id was not spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unspent {
    /// It was before.
    Before,
    /// As many as may be are remembered. None of them is given up for it.
    Full,
    /// It would be remembered until a time at which ids were forgotten already: the clock was set back.
    Forgotten,
}

impl Ledger {
    /// Without any id, and as if everything until `swept` was forgotten. What it remembers counts in `total` too.
    pub(super) fn new(total: Arc<AtomicUsize>, swept: u32) -> Self {
        let shard = |_| Mutex::new(Shard { spent: HashMap::new(), swept });
        Self { shards: array::from_fn(shard), count: AtomicUsize::new(0), total, next: AtomicUsize::new(0) }
    }

    /// Spends an id that is then remembered until `until`.
    pub(super) fn spend(&self, id: Id, until: u32, now: u32, most: Most) -> Result<(), Unspent> {
        let Some(shard) = self.shards.get(usize::from(id[0]) % SHARDS) else { return Err(Unspent::Full) };
        let mut shard = lock(shard);
        if now.saturating_sub(shard.swept) >= SWEEP_EVERY {
            self.forget(&mut shard, now);
        }
        if shard.spent.contains_key(&id) {
            return Err(Unspent::Before);
        }
        if until <= shard.swept {
            return Err(Unspent::Forgotten);
        }
        let here = self.count.fetch_add(1, Ordering::Relaxed);
        let in_all = self.total.fetch_add(1, Ordering::Relaxed);
        if here >= most.here || in_all >= most.in_all {
            self.uncount(1);
            return Err(Unspent::Full);
        }
        shard.spent.insert(id, until);
        Ok(())
    }

    /// Forgets what has ended.
    pub(super) fn sweep(&self, now: u32) {
        for shard in &self.shards {
            self.forget(&mut lock(shard), now);
        }
    }

    /// Forgets what has ended in one of the shards, each time in another: what a call can do that finds it full.
    pub(super) fn sweep_some(&self, now: u32) {
        if let Some(shard) = self.shards.get(self.next.fetch_add(1, Ordering::Relaxed) % SHARDS) {
            self.forget(&mut lock(shard), now);
        }
    }

    fn forget(&self, shard: &mut Shard, now: u32) {
        let before = shard.spent.len();
        shard.spent.retain(|_, until| *until > now);
        shard.swept = shard.swept.max(now);
        let left = shard.spent.len();
        self.uncount(before - left);
        // A crowd that has gone leaves no room behind that nobody else could use.
        if shard.spent.capacity() > 4 * left.max(16) {
            shard.spent.shrink_to(2 * left);
        }
    }

    fn uncount(&self, fewer: usize) {
        self.count.fetch_sub(fewer, Ordering::Relaxed);
        self.total.fetch_sub(fewer, Ordering::Relaxed);
    }

    /// How many ids are remembered.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// An insertion that panicked has happened or not: what is there counts.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(Arc::default(), 0)
    }

    const fn most(here: usize) -> Most {
        Most { here, in_all: usize::MAX }
    }

    fn id(number: u64) -> Id {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        id
    }

    #[test]
    fn an_id_is_spent_once_and_again_only_after_its_end() {
        let ledger = ledger();
        assert_eq!(ledger.spend(id(1), 500, 100, most(9)), Ok(()));
        assert_eq!(ledger.spend(id(2), 500, 100, most(9)), Ok(()));
        for now in [100, 160, 400, 499] {
            assert_eq!(ledger.spend(id(1), 500, now, most(9)), Err(Unspent::Before), "{now}");
        }
        assert_eq!(ledger.spend(id(1), 900, 560, most(9)), Ok(()), "another token by then");
        assert_eq!(ledger.len(), 2, "the other shard was not looked at");
        ledger.sweep(560);
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn a_full_ledger_refuses_and_gives_up_none_that_lives() {
        let ledger = ledger();
        for number in 0..100 {
            assert_eq!(ledger.spend(id(number), 500, 100, most(100)), Ok(()));
        }
        for number in 100..200 {
            assert_eq!(ledger.spend(id(number), 500, 100, most(100)), Err(Unspent::Full));
        }
        for number in 0..100 {
            assert_eq!(ledger.spend(id(number), 500, 100, most(100)), Err(Unspent::Before));
        }
        ledger.sweep(500);
        assert_eq!((ledger.len(), ledger.spend(id(300), 900, 500, most(100))), (0, Ok(())));
    }

    #[test]
    fn a_clock_that_was_set_back_brings_no_forgotten_id_back() {
        let ledger = ledger();
        assert_eq!(ledger.spend(id(1), 500, 100, most(9)), Ok(()));
        ledger.sweep(1000);
        assert_eq!(ledger.spend(id(1), 500, 100, most(9)), Err(Unspent::Forgotten));
        assert_eq!(ledger.spend(id(2), 1001, 900, most(9)), Ok(()));
    }

    #[test]
    fn of_sixteen_at_once_one_spends() {
        let ledger = ledger();
        for round in 0..50 {
            let spent = std::thread::scope(|scope| {
                let one = || ledger.spend(id(round), 500, 100, most(usize::MAX)).is_ok();
                let threads: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|spent| *spent).count()
            });
            assert_eq!(spent, 1);
        }
    }

    #[test]
    fn what_others_remember_counts_in_all() {
        let total = Arc::default();
        let (one, other) = (Ledger::new(Arc::clone(&total), 0), Ledger::new(total, 0));
        let most = Most { here: 9, in_all: 2 };
        assert_eq!([one.spend(id(1), 500, 100, most), other.spend(id(1), 500, 100, most)], [Ok(()), Ok(())]);
        assert_eq!(other.spend(id(2), 500, 100, most), Err(Unspent::Full));
        one.sweep(500);
        assert_eq!(other.spend(id(2), 900, 100, most), Ok(()));
    }

    /// Run it alone, in release: `cargo test --release --lib replay -- --ignored --nocapture --test-threads=1`.
    #[test]
    #[ignore = "measures the memory of the whole process"]
    fn a_million_ids_fit_in_what_they_are_counted_for() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
        };
        let (ledger, before) = (ledger(), resident());
        let hash = |number: u64| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_le_bytes());
            Id::try_from(&digest.as_ref()[..16]).unwrap()
        };
        let mut most = 0;
        for number in 0..1_000_000 {
            ledger.spend(hash(number), 500, 100, Most { here: usize::MAX, in_all: usize::MAX }).unwrap();
            most = if number % 10_000 == 0 { most.max(resident() - before) } else { most };
        }
        let bytes = resident() - before;
        println!("a million ids take {} MiB, {} MiB at most while they came", bytes >> 20, most >> 20);
        assert!(most.max(bytes) < 1_000_000 * BYTES);
    }
}
