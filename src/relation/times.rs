//! Beginnings, ends and ages.

use crate::clock::Time;
use crate::decide::GrantTimes;

/// Whether whatever ends at `narrow` has ended when what ends at `wide` does; `None` is no end.
pub fn ends_within(narrow: Option<Time>, wide: Option<Time>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow <= wide))
}

/// Whether the one holds only where the other holds too.
pub fn times_within(narrow: &GrantTimes, wide: &GrantTimes) -> bool {
    let GrantTimes { starts, expires, max_token_age } = wide;
    let starts = starts.is_none_or(|wide| narrow.starts.is_some_and(|narrow| narrow >= wide));
    let age = max_token_age.is_none_or(|wide| narrow.max_token_age.is_some_and(|narrow| narrow <= wide));
    starts && ends_within(narrow.expires, *expires) && age
}

/// Whether there may be a time at which both hold.
pub fn times_meet(one: &GrantTimes, two: &GrantTimes) -> bool {
    let before = |start: Option<Time>, end: Option<Time>| match (start, end) {
        (Some(start), Some(end)) => start < end,
        _ => true,
    };
    [one, two].iter().all(|a| [one, two].iter().all(|b| before(a.starts, b.expires)))
}
