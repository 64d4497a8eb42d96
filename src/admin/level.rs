//! `/loglevel`: what the program's own log tells, and for how long.
//!
//! The one thing that can be changed here, so only from this host (`kubectl port-forward` is), never by a page in a browser, and never for
//! good: it ends by itself, and with the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::header::{FORWARDED, HOST, ORIGIN, VIA};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use serde_json::json;

use super::{Bounded, Status};
use crate::clock::{Clock, Time};
use crate::observe::{LogLevel, Turn};
use crate::resource::Authority;

/// The longest body, in bytes.
pub(super) const MAX_BODY: usize = 1024;

/// How long a change lasts unless the question says, and at most.
const USUAL: Duration = Duration::from_secs(15 * 60);
const MOST: Duration = Duration::from_secs(24 * 3600);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A sentence for people, in one line.
fn no(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

fn told(level: &LogLevel) -> Response {
    let now = level.now();
    let until = now.until.map(Time::to_rfc3339);
    Json(json!({"level": now.text, "until": until, "at_start": level.start()})).into_response()
}

pub(super) async fn show<S: Status>(State(status): State<Arc<S>>) -> Response {
    status.log_level().map_or_else(|| no(StatusCode::NOT_FOUND, "not found"), |level| told(level))
}

pub(super) async fn change<S: Status>(
    State(status): State<Arc<S>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let Some(level) = status.log_level() else { return no(StatusCode::NOT_FOUND, "not found") };
    if !peer.ip().to_canonical().is_loopback() || !is_direct(&headers) {
        return no(
            StatusCode::FORBIDDEN,
            "the log level is changed from this host only, and not by a browser: use curl, or kubectl port-forward and curl",
        );
    }
    let Some(lasts) = lasts(query.as_deref()) else {
        return no(
            StatusCode::BAD_REQUEST,
            "expected /loglevel?for=TIME, with TIME such as 30s, 15m or 2h, at most 24h",
        );
    };
    let text = std::str::from_utf8(&body).unwrap_or("\u{fffd}").trim_ascii();
    let tell =
        || tracing::warn!(level = text, seconds = lasts.as_secs(), "the log level was changed on the admin listener");
    match level.set(text, Clock::System.now().after(lasts), tell) {
        Ok(turn) => {
            tokio::spawn(end(Arc::clone(level), turn, lasts));
            told(level)
        }
        Err(why) => no(StatusCode::BAD_REQUEST, &why),
    }
}

/// Whether the question was put to this host by its own name and by no page in a browser: behind a proxy on this host,
/// such as the sidecar of a mesh, everybody comes from loopback.
fn is_direct(headers: &HeaderMap) -> bool {
    let passed_on = |name: &HeaderName| {
        *name == ORIGIN || *name == FORWARDED || *name == VIA || name.as_str().starts_with("x-forwarded-")
    };
    let host = headers.get(HOST).and_then(|host| Authority::read(host.to_str().ok()?));
    let is_here = host.is_some_and(|host| {
        host.host == "localhost" || host.address().is_some_and(|address| address.to_canonical().is_loopback())
    });
    is_here && !headers.keys().any(passed_on)
}

async fn end(level: Arc<LogLevel>, turn: Turn, after: Duration) {
    tokio::time::sleep(after).await;
    if level.end(turn) {
        tracing::info!(level = level.start(), "the log level is that of the start again");
    }
}

/// Of `for=15m`, or the usual; `None`: it says something else.
fn lasts(query: Option<&str>) -> Option<Duration> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Some(USUAL) };
    let text = query.strip_prefix("for=")?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit)?;
    Some(Duration::from_secs(seconds)).filter(|lasts| (1..=MOST.as_secs()).contains(&lasts.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_an_end_within_a_day() {
        for (query, seconds) in [(None, 900), (Some(""), 900), (Some("for=30s"), 30), (Some("for=24h"), 86_400)] {
            assert_eq!(lasts(query), Some(Duration::from_secs(seconds)), "{query:?}");
        }
        for bad in [
            "for=",
            "for=0s",
            "for=25h",
            "for=-1s",
            "for=+1s",
            "for=1d",
            "for=ever",
            "x=1",
            "for=1s&x",
            "for=9999999999999999999h",
            "for=1\u{e9}",
        ] {
            assert_eq!(lasts(Some(bad)), None, "{bad}");
        }
    }

    struct Knob(Arc<LogLevel>);

    impl Status for Knob {
        fn readiness(&self) -> super::super::Readiness {
            super::super::Readiness::default()
        }

        fn metrics(&self, _: crate::observe::Format) -> Vec<u8> {
            Vec::new()
        }

        fn log_level(&self) -> Option<&Arc<LogLevel>> {
            Some(&self.0)
        }
    }

    #[tokio::test]
    async fn nobody_but_this_host_changes_it() {
        // The handle is good for as long as the layer is there.
        let (_layer, handle) = tracing_subscriber::reload::Layer::new(LogLevel::filter("info").unwrap());
        let knob = Arc::new(Knob(Arc::new(LogLevel::new(handle, "info".into()))));
        let ask = async |peer: &str| {
            let peer = ConnectInfo(Peer(SocketAddr::new(peer.parse().unwrap(), 40_000)));
            let body = Bytes::from_static(b"debug");
            let headers = HeaderMap::from_iter([(HOST, "localhost:9192".parse().unwrap())]);
            change(State(Arc::clone(&knob)), peer, headers, RawQuery(None), body).await.status()
        };
        for stranger in ["192.0.2.7", "10.0.0.1", "fd00::1", "::ffff:192.0.2.7", "0.0.0.0"] {
            assert_eq!(
                (ask(stranger).await, knob.0.now().text.as_str()),
                (StatusCode::FORBIDDEN, "info"),
                "{stranger}"
            );
        }
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!((ask(own).await, knob.0.now().text.as_str()), (StatusCode::OK, "debug"), "{own}");
        }
    }
}
