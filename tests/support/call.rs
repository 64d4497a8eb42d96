//! A question to credence, as Envoy would put it, without an Envoy.

use std::collections::HashMap;
use std::fmt::Display;

use credence::proto::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, Metadata, SocketAddress, address};
use credence::proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use credence::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

/// A `CheckRequest` in the making.
#[derive(Debug, Clone, Default)]
pub struct Call {
    method: String,
    host: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    raw: bool,
    context: HashMap<String, String>,
    routes: Vec<(String, String)>,
    source: Option<String>,
}

impl Call {
    /// `method` on `url`: `https://host/path?query`. Host and path are taken as written.
    pub fn new(method: &str, url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { method: method.into(), host: host.into(), target: path.into(), ..Self::default() }
    }

    /// `GET url`.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// `POST url`.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Another host than the URL's.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// Another request target than the URL's.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        self.target = target.into();
        self
    }

    /// The address of the client, as the proxy tells it.
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        self.source = Some(address.into());
        self
    }

    /// `Authorization: Bearer token`.
    #[must_use]
    pub fn bearer(self, token: impl Display) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a header. In the plain map (see [`Call::raw_headers`]) a repeated name is folded with a comma, as Envoy does.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sends the headers in `header_map`, as Envoy does under `encode_raw_headers`; repeated names stay apart.
    #[must_use]
    pub fn raw_headers(mut self) -> Self {
        self.raw = true;
        self
    }

    /// A pair of `context_extensions`.
    #[must_use]
    pub fn context(mut self, name: &str, value: &str) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }

    /// A route of Envoy Gateway, as `route_metadata_context` tells it.
    #[must_use]
    pub fn route(mut self, namespace: &str, name: &str) -> Self {
        self.routes.push((namespace.into(), name.into()));
        self
    }

    /// The message.
    pub fn message(&self) -> CheckRequest {
        let mut http = HttpRequest {
            id: "1".into(),
            method: self.method.clone(),
            path: self.target.clone(),
            host: self.host.clone(),
            scheme: "https".into(),
            protocol: "HTTP/2".into(),
            ..HttpRequest::default()
        };
        if self.raw {
            let entry = |(key, value): &(String, Vec<u8>)| HeaderValue {
                key: key.clone(),
                raw_value: value.clone(),
                ..HeaderValue::default()
            };
            http.header_map = Some(HeaderMap { headers: self.headers.iter().map(entry).collect() });
        } else {
            for (name, value) in &self.headers {
                let value = String::from_utf8_lossy(value);
                let folded = http.headers.entry(name.clone()).or_default();
                *folded = if folded.is_empty() { value.into_owned() } else { format!("{folded},{value}") };
            }
        }
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Request { http: Some(http) }),
                context_extensions: self.context.clone(),
                route_metadata_context: self.route_metadata(),
                source: self.source.as_deref().map(peer),
            }),
        }
    }

    fn route_metadata(&self) -> Option<Metadata> {
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.into())) };
        let resource = |(namespace, name): &(String, String)| {
            let fields = [("kind", "HTTPRoute"), ("namespace", namespace), ("name", name)];
            let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), text(value))).collect();
            Value { kind: Some(Kind::StructValue(Struct { fields })) }
        };
        let list = ListValue { values: self.routes.iter().map(resource).collect() };
        let fields = [("resources".to_owned(), Value { kind: Some(Kind::ListValue(list)) })].into();
        let filter_metadata = [("envoy-gateway".to_owned(), Struct { fields })].into();
        (!self.routes.is_empty()).then_some(Metadata { filter_metadata })
    }
}

fn peer(address: &str) -> Peer {
    let socket = SocketAddress { address: address.into(), ..SocketAddress::default() };
    Peer { address: Some(Address { address: Some(address::Address::SocketAddress(socket)) }), ..Peer::default() }
}
