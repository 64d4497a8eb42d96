//! One length-prefixed message, read without trust in its length, its completeness or its pace.
//!
//! gRPC over HTTP/2: one byte of flags (0: not compressed), four bytes of length, the message.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use crate::reason::Reason;

/// Bytes before the message: flags and length.
const PREFIX: usize = 5;

/// No limit is longer than this, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_secs(3600);

/// What all failures here are to the outside.
const UNREADABLE: Reason = Reason::MalformedRequest;

/// How long a call may wait for its message, from the moment it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    gap: Duration,
    end: Instant,
}

impl Patience {
    /// From the arrival of the call on: half of what the caller waits for us, so that the answer still reaches it.
    pub(super) fn since(arrival: Instant, limits: &Limits, headers: &HeaderMap) -> Self {
        let own = limits.max_wait.min(LONGEST);
        let total = grpc_timeout(headers).map_or(own, |caller| own.min(caller / 2));
        Self { gap: limits.max_gap.min(LONGEST), end: arrival + total }
    }

    /// When a wait that begins now must end: after `most`, or with the time that the whole call has.
    pub(super) fn at_most(self, most: Duration) -> Instant {
        self.end.min(Instant::now() + most.min(LONGEST))
    }

    /// When the wait that begins now must end, and whether that is for the gap alone.
    fn next(self) -> (Instant, bool) {
        let gap = Instant::now() + self.gap;
        (self.end.min(gap), gap < self.end)
    }
}

/// The caller's deadline (gRPC over HTTP/2, `Timeout`): one to eight digits and a unit. Anything else is no deadline.
pub(super) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Reads the one message of a unary call, to the end of its stream.
///
/// Memory grows with bytes received, never with bytes announced; a message over `max` is refused as soon as its
/// length is known, and whatever follows is left unread.
///
/// # Errors
/// [`Reason::MalformedRequest`]: no message, half a message, more than one, a compressed one, one that is too
/// large, or a stream that breaks. [`Reason::Overloaded`]: it did not arrive within `patience`; nobody can say
/// whose fault that is, and 503 is the answer that invites to try again.
pub(super) async fn read_message<B>(mut body: B, max: usize, patience: Patience) -> Result<Bytes, Reason>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut received = Received::Nothing;
    while let Some(chunk) = next_chunk(&mut body, patience).await? {
        received = received.and(chunk);
        let bytes = received.as_slice();
        if message_length(bytes, max)?.is_some_and(|length| bytes.len() > PREFIX + length) {
            return Err(UNREADABLE);
        }
    }
    let mut whole = received.into_bytes();
    let length = message_length(&whole, max)?.ok_or(UNREADABLE)?;
    if whole.len() != PREFIX + length {
        return Err(UNREADABLE);
    }
    Ok(whole.split_off(PREFIX))
}

/// The length that the prefix announces; `None` while the prefix is incomplete.
fn message_length(bytes: &[u8], max: usize) -> Result<Option<usize>, Reason> {
    let Some(([flags, length @ ..], _)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| UNREADABLE)?;
    if *flags != 0 || length > max { Err(UNREADABLE) } else { Ok(Some(length)) }
}

/// The next piece of the body; `None` at its end. Trailers say nothing that is asked for.
async fn next_chunk<B>(body: &mut B, patience: Patience) -> Result<Option<Bytes>, Reason>
where
    B: Body<Data = Bytes> + Unpin,
{
    let frame = match now_or_never(body).await {
        Some(frame) => frame,
        // Boxed, because its timer would make every call that is never made to wait a large one.
        None => Box::pin(in_time(body, patience)).await?,
    };
    match frame {
        None => Ok(None),
        Some(Err(_broken)) => Err(UNREADABLE),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
    }
}

type Next<B> = Option<Result<Frame<Bytes>, <B as Body>::Error>>;

/// What is there already, as most messages are: no clock is asked for it.
async fn now_or_never<B>(body: &mut B) -> Option<Next<B>>
where
    B: Body<Data = Bytes> + Unpin,
{
    poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *body).poll_frame(context) {
            Poll::Ready(frame) => Some(frame),
            Poll::Pending => None,
        })
    })
    .await
}

async fn in_time<B>(body: &mut B, patience: Patience) -> Result<Next<B>, Reason>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (until, time_is_left) = patience.next();
    let mut frame = timeout_at(until, body.frame()).await;
    if frame.is_err() && time_is_left {
        // Perhaps not the caller was slow but we, and what it sent lies unread in the socket: look once more.
        tokio::task::yield_now().await;
        frame = timeout_at(until, body.frame()).await;
    }
    frame.map_err(|_late| Reason::Overloaded)
}

/// What arrived so far. Most messages are one piece and are never copied.
enum Received {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Received {
    fn and(self, chunk: Bytes) -> Self {
        match self {
            held if chunk.is_empty() => held,
            Self::Nothing => Self::One(chunk),
            Self::One(first) => {
                let mut all = BytesMut::with_capacity(first.len() + chunk.len());
                all.extend_from_slice(&first);
                all.extend_from_slice(&chunk);
                Self::Many(all)
            }
            Self::Many(mut all) => {
                all.extend_from_slice(&chunk);
                Self::Many(all)
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;
    use std::task::Context;
    use tokio_stream::StreamExt;

    use super::*;

    fn patience() -> Patience {
        Patience::since(Instant::now(), &Limits::default(), &HeaderMap::new())
    }

    fn framed(flags: u8, announced: u32, message: &[u8]) -> Vec<u8> {
        [&[flags][..], &announced.to_be_bytes(), message].concat()
    }

    async fn read(bytes: Vec<u8>) -> Result<Bytes, Reason> {
        read_message(Full::new(Bytes::from(bytes)), 1024, patience()).await
    }

    fn pieces(pieces: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        StreamBody::new(tokio_stream::iter(pieces).map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }

    fn timeout_of(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", value.parse().unwrap());
        grpc_timeout(&headers)
    }

    #[tokio::test]
    async fn one_whole_message_is_read() {
        assert_eq!(read(framed(0, 3, b"abc")).await, Ok(Bytes::from_static(b"abc")));
        assert_eq!(read(framed(0, 0, b"")).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn a_message_in_single_bytes_is_the_same_message() {
        let body = framed(0, 3, b"abc").into_iter().flat_map(|byte| [vec![byte], vec![]]).collect();
        assert_eq!(read_message(pieces(body), 1024, patience()).await, Ok(Bytes::from_static(b"abc")));
    }

    #[tokio::test]
    async fn anything_but_one_whole_uncompressed_message_is_unreadable() {
        let cases = [
            ("nothing", vec![]),
            ("half a prefix", vec![0, 0, 0]),
            ("only a prefix", framed(0, 3, b"")),
            ("compressed", framed(1, 3, b"abc")),
            ("reserved flag", framed(0x80, 3, b"abc")),
            ("announced too long", framed(0, 4, b"abc")),
            ("announced too short", framed(0, 2, b"abc")),
            ("two messages", [framed(0, 1, b"a"), framed(0, 1, b"b")].concat()),
            ("over the limit", framed(0, 1025, &[0; 1025])),
            ("4 GiB announced", framed(0, u32::MAX, b"abc")),
        ];
        for (name, bytes) in cases {
            assert_eq!(read(bytes).await, Err(Reason::MalformedRequest), "{name}");
        }
    }

    #[tokio::test]
    async fn a_message_at_the_limit_is_read() {
        assert_eq!(read(framed(0, 1024, &[7; 1024])).await.map(|bytes| bytes.len()), Ok(1024));
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_is_answered_from_the_prefix_without_waiting_for_the_rest() {
        let begun = Instant::now();
        let silent = StreamBody::new(
            tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from(framed(0, 1025, b"")))))
                .chain(tokio_stream::pending()),
        );
        assert_eq!(read_message(Box::pin(silent), 1024, patience()).await, Err(Reason::MalformedRequest));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_too_many_is_answered_without_waiting_for_the_end() {
        let begun = Instant::now();
        let endless = StreamBody::new(
            tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from(framed(0, 1, b"ab")))))
                .chain(tokio_stream::pending()),
        );
        assert_eq!(read_message(Box::pin(endless), 1024, patience()).await, Err(Reason::MalformedRequest));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_frame_and_then_silence_is_given_up_after_one_gap() {
        let begun = Instant::now();
        let silent = StreamBody::new(
            tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0"))))
                .chain(tokio_stream::pending()),
        );
        assert_eq!(read_message(Box::pin(silent), 1024, patience()).await, Err(Reason::Overloaded));
        assert!((250..260).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_of_single_bytes_ends_with_the_total_wait() {
        let begun = Instant::now();
        let start = tokio_stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(framed(0, 512, b""))))]);
        let drip = tokio_stream::iter(std::iter::repeat_n(0_u8, 4096))
            .throttle(Duration::from_millis(40))
            .map(|byte| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![byte]))));
        let body = StreamBody::new(start.chain(drip));
        assert_eq!(read_message(Box::pin(body), 1024, patience()).await, Err(Reason::Overloaded));
        assert!((5000..5100).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }

    /// A body that has its message only when it is asked for the third time: once without and once with a clock, it has
    /// none.
    struct Late(u8);

    impl Body for Late {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0 += 1;
            if self.0 > 2 {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\0more")))));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_while_we_were_slow_is_still_read_unless_the_caller_is_about_to_leave() {
        for (total, seen) in [(Duration::from_secs(1), true), (Duration::ZERO, false)] {
            let mut body = Late(0);
            let patience = Patience { gap: Duration::ZERO, end: Instant::now() + total };
            assert_eq!(next_chunk(&mut body, patience).await.is_ok(), seen, "{total:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn limits_of_all_eternity_are_no_panic() {
        let limits = Limits { max_gap: Duration::MAX, max_wait: Duration::MAX, ..Limits::default() };
        let mut body = Late(0);
        assert!(next_chunk(&mut body, Patience::since(Instant::now(), &limits, &HeaderMap::new())).await.is_ok());
    }

    #[test]
    fn a_timeout_is_one_to_eight_digits_and_a_unit() {
        assert_eq!(timeout_of("200m"), Some(Duration::from_millis(200)));
        assert_eq!(timeout_of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(timeout_of("1M"), Some(Duration::from_secs(60)));
        assert_eq!(timeout_of("2S"), Some(Duration::from_secs(2)));
        assert_eq!(timeout_of("3u"), Some(Duration::from_micros(3)));
        assert_eq!(timeout_of("0n"), Some(Duration::ZERO));
        for bad in ["", "m", "100", "100s", "123456789m", "+1m", "-1m", "1.5S", "1 m", " 1m", "1mm"] {
            assert_eq!(timeout_of(bad), None, "{bad:?}");
        }
    }
}
