//! What a decision is called by.

use std::time::Duration;

use uuid::{ContextV7, Timestamp, Uuid};

use crate::clock::Time;

thread_local! {
    /// Counts within a millisecond; each thread has its own, so that no decision waits for another one's name.
    static COUNTER: ContextV7 = const { ContextV7::new() };
}

/// A UUIDv7 (RFC 9562 §5.7) as text: the same in header, metadata and log. Those of one thread are in the order in which
/// they were made, those of all threads to the millisecond; 73 of their bits are random in each thread and millisecond.
#[derive(Debug, Clone, Copy)]
pub struct DecisionId([u8; 36]);

impl DecisionId {
    /// A name for what is decided at this time.
    pub fn new(time: Time) -> Self {
        let since = Duration::try_from_secs_f64(time.seconds()).unwrap_or_default();
        let id =
            COUNTER.with(|counter| Uuid::new_v7(Timestamp::from_unix(counter, since.as_secs(), since.subsec_nanos())));
        let mut text = [0; 36];
        id.hyphenated().encode_lower(&mut text);
        Self(text)
    }

    /// `019aab1e-7f0e-7a4e-9d0f-1f6f6c1f2f11`
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits and hyphens: this is always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn names_are_unique_over_threads_and_in_order_within_each() {
        let (clock, each) = (Clock::System, 20_000);
        let names = || (0..each).map(|_| DecisionId::new(clock.now()).as_str().to_owned()).collect::<Vec<_>>();
        let all: Vec<Vec<String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(names)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|names| names.is_sorted()));
        assert_eq!(all.iter().flatten().collect::<BTreeSet<_>>().len(), 4 * each);
    }

    #[test]
    fn a_name_is_a_uuid_of_version_7_that_tells_its_millisecond() {
        let name = DecisionId::new(Time::from_seconds(4_000_000_000.123_5));
        let id: Uuid = name.as_str().parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(name.as_str().get(..13).unwrap().replace('-', ""), format!("{:012x}", 4_000_000_000_123_u64));
        // A clock that was put back does not make a name twice.
        let earlier = DecisionId::new(Time::from_seconds(-5.0));
        assert!(earlier.as_str() > name.as_str());
    }
}
