//! Binding, and the accepting that no error ends.

use std::fmt;
use std::io;
use std::net;
use std::os::unix::net as unix_net;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::Address;
use super::socket::{Phase, reaches};
use super::tls::Tls;
use super::unix::{self, SocketFile};
use super::workers::Workers;

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

    /// Its TLS, where it has any.
    pub(super) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Hands each connection to `workers` until `phase` says that no more are taken; then closes the door, and waits
    /// until the workers have served what they have.
    pub(super) async fn serve(self, mut workers: Workers<Arrival>, phase: watch::Receiver<Phase>) {
        let mut draining = pin!(reaches(phase, |phase| phase != Phase::Serving));
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut draining => break,
                accepted = self.kind.accept() => accepted,
            };
            let handed = accepted.and_then(|arrival| {
                workers.hand(arrival).map_err(|_arrival| io::Error::other("there is no worker that could take it"))
            });
            let Err(error) = handed else { continue };
            tracing::warn!(%error, "a connection could not be accepted");
            _ = tokio::time::timeout(ACCEPT_PAUSE, &mut draining).await;
        }
        drop(self.kind);
        workers.end().await;
    }
}

/// A connection that was accepted, on its way to its worker: of no runtime yet.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: Raw,
    pub(super) at: Instant,
}

/// What came in.
#[derive(Debug)]
pub(super) enum Raw {
    Tcp(net::TcpStream),
    Unix(unix_net::UnixStream),
}

impl Kind {
    async fn accept(&self) -> io::Result<Arrival> {
        let socket = match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                // Answers are small and awaited: nothing is gained by holding them back.
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                Raw::Tcp(socket.into_std()?)
            }
            Self::Unix { listener, .. } => Raw::Unix(listener.accept().await?.0.into_std()?),
        };
        Ok(Arrival { socket, at: Instant::now() })
    }
}
