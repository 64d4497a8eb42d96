//! One connection, from its arrival at a worker to its end.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tonic_health::pb::health_server::Health;
use tonic_reflection::server::v1::ServerReflection;

use super::authority::Eraser;
use super::listener::{Arrival, Raw};
use super::router::Router;
use super::socket::{Leashed, Phase, reaches};
use super::tls::{Handshakes, Secured};
use super::untaken::{Ledger, Total};
use crate::wire::{Judge, ProxyPeer};

/// The HTTP/2 connection preface (RFC 9113 §3.4) has so many bytes, and so long to arrive from the moment of the
/// connection: a TLS handshake before it included.
const PREFACE: usize = 24;
const PREFACE_WAIT: Duration = Duration::from_secs(10);

/// Streams a connection may hold: far above what a proxy opens, because a refused stream is a gRPC error there. Each may
/// hold an answer that the peer does not take.
const MAX_STREAMS: u32 = 16_384;

/// Cancelled streams that may wait to be noticed. The usual 20 would close the connection, with every other call
/// on it, as soon as a client of the proxy cancels a few requests at once.
const MAX_CANCELLED: usize = 65_536;

/// Bytes of request metadata: four times what Envoy takes from a client by default, because tracing headers are
/// copied into the call and one that is refused here is a gRPC error there.
const MAX_METADATA: u32 = 256 << 10;

/// How often a silent connection is asked whether it is still there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(10);

/// What all connections of a listener share, whichever worker has them.
pub(super) struct Common<J, H, R> {
    pub(super) services: Router<J, H, R>,
    pub(super) handshakes: Option<Handshakes>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) untaken: Total,
}

impl<J: Judge, H: Health, R: ServerReflection> Common<J, H, R> {
    /// Serves one connection to its end, on the runtime that this is called on. Where a handshake comes first, whoever
    /// is slow holds up nobody, and a drain ends it.
    pub(super) async fn serve(&self, arrival: Arrival) {
        let deadline = Instant::from_std(arrival.at) + PREFACE_WAIT;
        let socket = match (Socket::of(arrival.socket), &self.handshakes) {
            (Ok(Socket::Tcp(socket)), Some(handshakes)) => {
                tokio::select! {
                    secured = handshakes.shake(socket, deadline) => secured.map(Socket::from),
                    () = self.draining() => None,
                }
            }
            (Ok(socket), _) => Some(socket),
            (Err(error), _) => {
                tracing::warn!(%error, "a connection could not be accepted");
                None
            }
        };
        if let Some(socket) = socket {
            self.speak(socket, deadline).await;
        }
    }

    /// Speaks HTTP/2, which must have begun by `deadline`.
    async fn speak(&self, socket: Socket, deadline: Instant) {
        let ledger = Ledger::new(self.untaken.clone());
        let services = self.services.for_connection(socket.peer(), Arc::clone(&ledger));
        let socket = TokioIo::new(self.leash(socket, deadline, ledger));
        let connection = http2().serve_connection(socket, service_fn(move |call| services.answer(call)));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = self.draining() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }

    fn leash(&self, socket: Socket, deadline: Instant, ledger: Arc<Ledger>) -> Leashed<Accepted> {
        let cut = reaches(self.phase.clone(), |phase| phase == Phase::Cut);
        let cut = async move {
            tokio::select! {
                () = cut => {}
                () = ledger.exhausted() => {}
            }
        };
        let draining = self.draining();
        let ungreeted = async move { _ = tokio::time::timeout_at(deadline, draining).await };
        Leashed::new(Accepted { socket, authority: Eraser::new() }, Box::pin(cut))
            .with_greeting(PREFACE, Box::pin(ungreeted))
    }

    fn draining(&self) -> impl Future<Output = ()> + use<J, H, R> {
        reaches(self.phase.clone(), |phase| phase != Phase::Serving)
    }
}

/// HTTP/2 alone, and never a refusal of a call that could be answered.
fn http2() -> Builder<TokioExecutor> {
    let mut http2 = Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_CANCELLED)
        // Counted over the life of a connection, not at once: any number would end a long-lived one some day.
        .max_local_error_reset_streams(None)
        .max_header_list_size(MAX_METADATA)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT);
    http2
}

/// One accepted connection.
struct Accepted {
    socket: Socket,
    authority: Eraser,
}

/// What it is made of.
enum Socket {
    Tcp(TcpStream),
    Tls { stream: Box<TlsStream<TcpStream>>, peer: Arc<str> },
    Unix(UnixStream),
}

impl From<Secured> for Socket {
    fn from(secured: Secured) -> Self {
        Self::Tls { stream: secured.stream, peer: secured.peer }
    }
}

impl Socket {
    /// The same on this runtime.
    fn of(raw: Raw) -> io::Result<Self> {
        match raw {
            Raw::Tcp(socket) => TcpStream::from_std(socket).map(Self::Tcp),
            Raw::Unix(socket) => UnixStream::from_std(socket).map(Self::Unix),
        }
    }

    /// The address at the other end, or the process there, as the kernel knows it; before it the name by which a
    /// certificate was let in.
    fn peer(&self) -> ProxyPeer {
        let peer = match self {
            Self::Tls { peer, .. } => return ProxyPeer(Arc::clone(peer)),
            Self::Tcp(socket) => socket.peer_addr().map(|peer| peer.to_string()),
            Self::Unix(socket) => socket.peer_cred().map(|peer| match peer.pid() {
                Some(pid) => format!("unix:pid={pid},uid={}", peer.uid()),
                None => format!("unix:uid={}", peer.uid()),
            }),
        };
        ProxyPeer(Arc::from(peer.unwrap_or_default()))
    }
}

/// Hands a call on to whichever socket this is.
macro_rules! on_each {
    ($socket:expr, $method:ident($($argument:expr),*)) => {
        match &mut $socket.get_mut().socket {
            Socket::Tcp(socket) => Pin::new(socket).$method($($argument),*),
            Socket::Tls { stream, .. } => Pin::new(stream).$method($($argument),*),
            Socket::Unix(socket) => Pin::new(socket).$method($($argument),*),
        }
    };
}

impl AsyncRead for Accepted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let before = buffer.filled().len();
        let read = on_each!(Pin::new(&mut *connection), poll_read(cx, buffer));
        connection.authority.pass(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_each!(self, poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_each!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_each!(self, poll_shutdown(cx))
    }

    /// Not, although the sockets could: the HTTP/2 library gathers larger pieces then before it writes, and answers are
    /// small.
    fn is_write_vectored(&self) -> bool {
        false
    }
}
