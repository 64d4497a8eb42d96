//! The store's clock against ours: it says when a spent token may be forgotten, and since when uses are known.

use super::trouble::{Kind, Trouble};
use crate::clock::Time;

/// By so many seconds the store's clock may be before ours. A spent token is kept for a minute longer than any `clockSkew`
/// lets it be used; where the replica that spent it is behind the store by this, and another before it by as much, that is
/// just enough.
const MOST_AHEAD: f64 = 30.0;

/// From so many seconds on it is told that the store's clock is behind ours: less is the way of an answer.
const TOLD_BEHIND: f64 = 2.0;

/// By how many seconds the store's clock is before ours, at least: it told its time before it was `now`.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
pub(super) fn ahead((seconds, microseconds): (u64, u32), now: Time) -> f64 {
    seconds as f64 + f64::from(microseconds) / 1e6 - now.seconds()
}

/// # Errors
/// A clock by which the store forgets a spent token while it can still be used here.
pub(super) fn too_far_ahead(ahead: f64) -> Result<(), Trouble> {
    if ahead <= MOST_AHEAD {
        return Ok(());
    }
    let text = format!(
        "has a clock that is {ahead:.0} s ahead of this host's, so it would forget used tokens too early: set both by the same \
         time servers (chronyc tracking, timedatectl)"
    );
    Err(Trouble::new(Kind::Clock, text))
}

/// What its operator should know of a store whose clock is behind ours.
pub(super) fn behind(ahead: f64) -> Option<String> {
    (ahead <= -TOLD_BEHIND).then(|| {
        format!(
            "has a clock that is {:.0} s behind this host's: no token is taken before it is that old. Set both by the same \
             time servers",
            -ahead
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_is_a_trouble_and_one_that_is_behind_is_told() {
        for (ahead, up, told) in
            [(0.0, true, false), (30.0, true, false), (30.1, false, false), (-1.9, true, false), (-2.0, true, true)]
        {
            assert_eq!((too_far_ahead(ahead).is_ok(), behind(ahead).is_some()), (up, told), "{ahead}");
        }
        assert_eq!(ahead((1_000, 500_000), Time::from_seconds(999.0)), 1.5);
    }
}
