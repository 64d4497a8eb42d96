//! The operator's door: is it alive, is it ready, what did it count.
//!
//! In: a [`Status`] that answers when asked. Out: `/healthz`, `/readyz`, `/metrics` and `/loglevel` over plain HTTP/1.1
//! on a listener of their own, one request a connection. It must never know what stands behind the answers, and nothing
//! here changes anything but how much the log tells.

mod level;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::grpc::socket::{Leashed, Phase, reaches};
use crate::observe::Format;
use crate::observe::LogLevel;
use level::Peer;

/// A connection that is not done by then is cut: nothing here takes long, and nobody may sit on a connection.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// Connections at once; more wait in the kernel.
const MAX_CONNECTIONS: usize = 64;

/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the endpoints tell. Called on the runtime: must not block.
pub trait Status: Send + Sync + 'static {
    /// For `/readyz`.
    fn readiness(&self) -> Readiness;

    /// For `/metrics`.
    fn metrics(&self, format: Format) -> Vec<u8>;

    /// For `/loglevel`; `None` where it cannot be changed.
    fn log_level(&self) -> Option<&Arc<LogLevel>> {
        None
    }
}

/// The body of `/readyz`; 200 if `ready`, else 503.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Readiness {
    /// Whether calls can be decided.
    pub ready: bool,
    /// Names of the `required` issuers whose keys are still waited for.
    pub awaited: Vec<String>,
    /// Keys that several issuers of one name publish, and that speak for none of them: a sentence for each.
    pub shared_keys: Vec<String>,
    /// The table in force, once there is one.
    pub table: Option<TableState>,
    /// Why the last reload was not taken; none if it was.
    pub last_reload_error: Option<String>,
    /// The blocks in force, where any were named.
    pub blocks: Option<BlocksState>,
    /// Why the last change of the blocks was not taken; none if it was.
    pub last_blocks_error: Option<String>,
    /// How the shared store of spent tokens is; none where there is no such store. It says nothing about `ready`: calls
    /// that do not need it are decided without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_store: Option<ReplayStoreState>,
    /// The keys of each issuer, in the order of their names.
    pub issuers: Vec<IssuerState>,
}

/// Which table is in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TableState {
    /// Counts up from 1 with every table that came into force.
    pub generation: u64,
    /// Digest of its meaning, in hexadecimal.
    pub sha256: String,
    /// When it came into force, RFC 3339.
    pub loaded_at: String,
}

/// How the shared store of spent tokens is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplayStoreState {
    /// Whether tokens can be spent.
    pub up: bool,
    /// Why not.
    pub trouble: Option<String>,
    /// What should be changed there although it works.
    pub warning: Option<String>,
    /// Tokens issued before this are not taken, RFC 3339: uses before it may be forgotten.
    pub since: Option<String>,
}

/// Which blocks are in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BlocksState {
    /// Counts up from 1 with every state of the blocks that came into force.
    pub generation: u64,
    /// Digest of their meaning, in hexadecimal.
    pub sha256: String,
    /// When they came into force, RFC 3339.
    pub loaded_at: String,
    /// How many there are.
    pub entries: usize,
}

/// What is known of one issuer's keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IssuerState {
    /// Its name in the table; an entry that stands for several issuers is here once for each.
    pub name: String,
    /// The exact issuer: the first half of its principals.
    pub iss: String,
    /// The realm of its principals, if it has one.
    pub realm: Option<String>,
    /// Whether readiness waits for its keys.
    pub required: bool,
    /// Whether the entry has ended: no token of it counts, and its keys are not fetched unless it has a realm.
    pub ended: bool,
    /// Usable keys.
    pub keys: usize,
    /// Published keys that are left out: not usable, or not under the entry's rules.
    pub ignored: usize,
    /// Published keys that would do, but are not pinned.
    pub not_pinned: usize,
    /// When they were last fetched, RFC 3339; none if never, or if they stand in the table.
    pub fetched_at: Option<String>,
    /// How long ago that was, in whole seconds.
    pub age_seconds: Option<f64>,
    /// Why the last fetch failed; none if it did not.
    pub last_error: Option<String>,
    /// When they are fetched next, RFC 3339; none if they stand in the table.
    pub next_refresh: Option<String>,
}

/// A server that runs until [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    running: JoinHandle<()>,
}

/// Listens on `address` (port 0 takes a free one) and answers from `status`, on the runtime that this is called on.
///
/// # Errors
/// The address is taken or unusable.
pub async fn serve<S: Status>(address: SocketAddr, status: Arc<S>) -> io::Result<Server> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    let (phase, watched) = watch::channel(Phase::Serving);
    let stop = reaches(phase.subscribe(), |phase| phase != Phase::Serving);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let service = router(status).into_make_service_with_connect_info::<Peer>();
    let serving = axum::serve(Bounded { socket, places, phase: watched }, service).with_graceful_shutdown(stop);
    let running = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the admin server ended");
        }
    });
    Ok(Server { address, phase, running })
}

impl Server {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server; what is being answered gets `grace`.
    pub async fn shutdown(mut self, grace: Duration) {
        self.phase.send_replace(Phase::Draining);
        if tokio::time::timeout(grace, &mut self.running).await.is_err() {
            self.phase.send_replace(Phase::Cut);
            self.running.abort();
        }
    }
}

fn router<S: Status>(status: Arc<S>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready::<S>))
        .route("/metrics", get(metrics::<S>))
        .route("/loglevel", get(level::show::<S>).put(level::change::<S>))
        .fallback(async || (StatusCode::NOT_FOUND, "not found\n"))
        .layer(DefaultBodyLimit::max(level::MAX_BODY))
        .layer(middleware::map_response(once_and_uncached))
        .with_state(status)
}

async fn index() -> &'static str {
    "credence\n\n/healthz   the process lives\n/readyz    calls can be decided\n/metrics   for Prometheus\n/loglevel  what the log tells\n"
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready<S: Status>(State(status): State<Arc<S>>) -> Response {
    let readiness = status.readiness();
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(readiness)).into_response()
}

async fn metrics<S: Status>(State(status): State<Arc<S>>, headers: HeaderMap) -> Response {
    let accept: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::asked(&accept.join(","));
    ([(CONTENT_TYPE, format.content_type())], status.metrics(format)).into_response()
}

/// One request a connection, so that a connection's life is bounded; and an answer is true only now.
async fn once_and_uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A listener with a bounded number of connections of bounded life.
struct Bounded {
    socket: TcpListener,
    places: Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
}

impl axum::serve::Listener for Bounded {
    type Io = Leashed<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.ok();
            match self.socket.accept().await {
                Ok((socket, peer)) => {
                    return (Leashed::new(socket, Box::pin(life(self.phase.clone(), place))), peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "an admin connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// How long a connection may last; its place is free when this ends or is dropped with the connection.
async fn life(phase: watch::Receiver<Phase>, _place: Option<OwnedSemaphorePermit>) {
    _ = tokio::time::timeout(CONNECTION_LIFE, reaches(phase, |phase| phase == Phase::Cut)).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Fixed(bool);

    impl Status for Fixed {
        fn readiness(&self) -> Readiness {
            let table = TableState { generation: 3, sha256: "ab".into(), loaded_at: "2026-11-21T12:00:00Z".into() };
            let issuers = vec![IssuerState { name: "github-acme".into(), keys: 2, ..IssuerState::default() }];
            Readiness {
                ready: self.0,
                table: Some(table),
                last_reload_error: Some("cut off".into()),
                replay_store: None,
                issuers,
                ..Readiness::default()
            }
        }

        fn metrics(&self, format: Format) -> Vec<u8> {
            format!("in {format:?}\n").into_bytes()
        }
    }

    async fn start(ready: bool) -> Server {
        serve(([127, 0, 0, 1], 0).into(), Arc::new(Fixed(ready))).await.unwrap()
    }

    /// Everything that comes back until the server closes the connection.
    async fn send(server: &Server, request: &str) -> String {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(server: &Server, path: &str) -> String {
        send(server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    #[tokio::test]
    async fn alive_is_one_thing_and_ready_another() {
        let (ready, unready) = (start(true).await, start(false).await);
        assert!(get(&unready, "/healthz").await.starts_with("HTTP/1.1 200 OK"));
        assert!(get(&unready, "/readyz").await.starts_with("HTTP/1.1 503 Service Unavailable"));
        let answer = get(&ready, "/readyz?verbose").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["table"]["generation"], 3);
        assert_eq!(body["last_reload_error"], "cut off");
        assert_eq!(body["issuers"][0]["keys"], 2);
    }

    #[tokio::test]
    async fn metrics_come_in_the_format_that_is_asked_for() {
        let server = start(true).await;
        for (accept, format) in [
            ("", Format::Text),
            ("accept: application/openmetrics-text;q=0.9\r\naccept: */*;q=0.1\r\n", Format::OpenMetrics),
            (
                "accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n",
                Format::Protobuf,
            ),
        ] {
            let answer = send(&server, &format!("GET /metrics HTTP/1.1\r\nhost: x\r\n{accept}\r\n")).await;
            assert!(answer.contains(&format!("\r\ncontent-type: {}\r\n", format.content_type())), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\nin {format:?}\n")), "{answer}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_404_and_what_would_change_something_405() {
        let server = start(true).await;
        for path in ["/config", "/healthz/", "//", "/../metrics"] {
            assert!(get(&server, path).await.starts_with("HTTP/1.1 404 "), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let answer = send(&server, &format!("{method} /metrics HTTP/1.1\r\nhost: x\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
        }
        let answer = send(&server, "HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_serves_one_request() {
        let twice = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
        let answer = send(&start(true).await, &twice).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_never_done_is_cut() {
        let server = start(true).await;
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
        let mut rest = Vec::new();
        _ = socket.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn shutdown_closes_the_listener() {
        let server = start(true).await;
        let address = server.address();
        server.shutdown(Duration::from_secs(30)).await;
        TcpStream::connect(address).await.unwrap_err();
    }
}
