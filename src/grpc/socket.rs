//! A socket on a leash: it can be cut from outside, whatever its two ends are doing.
//!
//! hyper does not let go of a connection that has not finished its handshake, or whose peer neither
//! speaks nor hangs up.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// Where the life of a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connections and calls are taken.
    Serving,
    /// No more of either; what was accepted is answered.
    Draining,
    /// Over.
    Cut,
}

/// Waits until `phase` is as asked; a server that is gone counts as cut.
pub(crate) async fn reaches(mut phase: watch::Receiver<Phase>, wanted: fn(Phase) -> bool) {
    _ = phase.wait_for(|phase| wanted(*phase)).await;
}

/// When this future ends, reading and writing end with an error.
pub(crate) type Leash = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long a peer may take nothing of what is written: what it was to get waits in memory, and a connection that cannot write
/// cannot even say goodbye.
const UNREAD: Duration = Duration::from_secs(30);

/// A socket and what may cut it.
pub(crate) struct Leashed<S> {
    socket: S,
    /// While the peer takes nothing: until when it may.
    unread: Option<Pin<Box<Sleep>>>,
    /// Until the peer has said as much as makes a connection.
    greeting: Option<Greeting>,
    /// Gone once it has ended.
    leash: Option<Leash>,
}

/// What holds while the first bytes of the peer are awaited.
struct Greeting {
    bytes_missing: usize,
    leash: Leash,
}

impl<S> Leashed<S> {
    /// A connection that `leash` may cut.
    pub(crate) fn new(socket: S, leash: Leash) -> Self {
        Self { socket, unread: None, greeting: None, leash: Some(leash) }
    }

    /// Also lets `leash` cut it until `bytes` have been received.
    pub(crate) fn with_greeting(self, bytes: usize, leash: Leash) -> Self {
        Self { greeting: Some(Greeting { bytes_missing: bytes, leash }), ..self }
    }

    /// Asked where the socket makes us wait: whether that wait is over for good.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let ungreeted = self.greeting.as_mut().is_some_and(|it| it.leash.as_mut().poll(context).is_ready());
        let over = self.leash.as_mut().is_none_or(|leash| leash.as_mut().poll(context).is_ready());
        if !ungreeted && !over {
            return Poll::Pending;
        }
        Poll::Ready(self.cut())
    }

    fn cut(&mut self) -> io::Error {
        (self.greeting, self.leash) = (None, None);
        io::Error::new(ErrorKind::ConnectionAborted, "the server closed the connection")
    }

    /// The same of what is written, which must not wait for ever either.
    fn written<T>(&mut self, answer: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if answer.is_ready() {
            self.unread = None;
        } else if self.unread.get_or_insert_with(|| Box::pin(sleep(UNREAD))).as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(self.cut()));
        }
        self.or_cut(answer, context)
    }

    /// The socket's answer, unless it has none and is cut.
    fn or_cut<T>(&mut self, answer: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match answer {
            Poll::Pending => Poll::Ready(Err(ready!(self.poll_cut(context)))),
            done => done,
        }
    }

    fn greeted(&mut self, bytes: usize) {
        let Some(greeting) = &mut self.greeting else { return };
        greeting.bytes_missing = greeting.bytes_missing.saturating_sub(bytes);
        if greeting.bytes_missing == 0 {
            self.greeting = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leashed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let answer = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.greeted(buffer.filled().len().saturating_sub(before));
        self.or_cut(answer, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leashed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(answer, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.socket).poll_flush(cx);
        self.written(answer, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.written(answer, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.written(answer, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn never() -> Leash {
        Box::pin(std::future::pending())
    }

    fn soon() -> Leash {
        Box::pin(tokio::time::sleep(Duration::from_secs(10)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_greet_in_time_is_cut() {
        let (mut peer, ours) = duplex(64);
        let mut ours = Leashed::new(ours, never()).with_greeting(24, soon());
        peer.write_all(&[0; 23]).await.unwrap();
        assert_eq!(ours.read_exact(&mut [0; 24]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_greeted_may_be_silent() {
        let (mut peer, ours) = duplex(64);
        let mut ours = Leashed::new(ours, never()).with_greeting(24, soon());
        peer.write_all(&[0; 24]).await.unwrap();
        ours.read_exact(&mut [0; 24]).await.unwrap();
        let later = tokio::time::timeout(Duration::from_secs(60), ours.read_u8()).await;
        assert!(later.is_err(), "{later:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_cut_too_and_stays_cut() {
        let (_peer, ours) = duplex(8);
        let mut ours = Leashed::new(ours, soon());
        assert_eq!(ours.write_all(&[0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(ours.write_all(&[0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(ours.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_and_one_that_is_slow_is_not() {
        let (mut peer, ours) = duplex(8);
        let mut ours = Leashed::new(ours, never());
        let slow = async {
            for _ in 0..8 {
                sleep(UNREAD - Duration::from_secs(1)).await;
                peer.read_exact(&mut [0; 8]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 72]), slow);
        written.unwrap();
        assert_eq!(ours.write_all(&[0; 9]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(ours.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_cuts_its_connections() {
        let (phase, watched) = watch::channel(Phase::Serving);
        let (_peer, ours) = duplex(8);
        let mut ours = Leashed::new(ours, Box::pin(reaches(watched, |phase| phase == Phase::Cut)));
        drop(phase);
        assert_eq!(ours.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }
}
