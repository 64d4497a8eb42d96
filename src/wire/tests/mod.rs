//! The service, called as tonic would call it.

mod answers;
mod corpus;
mod differential;
mod facts;
mod merging;
mod mutate;
mod reference;
mod timing;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb as envoy;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use prost::Message;
use tonic::body::Body;

use super::{Arrival, Bench, CheckService, Judge, Limits, Look, ProxyPeer, Reply, ReplyBody};
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::proto::google::rpc::Status;
use crate::reason::Reason;
use crate::request::AuthzRequest;

/// Allows what is a question and refuses what is none, each with what it was asked.
struct Echo;

impl Judge for Echo {
    type Brought = ();

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, (): (), _: &Arrival) -> Reply {
        match call {
            Ok(question) => answer(0, HttpResponse::OkResponse(OkHttpResponse::default()), &format!("{question:?}")),
            Err(reason) => {
                let denied = DeniedHttpResponse { body: reason.code().into(), ..DeniedHttpResponse::default() };
                answer(reason.class().grpc_code(), HttpResponse::DeniedResponse(denied), reason.code())
            }
        }
    }
}

/// Panics on questions, and on refusals too if so told.
struct Panicking {
    always: bool,
}

impl Judge for Panicking {
    type Brought = ();

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, (): (), arrival: &Arrival) -> Reply {
        match call {
            Err(reason) if !self.always => Echo.judge(Err(reason), (), arrival),
            _ => panic!("on purpose"),
        }
    }
}

fn answer(code: i32, response: HttpResponse, message: &str) -> Reply {
    let status = Status { code, message: message.into() };
    Reply::message(&CheckResponse { status: Some(status), http_response: Some(response), dynamic_metadata: None })
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn whole(bytes: Vec<u8>) -> Body {
    Body::new(Full::new(Bytes::from(bytes)))
}

/// The bytes, and then nothing, not even an end.
fn unfinished(bytes: &'static [u8]) -> Body {
    use tokio_stream::StreamExt;
    let start = tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from_static(bytes))));
    Body::new(StreamBody::new(start.chain(tokio_stream::pending())))
}

fn question() -> envoy::envoy::service::auth::v3::CheckRequest {
    use envoy::envoy::config::core::v3 as core;
    use envoy::envoy::service::auth::v3::{AttributeContext, CheckRequest, attribute_context as context};
    use envoy::google::protobuf::{ListValue, Struct, Value, value::Kind};

    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.into())) };
    let object = |members: Vec<(&str, Value)>| Struct {
        fields: members.into_iter().map(|(name, value)| (name.into(), value)).collect(),
    };
    let listed = |object| Value { kind: Some(Kind::StructValue(object)) };
    let resources = vec![
        listed(object(vec![("kind", text("HTTPRoute")), ("namespace", text("shop")), ("name", text("cart"))])),
        listed(object(vec![("namespace", text("shop"))])),
        text("shop/cart"),
    ];
    let gateway = object(vec![("resources", Value { kind: Some(Kind::ListValue(ListValue { values: resources })) })]);
    let source = core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: "192.0.2.7".into(),
            resolver_name: "unused".into(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(4711)),
            ..core::SocketAddress::default()
        })),
    };
    let http = context::HttpRequest {
        id: "17".into(),
        method: "POST".into(),
        path: "/a?b=c".into(),
        host: "x.test".into(),
        headers: [("authorization", "Bearer t"), ("x-request-id", "r-1")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        query: "unused".into(),
        size: 3,
        body: "unused".into(),
        raw_body: vec![1, 2, 3],
        ..context::HttpRequest::default()
    };
    let peer = context::Peer {
        address: Some(source),
        principal: "spiffe://a.test/b".into(),
        labels: [("unused".to_owned(), "x".to_owned())].into(),
        certificate: "unused".into(),
        ..context::Peer::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer.clone()),
            destination: Some(peer),
            request: Some(context::Request { time: None, http: Some(http) }),
            context_extensions: [("z", "1"), ("a", "2")].map(|(name, value)| (name.into(), value.into())).into(),
            metadata_context: Some(core::Metadata::default()),
            route_metadata_context: Some(core::Metadata {
                filter_metadata: [("envoy-gateway".to_owned(), gateway)].into(),
                ..core::Metadata::default()
            }),
            tls_session: Some(context::TlsSession { sni: "unused".into() }),
        }),
    }
}

/// Sends a call and takes the answer apart; every departure from an OK gRPC status fails here.
async fn ask<J: Judge>(service: &CheckService<J>, request: Request<Body>) -> CheckResponse {
    let peer = request.extensions().get::<ProxyPeer>().cloned();
    open(service.answer(request, peer).await).await
}

async fn open(response: Response<ReplyBody>) -> CheckResponse {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert!(!response.headers().contains_key("grpc-encoding"));
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    let bytes = collected.to_bytes();
    let (prefix, message) = bytes.split_at(5);
    assert_eq!(prefix[0], 0);
    assert_eq!(u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize, message.len());
    // What Envoy reads is what we meant.
    let seen = envoy::envoy::service::auth::v3::CheckResponse::decode(message).unwrap();
    let meant = CheckResponse::decode(message).unwrap();
    assert_eq!(seen.status.as_ref().unwrap().code, meant.status.as_ref().unwrap().code);
    assert_eq!(seen.encode_to_vec(), message);
    meant
}

fn check(body: Body) -> Request<Body> {
    Request::post("http://x/envoy.service.auth.v3.Authorization/Check").body(body).unwrap()
}

fn echo(limits: Limits) -> CheckService<Echo> {
    CheckService::new(Arc::new(Echo), limits)
}

fn code(response: &CheckResponse) -> &str {
    let status = response.status.as_ref().unwrap();
    assert_ne!(status.code, 0, "{response:?}");
    &status.message
}

#[tokio::test]
async fn a_question_is_put_to_the_judge_with_the_peer_of_the_connection() {
    let mut request = check(whole(framed(&question().encode_to_vec())));
    request.extensions_mut().insert(ProxyPeer("192.0.2.9:1".into()));
    let response = ask(&echo(Limits::default()), request).await;
    let status = response.status.unwrap();
    assert_eq!(status.code, 0);
    assert!(status.message.contains("proxy_peer: Some(\"192.0.2.9:1\")"), "{}", status.message);
}

#[tokio::test]
async fn a_message_without_http_attributes_is_malformed() {
    let mut tcp = question();
    tcp.attributes.as_mut().unwrap().request.as_mut().unwrap().http = None;
    let mut bare = question();
    bare.attributes.as_mut().unwrap().request = None;
    for message in [tcp.encode_to_vec(), bare.encode_to_vec(), vec![]] {
        let response = ask(&echo(Limits::default()), check(whole(framed(&message)))).await;
        assert_eq!(code(&response), "malformed_request");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_denied_and_never_an_rpc_error() {
    let mut text = question().encode_to_vec();
    let at = text.windows(6).position(|six| six == b"x.test").unwrap();
    text[at] = 0xff;
    let deep = (0..5000).fold(vec![], |inner: Vec<u8>, _| {
        let mut outer = vec![0x0a];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        outer
    });
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("garbage", framed(b"\xff\xff\xff\xff")),
        ("invalid UTF-8", framed(&text)),
        ("nested five thousand deep", framed(&deep)),
        ("compressed", [&[1][..], &framed(b"")[1..]].concat()),
        ("only a prefix", vec![0, 0, 0, 0, 9]),
        ("two messages", [framed(&question().encode_to_vec()), framed(&question().encode_to_vec())].concat()),
        ("17 MiB", framed(&vec![0; 17 << 20])),
        ("HTTP/1", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in cases {
        let response = ask(&echo(Limits::default()), check(whole(bytes))).await;
        assert_eq!(code(&response), "malformed_request", "{name}");
    }
}

#[tokio::test]
async fn a_call_without_post_is_denied() {
    let mut request = check(whole(framed(&question().encode_to_vec())));
    *request.method_mut() = http::Method::GET;
    assert_eq!(code(&ask(&echo(Limits::default()), request).await), "malformed_request");
}

#[tokio::test]
async fn another_method_is_unimplemented() {
    for path in ["/envoy.service.auth.v3.Authorization/Other", "/envoy.service.auth.v2.Authorization/Check", "/"] {
        let request = Request::post(format!("http://x{path}")).body(whole(vec![])).unwrap();
        let response = echo(Limits::default()).answer(request, None).await;
        assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"12".parse().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_denied_within_half_of_what_the_caller_waits() {
    for (timeout, most) in [("40m", 20), ("1m", 1), ("1u", 1), ("0n", 1), ("10S", 250), ("nonsense", 250)] {
        let begun = tokio::time::Instant::now();
        let mut request = check(unfinished(b"\0\0\0\0\x09abc"));
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        let response = ask(&echo(Limits::default()), request).await;
        assert_eq!(code(&response), "overloaded", "{timeout}");
        assert!(begun.elapsed() <= Duration::from_millis(most + 1), "{timeout} took {:?}", begun.elapsed());
    }
}

/// Wants to wait for something that never comes.
struct Hoping;

impl Judge for Hoping {
    type Brought = ();

    fn look(&self, _: &AuthzRequest<'_>, (): (), _: &Arrival) -> Look<()> {
        Look::Wait(Bench::Store, Box::pin(std::future::pending()))
    }

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, (): (), arrival: &Arrival) -> Reply {
        Echo.judge(call, (), arrival)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_judge_hopes_for_is_waited_for_50_ms_or_half_of_what_the_caller_waits() {
    for (timeout, most) in [(None, 50), (Some("10S"), 50), (Some("40m"), 20), (Some("1n"), 1)] {
        let begun = tokio::time::Instant::now();
        let mut request = check(whole(framed(&question().encode_to_vec())));
        if let Some(timeout) = timeout {
            request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        }
        let response = ask(&CheckService::new(Arc::new(Hoping), Limits::default()), request).await;
        assert_eq!(response.status.unwrap().code, 0);
        assert!(begun.elapsed() <= Duration::from_millis(most + 1), "{timeout:?} took {:?}", begun.elapsed());
    }
}

/// Waits for what the method says, in turn, and answers with what it was brought last.
struct Waiting;

impl Judge for Waiting {
    type Brought = u8;

    fn look(&self, call: &AuthzRequest<'_>, brought: u8, arrival: &Arrival) -> Look<u8> {
        match (call.method, brought) {
            ("BOTH" | "LATE", 0) => Look::Wait(Bench::Keys, Box::pin(std::future::ready(1))),
            ("STORE", 0) | ("BOTH", 1) => Look::Wait(Bench::Store, Box::pin(std::future::ready(2))),
            ("LATE", 1) => Look::Wait(Bench::Store, Box::pin(std::future::pending())),
            ("KEYS", 0) => Look::Wait(Bench::Keys, Box::pin(std::future::pending())),
            _ => Look::Answer(self.judge(Ok(call), brought, arrival)),
        }
    }

    fn judge(&self, _: Result<&AuthzRequest<'_>, Reason>, brought: u8, _: &Arrival) -> Reply {
        answer(0, HttpResponse::OkResponse(OkHttpResponse::default()), &format!("brought {brought}"))
    }
}

fn with_method(method: &str) -> Request<Body> {
    let mut question = question();
    let request = question.attributes.as_mut().unwrap().request.as_mut().unwrap();
    request.http.as_mut().unwrap().method = method.into();
    check(whole(framed(&question.encode_to_vec())))
}

#[tokio::test(start_paused = true)]
async fn a_judge_may_wait_twice_and_what_did_not_come_in_time_is_not_brought() {
    for (method, brought, most) in [("BOTH", "brought 2", 0), ("LATE", "brought 0", 50)] {
        let begun = tokio::time::Instant::now();
        let response = ask(&CheckService::new(Arc::new(Waiting), Limits::default()), with_method(method)).await;
        assert_eq!(response.status.unwrap().message, brought);
        assert!(begun.elapsed() <= Duration::from_millis(most + 1), "{method} took {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_keys_do_not_keep_others_from_the_store() {
    // Room for four, and so for one that waits for keys.
    let service = CheckService::new(Arc::new(Waiting), Limits { max_concurrent: 4, ..Limits::default() });
    let mut waiting = pin!(service.answer(with_method("KEYS"), None));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let begun = tokio::time::Instant::now();
    assert_eq!(ask(&service, with_method("KEYS")).await.status.unwrap().message, "brought 0");
    assert_eq!(ask(&service, with_method("STORE")).await.status.unwrap().message, "brought 2");
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody waited");
}

#[tokio::test]
async fn a_whole_message_is_judged_however_tiny_the_deadline() {
    let mut request = check(whole(framed(&question().encode_to_vec())));
    request.headers_mut().insert("grpc-timeout", "1n".parse().unwrap());
    assert_eq!(ask(&echo(Limits::default()), request).await.status.unwrap().code, 0);
}

#[tokio::test]
async fn one_call_over_the_limit_is_overloaded_and_its_place_is_free_afterwards() {
    let service = echo(Limits { max_concurrent: 1, ..Limits::default() });
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut waiting = pin!(service.answer(check(unfinished(b"")), None));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        let response = ask(&service, check(unfinished(b""))).await;
        assert_eq!(code(&response), "overloaded");
    }
    let response = ask(&service, check(whole(framed(&question().encode_to_vec())))).await;
    assert_eq!(response.status.unwrap().code, 0, "a cancelled call gives its place back");
}

#[tokio::test]
async fn a_panic_is_a_denial() {
    let service = CheckService::new(Arc::new(Panicking { always: false }), Limits::default());
    let response = ask(&service, check(whole(framed(&question().encode_to_vec())))).await;
    assert_eq!(code(&response), "internal");
}

#[tokio::test]
async fn a_judge_that_always_panics_is_a_plain_503() {
    let service = CheckService::new(Arc::new(Panicking { always: true }), Limits::default());
    for body in [framed(&question().encode_to_vec()), vec![1, 2, 3]] {
        let response = ask(&service, check(whole(body))).await;
        assert_eq!(response.status.unwrap().code, 14);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("not denied") };
        assert_eq!(denied.status.unwrap().code, 503);
    }
}

#[tokio::test]
async fn a_body_that_panics_is_a_plain_503() {
    let body =
        StreamBody::new(tokio_stream::iter(std::iter::from_fn(|| -> Option<Result<Frame<Bytes>, Infallible>> {
            panic!("on purpose")
        })));
    let response = ask(&echo(Limits::default()), check(Body::new(body))).await;
    assert_eq!(response.status.unwrap().code, 14);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_hundred_interleaved_calls_get_their_own_answers() {
    let service = echo(Limits::default());
    let calls: Vec<_> = (0..600)
        .map(|number| {
            let mut question = question();
            let request = question.attributes.as_mut().unwrap().request.as_mut().unwrap();
            request.http.as_mut().unwrap().path = format!("/call/{number}");
            let body = whole(framed(&question.encode_to_vec()));
            let service = service.clone();
            tokio::spawn(async move { (number, ask(&service, check(body)).await) })
        })
        .collect();
    for call in calls {
        let (number, response) = call.await.unwrap();
        assert!(response.status.unwrap().message.contains(&format!("target: \"/call/{number}\",")));
    }
}

/// Counts how often it is asked anything.
struct Counting(AtomicUsize);

impl Judge for Counting {
    type Brought = ();

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, (): (), arrival: &Arrival) -> Reply {
        self.0.fetch_add(1, Ordering::Relaxed);
        Echo.judge(call, (), arrival)
    }
}

fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

proptest! {
    /// The judge is asked exactly once, and the caller always gets its answer.
    #[test]
    fn any_bytes_in_any_pieces_get_one_verdict(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8),
    ) {
        let judge = Arc::new(Counting(AtomicUsize::new(0)));
        let service = CheckService::new(Arc::clone(&judge), Limits::default());
        let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
        now(ask(&service, check(Body::new(StreamBody::new(tokio_stream::iter(frames))))));
        prop_assert_eq!(judge.0.load(Ordering::Relaxed), 1);
    }

    /// Whole frames of bytes that resemble a question: flipped, cut and doubled.
    #[test]
    fn a_damaged_question_gets_one_verdict(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = question().encode_to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let judge = Arc::new(Counting(AtomicUsize::new(0)));
        let service = CheckService::new(Arc::clone(&judge), Limits::default());
        now(ask(&service, check(whole(framed(&bytes)))));
        prop_assert_eq!(judge.0.load(Ordering::Relaxed), 1);
    }

    /// No value of the header makes an error of the call.
    #[test]
    fn any_grpc_timeout_gets_a_verdict(value in "[ -~]{0,12}") {
        let mut request = check(whole(framed(&question().encode_to_vec())));
        request.headers_mut().insert("grpc-timeout", value.parse().unwrap());
        prop_assert_eq!(now(ask(&echo(Limits::default()), request)).status.unwrap().code, 0);
    }
}
