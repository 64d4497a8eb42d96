//! Handshakes: bounded in time, and in number over all workers together.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};
use tokio_rustls::server::TlsStream;

use super::Tls;
use crate::observe::Handshake;

/// Handshakes under way. One more ends the oldest: strangers who are silent do not keep others out, and what they cost
/// stays bounded.
const MAX_UNDER_WAY: usize = 512;

/// A failure is said at most so often, with the number of those that were not said.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// A connection whose handshake stands.
pub(in crate::grpc) struct Secured {
    pub(in crate::grpc) stream: Box<TlsStream<TcpStream>>,
    /// The name that let it in, and its address.
    pub(in crate::grpc) peer: Arc<str>,
}

struct Failed {
    address: Option<SocketAddr>,
    cause: io::Error,
}

/// The handshakes of one listener, whichever worker makes them.
pub(in crate::grpc) struct Handshakes {
    tls: Arc<Tls>,
    under_way: Arc<Mutex<UnderWay>>,
    said: Mutex<Said>,
}

#[derive(Default)]
struct UnderWay {
    /// By age; whose sender is dropped gives its place up.
    by_age: BTreeMap<u64, oneshot::Sender<Infallible>>,
    next: u64,
}

/// A handshake's place among those under way.
struct Place {
    number: u64,
    of: Arc<Mutex<UnderWay>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.of).by_age.remove(&self.number);
    }
}

#[derive(Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Handshakes {
    pub(in crate::grpc) fn new(tls: Arc<Tls>) -> Self {
        Self { tls, under_way: Arc::default(), said: Mutex::default() }
    }

    /// Makes one, which must be done by `deadline`. None if it comes to nothing, which is said where it is worth it.
    pub(in crate::grpc) async fn shake(&self, socket: TcpStream, deadline: Instant) -> Option<Secured> {
        let (_place, given_up) = self.enter();
        let outcome = tokio::select! {
            outcome = shake_hands(&self.tls, socket, deadline) => outcome,
            _ = given_up => {
                self.tls.counts.ended(Handshake::Incomplete);
                return None;
            }
        };
        self.tls.counts.ended(outcome.as_ref().map_or_else(|failed| whose_fault(&failed.cause), |_| Handshake::Ok));
        outcome.inspect_err(|failed| self.say(failed)).ok()
    }

    /// A place, and what ends when it is to be given up.
    fn enter(&self) -> (Place, oneshot::Receiver<Infallible>) {
        let (keep, given_up) = oneshot::channel();
        let mut under_way = lock(&self.under_way);
        if under_way.by_age.len() >= MAX_UNDER_WAY {
            under_way.by_age.pop_first();
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.by_age.insert(number, keep);
        (Place { number, of: Arc::clone(&self.under_way) }, given_up)
    }

    /// Whoever hangs up or stays silent is a probe more often than a proxy.
    fn say(&self, failed: &Failed) {
        let peer = failed.address.map(|address| address.to_string()).unwrap_or_default();
        let error = words(&failed.cause);
        if failed.cause.kind() != ErrorKind::InvalidData {
            tracing::debug!(peer, error, "a TLS handshake came to nothing");
            return;
        }
        let now = Instant::now();
        let mut said = lock(&self.said);
        if said.last.is_some_and(|last| now.duration_since(last) < SAY_EVERY) {
            said.unsaid += 1;
            drop(said);
            tracing::debug!(peer, error, "a TLS handshake failed");
            return;
        }
        let others = said.unsaid;
        *said = Said { last: Some(now), unsaid: 0 };
        drop(said);
        tracing::warn!(peer, error, others, "a TLS handshake failed");
    }
}

/// Nothing in here can be left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// At which end to look: whose certificate was not accepted.
fn whose_fault(error: &io::Error) -> Handshake {
    use AlertDescription as Alert;
    if error.kind() != ErrorKind::InvalidData {
        return Handshake::Incomplete;
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => Handshake::ClientCertificate,
        Some(Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            // Another authority of the same name: its signature does not fit.
            | Alert::DecryptError,
        )) => Handshake::ServerCertificate,
        _ => Handshake::Protocol,
    }
}

/// What rustls says, in words of the flags; and what our own judge of names said in its own.
fn words(error: &io::Error) -> String {
    let hint = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(refusal)))) => return refusal.to_string(),
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "signed by none of the authorities in --tls-client-ca"
        }
        Some(Error::NoCertificatesPresented) => "the client showed no certificate, which --tls-client-ca asks for",
        Some(Error::NoApplicationProtocol) => "the client does not offer HTTP/2: alpn_protocols: [h2] in Envoy",
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => "the client does not speak TLS: plain text?",
        _ => return error.to_string(),
    };
    format!("{error} ({hint})")
}

async fn shake_hands(tls: &Tls, socket: TcpStream, deadline: Instant) -> Result<Secured, Failed> {
    let address = socket.peer_addr().ok();
    let done = tokio::time::timeout_at(deadline, tls.acceptor().accept(socket)).await;
    let stream = match done {
        Ok(Ok(stream)) => stream,
        Ok(Err(cause)) => return Err(Failed { address, cause }),
        Err(_) => return Err(Failed { address, cause: io::Error::new(ErrorKind::TimedOut, "it took too long") }),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let name = certificate.map(|certificate| tls.name_of(certificate)).unwrap_or_default();
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    let peer = if name.is_empty() { address } else { format!("{name} {address}") };
    Ok(Secured { stream: Box::new(stream), peer: Arc::from(peer) })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::super::testing::tls_in;
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    /// Begins a handshake with someone who stays silent.
    async fn silent(handshakes: &Arc<Handshakes>) -> (TcpStream, JoinHandle<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let (before, handshakes) = (lock(&handshakes.under_way).next, Arc::clone(handshakes));
        let under_way = Arc::clone(&handshakes.under_way);
        let deadline = Instant::now() + WAIT;
        let shaking = tokio::spawn(async move { handshakes.shake(socket, deadline).await.is_some() });
        while lock(&under_way).next == before {
            tokio::task::yield_now().await;
        }
        (peer, shaking)
    }

    fn handshakes() -> Arc<Handshakes> {
        Arc::new(Handshakes::new(Arc::new(tls_in(tempfile::tempdir().unwrap().path()))))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_finish_in_time_is_cut() {
        let handshakes = handshakes();
        for _ in 0..3 {
            let (mut peer, shaking) = silent(&handshakes).await;
            assert!(!shaking.await.unwrap());
            assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
        }
        assert!(lock(&handshakes.under_way).by_age.is_empty());
    }

    #[tokio::test]
    async fn one_too_many_is_at_the_expense_of_the_oldest() {
        let handshakes = handshakes();
        let (mut oldest, _) = silent(&handshakes).await;
        let (second, _) = silent(&handshakes).await;
        // Descriptors are dear in a test: for the others a place is enough.
        let places: Vec<_> = (2..MAX_UNDER_WAY).map(|_| handshakes.enter()).collect();
        assert_eq!(second.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let _newest = silent(&handshakes).await;
        assert_eq!(oldest.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(lock(&handshakes.under_way).by_age.len(), MAX_UNDER_WAY);
        assert_eq!(second.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "the second oldest stays");
        drop(places);
        assert_eq!(lock(&handshakes.under_way).by_age.len(), 2);
    }
}
