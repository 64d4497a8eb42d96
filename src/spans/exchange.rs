//! One exchange with a collector, and what it means (OTLP 1.9, §OTLP/gRPC and §OTLP/HTTP).

use std::error::Error as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Limited};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Body, RequestBuilder, Response, StatusCode};

use crate::proto::otlp::ExportTraceServiceResponse;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Why a batch was not taken.
#[derive(Debug)]
pub(super) struct Trouble {
    /// A sentence for people.
    pub(super) what: String,
    /// The same may be taken later.
    pub(super) may_pass: bool,
}

/// OTLP/HTTP with binary protobuf.
pub(super) async fn http(to: RequestBuilder, request: Bytes) -> Result<u64, Trouble> {
    let response = sent(to.header(CONTENT_TYPE, "application/x-protobuf").body(request)).await?;
    let status = response.status();
    if !status.is_success() {
        let may_pass = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        return Err(Trouble { what: format!("it answers with HTTP {}", status.as_u16()), may_pass });
    }
    let (body, _) = read(response).await?;
    Ok(rejected(&body))
}

/// OTLP/gRPC: `TraceService/Export`.
pub(super) async fn grpc(to: RequestBuilder, request: Bytes) -> Result<u64, Trouble> {
    let mut framed = BytesMut::with_capacity(request.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(request.len()).unwrap_or(u32::MAX));
    framed.put(request);
    let call = to.header(CONTENT_TYPE, "application/grpc").header(TE, "trailers").body(framed.freeze());
    let response = sent(call).await?;
    if response.status() != StatusCode::OK {
        let may_pass = matches!(response.status().as_u16(), 429 | 502 | 503 | 504);
        return Err(Trouble { what: format!("it answers with HTTP {}", response.status().as_u16()), may_pass });
    }
    let head = response.headers().clone();
    let (body, trailers) = read(response).await?;
    let name = HeaderName::from_static("grpc-status");
    // An answer without a message has its status in front.
    match trailers.get(&name).or_else(|| head.get(&name)).map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(body.get(5..).map_or(0, rejected)),
        Some(code) => {
            let code = String::from_utf8_lossy(code);
            let may_pass = matches!(&*code, "1" | "4" | "8" | "10" | "11" | "14" | "15");
            Err(Trouble { what: format!("it answers with gRPC status {}", code.escape_debug()), may_pass })
        }
        None => Err(Trouble { what: "it does not answer as a gRPC server does".into(), may_pass: false }),
    }
}

async fn sent(request: RequestBuilder) -> Result<Response, Trouble> {
    request.send().await.map_err(|error| {
        let error = error.without_url();
        let mut what = if error.is_timeout() { "it does not answer in time".to_owned() } else { error.to_string() };
        // The innermost error says what it was.
        let mut source = error.source();
        while let Some(inner) = source {
            if inner.source().is_none() {
                what = format!("{what} ({inner})");
            }
            source = inner.source();
        }
        Trouble { what, may_pass: true }
    })
}

/// The whole body and its trailers.
async fn read(response: Response) -> Result<(Bytes, HeaderMap), Trouble> {
    let body: Limited<Body> = Limited::new(http::Response::from(response).into_body(), MAX_ANSWER);
    let whole = body
        .collect()
        .await
        .map_err(|error| Trouble { what: format!("its answer cannot be read: {error}"), may_pass: false })?;
    let trailers = whole.trailers().cloned().unwrap_or_default();
    Ok((whole.to_bytes(), trailers))
}

/// How many spans were not taken, by an answer of success. One that cannot be read says nothing.
fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or(0)
}
