//! Where a collector is, as an operator writes it, and the URL that spans are then sent to.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The method that takes spans, as a gRPC path.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// The port of OTLP over gRPC (IANA); over HTTP it is 4318.
const GRPC_PORT: u16 = 4317;

const FORM: &str = "expected http://HOST:PORT or https://HOST:PORT, without user, password and fragment";
const NO_QUERY: &str = "a gRPC call has no query: leave the ? and what stands behind it out, or send http/protobuf";

/// How spans travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `http/protobuf`
    Http,
    /// `grpc`
    Grpc,
}

/// A URL as it was written. It is for all signals, with a path for each behind it, or for traces alone.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: Url,
    is_base: bool,
}

impl Endpoint {
    /// # Errors
    /// What was expected. What is written may hold a credential, where none may be: it is not shown.
    pub(super) fn parse(text: &str, is_base: bool) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| FORM)?;
        let sound = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if sound { Ok(Self { url, is_base }) } else { Err(FORM) }
    }

    /// The protocol that its port is for.
    pub(super) fn usual(&self) -> Protocol {
        if self.url.port() == Some(GRPC_PORT) { Protocol::Grpc } else { Protocol::Http }
    }

    /// The URL to send to. Over HTTP a query is kept; gRPC has a path of its own.
    ///
    /// # Errors
    /// It has a query, and gRPC has none.
    pub(super) fn target(self, protocol: Protocol) -> Result<Url, &'static str> {
        let Self { mut url, is_base } = self;
        match protocol {
            Protocol::Grpc if url.query().is_some() => return Err(NO_QUERY),
            Protocol::Grpc => url.set_path(EXPORT),
            Protocol::Http if is_base => {
                let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
                url.set_path(&path);
            }
            Protocol::Http => {}
        }
        Ok(url)
    }
}

/// Whether this is the machine itself, which a proxy would take for its own.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A URL for people, without its query: that is where some services want a key.
pub(super) struct Shown<'u>(pub(super) &'u Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        url.set_query(None);
        write!(f, "{url}")
    }
}
