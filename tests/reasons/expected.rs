//! What every answer must look like: the classes of refusal, and the shape that all answers share.

use std::collections::BTreeSet;

use credence::proto::envoy::config::core::v3::HeaderValueOption;
use credence::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use credence::proto::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::credence::Credence;

/// How a class of reasons is told to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    /// HTTP status.
    pub(crate) status: i32,
    /// HTTP status for a caller that speaks gRPC.
    pub(crate) status_for_grpc: i32,
    /// `CheckResponse.status.code`.
    pub(crate) code: i32,
    /// What follows the realm in the challenge; `None` where there is no challenge.
    pub(crate) challenge: Option<&'static str>,
    /// The body's `error`.
    pub(crate) error: &'static str,
}

/// The class of a reason, by RFC 6750 §3.1 and the list of reasons.
pub(crate) fn class(reason: &str) -> Class {
    let class =
        |status, status_for_grpc, code, challenge, error| Class { status, status_for_grpc, code, challenge, error };
    match reason {
        "multiple_tokens" | "path_not_normalized" | "malformed_request" => {
            class(400, 403, 3, Some(", error=\"invalid_request\""), "invalid_request")
        }
        "no_token" => class(401, 401, 16, Some(""), "unauthorized"),
        "malformed"
        | "alg_not_allowed"
        | "type_not_allowed"
        | "issuer_unknown"
        | "issuer_expired"
        | "key_unknown"
        | "key_not_pinned"
        | "signature_invalid"
        | "expired"
        | "not_yet_valid"
        | "too_old"
        | "subject_missing"
        | "claims_malformed"
        | "blocked"
        | "pin_mismatch"
        | "confirmation_required"
        | "audience_mismatch"
        | "jti_missing"
        | "replayed" => class(401, 401, 16, Some(", error=\"invalid_token\""), "invalid_token"),
        "resource_unknown" | "grant_none" | "grant_expired" | "actor_not_allowed" => {
            class(403, 403, 7, Some(", error=\"insufficient_scope\""), "insufficient_scope")
        }
        "keys_unavailable" | "replay_unavailable" | "log_unavailable" | "overloaded" | "not_ready" | "internal" => {
            class(503, 503, 14, None, "temporarily_unavailable")
        }
        other => panic!("{other} is not on the closed list"),
    }
}

/// The names of an object's members.
pub(crate) fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

/// Every header that an answer sets overwrites what is there, for Envoy 1.40 and for later ones.
pub(crate) fn overwrites(answer: &Answer) {
    let options: &[HeaderValueOption] = match &answer.0.http_response {
        Some(HttpResponse::OkResponse(ok)) => &ok.headers,
        Some(HttpResponse::DeniedResponse(denied)) => &denied.headers,
        None => panic!("neither an ok_response nor a denied_response"),
    };
    let mut seen = BTreeSet::new();
    for option in options {
        let header = option.header.as_ref().expect("a header");
        assert_eq!(option.append, Some(false), "{header:?}");
        assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd, "{header:?}");
        assert!(header.raw_value.is_empty(), "{header:?}");
        assert_eq!(header.key, header.key.to_ascii_lowercase());
        assert!(header.value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{header:?}");
        assert!(seen.insert(header.key.as_str()), "{} is set twice", header.key);
    }
}

/// A refusal of this class with nothing in it that the client need not know; `more` are members of the body besides.
pub(crate) fn refused(answer: &Answer, class: Class, status: i32, more: &Value, resource_metadata: Option<&str>) {
    let Some(HttpResponse::DeniedResponse(_)) = &answer.0.http_response else { panic!("{answer:?}") };
    let envoy = answer.0.status.as_ref().expect("a status, or Envoy allows");
    assert_eq!((envoy.code, envoy.message.as_str()), (class.code, ""), "{answer:?}");
    assert_eq!(answer.status(), status, "{answer:?}");
    overwrites(answer);
    let learn_more = resource_metadata.map_or_else(String::new, |url| format!(", resource_metadata=\"{url}\""));
    let challenge = class.challenge.map(|error| format!("Bearer realm=\"credence\"{error}{learn_more}"));
    assert_eq!(answer.header("www-authenticate"), challenge);
    let mut expected = BTreeSet::from(["content-type", "cache-control"]);
    expected.extend(challenge.map(|_| "www-authenticate"));
    expected.extend((status == 503).then_some("retry-after"));
    let headers = answer.headers();
    assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    if let Some(seconds) = answer.header("retry-after") {
        // RFC 9110 §10.2.3: delay-seconds.
        assert!(seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{seconds}");
    }
    let mut body = json!({"error": class.error, "decision_id": answer.decision_id()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(serde_json::from_str::<Value>(answer.body()).unwrap(), body);
}

/// `table{generation, sha256}` is the table in force, and the id is a UUID of version 7.
pub(crate) fn stamped(credence: &Credence, told: &Value) {
    assert_eq!(names(&told["table"]), BTreeSet::from(["generation", "sha256"]), "{told}");
    let table = &credence.admin("/readyz").json()["table"];
    assert_eq!(told["table"]["generation"].as_f64(), table["generation"].as_f64());
    assert_eq!(told["table"]["sha256"], table["sha256"]);
    let id = told["decision_id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14], id.to_ascii_lowercase().as_str()), (36, b'7', id));
}
