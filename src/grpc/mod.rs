//! The gRPC door: where the proxy asks.
//!
//! In: a bound [`Listener`] and the Check service. Out: a running [`Server`] with health beside it, whose HTTP/2
//! settings never refuse a call that could be answered, and which drains before it ends. It must never know how
//! a call is judged.

mod address;
mod authority;
mod health;
mod listener;
mod router;
pub(crate) mod socket;
mod tls;
mod unix;
mod untaken;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::Server as Transport;
use tonic_reflection::server::Builder;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use crate::wire::{CheckService, Judge};

pub use address::{Address, AddressError};
pub use health::Health;
pub use listener::{ListenError, Listener};
use router::Router;
use socket::Phase;
pub use tls::{Peer, PeerError, Protection, Tls, TlsError, TlsFiles, TlsWatch, Told, Validity};

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

/// A server that runs until [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    address: Address,
    health: Health,
    phase: watch::Sender<Phase>,
    running: JoinHandle<()>,
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

/// Serves `checks` and `grpc.health.v1` on `listener`, on the runtime that this is called on.
///
/// Health is `NOT_SERVING` until [`Health::set_serving`] says otherwise.
pub async fn serve<J: Judge>(listener: Listener, checks: CheckService<J>, reflection: Reflection) -> Server {
    let (phase, watched) = watch::channel(Phase::Serving);
    let (health, health_service) = health::start().await;
    let address = listener.address().clone();
    let mut draining = phase.subscribe();
    let transport = Transport::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_CANCELLED))
        // Counted over the life of a connection, not at once: any number would end a long-lived one some day.
        .http2_max_local_error_reset_streams(None)
        .http2_max_header_list_size(MAX_METADATA)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_WAIT));
    let services = Router::new(checks, health_service, describe(reflection));
    let running = tokio::spawn(async move {
        let stop = async move { _ = draining.wait_for(|phase| *phase != Phase::Serving).await };
        let connections = listener.into_incoming(watched);
        if let Err(error) = transport.serve_with_incoming_shutdown(services, connections, stop).await {
            tracing::error!(%error, "the gRPC server ended");
        }
    });
    Server { address, health, phase, running }
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
        // Every socket has heard it; this only waits until their tasks are gone.
        if tokio::time::timeout(Duration::from_secs(1), &mut self.running).await.is_err() {
            self.running.abort();
        }
        Drained::CutOff
    }
}
