//! A collector of OpenTelemetry that keeps what it gets, over gRPC or HTTP, with the messages of the OpenTelemetry project.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use envoy_types::pb::google::protobuf::{Any, Duration};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};

use super::issuer::Ca;
use super::server::{Received, Server, reply};
use super::{eventually, runtime};

/// A collector that only a proxy could reach.
pub const FAR: &str = "http://collector.test:4318";

/// What it does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    Take,
    /// Takes it and says that so many spans were rejected.
    Reject(i64),
    /// Answers with this HTTP status, or as a gRPC server with `UNAVAILABLE`.
    Refuse(u16),
    /// Says that it has too much to do, and for how many seconds, if it knows: HTTP 429, or `RESOURCE_EXHAUSTED`.
    Throttle(Option<u64>),
    /// Takes the request and never answers.
    Hang,
}

#[derive(Debug)]
struct Kept {
    manner: Mutex<Manner>,
    /// As they came over HTTP, unpacked; over gRPC encoded again.
    bodies: Mutex<Vec<Vec<u8>>>,
    heads: Mutex<Vec<Received>>,
    refused: Mutex<Vec<Received>>,
    /// `grpc-encoding` of what came over gRPC.
    encodings: Mutex<Vec<Option<String>>>,
    /// How many requests came, whatever became of them.
    requests: Mutex<usize>,
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
    _server: Option<Server>,
}

fn kept(manner: Manner) -> Arc<Kept> {
    Arc::new(Kept {
        manner: Mutex::new(manner),
        bodies: Mutex::default(),
        heads: Mutex::default(),
        refused: Mutex::default(),
        encodings: Mutex::default(),
        requests: Mutex::default(),
    })
}

impl Collector {
    /// Takes OTLP over HTTP.
    pub fn http(manner: Manner) -> Self {
        Self::over(None, manner)
    }

    /// The same over TLS, as `localhost`, by the word of this authority.
    pub fn https(by: &Ca, manner: Manner) -> Self {
        Self::over(Some(by.server_config("localhost")), manner)
    }

    fn over(tls: Option<Arc<ServerConfig>>, manner: Manner) -> Self {
        let kept = kept(manner);
        let keeper = Arc::clone(&kept);
        let server = Server::start(tls, move |request, stream| {
            *keeper.requests.lock().unwrap() += 1;
            let mut answer = ExportTraceServiceResponse::default();
            match *keeper.manner.lock().unwrap() {
                Manner::Take => {}
                Manner::Reject(rejected_spans) => {
                    let error_message = "too many".into();
                    answer.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
                }
                Manner::Refuse(status) => {
                    keeper.refused.lock().unwrap().push(request.clone());
                    return reply(stream, status, &[], b"no");
                }
                Manner::Throttle(None) => return reply(stream, 429, &[], b"no"),
                Manner::Throttle(Some(seconds)) => {
                    return reply(stream, 429, &[("retry-after", &seconds.to_string())], b"not now");
                }
                Manner::Hang => loop {
                    std::thread::park();
                },
            }
            // A proxy is told the whole URL.
            let path = request.target.strip_prefix(FAR).unwrap_or(&request.target);
            let is_ours = request.method == "POST"
                && path.split('?').next() == Some("/v1/traces")
                && request.header("content-type") == Some("application/x-protobuf");
            assert!(is_ours, "no export: {request:?}");
            keeper.heads.lock().unwrap().push(request.clone());
            keeper.bodies.lock().unwrap().push(match request.header("content-encoding") {
                None => request.body.clone(),
                Some("gzip") => unpacked(&request.body),
                Some(other) => panic!("{other} is no encoding of OTLP"),
            });
            reply(stream, 200, &[("content-type", "application/x-protobuf")], &answer.encode_to_vec())
        });
        Self { address: server.address(), kept, _server: Some(server) }
    }

    /// Takes OTLP over gRPC. It ends with the process.
    pub fn grpc(manner: Manner) -> Self {
        let kept = kept(manner);
        let service = TraceServiceServer::new(Grpc(Arc::clone(&kept))).accept_compressed(CompressionEncoding::Gzip);
        let address = runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serve = tonic::transport::Server::builder().add_service(service);
            tokio::spawn(serve.serve_with_incoming(TcpListenerStream::new(listener)));
            address
        });
        Self { address, kept, _server: None }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://HOST:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does this from now on.
    pub fn set(&self, manner: Manner) {
        *self.kept.manner.lock().unwrap() = manner;
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        *self.kept.requests.lock().unwrap()
    }

    /// Every body that was taken.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.kept.bodies.lock().unwrap().clone()
    }

    /// Every request that was taken over HTTP.
    pub fn heads(&self) -> Vec<Received> {
        self.kept.heads.lock().unwrap().clone()
    }

    /// Every request that was refused over HTTP.
    pub fn refused(&self) -> Vec<Received> {
        self.kept.refused.lock().unwrap().clone()
    }

    /// How each request over gRPC that was taken was packed.
    pub fn encodings(&self) -> Vec<Option<String>> {
        self.kept.encodings.lock().unwrap().clone()
    }

    /// Every span that was taken, with the attributes of its process.
    pub fn spans(&self) -> Vec<(Vec<KeyValue>, Span)> {
        let requests = self.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(&*body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources
            .flat_map(|of| {
                let process = of.resource.unwrap().attributes;
                let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.map(move |span| (process.clone(), span)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The span of one decision, as soon as it came.
    pub fn span(&self, decision_id: &str) -> Span {
        assert!(!decision_id.is_empty(), "no decision id to look for");
        let is_it = |span: &Span| text(&span.attributes, "credence.decision_id").as_deref() == Some(decision_id);
        eventually("a span at the collector", || self.spans().into_iter().map(|(_, span)| span).find(is_it))
    }
}

/// The text of an attribute; lists are joined by commas, numbers written out.
pub fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let mut found = attributes.iter().filter(|pair| pair.key == key);
    let (first, more) = (found.next()?, found.next());
    assert!(more.is_none(), "{key} stands twice: {attributes:?}");
    Some(written(first.value.as_ref()?.value.as_ref()?))
}

fn written(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::ArrayValue(list) => {
            let each = list.values.iter().map(|value| written(value.value.as_ref().unwrap()));
            each.collect::<Vec<_>>().join(",")
        }
        other => panic!("no attribute of ours is a {other:?}"),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut body).unwrap();
    body
}

/// `RESOURCE_EXHAUSTED` with `google.rpc.RetryInfo`: the same may be taken after so many seconds.
fn throttled(seconds: u64) -> Status {
    let delay = Duration { seconds: seconds.try_into().unwrap(), nanos: 0 }.encode_to_vec();
    // RetryInfo: its one field is the delay.
    let info = [&[0x0a, delay.len().try_into().unwrap()], delay.as_slice()].concat();
    let info = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info };
    let details = RpcStatus { code: 8, message: "slow down".into(), details: vec![info] };
    Status::with_details(Code::ResourceExhausted, "slow down", details.encode_to_vec().into())
}

struct Grpc(Arc<Kept>);

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        *self.0.requests.lock().unwrap() += 1;
        let manner = *self.0.manner.lock().unwrap();
        let mut answer = ExportTraceServiceResponse::default();
        match manner {
            Manner::Take => {}
            Manner::Reject(rejected_spans) => {
                answer.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: "no".into() });
            }
            Manner::Refuse(_) => return Err(Status::unavailable("not now")),
            Manner::Throttle(None) => return Err(Status::resource_exhausted("no more today")),
            Manner::Throttle(Some(seconds)) => return Err(throttled(seconds)),
            Manner::Hang => std::future::pending::<()>().await,
        }
        let encoding = request.metadata().get("grpc-encoding").map(|encoding| encoding.to_str().unwrap().to_owned());
        self.0.encodings.lock().unwrap().push(encoding);
        self.0.bodies.lock().unwrap().push(request.into_inner().encode_to_vec());
        Ok(Response::new(answer))
    }
}
