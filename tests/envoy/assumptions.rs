//! What Envoy itself does with an answer. credence's answers are shaped by these facts; a version of Envoy that
//! differs has to show here first.

use std::sync::{Arc, LazyLock, Mutex};

use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction,
    HeaderValue, HeaderValueOption, HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::pb::google::rpc::Status as Verdict;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request as Call, Response as Answered, Status};

use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::Request;
use crate::support::runtime;
use crate::support::upstream::{Echo, Upstream, grpc_upstream};

/// An authorization server that answers what the request header `x-answer` asks for.
#[derive(Clone, Default)]
struct Scripted {
    seen: Arc<Mutex<Vec<HttpRequest>>>,
}

#[tonic::async_trait]
impl Authorization for Scripted {
    async fn check(&self, call: Call<CheckRequest>) -> Result<Answered<CheckResponse>, Status> {
        let http = call.into_inner().attributes.and_then(|it| it.request).and_then(|it| it.http).unwrap_or_default();
        self.seen.lock().unwrap().push(http.clone());
        let raw = http.header_map.unwrap_or_default().headers;
        let raw = raw
            .iter()
            .find(|header| header.key == "x-answer")
            .map(|it| String::from_utf8_lossy(&it.raw_value).into_owned());
        answer(&http.headers.get("x-answer").cloned().or(raw).unwrap_or_default()).map(Answered::new)
    }
}

fn set(name: &str, value: &str, append: Option<bool>, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.into(), value: value.into(), ..HeaderValue::default() }),
        #[expect(deprecated, reason = "Envoy 1.40 still reads it for these headers")]
        append: append.map(|value| BoolValue { value }),
        append_action: action.into(),
        ..HeaderValueOption::default()
    }
}

fn answer(script: &str) -> Result<CheckResponse, Status> {
    let verdict = |code| Some(Verdict { code, ..Verdict::default() });
    let denied = || {
        HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: 403 }),
            ..DeniedHttpResponse::default()
        })
    };
    let both = |append| set("x-credence-subject", "real", append, HeaderAppendAction::OverwriteIfExistsOrAdd);
    let allow = |headers, headers_to_remove: &[&str]| {
        let headers_to_remove = headers_to_remove.iter().map(|name| (*name).to_owned()).collect();
        let ok = OkHttpResponse { headers, headers_to_remove, ..OkHttpResponse::default() };
        CheckResponse {
            status: verdict(0),
            http_response: Some(HttpResponse::OkResponse(ok)),
            ..CheckResponse::default()
        }
    };
    Ok(match script {
        "code 0 beside a denied_response" => {
            CheckResponse { status: verdict(0), http_response: Some(denied()), ..CheckResponse::default() }
        }
        "code 7 beside an ok_response" => CheckResponse { status: verdict(7), ..allow(vec![both(Some(false))], &[]) },
        "code 0 and nothing else" => CheckResponse { status: verdict(0), ..CheckResponse::default() },
        "append unset" => allow(vec![both(None)], &[]),
        "append false" => allow(vec![both(Some(false))], &[]),
        "append true" => allow(vec![both(Some(true))], &[]),
        "set and removed" => allow(vec![both(Some(false))], &["x-credence-subject"]),
        "underscores removed" => allow(vec![both(Some(false))], &["x_credence_subject"]),
        "rpc error" => return Err(Status::internal("no verdict")),
        _ => CheckResponse { status: verdict(7), http_response: Some(denied()), ..CheckResponse::default() },
    })
}

struct World {
    envoy: Envoy,
    scripted: Scripted,
    _upstream: Upstream,
}

fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let upstream = Upstream::start();
        let scripted = Scripted::default();
        let service = AuthorizationServer::new(scripted.clone());
        let address = runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(
                tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(TcpListenerStream::new(listener)),
            );
            address
        });
        let listeners = [
            Listener::new("plain", "authz"),
            Listener::new("open", "authz").failure_mode_allow(),
            Listener::new("raw", "authz").authz("encode_raw_headers", true),
            Listener::new("strip", "authz").early_strip(),
            Listener::new("shadow", "authz").authz("shadow_mode", true),
        ];
        let clusters = [
            Cluster::grpc("authz", address),
            Cluster::http1("echo", upstream.address()),
            Cluster::grpc("grpc", grpc_upstream()),
        ];
        World { envoy: Envoy::start(&listeners, &clusters), scripted, _upstream: upstream }
    });
    &WORLD
}

fn scripted(script: &str) -> Request {
    Request::get("/v1/x")
        .header("x-answer", script)
        .header("X-Credence-Subject", "forged")
        .header("x-credence-subject", "forged too")
}

#[test]
fn code_0_lets_through_whatever_stands_beside_it() {
    let plain = world().envoy.address("plain");
    assert_eq!(scripted("code 0 beside a denied_response").send(plain).status, 200);
    assert_eq!(scripted("code 7 beside an ok_response").send(plain).status, 403);
}

#[test]
fn an_allow_that_sets_nothing_hands_on_forged_headers() {
    let echo = Echo::of(&scripted("code 0 and nothing else").send(world().envoy.address("plain")));
    assert_eq!(echo.all("x-credence-subject"), ["forged", "forged too"]);
}

#[test]
fn a_header_set_without_append_replaces_every_copy_that_the_client_sent() {
    for script in ["append unset", "append false"] {
        let echo = Echo::of(&scripted(script).send(world().envoy.address("plain")));
        assert_eq!(echo.one("x-credence-subject"), "real", "{script}");
    }
}

#[test]
fn append_true_keeps_forged_headers_in_front_whatever_the_append_action() {
    let echo = Echo::of(&scripted("append true").send(world().envoy.address("plain")));
    assert!(echo.all("x-credence-subject").join(",").contains("forged"), "{:?}", echo.headers());
}

#[test]
fn a_header_both_set_and_removed_is_gone() {
    let echo = Echo::of(&scripted("set and removed").send(world().envoy.address("plain")));
    assert_eq!(echo.identity_headers(), []);
}

#[test]
fn names_with_underscores_pass_unless_removed_by_that_spelling() {
    let plain = world().envoy.address("plain");
    let echo = Echo::of(&scripted("append false").header("X_Credence_Subject", "forged").send(plain));
    assert_eq!(echo.one("x_credence_subject"), "forged");
    let echo = Echo::of(&scripted("underscores removed").header("X_Credence_Subject", "forged").send(plain));
    assert_eq!(echo.identity_headers(), [("x-credence-subject", "real")]);
}

#[test]
fn an_early_strip_takes_every_spelling_away_before_the_filter_asks() {
    let request = scripted("code 0 and nothing else")
        .header("x_credence_subject", "forged")
        .header("X-Credence_Issuer", "forged");
    let echo = Echo::of(&request.header("x.credence.issuer", "forged").send(world().envoy.address("strip")));
    assert_eq!(echo.identity_headers(), []);
}

#[test]
fn an_rpc_error_under_failure_mode_allow_lets_the_request_through_as_forged() {
    let echo = Echo::of(&scripted("rpc error").send(world().envoy.address("open")));
    assert_eq!(echo.all("x-credence-subject"), ["forged", "forged too"]);
    assert_eq!(scripted("rpc error").send(world().envoy.address("plain")).status, 503);
}

#[test]
fn in_shadow_mode_what_is_refused_and_what_cannot_be_asked_goes_through_as_forged() {
    let shadow = world().envoy.address("shadow");
    for script in ["denied", "rpc error"] {
        let echo = Echo::of(&scripted(script).send(shadow));
        assert_eq!(echo.all("x-credence-subject"), ["forged", "forged too"], "{script}");
    }
    let echo = Echo::of(&scripted("append false").send(shadow));
    assert_eq!(echo.one("x-credence-subject"), "real", "what is allowed is allowed as ever");
    let stats = world().envoy.admin("/stats?filter=ext_authz").text();
    let counted = |name: &str| stats.lines().any(|line| line.contains(name) && !line.ends_with(": 0"));
    assert!(counted("ext_authz.shadow_denied") && counted("ext_authz.error"), "{stats}");
}

#[test]
fn two_authorization_headers_arrive_as_one_value_with_a_comma_in_both_encodings() {
    let asked = |listener: &str, path: &str| {
        let request = Request::get(path).header("authorization", "Bearer one").header("authorization", "Bearer two");
        assert_eq!(request.send(world().envoy.address(listener)).status, 403);
        let seen = world().scripted.seen.lock().unwrap();
        seen.iter().find(|http| http.path == path).unwrap().clone()
    };
    let plain = asked("plain", "/two/plain");
    assert_eq!(plain.headers.get("authorization").map(String::as_str), Some("Bearer one,Bearer two"));
    let raw = asked("raw", "/two/raw");
    assert!(raw.headers.is_empty());
    let values = raw.header_map.unwrap_or_default().headers.into_iter().filter(|header| header.key == "authorization");
    assert_eq!(values.map(|header| header.raw_value).collect::<Vec<_>>(), [b"Bearer one,Bearer two"]);
}

#[test]
fn a_path_arrives_as_the_client_wrote_it_unless_normalisation_is_switched_on() {
    for path in
        ["/v1/../admin", "/v1/%2e%2e/admin", "//v1//x", "/v1/..%2fadmin", "/v1/..;/admin", "/v1/%00", "/v1/\\..\\admin"]
    {
        Request::get(path).send(world().envoy.address("plain"));
        assert!(world().scripted.seen.lock().unwrap().iter().any(|http| http.path == path), "{path}");
    }
}
