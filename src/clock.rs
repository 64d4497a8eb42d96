//! The only reader of system time.
//!
//! In: nothing. Out: a [`Time`] on the wall clock, taken once per call and handed down as an argument. Nothing
//! below the doors reads a clock, which is what makes every decision repeatable.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A point on the wall clock: seconds since 1970-01-01T00:00:00Z, fractions allowed (RFC 7519 §2, NumericDate).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Time(f64);

impl Time {
    /// Seconds since the epoch.
    pub const fn from_seconds(seconds: f64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch, with fractions.
    pub const fn seconds(self) -> f64 {
        self.0
    }

    /// This time moved ahead by `span`.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0 + span.as_secs_f64())
    }

    /// `self - earlier`, in seconds; negative when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }

    /// Reads an RFC 3339 instant with a zone, such as `2026-11-21T12:00:00Z`.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_duration().as_secs_f64()))
    }

    /// RFC 3339 in UTC with milliseconds, such as `2026-11-21T12:00:00.000Z`: what was read is written as it was.
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and what is out of range is told")]
    pub fn to_rfc3339(self) -> String {
        // A date of our time has a quarter of a microsecond in a float: what is less is no part of it.
        let nanoseconds = (self.0.fract() * 1e6).round() as i32 * 1000;
        jiff::Timestamp::from_duration(jiff::SignedDuration::new(self.0.trunc() as i64, nanoseconds))
            .map_or_else(|_| String::from("out-of-range"), |instant| format!("{instant:.3}"))
    }

    /// An end, as a table writes it: the date of the day that it is the end of (UTC), such as `2027-06-30` for the midnight
    /// after it; where it is within a day, as [`Time::to_rfc3339`].
    pub fn to_end(self) -> String {
        const DAY: f64 = 86_400.0;
        let day = Self(self.0 - DAY).to_rfc3339();
        let date = day.get(.."2027-06-30".len()).filter(|_| self.0.rem_euclid(DAY) == 0.0);
        date.map_or_else(|| self.to_rfc3339(), str::to_owned)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// When something began, by a wall clock that may be set forward later.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// By the wall clock of then.
    told: Time,
    /// By a clock that nobody sets; `None` where time is made by hand.
    steady: Option<Instant>,
}

impl Beginning {
    /// When it was by the wall clock that says `now`: if that was set forward since, later than it said then. Never earlier:
    /// a clock that is set back would else have it begin before it did.
    pub fn by(&self, now: Time) -> Time {
        let Some(steady) = self.steady else { return self.told };
        let ago = Time(now.0 - steady.elapsed().as_secs_f64());
        if ago > self.told { ago } else { self.told }
    }
}

/// Stands still.
impl From<Time> for Beginning {
    fn from(told: Time) -> Self {
        Self { told, steady: None }
    }
}

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// Stands still until it is moved: for tests and for `--at`. Milliseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time`.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit an i64; `as` saturates")]
    pub fn manual(time: Time) -> Self {
        Self::Manual(Arc::new(AtomicI64::new((time.0 * 1000.0) as i64)))
    }

    /// Moves a manual clock to `time`; a system clock stays as it is.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any date fit an i64; `as` saturates")]
    pub fn set(&self, time: Time) {
        if let Self::Manual(milliseconds) = self {
            milliseconds.store((time.0 * 1000.0) as i64, Ordering::Relaxed);
        }
    }

    /// What begins now.
    pub fn beginning(&self) -> Beginning {
        let steady = match self {
            Self::System => Some(Instant::now()),
            Self::Manual(_) => None,
        };
        Beginning { told: self.now(), steady }
    }

    /// Now.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place")]
                let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                // A clock before 1970 reads as 1970: every token is then in the future, so nothing is let through.
                Time(since_epoch.unwrap_or_default().as_secs_f64())
            }
            Self::Manual(milliseconds) => Time(milliseconds.load(Ordering::Relaxed) as f64 / 1000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_needs_a_zone_and_comes_back_as_it_was() {
        let noon = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
        assert_eq!(noon.to_rfc3339(), "2026-11-21T12:00:00.000Z");
        assert_eq!(Time::from_rfc3339("2026-11-21T13:00:00+01:00"), Some(noon));
        assert_eq!(Time::from_rfc3339("2026-11-21T12:00:00"), None);
        for millisecond in 0..1000 {
            let text = format!("2026-11-21T09:13:40.{millisecond:03}Z");
            assert_eq!(Time::from_rfc3339(&text).unwrap().to_rfc3339(), text);
        }
        for extreme in [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(Time::from_seconds(extreme).to_rfc3339(), "out-of-range");
        }
    }

    #[test]
    fn an_end_is_told_as_the_day_that_it_is_the_end_of() {
        let end = |text: &str| Time::from_rfc3339(text).unwrap().to_end();
        assert_eq!(end("2027-07-01T00:00:00Z"), "2027-06-30");
        assert_eq!(end("2028-03-01T00:00:00Z"), "2028-02-29");
        assert_eq!(end("1970-01-01T00:00:00Z"), "1969-12-31");
        assert_eq!(end("2027-07-01T00:00:00.500Z"), "2027-07-01T00:00:00.500Z");
        assert_eq!(end("2027-06-30T12:00:00Z"), "2027-06-30T12:00:00.000Z");
        assert_eq!(Time::from_seconds(f64::INFINITY).to_end(), "out-of-range");
    }

    #[test]
    fn what_began_did_so_later_by_a_clock_that_was_set_forward_and_no_earlier_by_one_that_was_set_back() {
        let began = Beginning { told: Time(1000.0), steady: Some(Instant::now()) };
        assert_eq!(began.by(Time(1000.0)), Time(1000.0));
        assert_eq!(began.by(Time(400.0)), Time(1000.0));
        assert!(began.by(Time(4600.0)) > Time(1000.0) && began.by(Time(4600.0)) <= Time(4600.0));
        assert_eq!(Beginning::from(Time(7.0)).by(Time(4600.0)), Time(7.0));
    }

    #[test]
    fn a_manual_clock_stands_where_it_was_put() {
        let clock = Clock::manual(Time::from_seconds(1000.5));
        assert_eq!(clock.now(), Time::from_seconds(1000.5));
        clock.set(Time::from_seconds(7.0));
        assert_eq!(clock.now(), Time::from_seconds(7.0));
    }
}
