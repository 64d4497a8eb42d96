//! The reply to a call: HTTP 200, one uncompressed frame, `grpc-status: 0`. There is no other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::Frame;
use prost::Message;

use super::encode::frame;
use crate::answer::Answer;
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse};
use crate::proto::envoy::r#type::v3::HttpStatus;
use crate::proto::google::rpc::Status;
use crate::reason::{Class, Reason};

/// An answer as it is sent: a message behind its length prefix.
#[derive(Debug, Clone)]
pub struct Reply(Bytes);

impl Reply {
    /// What Envoy is told by `answer`.
    pub fn of(answer: &Answer<'_>) -> Self {
        Self(frame(answer))
    }

    /// A message of the generated type: for judges that have no [`Answer`], as those of tests.
    pub fn message(message: &CheckResponse) -> Self {
        let length = message.encoded_len();
        let mut bytes = BytesMut::with_capacity(5 + length);
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        // The buffer grows as it is filled, so there is always room and nothing to fail.
        let _always_fits = message.encode(&mut bytes);
        Self(bytes.freeze())
    }

    /// The message, without its prefix.
    #[cfg(test)]
    pub(super) fn encoded(&self) -> &[u8] {
        &self.0[5..]
    }
}

/// What is said when the judge itself cannot speak: a plain refusal, made without it.
pub(super) fn last_resort() -> Reply {
    let class = Reason::Internal.class();
    Reply::message(&CheckResponse {
        status: Some(Status { code: class.grpc_code(), ..Status::default() }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(Class::Unavailable.http_status(false)) }),
            ..DeniedHttpResponse::default()
        })),
        dynamic_metadata: None,
    })
}

/// The whole HTTP response around a reply.
pub(super) fn response(reply: Reply) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody(Stream::Message(reply.0)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The HTTP/2 library copies shorter pieces side by side and writes them out together, with those of other calls; a piece
/// of this length or more would cost a system call of its own.
const PIECE: usize = 1024;

/// A body of one message, in pieces, and the trailers of success.
#[derive(Debug)]
pub struct ReplyBody(Stream);

impl ReplyBody {
    /// Of a response whose headers say all.
    pub(crate) const fn empty() -> Self {
        Self(Stream::Done)
    }
}

#[derive(Debug)]
enum Stream {
    Message(Bytes),
    Trailers,
    Done,
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (frame, next) = match std::mem::replace(&mut self.0, Stream::Done) {
            Stream::Message(bytes) if bytes.len() < PIECE => (Frame::data(bytes), Stream::Trailers),
            Stream::Message(mut rest) => (Frame::data(rest.split_to(PIECE - 1)), Stream::Message(rest)),
            Stream::Trailers => {
                let ok = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
                (Frame::trailers(HeaderMap::from_iter([ok])), Stream::Done)
            }
            Stream::Done => return Poll::Ready(None),
        };
        self.0 = next;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Stream::Done)
    }
}
