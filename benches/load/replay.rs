//! The null server with somebody else's answer: it decodes the request as the null server does, and sends the same bytes
//! every time. Behind Envoy it shows what Envoy's handling of that answer costs.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// `envoy.service.auth.v3.Authorization` with one answer to everything.
#[derive(Debug, Clone)]
pub(crate) struct Replay(Bytes);

impl Replay {
    /// Answers with these bytes of a `CheckResponse`.
    pub(crate) fn of(answer: Vec<u8>) -> Self {
        Self(answer.into())
    }
}

impl NamedService for Replay {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl Service<http::Request<Body>> for Replay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    /// There is one method; the router has looked at the service's name.
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let check = Check(self.0.clone());
        Box::pin(async move { Ok(Grpc::new(AsItIs).unary(check, request).await) })
    }
}

struct Check(Bytes);

impl UnaryService<CheckRequest> for Check {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, _: Request<CheckRequest>) -> Self::Future {
        let answer = self.0.clone();
        Box::pin(async move { Ok(Response::new(answer)) })
    }
}

/// Reads with prost, writes bytes that are a message already.
struct AsItIs;

impl Codec for AsItIs {
    type Encode = Bytes;
    type Decode = CheckRequest;
    type Encoder = Self;
    type Decoder = <ProstCodec<(), CheckRequest> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<(), CheckRequest>::default().decoder()
    }
}

impl Encoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, answer: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(answer);
        Ok(())
    }
}
