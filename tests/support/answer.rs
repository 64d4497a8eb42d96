//! What credence answered, in the words of the contract.

use credence::proto::envoy::service::auth::v3::CheckResponse;
use credence::proto::envoy::service::auth::v3::check_response::HttpResponse;
use prost_types::value::Kind;
use serde_json::Value;

/// An answer to one [`super::call::Call`].
#[derive(Debug, Clone)]
pub struct Answer(pub CheckResponse);

impl Answer {
    /// Whether Envoy would let the request through: it looks at nothing but the code.
    pub fn allowed(&self) -> bool {
        self.0.status.as_ref().is_none_or(|status| status.code == 0)
    }

    /// The gRPC code inside the message.
    pub fn code(&self) -> i32 {
        self.0.status.as_ref().map_or(0, |status| status.code)
    }

    /// The HTTP status that Envoy gives to the client: 200 stands for "let through".
    pub fn status(&self) -> i32 {
        match &self.0.http_response {
            Some(HttpResponse::DeniedResponse(denied)) => denied.status.as_ref().map_or(403, |status| status.code),
            _ if self.allowed() => 200,
            _ => 403,
        }
    }

    /// The member `credence` of the dynamic metadata.
    pub fn metadata(&self) -> Value {
        self.0
            .dynamic_metadata
            .as_ref()
            .map_or(Value::Null, |meta| json(&Kind::StructValue(meta.clone()))["credence"].clone())
    }

    /// The reason, by the dynamic metadata.
    pub fn reason(&self) -> String {
        self.metadata()["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// `decision_id`, by the dynamic metadata.
    pub fn decision_id(&self) -> String {
        self.metadata()["decision_id"].as_str().unwrap_or_default().to_owned()
    }

    /// The headers that are set: for the upstream when allowed, for the client when denied.
    pub fn headers(&self) -> Vec<(String, String)> {
        let options = match &self.0.http_response {
            Some(HttpResponse::OkResponse(ok)) => &ok.headers,
            Some(HttpResponse::DeniedResponse(denied)) => &denied.headers,
            None => return Vec::new(),
        };
        options.iter().filter_map(|option| option.header.as_ref()).map(|h| (h.key.clone(), h.value.clone())).collect()
    }

    /// The value of a header that is set once, or none.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut values =
            self.headers().into_iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = values.next();
        assert_eq!(values.next(), None, "{name} is set twice");
        first
    }

    /// The request headers that Envoy has to take away.
    pub fn removed(&self) -> &[String] {
        match &self.0.http_response {
            Some(HttpResponse::OkResponse(ok)) => &ok.headers_to_remove,
            _ => &[],
        }
    }

    /// The body for the client.
    pub fn body(&self) -> &str {
        match &self.0.http_response {
            Some(HttpResponse::DeniedResponse(denied)) => &denied.body,
            _ => "",
        }
    }
}

/// A protobuf value as JSON.
fn json(kind: &Kind) -> Value {
    let inner = |value: &prost_types::Value| value.kind.as_ref().map_or(Value::Null, json);
    match kind {
        Kind::NullValue(_) => Value::Null,
        Kind::NumberValue(number) => Value::from(*number),
        Kind::StringValue(text) => Value::from(text.as_str()),
        Kind::BoolValue(truth) => Value::from(*truth),
        Kind::StructValue(object) => object.fields.iter().map(|(name, value)| (name.clone(), inner(value))).collect(),
        Kind::ListValue(list) => list.values.iter().map(inner).collect(),
    }
}
