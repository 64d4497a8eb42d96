//! The gRPC door: where the proxy asks.
//!
//! In: a bound [`Listener`] and the Check service. Out: a running [`Server`] with health beside it, whose HTTP/2
//! settings never refuse a call that could be answered, and which drains before it ends. It must never know how
//! a call is judged.

mod address;
mod authority;
mod connection;
mod health;
mod listener;
mod router;
pub(crate) mod socket;
mod tls;
mod unix;
mod untaken;
mod workers;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic_reflection::server::Builder;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use crate::wire::{CheckService, Judge};

pub use address::{Address, AddressError};
use connection::Common;
pub use health::Health;
pub use listener::{ListenError, Listener};
use router::Router;
use socket::Phase;
use tls::Handshakes;
pub use tls::{Peer, PeerError, Protection, Tls, TlsError, TlsFiles, TlsWatch, Told, Validity};
use untaken::Total;
use workers::Workers;

/// A server that runs until [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    address: Address,
    health: Health,
    phase: watch::Sender<Phase>,
    running: JoinHandle<()>,
    /// Closed when nobody accepts any more.
    accepting: watch::Receiver<()>,
}

/// How a shutdown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every accepted call was answered and every connection closed by itself.
    Completely,
    /// Connections were still open when the grace was over, and were cut.
    CutOff,
}

/// Whether the server describes its services to whoever asks (`grpc.reflection.v1`), for tools such as grpcurl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reflection {
    /// It does not.
    #[default]
    Off,
    /// It does.
    On,
}

/// The reflection service, if it is wanted and can be built from our own descriptors.
fn describe(reflection: Reflection) -> Option<ServerReflectionServer<impl ServerReflection>> {
    if reflection == Reflection::Off {
        return None;
    }
    let described = Builder::configure()
        .register_encoded_file_descriptor_set(crate::proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    described.inspect_err(|error| tracing::error!(%error, "no reflection: the descriptors cannot be read")).ok()
}

/// Serves `checks` and `grpc.health.v1` on `listener`: accepts on the runtime that this is called on, and serves each
/// connection on one of so many `workers`, threads that do nothing else.
///
/// Health is `NOT_SERVING` until [`Health::set_serving`] says otherwise.
///
/// # Errors
/// A worker cannot be started.
pub async fn serve<J: Judge>(
    listener: Listener,
    checks: CheckService<J>,
    reflection: Reflection,
    workers: NonZeroUsize,
) -> io::Result<Server> {
    let (phase, watched) = watch::channel(Phase::Serving);
    let (health, health_service) = health::start().await;
    let common = Arc::new(Common {
        services: Router::new(checks, health_service, describe(reflection)),
        handshakes: listener.tls().map(Handshakes::new),
        phase: watched.clone(),
        untaken: Total::default(),
    });
    let serve_one = move |arrival| {
        let common = Arc::clone(&common);
        Box::pin(async move { common.serve(arrival).await }) as workers::Serving
    };
    let workers = Workers::start(workers.get(), Arc::new(serve_one))?;
    let address = listener.address().clone();
    let (alive, accepting) = watch::channel(());
    let running = tokio::spawn(async move {
        listener.serve(workers, watched).await;
        drop(alive);
    });
    Ok(Server { address, health, phase, running, accepting })
}

impl Server {
    /// Where it listens: the bound port, where port 0 was asked for.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The switch of the health service.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Ends when connections are no longer accepted: after [`Server::shutdown`], or by a fault of ours.
    pub async fn ended(&self) {
        let mut accepting = self.accepting.clone();
        while accepting.changed().await.is_ok() {}
    }

    /// Ends the server: `NOT_SERVING`, no new connections, GOAWAY on the old ones, accepted calls answered; what
    /// is open after `grace` is cut.
    pub async fn shutdown(mut self, grace: Duration) -> Drained {
        self.health.drain().await;
        self.phase.send_replace(Phase::Draining);
        self.health.close().await;
        if tokio::time::timeout(grace, &mut self.running).await.is_ok() {
            return Drained::Completely;
        }
        self.phase.send_replace(Phase::Cut);
        // Every socket has heard it; this only waits until the workers are gone.
        if tokio::time::timeout(Duration::from_secs(1), &mut self.running).await.is_err() {
            self.running.abort();
        }
        Drained::CutOff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::envoy::service::auth::v3::CheckResponse;
    use crate::reason::Reason;
    use crate::request::AuthzRequest;
    use crate::wire::{Arrival, Limits, Reply};

    struct Mute;

    impl Judge for Mute {
        type Brought = ();

        fn judge(&self, _: Result<&AuthzRequest<'_>, Reason>, (): (), _: &Arrival) -> Reply {
            Reply::message(&CheckResponse::default())
        }
    }

    #[tokio::test]
    async fn a_server_that_accepts_no_more_says_so_even_if_nobody_ended_it() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let checks = CheckService::new(Arc::new(Mute), Limits::default());
        let server = serve(listener, checks, Reflection::Off, NonZeroUsize::MIN).await.unwrap();
        let now = tokio::time::timeout(Duration::ZERO, server.ended());
        assert!(now.await.is_err());
        server.running.abort();
        server.ended().await;
    }
}
