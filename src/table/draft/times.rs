//! Durations, dates and instants.

use std::time::Duration;

use super::super::{Kind, Node, Type};
use super::fields::Cx;
use super::read::{text, wrong};
use crate::clock::Time;

/// Longest duration: ten years.
const MAX_HOURS: u64 = 87_600;

/// `30s`, `24h`, `1h30m`: whole numbers of `h`, `m`, `s`, in this order, each at most once.
pub(super) fn duration(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Duration> {
    const HELP: &str = "a duration is written like `30s`, `24h` or `1h30m`";
    if let Kind::Scalar { text, of: Type::Integer } = &node.kind {
        wrong(cx, field, node, "a duration with its unit", &format!("`{text}s`? {HELP}"));
        return None;
    }
    let text = text(cx, field, node)?;
    let duration = parse_duration(&text);
    if duration.is_none() {
        cx.misfit(node.span, format!("{text:?} is not a duration"), "", HELP);
    }
    duration
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Some(after) = rest.get(digits..).and_then(|tail| tail.strip_prefix(unit)) else { continue };
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(worth)?)?;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty() && seconds <= MAX_HOURS * 3600).then(|| Duration::from_secs(seconds))
}

/// An end: a date lasts to the end of its day, UTC.
pub(super) fn end(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Time> {
    time(cx, field, node, true)
}

/// A beginning: a date counts from its first second, UTC.
pub(super) fn start(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Time> {
    time(cx, field, node, false)
}

fn time(cx: &mut Cx<'_>, field: &str, node: &Node, end: bool) -> Option<Time> {
    let text = text(cx, field, node)?;
    let time = parse_time(&text, end);
    if time.is_none() {
        let help = "write a date like `2027-03-31` (UTC), or an instant with its zone like `2027-03-31T12:00:00Z`";
        cx.misfit(node.span, format!("{text:?} is not a date or instant"), "", help);
    }
    time
}

fn parse_time(text: &str, end: bool) -> Option<Time> {
    let shape: String =
        text.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
    if shape == "0000-00-00" {
        let date: jiff::civil::Date = text.parse().ok()?;
        let date = if end { date.tomorrow().ok()? } else { date };
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(Time::from_seconds(midnight.timestamp().as_duration().as_secs_f64()));
    }
    let zoned = shape.ends_with('Z') || shape.ends_with("+00:00") || shape.ends_with("-00:00");
    if shape.starts_with("0000-00-00T00:00:00") && zoned { Time::from_rfc3339(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_in_order() {
        for (text, seconds) in [("30s", 30), ("24h", 86_400), ("1h30m", 5400), ("0s", 0), ("1h5s", 3605), ("90m", 5400)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "30", "s", "h", "30m1h", "1h1h", "1d", "-5s", "1.5h", "5 s", "5S", "87601h", "99999999999999999999s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_lasts_to_the_end_of_its_day_and_begins_at_its_start() {
        let at = |text| Time::from_rfc3339(text).unwrap();
        assert_eq!(parse_time("2027-03-31", true), Some(at("2027-04-01T00:00:00Z")));
        assert_eq!(parse_time("2027-03-31", false), Some(at("2027-03-31T00:00:00Z")));
        assert_eq!(parse_time("2027-03-31T12:00:00+02:00", true), Some(at("2027-03-31T10:00:00Z")));
        assert_eq!(parse_time("2027-03-31T12:00:00.5Z", true), Some(at("2027-03-31T12:00:00.5Z")));
        for text in [
            "2027-02-29",
            "31.03.2027",
            "20270331",
            "2027-03-31T12:00:00",
            "2027-03-31 12:00:00Z",
            "tomorrow",
            "2027-03-31T12:00:00Z[UTC]",
            "2027-3-31",
        ] {
            assert_eq!(parse_time(text, true), None, "{text}");
        }
    }
}
