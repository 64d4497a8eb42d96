//! Whether a collector may take later what it did not take now, and how long it asks to be left alone until then
//! (OTLP 1.9, §OTLP/gRPC Throttling, §OTLP/HTTP Throttling).

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message as _;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use crate::proto::otlp::{RetryInfo, RpcStatus};

/// Binary metadata of gRPC: senders leave the padding out or not.
const METADATA: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The longest wait that a collector may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// After an answer of HTTP that is no success: how long to wait at least, or `None` where the same would never be taken.
pub(super) fn of_http(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    matches!(status.as_u16(), 429 | 502 | 503 | 504).then(|| retry_after(headers).unwrap_or_default())
}

/// The same after a gRPC status that is not `OK`.
pub(super) fn of_grpc(code: &[u8], details: Option<&HeaderValue>) -> Option<Duration> {
    let asked = details.and_then(retry_info);
    match code {
        // RESOURCE_EXHAUSTED passes only where the collector says so.
        b"8" => asked,
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        b"1" | b"4" | b"10" | b"11" | b"14" | b"15" => Some(asked.unwrap_or_default()),
        _ => None,
    }
}

/// The wait before another try: never less than the collector asks for, within reason, and a little more by chance, so that many
/// processes do not come at once.
pub(super) fn wait(pause: Duration, asked: Duration) -> Duration {
    let dice = RandomState::new().hash_one(0).to_ne_bytes()[0];
    pause.max(asked.min(LONGEST)).mul_f64(1.0 + f64::from(dice) / 1280.0)
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which is held against the sender's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    date(text)?.duration_since(date(headers.get(DATE)?.to_str().ok()?)?).ok()
}

/// `google.rpc.RetryInfo` among the details of a status (`grpc-status-details-bin`).
fn retry_info(details: &HeaderValue) -> Option<Duration> {
    let status = RpcStatus::decode(METADATA.decode(details).ok()?.as_slice()).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    let [seconds, nanos] = [delay.seconds, delay.nanos.into()].map(|part| u64::try_from(part).unwrap_or(0));
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        of_http(StatusCode::from_u16(status).unwrap(), &headers.collect())
    }

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn over_http_four_statuses_may_pass_and_no_other() {
        for status in 100..=599 {
            let expected = [429, 502, 503, 504].contains(&status);
            assert_eq!(http(status, &[("retry-after", "7")]).is_some(), expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_senders_clock() {
        let now = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, asked) in [
            ("7", seconds(7)),
            (" 7 ", seconds(7)),
            ("99999999999999999999999", Some(Duration::from_secs(u64::MAX))),
            ("Sun, 06 Nov 1994 08:50:07 GMT", seconds(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", AT_ONCE),
            ("-7", AT_ONCE),
            ("soon", AT_ONCE),
            ("", AT_ONCE),
        ] {
            assert_eq!(http(503, &[now, ("retry-after", value)]), asked, "{value:?}");
        }
        assert_eq!(
            http(503, &[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]),
            AT_ONCE,
            "no clock to hold it against"
        );
        assert_eq!(http(429, &[]), AT_ONCE);
    }

    /// `{code: 8, details: [{RetryInfo {retry_delay: 5.25 s}}]}`, written by hand.
    fn details(type_url: &str) -> Vec<u8> {
        let info = [0x0a, 7, 0x08, 5, 0x10, 0x80, 0xe5, 0x9a, 0x77].as_slice();
        let any = [&[0x0a, u8::try_from(type_url.len()).unwrap()], type_url.as_bytes(), &[0x12, 9], info].concat();
        [&[0x08, 8, 0x1a, u8::try_from(any.len()).unwrap()], any.as_slice()].concat()
    }

    #[test]
    fn over_grpc_what_is_exhausted_passes_only_where_the_collector_says_when() {
        let grpc = |code: u8, details: Option<&str>| {
            let details = details.map(|text| HeaderValue::from_str(text).unwrap());
            of_grpc(code.to_string().as_bytes(), details.as_ref())
        };
        for code in 1..=16 {
            let expected = if [1, 4, 10, 11, 14, 15].contains(&code) { AT_ONCE } else { None };
            assert_eq!(grpc(code, None), expected, "{code}");
        }
        let info = details("type.test/google.rpc.RetryInfo");
        let padded = base64::engine::general_purpose::STANDARD.encode(&info);
        assert!(padded.ends_with('='), "{padded}");
        let asked = Some(Duration::from_millis(5250));
        for text in [padded.as_str(), padded.trim_end_matches('=')] {
            assert_eq!(
                (grpc(8, Some(text)), grpc(14, Some(text)), grpc(3, Some(text))),
                (asked, asked, None),
                "{text}"
            );
        }
        let other = METADATA.encode(details("type.test/google.rpc.QuotaFail"));
        for text in [other.as_str(), "", "%%%", padded.split_at(20).0] {
            assert_eq!((grpc(8, Some(text)), grpc(14, Some(text))), (None, AT_ONCE), "{text}");
        }
        assert_eq!(of_grpc(b"00", None), None);
        assert_eq!(of_grpc(b"", None), None);
    }

    #[test]
    fn a_wait_is_never_shorter_than_asked_and_never_beyond_reason() {
        for (pause, asked, least) in [(1, 0, 1), (1, 7, 7), (8, 7, 8), (1, u64::MAX, 60)] {
            let [pause, asked, least] = [pause, asked, least].map(Duration::from_secs);
            for _ in 0..100 {
                let wait = wait(pause, asked);
                assert!((least..least.mul_f64(1.21)).contains(&wait), "{wait:?}");
            }
        }
    }
}
