//! The gRPC door over real sockets: a verdict for every call, health beside it, and a drain that loses nothing.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use credence::grpc::{Address, Drained, Listener, Reflection, Server, serve};
use credence::proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as Inner};
use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use credence::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use credence::proto::google::rpc::Status;
use credence::reason::Reason;
use credence::request::AuthzRequest;
use credence::wire::{Arrival, CheckService, Judge, Limits, Reply, SERVICE};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::Service;

const WORKERS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Says what it was asked; a question whose path is `/gate` waits for the test.
#[derive(Default)]
struct Echo {
    judged: AtomicUsize,
    gate: Option<Gate>,
}

struct Gate {
    entered: tokio::sync::mpsc::UnboundedSender<()>,
    leave: Mutex<mpsc::Receiver<()>>,
}

impl Judge for Echo {
    type Brought = ();

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, (): (), _: &Arrival) -> Reply {
        self.judged.fetch_add(1, Ordering::SeqCst);
        let (code, message) = match call {
            Ok(question) if question.target == "/panic" => panic!("on purpose"),
            Ok(question) => (0, format!("{} {}", question.target, question.proxy_peer.unwrap_or("nobody"))),
            Err(reason) => (reason.class().grpc_code(), reason.code().to_owned()),
        };
        if let (Ok(AuthzRequest { target: "/gate", .. }), Some(gate)) = (call, &self.gate) {
            gate.entered.send(()).unwrap();
            gate.leave.lock().unwrap().recv().unwrap();
        }
        Reply::message(&CheckResponse { status: Some(Status { code, message }), ..CheckResponse::default() })
    }
}

/// An `Echo` with a gate: tells when a call stands in it, and lets one through for every message.
fn gated() -> (Echo, tokio::sync::mpsc::UnboundedReceiver<()>, mpsc::Sender<()>) {
    let (entered, arrivals) = tokio::sync::mpsc::unbounded_channel();
    let (open, leave) = mpsc::channel();
    (Echo { gate: Some(Gate { entered, leave: Mutex::new(leave) }), ..Echo::default() }, arrivals, open)
}

async fn start(judge: Arc<Echo>, limits: Limits) -> (Server, String) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = serve(listener, CheckService::new(judge, limits), Reflection::Off, WORKERS).await.unwrap();
    let uri = format!("http://{}", server.address());
    (server, uri)
}

/// For tests whose matter is not the pace, on machines that may be slow.
fn unhurried() -> Limits {
    Limits { max_gap: Duration::from_secs(60), max_wait: Duration::from_secs(60), ..Limits::default() }
}

async fn connect(uri: &str) -> Channel {
    Endpoint::from_shared(uri.to_owned()).unwrap().connect().await.unwrap()
}

fn question(path: &str) -> CheckRequest {
    let http = HttpRequest { method: "GET".into(), path: path.into(), host: "x.test".into(), ..HttpRequest::default() };
    let request = Some(Inner { http: Some(http) });
    CheckRequest { attributes: Some(AttributeContext { request, ..AttributeContext::default() }) }
}

async fn ask(channel: &Channel, path: &str) -> Result<Status, tonic::Status> {
    let answer = AuthorizationClient::new(channel.clone()).check(question(path)).await?;
    Ok(answer.into_inner().status.unwrap())
}

/// Sends a body as it is; whatever it is, the answer must be an OK gRPC status with a verdict.
async fn send(channel: &Channel, body: Body) -> Status {
    let request = http::Request::post(format!("/{SERVICE}/Check")).header("content-type", "application/grpc");
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let response = channel.call(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("grpc-status"), None, "an answer of trailers alone is an RPC error");
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    CheckResponse::decode(&collected.to_bytes()[5..]).unwrap().status.unwrap()
}

fn whole(bytes: Vec<u8>) -> Body {
    Body::new(Full::new(Bytes::from(bytes)))
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The bytes, and then silence.
fn unfinished(bytes: Vec<u8>) -> Body {
    let start = tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from(bytes))));
    Body::new(StreamBody::new(start.chain(tokio_stream::pending())))
}

#[tokio::test]
async fn whatever_is_sent_gets_an_ok_status_with_a_verdict() {
    let (_server, uri) =
        start(Arc::default(), Limits { max_gap: Duration::from_millis(300), ..Limits::default() }).await;
    let channel = connect(&uri).await;
    let good = framed(&question("/").encode_to_vec());
    let cases = [
        ("no data at all", Body::empty()),
        ("an empty message", whole(framed(b""))),
        ("garbage", whole(framed(b"\xff\xff\xff"))),
        ("only a prefix", whole(vec![0, 0, 0, 0, 3])),
        ("compressed", whole([&[1], &good[1..]].concat())),
        ("a length too long", whole([&[0, 0, 0, 0, 255], &good[5..]].concat())),
        ("a length too short", whole([&[0, 0, 0, 0, 1], &good[5..]].concat())),
        ("two messages", whole([&good[..], &good].concat())),
        ("17 MiB", whole(framed(&vec![0; 17 << 20]))),
        ("4 GiB announced and nothing sent", unfinished(vec![0, 255, 255, 255, 255])),
        ("half a frame and then silence", unfinished(good[..9].to_vec())),
        ("a frame without an end", unfinished(good.clone())),
        ("silence", Body::new(StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>()))),
    ];
    for (name, body) in cases {
        let status = send(&channel, body).await;
        let late = ["half a frame and then silence", "a frame without an end", "silence"].contains(&name);
        let expected = if late { (14, "overloaded") } else { (3, "malformed_request") };
        assert_eq!((status.code, status.message.as_str()), expected, "{name}");
    }
    // The connection is as good as before.
    assert_eq!(send(&channel, whole(good)).await.code, 0);
}

#[tokio::test]
async fn a_panic_is_a_denial_and_the_connection_stays() {
    let (_server, uri) = start(Arc::default(), unhurried()).await;
    let channel = connect(&uri).await;
    assert_eq!(ask(&channel, "/panic").await.unwrap().message, "internal");
    assert_eq!(ask(&channel, "/next").await.unwrap().code, 0);
}

#[tokio::test]
async fn another_service_and_another_method_are_unimplemented() {
    let (_server, uri) = start(Arc::default(), Limits::default()).await;
    let mut channel = connect(&uri).await;
    for path in [format!("/{SERVICE}/Other"), "/envoy.service.auth.v2.Authorization/Check".into(), "/x".into()] {
        std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
        let response = channel.call(http::Request::post(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "12");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_call_over_the_limit_is_overloaded_while_the_others_wait() {
    let (judge, mut arrivals, open) = gated();
    let (_server, uri) = start(Arc::new(judge), Limits { max_concurrent: 1, ..unhurried() }).await;
    // The limit is one for all: these two are served by two workers.
    let (standing, channel) = (connect(&uri).await, connect(&uri).await);
    let first = tokio::spawn(async move { ask(&standing, "/gate").await });
    arrivals.recv().await.unwrap();
    let status = ask(&channel, "/").await.unwrap();
    assert_eq!((status.code, status.message.as_str()), (14, "overloaded"));
    open.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_interleaved_calls_on_three_connections_get_their_own_answers() {
    let (_server, uri) = start(Arc::default(), unhurried()).await;
    let channels = [connect(&uri).await, connect(&uri).await, connect(&uri).await];
    let calls: Vec<_> = (0..600)
        .map(|number| {
            let channel = channels[number % 3].clone();
            tokio::spawn(async move { (number, ask(&channel, &format!("/call/{number}")).await.unwrap()) })
        })
        .collect();
    for call in calls {
        let (number, status) = call.await.unwrap();
        assert!(status.message.starts_with(&format!("/call/{number} 127.0.0.1:")), "{number}: {}", status.message);
    }
}

#[tokio::test]
async fn idle_garbage_and_http1_clients_do_not_keep_others_from_being_served() {
    let (server, uri) = start(Arc::default(), unhurried()).await;
    let Address::Tcp(address) = server.address().clone() else { panic!("not TCP") };
    let mut strangers = Vec::new();
    for number in 0..300 {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let greeting: &[u8] = match number % 4 {
            0 => b"",
            1 => b"PRI * HTTP/2",
            2 => b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            _ => &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc],
        };
        socket.write_all(greeting).await.unwrap();
        strangers.push(socket);
    }
    assert_eq!(ask(&connect(&uri).await, "/").await.unwrap().code, 0);
    // Those that never said what they are do not hold up the end either.
    assert_eq!(server.shutdown(Duration::from_secs(30)).await, Drained::Completely);
}

#[tokio::test]
async fn tracing_headers_as_long_as_envoy_lets_through_are_no_rpc_error() {
    let (_server, uri) = start(Arc::default(), unhurried()).await;
    let mut request = tonic::Request::new(question("/"));
    request.metadata_mut().insert("tracestate", "x".repeat(60 << 10).parse().unwrap());
    let answer = AuthorizationClient::new(connect(&uri).await).check(request).await.unwrap();
    assert_eq!(answer.into_inner().status.unwrap().code, 0);
}

async fn health(channel: &Channel, name: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: name.into() };
    HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn health_is_not_serving_until_ready_and_again_when_draining() {
    let (server, uri) = start(Arc::default(), Limits::default()).await;
    let channel = connect(&uri).await;
    let request = HealthCheckRequest { service: SERVICE.into() };
    let mut watched = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
    for (switch, expected) in [
        (None, ServingStatus::NotServing),
        (Some(true), ServingStatus::Serving),
        (Some(false), ServingStatus::NotServing),
    ] {
        if let Some(serving) = switch {
            server.health().set_serving(serving).await;
        }
        for name in ["", SERVICE] {
            assert_eq!(health(&channel, name).await, expected, "{name:?} {switch:?}");
        }
        assert_eq!(watched.message().await.unwrap().unwrap().status(), expected);
    }
    server.health().set_serving(true).await;
    server.health().drain().await;
    server.health().set_serving(true).await;
    assert_eq!(health(&channel, "").await, ServingStatus::NotServing, "draining is for good");
    // Nobody who watches holds up the end.
    assert_eq!(server.shutdown(Duration::from_secs(30)).await, Drained::Completely);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_call_in_flight_at_shutdown_is_answered() {
    let (judge, mut arrivals, open) = gated();
    let (server, uri) = start(Arc::new(judge), unhurried()).await;
    let channel = connect(&uri).await;
    let call = tokio::spawn(async move { ask(&channel, "/gate").await });
    arrivals.recv().await.unwrap();
    let end = tokio::spawn(server.shutdown(Duration::from_secs(30)));
    // The door is closed to others while the call still stands in the gate.
    while Endpoint::from_shared(uri.clone()).unwrap().connect().await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap().code, 0);
    assert_eq!(end.await.unwrap(), Drained::Completely);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_drain_under_load_loses_no_verdict() {
    let judge = Arc::new(Echo::default());
    let (server, uri) = start(Arc::clone(&judge), unhurried()).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..16 {
        let (channel, answered) = (connect(&uri).await, Arc::clone(&answered));
        callers.push(tokio::spawn(async move {
            while ask(&channel, "/").await.is_ok() {
                answered.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    while answered.load(Ordering::SeqCst) < 500 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.shutdown(Duration::from_secs(30)).await, Drained::Completely);
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(answered.load(Ordering::SeqCst), judge.judged.load(Ordering::SeqCst));
}

#[tokio::test]
async fn five_hundred_calls_cancelled_at_once_do_not_take_their_connection_along() {
    let (server, _) = start(Arc::default(), unhurried()).await;
    let mut peer = raw_connection(&server).await;
    let headers = headers_of_a_call("");
    let mut flood = Vec::new();
    for stream in (1..=999).step_by(2) {
        flood.extend(h2_frame(0x1, 0x4, stream, &headers));
        flood.extend(h2_frame(0x3, 0, stream, &8_u32.to_be_bytes()));
    }
    flood.extend(h2_frame(0x1, 0x4, 1001, &headers));
    flood.extend(h2_frame(0x0, 0x1, 1001, &framed(&question("/survivor").encode_to_vec())));
    peer.write_all(&flood).await.unwrap();
    let status = answer_on(&mut peer, 1001).await;
    assert!(status.code == 0 && status.message.starts_with("/survivor"), "{status:?}");
}

#[tokio::test]
async fn a_tiny_deadline_gets_a_verdict_and_no_error_of_grpc() {
    let (server, _) = start(Arc::default(), Limits::default()).await;
    let mut peer = raw_connection(&server).await;
    let mut streams = (1..).step_by(2);
    for timeout in ["0n", "1n", "500u", "1m", "2m", "3m", "20m", "150m"] {
        for stream in streams.by_ref().take(20) {
            peer.write_all(&h2_frame(0x1, 0x4, stream, &headers_of_a_call(timeout))).await.unwrap();
            peer.write_all(&h2_frame(0x0, 0, stream, &[0, 0, 0])).await.unwrap();
            let status = answer_on(&mut peer, stream).await;
            assert_eq!((status.code, status.message.as_str()), (14, "overloaded"), "{timeout}");
        }
    }
}

#[tokio::test]
async fn a_flood_of_continuations_ends_its_connection_and_no_other() {
    let (server, uri) = start(Arc::default(), unhurried()).await;
    let channel = connect(&uri).await;
    let mut peer = raw_connection(&server).await;
    peer.write_all(&h2_frame(0x1, 0, 1, &[])).await.unwrap();
    // A header that never ends: its value is announced with 1 GiB (RFC 7541 §5.1, §5.2).
    let never_ending = [&[0, 1, b'x', 0x7f, 0x81, 0xff, 0xff, 0xff, 0x03][..], &[b'x'; 16_000]].concat();
    let mut sent = 0;
    while peer.write_all(&h2_frame(0x9, 0, 1, &never_ending)).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "the server still reads after {sent} frames");
    }
    assert_eq!(ask(&channel, "/").await.unwrap().code, 0);
}

/// A connection on which the test writes the frames, after preface and empty settings (RFC 9113 §3.4).
async fn raw_connection(server: &Server) -> tokio::net::TcpStream {
    let Address::Tcp(address) = server.address() else { panic!("not TCP") };
    let mut peer = tokio::net::TcpStream::connect(address).await.unwrap();
    peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    peer
}

/// One HTTP/2 frame (RFC 9113 §4.1).
fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a Check, in literals without indexing (RFC 7541 §6.2.2).
fn headers_of_a_call(timeout: &str) -> Vec<u8> {
    let path = format!("/{SERVICE}/Check");
    let mut fields = vec![(":method", "POST"), (":scheme", "http"), (":authority", "x.test"), (":path", path.as_str())];
    if !timeout.is_empty() {
        fields.push(("grpc-timeout", timeout));
    }
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.into_iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The verdict on `stream`; a GOAWAY or an answer without one fails.
async fn answer_on(peer: &mut tokio::net::TcpStream, stream: u32) -> Status {
    loop {
        let (kind, flags, id, payload) = read_h2_frame(peer).await;
        assert_ne!(kind, 0x7, "GOAWAY takes every call of the connection along: {payload:?}");
        assert!(id != stream || kind != 0x1 || flags & 0x1 == 0, "an answer of trailers alone is an RPC error");
        if id == stream && kind == 0x0 {
            return CheckResponse::decode(&payload[5..]).unwrap().status.unwrap();
        }
    }
}

async fn read_h2_frame(peer: &mut tokio::net::TcpStream) -> (u8, u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    peer.read_exact(&mut head).await.unwrap();
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    peer.read_exact(&mut payload).await.unwrap();
    (head[3], head[4], u32::from_be_bytes(head[5..].try_into().unwrap()), payload)
}

#[tokio::test]
async fn a_peer_that_never_leaves_is_cut_when_the_grace_is_over() {
    let (server, _) = start(Arc::default(), Limits::default()).await;
    // Greets, and from then on gives not even an answer to a ping.
    let mut peer = raw_connection(&server).await;
    read_h2_frame(&mut peer).await;
    assert_eq!(server.shutdown(Duration::from_millis(100)).await, Drained::CutOff);
    _ = peer.read_to_end(&mut Vec::new()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_serves_and_is_gone_after_shutdown() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.sock");
    // A dead server's socket lies in the way.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    let listener = Listener::bind(&address).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let refusal = Listener::bind(&address).await.unwrap_err();
    assert!(refusal.to_string().contains("another server"), "{refusal}");
    let checks = CheckService::new(Arc::<Echo>::default(), unhurried());
    let server = serve(listener, checks, Reflection::Off, WORKERS).await.unwrap();
    let channel = connect(&address.to_string()).await;
    let status = ask(&channel, "/").await.unwrap();
    assert!(status.message.contains(&format!("unix:pid={},uid=", std::process::id())), "{}", status.message);
    assert_eq!(server.shutdown(Duration::from_secs(30)).await, Drained::Completely);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
}
