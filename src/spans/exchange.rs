//! One exchange with a collector, and what it means (OTLP 1.9, §OTLP/gRPC and §OTLP/HTTP).

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost::Message as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Body, RequestBuilder, Response, StatusCode};

use super::retry;
use crate::proto::otlp::ExportTraceServiceResponse;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Why a batch was not taken.
#[derive(Debug)]
pub(super) struct Trouble {
    /// A sentence for people.
    pub(super) what: String,
    /// How long to wait at least before the same is tried again; `None` if it would never be taken.
    pub(super) again: Option<Duration>,
}

impl Trouble {
    /// The way there or back failed: another try may do better.
    const fn on_the_way(what: String) -> Self {
        Self { what, again: Some(Duration::ZERO) }
    }

    /// The same would fail again.
    pub(super) const fn for_good(what: String) -> Self {
        Self { what, again: None }
    }
}

/// OTLP/HTTP with binary protobuf.
pub(super) async fn http(mut to: RequestBuilder, encoding: Option<&'static str>) -> Result<u64, Trouble> {
    if let Some(encoding) = encoding {
        to = to.header(CONTENT_ENCODING, encoding);
    }
    let response = sent(to.header(CONTENT_TYPE, "application/x-protobuf")).await?;
    refused(&response, response.status().is_success())?;
    let (body, _) = read(response).await?;
    Ok(rejected(&body))
}

/// OTLP/gRPC: `TraceService/Export`.
pub(super) async fn grpc(mut to: RequestBuilder, encoding: Option<&'static str>) -> Result<u64, Trouble> {
    if let Some(encoding) = encoding {
        to = to.header("grpc-encoding", encoding);
    }
    let response = sent(to.header(CONTENT_TYPE, "application/grpc").header(TE, "trailers")).await?;
    refused(&response, response.status() == StatusCode::OK)?;
    let head = response.headers().clone();
    let (body, trailers) = read(response).await?;
    // An answer without a message has its status in front.
    let told = |name| trailers.get(&name).or_else(|| head.get(&name));
    match told(HeaderName::from_static("grpc-status")).map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(body.get(5..).map_or(0, rejected)),
        Some(code) => {
            let again = retry::of_grpc(code, told(HeaderName::from_static("grpc-status-details-bin")));
            let code = String::from_utf8_lossy(code);
            Err(Trouble { what: format!("it answers with gRPC status {}", code.escape_debug()), again })
        }
        None => Err(Trouble::for_good("it does not answer as a gRPC server does".into())),
    }
}

fn refused(response: &Response, is_success: bool) -> Result<(), Trouble> {
    let status = response.status();
    if is_success {
        return Ok(());
    }
    let what = format!("it answers with HTTP {}", status.as_u16());
    Err(Trouble { what, again: retry::of_http(status, response.headers()) })
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
        Trouble::on_the_way(what)
    })
}

/// The whole body and its trailers.
async fn read(response: Response) -> Result<(Bytes, HeaderMap), Trouble> {
    let body: Limited<Body> = Limited::new(http::Response::from(response).into_body(), MAX_ANSWER);
    let whole = body.collect().await.map_err(|error| {
        let what = format!("its answer cannot be read: {error}");
        if error.is::<LengthLimitError>() { Trouble::for_good(what) } else { Trouble::on_the_way(what) }
    })?;
    let trailers = whole.trailers().cloned().unwrap_or_default();
    Ok((whole.to_bytes(), trailers))
}

/// How many spans were not taken, by an answer of success. One that cannot be read says nothing.
fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or(0)
}
