//! The time of a line: as the clock writes it, without asking a calendar for each line.

use std::cell::Cell;

use crate::clock::Time;

/// `2026-11-21T12:00:00.`
const SECOND: usize = 20;
/// `2026-11-21T12:00:00.000Z`
const STAMP: usize = SECOND + 4;

thread_local! {
    /// The second that was told last, and its text.
    static LAST: Cell<(i64, [u8; SECOND])> = const { Cell::new((i64::MIN, [0; SECOND])) };
}

/// [`Time::to_rfc3339`], at the end of `to`.
pub(super) fn write(to: &mut Vec<u8>, time: Time) {
    let Some((second, millisecond)) = split(time.seconds()) else {
        return to.extend_from_slice(time.to_rfc3339().as_bytes());
    };
    let (last, mut text) = LAST.get();
    if last != second {
        let whole = time.to_rfc3339();
        // Years of more than four digits are told as they come.
        match whole.as_bytes().first_chunk().filter(|_| whole.len() == STAMP) {
            Some(fresh) => text = *fresh,
            None => return to.extend_from_slice(whole.as_bytes()),
        }
        LAST.set((second, text));
    }
    to.extend_from_slice(&text);
    to.extend([millisecond / 100, millisecond / 10 % 10, millisecond % 10].iter().filter_map(digit));
    to.push(b'Z');
}

fn digit(number: &u32) -> Option<u8> {
    u8::try_from(*number).ok().map(|number| b'0' + number)
}

/// Seconds and milliseconds, as the clock rounds them: to the nearest microsecond first, then down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are checked first")]
fn split(seconds: f64) -> Option<(i64, u32)> {
    // Below lies what a token could not have; above, the years that have five digits.
    if !(0.0..253_402_300_799.0).contains(&seconds) {
        return None;
    }
    let microseconds = (seconds.fract() * 1e6).round() as u32;
    let carry = microseconds / 1_000_000;
    Some((seconds.trunc() as i64 + i64::from(carry), microseconds % 1_000_000 / 1000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(seconds: f64) -> String {
        let mut text = Vec::new();
        write(&mut text, Time::from_seconds(seconds));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn odd_times_are_told_as_the_clock_tells_them() {
        for seconds in [
            0.0,
            -0.0,
            -0.5,
            -1.0,
            0.999_999_999_9,
            1.999_999_999_5,
            1e9,
            1_763_726_399.999_9,
            253_402_300_798.999_97,
            253_402_300_799.5,
            253_402_300_800.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            // Twice: the second time the second is known.
            for _ in 0..2 {
                assert_eq!(written(seconds), Time::from_seconds(seconds).to_rfc3339(), "{seconds}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_time_is_told_as_the_clock_tells_it(seconds in 0..4_000_000_000_u32, parts in prop::collection::vec(0.0..1.0, 1..4)) {
            for part in parts {
                let seconds = f64::from(seconds) + part;
                prop_assert_eq!(written(seconds), Time::from_seconds(seconds).to_rfc3339());
            }
        }
    }
}
