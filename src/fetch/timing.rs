//! How long things take and how large they may be.

use std::time::Duration;

use super::doorbell::Budget;

/// The limits of fetching. The defaults are what the documentation promises; tests shorten them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// One exchange from the name look-up to the last byte of the body.
    pub exchange: Duration,
    /// The largest body, in bytes.
    pub body: usize,
    /// From a success to the next fetch, where the answer gives no `max-age`.
    pub refresh: Duration,
    /// The shortest and the longest `max-age` that is honoured.
    pub max_age: (Duration, Duration),
    /// From a failure to the next try: the first wait, doubled with each further failure, and the longest.
    pub backoff: (Duration, Duration),
    /// Between two looks at a `jwksFile`.
    pub file: Duration,
    /// How long the last good keys may serve while no new ones come, where the table does not say (`maxStale`).
    pub max_stale: Duration,
    /// How often the clock is asked whether trust that has ended has not ended after all.
    pub look_again: Duration,
    /// What tokens that name an unknown key may cause.
    pub budget: Budget,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            exchange: Duration::from_secs(2),
            body: 1 << 20,
            refresh: Duration::from_secs(300),
            // Not longer, whatever the answer says: a rotated key is to be known within minutes.
            max_age: (Duration::from_secs(60), Duration::from_secs(300)),
            backoff: (Duration::from_secs(1), Duration::from_secs(60)),
            file: Duration::from_secs(1),
            max_stale: Duration::from_secs(24 * 3600),
            look_again: Duration::from_secs(60),
            budget: Budget::default(),
        }
    }
}

impl Timing {
    /// The wait after a success, where the answer may be kept for `max_age`.
    pub(super) fn after_success(&self, max_age: Option<Duration>) -> Duration {
        let (shortest, longest) = self.max_age;
        let wait = max_age.map_or(self.refresh, |age| age.max(shortest).min(longest));
        jittered(wait)
    }

    /// The wait after the `failures`-th failure in a row, from 1.
    pub(super) fn after_failure(&self, failures: u32) -> Duration {
        let (first, longest) = self.backoff;
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        jittered(first.saturating_mul(doubled).min(longest))
    }
}

/// `wait` moved by up to a tenth, so that many sources, or many processes, do not ask at once.
fn jittered(wait: Duration) -> Duration {
    let mut dice = [0];
    // Without dice the wait is what it is: jitter spreads load, it protects nothing.
    let _ = aws_lc_rs::rand::fill(&mut dice);
    wait.mul_f64(0.9 + f64::from(u8::from_ne_bytes(dice)) / 256.0 * 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let timing = Timing::default();
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (40, 60.0), (u32::MAX, 60.0)] {
            let wait = timing.after_failure(failures).as_secs_f64();
            assert!((0.9 * seconds..=1.1 * seconds).contains(&wait), "{failures}: {wait}");
        }
    }

    #[test]
    fn max_age_is_honoured_between_one_minute_and_five() {
        let timing = Timing::default();
        for (max_age, seconds) in [(None, 300.0), (Some(0), 60.0), (Some(120), 120.0), (Some(86_400), 300.0)] {
            let wait = timing.after_success(max_age.map(Duration::from_secs)).as_secs_f64();
            assert!((0.9 * seconds..=1.1 * seconds).contains(&wait), "{max_age:?}: {wait}");
        }
    }
}
