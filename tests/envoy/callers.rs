//! Callers that are not plain requests: gRPC, WebSocket, a browser's preflight, and Envoy over a unix socket.

use std::io::{BufReader, Write as _};

use tonic::transport::Endpoint;
use tonic::{Code, Request as Call, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::http::{Request, Response, connect, read_response};
use crate::support::runtime;
use crate::support::upstream::{Echo, MARK, read_frame, write_frame};
use crate::world::{API, SUBJECT, World, api, mark, world};

/// Asks the gRPC upstream through Envoy for its health.
fn health(world: &World, authorization: &[String]) -> Result<ServingStatus, Status> {
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", world.envoy.address("plain"))).unwrap();
        let endpoint = endpoint.origin("http://grpc.acme.test".parse().unwrap());
        let mut client = HealthClient::new(endpoint.connect().await.unwrap());
        let mut call = Call::new(HealthCheckRequest::default());
        for value in authorization {
            call.metadata_mut().append("authorization", value.parse().unwrap());
        }
        Ok(client.check(call).await?.into_inner().status())
    })
}

fn bearer(token: impl std::fmt::Display) -> String {
    format!("Bearer {token}")
}

#[test]
fn a_grpc_caller_with_a_grant_is_served() {
    let world = world();
    let token = world.ci.token(SUBJECT, "https://grpc.acme.test");
    assert_eq!(health(&world, &[bearer(token)]).unwrap(), ServingStatus::Serving);
}

#[test]
fn a_grpc_caller_is_refused_with_a_grpc_status() {
    let world = world();
    let code = |authorization: &[String]| health(&world, authorization).unwrap_err().code();
    let token = bearer(world.ci.token(SUBJECT, "https://grpc.acme.test"));
    assert_eq!(code(&[]), Code::Unauthenticated);
    assert_eq!(code(&[bearer(world.ci.token(SUBJECT, API))]), Code::Unauthenticated);
    assert_eq!(code(&[bearer(world.ci.token("repo:acme/other", "https://grpc.acme.test"))]), Code::PermissionDenied);
    assert_eq!(code(&[bearer(world.hanging.token(SUBJECT, "https://grpc.acme.test"))]), Code::Unavailable);
    // Envoy would turn 400 into INTERNAL, which reads as a server's fault and is retried.
    assert_eq!(code(&[token.clone(), token]), Code::PermissionDenied);
}

/// Opens a WebSocket through Envoy; after a 101 the connection is left to `talk`.
fn web_socket(
    world: &World,
    token: Option<&str>,
    talk: impl FnOnce(&mut BufReader<std::net::TcpStream>),
) -> (Response, String) {
    let mark = mark();
    let mut request =
        Request::get("/room").host("chat.acme.test").header(MARK, &mark).header("X-Credence-Subject", "forged");
    if let Some(token) = token {
        request = request.bearer(token);
    }
    let request =
        request.header("connection", "Upgrade").header("upgrade", "websocket").header("sec-websocket-version", "13");
    let mut stream = BufReader::new(connect(world.envoy.address("plain")).unwrap());
    stream.get_mut().write_all(&request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").bytes()).unwrap();
    let response = read_response(&mut stream).unwrap();
    if response.status == 101 {
        talk(&mut stream);
    }
    (response, mark)
}

#[test]
fn a_web_socket_opens_with_a_token_and_talks() {
    let world = world();
    let token = world.ci.token(SUBJECT, "https://chat.acme.test").mint();
    let mut heard = None;
    let (response, _) = web_socket(&world, Some(&token), |stream| {
        write_frame(stream.get_mut(), b"hello", Some([1, 2, 3, 4])).unwrap();
        heard = Some(read_frame(stream).unwrap());
    });
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(response.header("x-seen-subject"), Some(SUBJECT), "the upstream sees the pair at the handshake");
    assert_eq!(heard, Some((1, b"hello".to_vec())));
}

#[test]
fn a_web_socket_without_a_token_or_with_one_for_elsewhere_never_opens() {
    let world = world();
    let elsewhere = world.ci.token(SUBJECT, API).mint();
    for token in [None, Some(elsewhere.as_str())] {
        let (response, mark) = web_socket(&world, token, |_| panic!("it opened"));
        assert_eq!(response.status, 401, "{response:?}");
        assert!(!world.upstream.saw(&mark));
    }
}

#[test]
fn a_preflight_passes_without_a_credential_and_nothing_else_does() {
    let world = world();
    let plain = world.envoy.address("plain");
    let origin = |request: Request| request.header("origin", "https://app.acme.test");
    let preflight = |request: Request| origin(request).header("access-control-request-method", "POST");
    let echo = Echo::of(&preflight(api("OPTIONS", "/v1/x", &mark())).send(plain));
    let identity: Vec<_> =
        echo.identity_headers().into_iter().filter(|(name, _)| *name != "x-credence-decision-id").collect();
    assert_eq!(identity, []);
    let refused = [
        ("an OPTIONS that is no preflight", origin(api("OPTIONS", "/v1/x", "preflight-1"))),
        ("the call that follows", preflight(api("POST", "/v1/x", "preflight-2"))),
        ("a preflight elsewhere", preflight(api("OPTIONS", "/v2/x", "preflight-3"))),
    ];
    for (what, request) in refused {
        assert_eq!(request.send(plain).status, 401, "{what}");
    }
    for mark in ["preflight-1", "preflight-2", "preflight-3"] {
        assert!(!world.upstream.saw(mark), "{mark}");
    }
}

#[test]
fn over_a_unix_socket_the_answers_are_the_same() {
    let world = world();
    let socket = world.envoy.address("socket");
    assert!(world.by_socket.grpc().starts_with("unix:"), "{}", world.by_socket.grpc());
    let echo = Echo::of(&api("GET", "/v1/x", &mark()).bearer(world.ci.token(SUBJECT, API)).send(socket));
    assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (world.ci.url(), SUBJECT));
    assert_eq!(api("GET", "/v1/x", &mark()).send(socket).status, 401);
    assert_eq!(api("GET", "/v1/x", &mark()).bearer(world.partner.token(SUBJECT, API)).send(socket).status, 403);
}
