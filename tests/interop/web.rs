//! An HTTPS client for the interfaces of the systems under `.tools`.

use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde_json::Value;

use crate::support::runtime;

/// A client that believes one authority and asks no proxy.
#[derive(Debug)]
pub(crate) struct Web {
    client: Client,
}

impl Web {
    /// Believes this authority, in PEM.
    pub(crate) fn new(authority: &str) -> Self {
        let authority = Certificate::from_pem(authority.as_bytes()).unwrap();
        Self { client: Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap() }
    }

    /// For plain HTTP.
    pub(crate) fn plain() -> Self {
        Self { client: Client::builder().no_proxy().build().unwrap() }
    }

    /// A GET without a credential: status (0 when there is no answer) and body.
    pub(crate) fn get(&self, url: &str) -> (u16, Value) {
        send(self.client.get(url))
    }

    /// A request with a bearer token and, if any, a JSON body: status and body of the answer.
    pub(crate) fn call(&self, method: &str, url: &str, bearer: &str, body: Option<&Value>) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, url).header("authorization", format!("Bearer {bearer}"));
        send(match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        })
    }

    /// A form by POST (RFC 6749 §3.2), with these headers besides: status and body of the answer.
    pub(crate) fn form(&self, url: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> (u16, Value) {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let form = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(form, |request, (name, value)| request.header(*name, *value));
        send(request.body(pairs.join("&")))
    }
}

/// Status and body; a body that is not JSON becomes a string.
fn send(request: RequestBuilder) -> (u16, Value) {
    runtime().block_on(async {
        let Ok(response) = request.send().await else { return (0, Value::Null) };
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    })
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
