//! The operator's door: is it alive, is it ready, what did it count.
//!
//! In: a [`Status`] that answers when asked. Out: `/healthz`, `/readyz` and `/metrics` over plain HTTP/1.1 on a
//! listener of their own, one request a connection. It must never know what stands behind the answers, and
//! nothing here changes anything.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::grpc::socket::{Leashed, Phase, reaches};

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

    /// For `/metrics`: OpenMetrics text, `# EOF` included.
    fn metrics(&self) -> String;
}

/// The body of `/readyz`; 200 if `ready`, else 503.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Readiness {
    /// Whether calls can be decided.
    pub ready: bool,
    /// The table in force, once there is one.
    pub table: Option<TableState>,
    /// Why the last reload was not taken; none if it was.
    pub last_reload_error: Option<String>,
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

/// What is known of one issuer's keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct IssuerState {
    /// Its name in the table.
    pub name: String,
    /// Usable keys.
    pub keys: usize,
    /// When they were last fetched, RFC 3339; none if never, or if they stand in the table.
    pub fetched_at: Option<String>,
    /// Why the last fetch failed; none if it did not.
    pub last_error: Option<String>,
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
    let serving = axum::serve(Bounded { socket, places, phase: watched }, router(status)).with_graceful_shutdown(stop);
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
        .fallback(async || (StatusCode::NOT_FOUND, "not found\n"))
        .layer(middleware::map_response(once_and_uncached))
        .with_state(status)
}

async fn index() -> &'static str {
    "credence\n\n/healthz  the process lives\n/readyz   calls can be decided\n/metrics  OpenMetrics\n"
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready<S: Status>(State(status): State<Arc<S>>) -> Response {
    let readiness = status.readiness();
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(readiness)).into_response()
}

async fn metrics<S: Status>(State(status): State<Arc<S>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], status.metrics()).into_response()
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
