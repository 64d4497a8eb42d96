//! Questions as Envoy asks them, to be mutated and timed.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request, TlsSession};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::google::protobuf::{ListValue, NullValue, Struct, Timestamp, Value, value::Kind};
use prost::Message;

/// One of each sort: the usual question first.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let usual = usual();
    let mut raw = usual.clone();
    let http = http(&mut raw);
    let headers = std::mem::take(&mut http.headers);
    let mut headers: Vec<_> = headers.into_iter().map(|(key, value)| header(&key, "", value.as_bytes())).collect();
    headers.push(header("x-both", "1", b"1"));
    headers.push(header("x-bytes", "", b"\xff\xfe"));
    headers.push(header("x-empty", "", b""));
    http.header_map = Some(core::HeaderMap { headers });
    let mut both = raw.clone();
    self::http(&mut both).headers = map(&[("x-other", "2")]);
    let mut piped = gateway();
    let pipe = core::Pipe { path: "/run/a.sock".into(), mode: 0o600 };
    let address = core::address::Address::Pipe(pipe);
    piped.attributes.as_mut().unwrap().source.as_mut().unwrap().address =
        Some(core::Address { address: Some(address) });
    let mut small = CheckRequest::default();
    small.attributes.get_or_insert_default().request.get_or_insert_default().http.get_or_insert_default();
    let all = [usual, raw, both, gateway(), piped, small, CheckRequest::default()];
    all.iter().map(CheckRequest::encode_to_vec).collect()
}

/// What a usual route of a usual Envoy asks: fifteen headers, one of them a bearer token.
pub(super) fn usual() -> CheckRequest {
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.".repeat(24);
    let headers = map(&[
        (":authority", "api.example.org"),
        (":method", "POST"),
        (":path", "/v1/payments?dry=1"),
        (":scheme", "https"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("authorization", &format!("Bearer {token}")),
        ("content-length", "17"),
        ("content-type", "application/json"),
        ("user-agent", "curl/8.14.1"),
        ("x-envoy-expected-rq-timeout-ms", "15000"),
        ("x-envoy-internal", "true"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0191c3a0-7e6b-7cc1-b3a0-1c5d0f2a9f10"),
    ]);
    let http = HttpRequest {
        id: "11398201920112031231".into(),
        method: "POST".into(),
        path: "/v1/payments?dry=1".into(),
        host: "api.example.org".into(),
        scheme: "https".into(),
        protocol: "HTTP/2".into(),
        size: -1,
        headers,
        ..HttpRequest::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer("192.0.2.7", 40112, "spiffe://a.test/client")),
            destination: Some(peer("192.0.2.9", 8443, "spiffe://a.test/gateway")),
            request: Some(Request { time: Some(Timestamp { seconds: 1_790_000_000, nanos: 17 }), http: Some(http) }),
            context_extensions: map(&[("credence.resource", "payments"), ("env", "prod")]),
            metadata_context: Some(core::Metadata::default()),
            tls_session: Some(TlsSession { sni: "api.example.org".into() }),
            ..AttributeContext::default()
        }),
    }
}

/// The same from behind Envoy Gateway, which names its routes in metadata.
fn gateway() -> CheckRequest {
    let route = |namespace: &str, name: &str| {
        object(&[("kind", text("HTTPRoute")), ("namespace", text(namespace)), ("name", text(name))])
    };
    let odd = [
        Kind::NullValue(NullValue::NullValue.into()),
        Kind::NumberValue(1.5),
        Kind::BoolValue(true),
        Kind::StringValue("shop/cart".into()),
    ];
    let odd = odd.map(|kind| Value { kind: Some(kind) });
    let mut resources = vec![route("shop", "cart"), object(&[("namespace", text("shop"))]), route("shop", "checkout")];
    resources.extend(odd);
    let resources = Value { kind: Some(Kind::ListValue(ListValue { values: resources })) };
    let inner = object(&[("resources", resources), ("name", text("other"))]);
    let Some(Kind::StructValue(envoy_gateway)) = inner.kind else { panic!("an object") };
    let other = object(&[("a", object(&[("b", text("c"))]))]);
    let Some(Kind::StructValue(other)) = other.kind else { panic!("an object") };
    let metadata = [("envoy-gateway".to_owned(), envoy_gateway), ("envoy.filters.http.lua".to_owned(), other)];
    let mut question = usual();
    question.attributes.as_mut().unwrap().route_metadata_context =
        Some(core::Metadata { filter_metadata: metadata.into(), ..core::Metadata::default() });
    question
}

fn http(question: &mut CheckRequest) -> &mut HttpRequest {
    question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap()
}

fn peer(address: &str, port: u32, principal: &str) -> Peer {
    let socket = core::SocketAddress {
        address: address.into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..core::SocketAddress::default()
    };
    let address = core::address::Address::SocketAddress(socket);
    Peer {
        address: Some(core::Address { address: Some(address) }),
        principal: principal.into(),
        labels: map(&[("app", "shop")]),
        ..Peer::default()
    }
}

fn header(key: &str, value: &str, raw_value: &[u8]) -> core::HeaderValue {
    core::HeaderValue { key: key.into(), value: value.into(), raw_value: raw_value.to_vec() }
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.into())) }
}

fn object(members: &[(&str, Value)]) -> Value {
    let fields = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Value { kind: Some(Kind::StructValue(Struct { fields })) }
}
