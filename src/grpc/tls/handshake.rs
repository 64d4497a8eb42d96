//! Handshakes, beside the accepting of others: bounded in time and in number.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::rustls::{CertificateError, Error, InvalidMessage, OtherError};
use tokio_rustls::server::TlsStream;

use super::Tls;

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
    /// When its greeting must be there.
    pub(in crate::grpc) deadline: Instant,
}

struct Failed {
    address: Option<SocketAddr>,
    cause: io::Error,
}

/// The handshakes of one listener.
pub(in crate::grpc) struct Handshakes {
    tls: Arc<Tls>,
    under_way: JoinSet<(u64, Result<Secured, Failed>)>,
    /// By age.
    handles: BTreeMap<u64, AbortHandle>,
    next: u64,
    said: Option<Instant>,
    unsaid: u64,
}

impl Handshakes {
    pub(in crate::grpc) fn new(tls: Arc<Tls>) -> Self {
        Self { tls, under_way: JoinSet::new(), handles: BTreeMap::new(), next: 0, said: None, unsaid: 0 }
    }

    /// Begins one, which must be done by `deadline`.
    pub(in crate::grpc) fn begin(&mut self, socket: TcpStream, deadline: Instant) {
        if self.handles.len() >= MAX_UNDER_WAY
            && let Some((_, oldest)) = self.handles.pop_first()
        {
            oldest.abort();
        }
        let (number, tls) = (self.next, Arc::clone(&self.tls));
        self.next += 1;
        let handle = self.under_way.spawn(async move { (number, shake_hands(&tls, socket, deadline).await) });
        self.handles.insert(number, handle);
    }

    /// The next that stands; pending while there is none.
    pub(in crate::grpc) fn poll_done(&mut self, context: &mut Context<'_>) -> Poll<Secured> {
        // An empty set is ready with nothing, and `begin` is called by whoever polls this.
        while let Poll::Ready(Some(ended)) = self.under_way.poll_join_next(context) {
            let Ok((number, outcome)) = ended else { continue };
            self.handles.remove(&number);
            match outcome {
                Ok(secured) => return Poll::Ready(secured),
                Err(failed) => self.say(&failed),
            }
        }
        Poll::Pending
    }

    /// Whoever hangs up or stays silent is a probe more often than a proxy.
    fn say(&mut self, failed: &Failed) {
        let peer = failed.address.map(|address| address.to_string()).unwrap_or_default();
        let error = words(&failed.cause);
        if failed.cause.kind() != ErrorKind::InvalidData {
            tracing::debug!(peer, error, "a TLS handshake came to nothing");
            return;
        }
        let now = Instant::now();
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_EVERY) {
            self.unsaid += 1;
            tracing::debug!(peer, error, "a TLS handshake failed");
            return;
        }
        tracing::warn!(peer, error, others = self.unsaid, "a TLS handshake failed");
        (self.said, self.unsaid) = (Some(now), 0);
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
    Ok(Secured { stream: Box::new(stream), peer: Arc::from(peer), deadline })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::super::testing::tls_in;
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    /// Begins the handshakes of so many who stay silent: their ends.
    async fn silent(handshakes: &mut Handshakes, count: usize) -> Vec<TcpStream> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peers = Vec::new();
        for _ in 0..count {
            peers.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (socket, _) = listener.accept().await.unwrap();
            handshakes.begin(socket, Instant::now() + WAIT);
        }
        peers
    }

    fn handshakes() -> Handshakes {
        Handshakes::new(Arc::new(tls_in(tempfile::tempdir().unwrap().path())))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_finish_in_time_is_cut() {
        let mut handshakes = handshakes();
        let mut peers = silent(&mut handshakes, 3).await;
        let done = tokio::time::timeout(WAIT * 2, poll_fn(|context| handshakes.poll_done(context))).await;
        assert!(done.is_err());
        for peer in &mut peers {
            assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
        }
        assert!(handshakes.handles.is_empty());
    }

    #[tokio::test]
    async fn one_too_many_is_at_the_expense_of_the_oldest() {
        let mut handshakes = handshakes();
        let oldest = silent(&mut handshakes, 1).await.pop();
        let second = silent(&mut handshakes, 1).await.pop().unwrap();
        // Descriptors are dear in a test: what is under way is told by the handles.
        while handshakes.handles.len() < MAX_UNDER_WAY {
            let idle = handshakes.under_way.spawn(std::future::pending());
            handshakes.handles.insert(handshakes.next, idle);
            handshakes.next += 1;
        }
        let _newest = silent(&mut handshakes, 1).await;
        assert_eq!(oldest.unwrap().read(&mut [0]).await.unwrap(), 0);
        assert_eq!(handshakes.handles.len(), MAX_UNDER_WAY);
        let still = second.try_read(&mut [0]).unwrap_err();
        assert_eq!(still.kind(), ErrorKind::WouldBlock, "the second oldest stays");
    }
}
