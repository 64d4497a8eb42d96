//! Binding, and the stream of connections that never ends by an error.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::Address;
use super::authority::Eraser;
use super::socket::{Leashed, Phase, reaches};
use super::tls::{Handshakes, Secured, Tls};
use super::unix::{self, SocketFile};
use super::untaken::{Ledger, Total};
use crate::wire::ProxyPeer;

/// The HTTP/2 connection preface (RFC 9113 §3.4) has so many bytes, and so long to arrive from the moment of the
/// connection: a TLS handshake before it included.
const PREFACE: usize = 24;
const PREFACE_WAIT: Duration = Duration::from_secs(10);

/// Pause after an accept that failed for want of descriptors or memory: trying at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    kind: Kind,
    tls: Option<Arc<Tls>>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// Why an address could not be bound.
#[derive(Debug)]
pub struct ListenError {
    address: Address,
    cause: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.cause)
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl Listener {
    /// Binds `address`; from then on the kernel takes connections, which wait until they are served.
    ///
    /// Whether the address is one to serve without TLS is asked before: [`Address::permitted`].
    ///
    /// # Errors
    /// The address is taken or unusable, with what to do where that is not plain.
    pub async fn bind(address: &Address) -> Result<Self, ListenError> {
        let failed = |cause| ListenError { address: address.clone(), cause };
        match address {
            Address::Tcp(wanted) => {
                let listener = TcpListener::bind(wanted).await.map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                Ok(Self { address: Address::Tcp(bound), kind: Kind::Tcp(listener), tls: None })
            }
            Address::Unix(path) => {
                let (listener, file) = unix::bind(path).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                let listener = UnixListener::from_std(listener).map_err(failed)?;
                Ok(Self { address: address.clone(), kind: Kind::Unix { listener, _file: file }, tls: None })
            }
        }
    }

    /// Where it listens: the bound port, where port 0 was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The same, where TCP connections begin with a TLS handshake.
    #[must_use]
    pub fn with_tls(self, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The connections, each on the leash of `phase`.
    pub(super) fn into_incoming(self, phase: watch::Receiver<Phase>) -> Incoming {
        let handshakes = self.tls.map(Handshakes::new);
        Incoming { kind: self.kind, handshakes, phase, pause: None, untaken: Total::default() }
    }
}

/// A stream of connections. Handshakes are made beside it: whoever is slow holds up nobody, and a drain, which drops it,
/// ends them.
pub(super) struct Incoming {
    kind: Kind,
    handshakes: Option<Handshakes>,
    phase: watch::Receiver<Phase>,
    pause: Option<Pin<Box<Sleep>>>,
    untaken: Total,
}

impl Stream for Incoming {
    type Item = io::Result<Leashed<Accepted>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(Poll::Ready(secured)) = self.handshakes.as_mut().map(|under_way| under_way.poll_done(cx)) {
                let deadline = secured.deadline;
                return Poll::Ready(Some(Ok(self.leash(Socket::from(secured), deadline))));
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let accepted = ready!(self.kind.poll_accept(cx));
            let deadline = Instant::now() + PREFACE_WAIT;
            match (accepted, &mut self.handshakes) {
                (Ok(Socket::Tcp(socket)), Some(handshakes)) => handshakes.begin(socket, deadline),
                (Ok(socket), _) => return Poll::Ready(Some(Ok(self.leash(socket, deadline)))),
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.pause = Some(Box::pin(tokio::time::sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }
}

impl Incoming {
    fn leash(&self, socket: Socket, deadline: Instant) -> Leashed<Accepted> {
        let ledger = Ledger::new(self.untaken.clone());
        let (phase, untaken) = (self.phase.clone(), Arc::clone(&ledger));
        let cut = async move {
            tokio::select! {
                () = reaches(phase, |phase| phase == Phase::Cut) => {}
                () = untaken.exhausted() => {}
            }
        };
        let draining = reaches(self.phase.clone(), |phase| phase != Phase::Serving);
        let ungreeted = async move { _ = tokio::time::timeout_at(deadline, draining).await };
        Leashed::new(Accepted { socket, authority: Eraser::new(), ledger }, Box::pin(cut))
            .with_greeting(PREFACE, Box::pin(ungreeted))
    }
}

impl Kind {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = ready!(listener.poll_accept(cx))?;
                // Answers are small and awaited: nothing is gained by holding them back.
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                Poll::Ready(Ok(Socket::Tcp(socket)))
            }
            Self::Unix { listener, .. } => listener.poll_accept(cx).map_ok(|(socket, _)| Socket::Unix(socket)),
        }
    }
}

/// What is known of the connection on which a call came; tonic puts it into each call's extensions.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) peer: ProxyPeer,
    pub(super) ledger: Arc<Ledger>,
}

/// One accepted connection.
pub(super) struct Accepted {
    socket: Socket,
    authority: Eraser,
    ledger: Arc<Ledger>,
}

impl Connected for Accepted {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        Connection { peer: self.socket.peer(), ledger: Arc::clone(&self.ledger) }
    }
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

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_each!(self, poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp(socket) => socket.is_write_vectored(),
            Socket::Tls { stream, .. } => stream.is_write_vectored(),
            Socket::Unix(socket) => socket.is_write_vectored(),
        }
    }
}
