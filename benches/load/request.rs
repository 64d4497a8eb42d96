//! What Envoy 1.40 sends with a check: the whole message, with fifteen headers, both peers and empty metadata.

use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::address::Address as Kind;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, Metadata, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::google::protobuf::Timestamp;
use prost::Message as _;

use crate::support::now;

/// The headers besides `authorization`, `:authority` and `:path`.
const HEADERS: [(&str, &str); 12] = [
    (":method", "GET"),
    (":scheme", "https"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("content-type", "application/json"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("user-agent", "ci-runner/4.2 (linux; x86_64)"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "d1a67bef-a6c3-4290-bd8d-de773ea04550"),
    ("x-tenant", "blue"),
];

/// One request of a client, as Envoy asks about it.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) host: String,
    pub(crate) path: String,
    /// Address of the client.
    pub(crate) source: String,
}

impl Ask {
    /// `GET https://host/path` by the usual client.
    pub(crate) fn get(host: &str, path: &str) -> Self {
        Self { host: host.into(), path: path.into(), source: "203.0.113.7".into() }
    }

    /// The gRPC message: length and `CheckRequest`, with this token or none.
    pub(crate) fn frame(&self, token: Option<&str>) -> Bytes {
        let message = self.message(token);
        let mut frame = BytesMut::with_capacity(message.encoded_len() + 5);
        frame.put_u8(0);
        frame.put_u32(message.encoded_len() as u32);
        // A buffer that grows cannot be too small.
        let _ = message.encode(&mut frame);
        frame.freeze()
    }

    /// One message a token.
    pub(crate) fn frames(&self, tokens: &[String]) -> Vec<Bytes> {
        tokens.iter().map(|token| self.frame(Some(token))).collect()
    }

    fn message(&self, token: Option<&str>) -> CheckRequest {
        let mut headers: std::collections::HashMap<String, String> =
            HEADERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.insert(":authority".into(), self.host.clone());
        headers.insert(":path".into(), self.path.clone());
        if let Some(token) = token {
            headers.insert("authorization".into(), format!("Bearer {token}"));
        }
        let http = HttpRequest {
            id: "3896487907426900828".into(),
            method: "GET".into(),
            headers,
            path: self.path.clone(),
            host: self.host.clone(),
            scheme: "https".into(),
            protocol: "HTTP/1.1".into(),
            ..HttpRequest::default()
        };
        let time = Timestamp { seconds: now().cast_signed(), nanos: 182_911_000 };
        let attributes = AttributeContext {
            source: Some(peer(&self.source, 49_174)),
            destination: Some(peer("10.4.0.12", 8443)),
            request: Some(Request { time: Some(time), http: Some(http) }),
            context_extensions: [("route".to_owned(), "orders".to_owned())].into(),
            metadata_context: Some(Metadata::default()),
            route_metadata_context: Some(Metadata::default()),
            ..AttributeContext::default()
        };
        CheckRequest { attributes: Some(attributes) }
    }
}

fn peer(address: &str, port: u32) -> Peer {
    let socket = SocketAddress {
        address: address.into(),
        port_specifier: Some(PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Peer { address: Some(Address { address: Some(Kind::SocketAddress(socket)) }), ..Peer::default() }
}
