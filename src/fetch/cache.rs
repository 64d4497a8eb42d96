//! What an answer says about being kept and asked for again (RFC 9110 §8.8, RFC 9111).

use std::time::Duration;

use reqwest::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};

/// The longest validator that is kept, in bytes: it comes from strangers and is sent back.
const LONGEST: usize = 256;
/// The longest time that is told apart from for ever (RFC 9111 §1.2.2), in seconds.
const FOR_EVER: u64 = 1 << 31;

/// What to ask with whether a document has changed: its entity tag, or where it has none, its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validator {
    name: HeaderName,
    value: HeaderValue,
}

impl Validator {
    /// The validator of an answer, unless it is malformed or too long.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if let Some(tag) = headers.get(ETAG) {
            return is_tag(tag.as_bytes()).then(|| Self { name: IF_NONE_MATCH, value: tag.clone() });
        }
        let date = headers.get(LAST_MODIFIED)?;
        seconds(date)?;
        Some(Self { name: IF_MODIFIED_SINCE, value: date.clone() })
    }

    /// The header that asks.
    pub(super) fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }
}

/// `entity-tag` of RFC 9110 §8.8.3, weak or strong.
fn is_tag(tag: &[u8]) -> bool {
    let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
    let inner = opaque.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    tag.len() <= LONGEST
        && inner.is_some_and(|inner| inner.iter().all(|byte| *byte > b' ' && !matches!(byte, b'"' | 0x7f)))
}

/// How long an answer stays fresh: what `Cache-Control` says, else `Expires` as seen from the sender's own `Date`,
/// less its `Age`. None where it says nothing; zero where it may not be reused without asking, or says nonsense.
pub(super) fn freshness(headers: &HeaderMap) -> Option<Duration> {
    let lifetime = cache_control(headers).or_else(|| expires(headers))?;
    let age = headers.get(AGE).and_then(|age| delta(age.to_str().ok()?)).unwrap_or(0);
    Some(Duration::from_secs(lifetime.saturating_sub(age)))
}

/// The shortest time that a directive allows. `s-maxage` counts, because one answer serves many callers here.
fn cache_control(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => Some(0),
            "max-age" | "s-maxage" => Some(delta(value.trim_matches('"')).unwrap_or(0)),
            _ => None,
        }
    });
    seconds.min()
}

/// `Expires` less `Date`: both by the sender's clock, so ours need not agree with it. An `Expires` that is no date
/// lies in the past (RFC 9111 §5.3).
fn expires(headers: &HeaderMap) -> Option<u64> {
    let Some(end) = seconds(headers.get(EXPIRES)?) else { return Some(0) };
    Some(end.saturating_sub(seconds(headers.get(DATE)?)?))
}

/// `Date`, by the sender's clock, in seconds since 1970.
pub(super) fn date(headers: &HeaderMap) -> Option<u64> {
    seconds(headers.get(DATE)?)
}

/// An HTTP date in any of its three forms (RFC 9110 §5.6.7), as seconds since 1970.
fn seconds(date: &HeaderValue) -> Option<u64> {
    let date = httpdate::parse_http_date(date.to_str().ok()?).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// `delta-seconds` (RFC 9111 §1.2.2): what is too large to count lasts for ever.
fn delta(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(FOR_EVER).min(FOR_EVER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        lines.iter().map(header).fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
    }

    #[track_caller]
    fn fresh(lines: &[(&'static str, &str)], expected: Option<u64>) {
        assert_eq!(freshness(&headers(lines)), expected.map(Duration::from_secs), "{lines:?}");
    }

    #[test]
    fn cache_control_goes_before_expires_and_the_shortest_time_counts() {
        const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        const LATER: (&str, &str) = ("expires", "Sun, 06 Nov 1994 08:51:37 GMT");
        fresh(&[], None);
        fresh(&[("cache-control", "public, Max-Age=120")], Some(120));
        fresh(&[("cache-control", "max-age=\"120\", s-maxage=60")], Some(60));
        fresh(&[("cache-control", "max-age=120"), ("cache-control", "no-cache")], Some(0));
        fresh(&[("cache-control", "no-store")], Some(0));
        fresh(&[("cache-control", "no-cache=\"set-cookie\"")], Some(0));
        fresh(&[("cache-control", "max-age=soon")], Some(0));
        fresh(&[("cache-control", "max-age=99999999999999999999999")], Some(FOR_EVER));
        fresh(&[("cache-control", "must-revalidate")], None);
        fresh(&[("cache-control", "max-age=120"), ("age", "50")], Some(70));
        fresh(&[("cache-control", "max-age=120"), ("age", "500")], Some(0));
        fresh(&[("cache-control", "max-age=120"), ("age", "-5")], Some(120));
        fresh(&[DATE, LATER], Some(120));
        fresh(&[DATE, LATER, ("cache-control", "max-age=7")], Some(7));
        fresh(&[DATE, LATER, ("cache-control", "public")], Some(120));
        fresh(&[DATE, ("expires", "Sunday, 06-Nov-94 08:50:37 GMT")], Some(60));
        fresh(&[DATE, ("expires", "Sun, 06 Nov 1994 08:00:00 GMT")], Some(0));
        fresh(&[DATE, ("expires", "0")], Some(0));
        fresh(&[LATER], None);
    }

    #[test]
    fn a_validator_is_a_tag_or_else_a_date_and_bounded() {
        let validator = |lines: &[(&'static str, &str)]| Validator::of(&headers(lines)).map(|found| found.header());
        const DATE: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        for tag in ["\"a\"", "W/\"a\"", "\"\"", "\"\u{e9}\""] {
            let (name, value) = validator(&[("etag", tag), DATE]).unwrap();
            assert_eq!((name, value.as_bytes()), (IF_NONE_MATCH, tag.as_bytes()));
        }
        assert_eq!(validator(&[DATE]).unwrap().0, IF_MODIFIED_SINCE);
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        for tag in ["a", "\"", "\"a\"b\"", "w/\"a\"", "\"a b\"", "*", &long] {
            assert_eq!(validator(&[("etag", tag), DATE]), None, "{tag}");
        }
        assert_eq!(validator(&[("last-modified", "yesterday")]), None);
    }
}
