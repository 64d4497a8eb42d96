//! How many bad signatures one address may have checked.
//!
//! In: the address of a caller, the issuer that its token names, and what came of checking the signature. Out: whether
//! another signature of theirs is looked at now. A signature costs more than all the rest of a decision, and anybody can
//! send one that is wrong. It must never count by the issuer alone: a stranger could shut an issuer out.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::clock::Time;
use crate::name::Issuer;

/// Addresses that are counted at once, with each issuer for itself. Of more, those that come up again stay.
const COUNTED: usize = 65_536;

/// The bad signatures of so many seconds may come at once.
const BURST: f64 = 2.0;

/// However many were bad at once, the gate is shut for no longer than so many seconds.
const FURTHEST: f64 = 2.0 * BURST;

/// Of one address, over all issuers, so many times as many as for one of them.
const ISSUERS: f64 = 10.0;

/// Of all addresses together, so many times as many before any of them is held up: what costs little needs no gate, and
/// where a proxy names one address for all its clients, the gate is everybody's.
const EVERYBODY: f64 = 20.0;

/// Counts bad signatures by address and issuer, by address, and all.
pub struct Floodgate {
    counts: Cache<u64, Arc<Count>>,
    everybody: Count,
    hasher: RandomState,
    /// Bad signatures a second, of one address with one issuer; 0: nothing is counted.
    rate: u32,
}

impl fmt::Debug for Floodgate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Floodgate({} a second, {} counts)", self.rate, self.counts.len())
    }
}

/// When all that was counted will have been let through at the rate that is allowed: seconds since the epoch, as bits.
#[derive(Debug, Default)]
struct Count(AtomicU64);

/// One caller before the gate.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'g> {
    gate: &'g Floodgate,
    address: IpAddr,
    now: Time,
}

impl Floodgate {
    /// Lets so many bad signatures a second through for each address and issuer; 0 means without limit.
    pub fn new(rate: u32) -> Self {
        Self { counts: Cache::new(COUNTED), everybody: Count::default(), hasher: RandomState::new(), rate }
    }

    /// Whoever calls from this address; `None` where nothing is counted: no limit is set, or the proxy names no
    /// address, so that everybody's calls would be counted as one's.
    pub fn caller(&self, address: Option<&str>, now: Time) -> Option<Caller<'_>> {
        let address = address.filter(|_| self.rate > 0)?.parse().ok()?;
        Some(Caller { gate: self, address: network(address), now })
    }
}

impl Caller<'_> {
    /// Whether a signature for this issuer is looked at now: not if too many of this address were bad, and too many in all.
    pub fn may_try(&self, issuer: &Issuer) -> bool {
        let (everybody, rate) = (&self.gate.everybody, self.rate() * EVERYBODY);
        everybody.has_room(rate, self.now)
            || self
                .counts(issuer)
                .into_iter()
                .all(|(key, rate)| self.gate.counts.get(&key).is_none_or(|count| count.has_room(rate, self.now)))
    }

    /// It was bad.
    pub fn failed(&self, issuer: &Issuer) {
        self.gate.everybody.add(1.0 / (self.rate() * EVERYBODY), self.now);
        for (key, rate) in self.counts(issuer) {
            // Two at once may make two of which one is lost: a signature goes uncounted.
            let count = self.gate.counts.get(&key).unwrap_or_else(|| {
                let count = Arc::new(Count::default());
                self.gate.counts.insert(key, Arc::clone(&count));
                count
            });
            let had_room = count.has_room(rate, self.now);
            count.add(1.0 / rate, self.now);
            if !had_room {
                // What goes beyond one issuer's share is held against the address with that issuer, not with all others.
                return;
            }
        }
    }

    fn rate(&self) -> f64 {
        f64::from(self.gate.rate)
    }

    /// What is counted, and at which rate it is let through: the narrower first.
    fn counts(&self, issuer: &Issuer) -> [(u64, f64); 2] {
        let rate = self.rate();
        let hash = |issuer: Option<&Issuer>| self.gate.hasher.hash_one((self.address, issuer));
        [(hash(Some(issuer)), rate), (hash(None), rate * ISSUERS)]
    }
}

impl Count {
    /// Whether another one may be bad.
    fn has_room(&self, rate: f64, now: Time) -> bool {
        Self::ahead_of(self.0.load(Ordering::Relaxed), now) <= BURST + 1.0 / rate
    }

    /// Seconds by which the count runs ahead of what is let through. It never runs further ahead than [`FURTHEST`]: what
    /// does by far is of a clock that was set back.
    fn ahead_of(until: u64, now: Time) -> f64 {
        let ahead = f64::from_bits(until) - now.seconds();
        if ahead > 2.0 * FURTHEST { 0.0 } else { ahead.max(0.0) }
    }

    fn add(&self, seconds: f64, now: Time) {
        let later = |until| {
            let ahead = (Self::ahead_of(until, now) + seconds).min(FURTHEST);
            Some((now.seconds() + ahead).to_bits())
        };
        // The closure always has an answer.
        let _always = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

/// What one subscriber has: an IPv4 address, also one that was translated (RFC 6052 §2.1), or the first half of an IPv6
/// address (RFC 6177 §2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _]) => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_seconds(1_000_000.0);

    fn issuer(name: &str) -> Issuer {
        Issuer::new(name)
    }

    /// How many bad signatures of this caller are looked at before one is not; at most 100,000.
    fn tried(caller: &Caller<'_>, issuer: &Issuer) -> usize {
        (0..100_000).take_while(|_| caller.may_try(issuer)).map(|_| caller.failed(issuer)).count()
    }

    /// A gate in a flood of others, who keep everybody's count where it is at this time.
    fn besieged(rate: u32, now: Time) -> Floodgate {
        let gate = Floodgate::new(rate);
        gate.everybody.add(FURTHEST, now);
        gate
    }

    fn caller<'g>(gate: &'g Floodgate, address: &str, now: Time) -> Caller<'g> {
        gate.caller(Some(address), now).unwrap()
    }

    #[test]
    fn a_flood_is_cut_to_its_rate_and_no_more() {
        let gate = besieged(100, START);
        let (flood, a) = (caller(&gate, "192.0.2.7", START), issuer("a"));
        let burst = tried(&flood, &a);
        assert!((200..=203).contains(&burst), "{burst}");
        let later = caller(&gate, "192.0.2.7", START.after(std::time::Duration::from_secs(1)));
        gate.everybody.add(FURTHEST, later.now);
        let second = tried(&later, &a);
        assert!((99..=102).contains(&second), "{second}");
    }

    #[test]
    fn a_stranger_shuts_out_neither_an_issuer_nor_an_address() {
        let gate = besieged(100, START);
        let (stranger, a, b) = (caller(&gate, "192.0.2.7", START), issuer("a"), issuer("b"));
        tried(&stranger, &a);
        assert!(!stranger.may_try(&a));
        assert!(caller(&gate, "192.0.2.8", START).may_try(&a), "another address with the same issuer");
        assert!(stranger.may_try(&b), "the same address with another issuer");
    }

    #[test]
    fn who_floods_one_issuer_may_still_come_with_another() {
        let gate = Floodgate::new(100);
        let (flood, a) = (caller(&gate, "192.0.2.7", START), issuer("a"));
        tried(&flood, &a);
        assert!(!flood.may_try(&a));
        assert!(flood.may_try(&issuer("b")));
    }

    #[test]
    fn nobody_is_held_up_while_all_bad_signatures_together_cost_little() {
        let gate = Floodgate::new(100);
        let all = tried(&caller(&gate, "192.0.2.7", START), &issuer("a"));
        assert!((4000..=4010).contains(&all), "{all}");
    }

    #[test]
    fn one_address_cannot_use_every_issuer_in_turn() {
        let gate = besieged(100, START);
        let flood = caller(&gate, "192.0.2.7", START);
        let all: usize = (0..1000).map(|n| tried(&flood, &issuer(&n.to_string()))).sum();
        assert!((2000..=2010).contains(&all), "{all}");
    }

    #[test]
    fn all_addresses_of_one_subscriber_are_one() {
        let gate = besieged(1, START);
        let a = issuer("a");
        tried(&caller(&gate, "2001:db8:0:1::1", START), &a);
        assert!(!caller(&gate, "2001:db8:0:1:ffff::9", START).may_try(&a));
        assert!(caller(&gate, "2001:db8:0:2::1", START).may_try(&a));
        tried(&caller(&gate, "192.0.2.7", START), &a);
        assert!(!caller(&gate, "::ffff:192.0.2.7", START).may_try(&a));
    }

    #[test]
    fn translated_addresses_are_told_apart() {
        let gate = besieged(1, START);
        tried(&caller(&gate, "64:ff9b::192.0.2.7", START), &issuer("a"));
        assert!(caller(&gate, "64:ff9b::192.0.2.8", START).may_try(&issuer("a")));
    }

    #[test]
    fn many_at_once_do_not_open_the_gate() {
        let (gate, a) = (besieged(1, START), issuer("a"));
        let flood = caller(&gate, "192.0.2.7", START);
        // As many as passed before the first of them had failed.
        (0..1000).for_each(|_| flood.failed(&a));
        assert!(!flood.may_try(&a));
        let later = caller(&gate, "192.0.2.7", START.after(std::time::Duration::from_secs(2)));
        assert!(later.may_try(&a), "and it is shut for no longer than it takes");
    }

    #[test]
    fn a_clock_that_is_set_back_opens_the_gate() {
        let gate = besieged(100, START);
        tried(&caller(&gate, "192.0.2.7", START), &issuer("a"));
        assert!(caller(&gate, "192.0.2.7", Time::from_seconds(10.0)).may_try(&issuer("a")));
    }

    #[test]
    fn without_an_address_or_a_limit_nothing_is_counted() {
        let gate = besieged(100, START);
        assert!(gate.caller(None, START).is_none() && gate.caller(Some("pipe"), START).is_none());
        assert!(Floodgate::new(0).caller(Some("192.0.2.7"), START).is_none());
    }
}
