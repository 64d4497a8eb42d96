//! The answer to Envoy.
//!
//! In: how a walk ended. Out: a `CheckResponse`. Envoy looks at `status.code` alone: a yes is built in one place
//! ([`allow`]) out of a [`Permit`] that a real signature stands behind, or of a place that is open to all ([`open`]);
//! everything else is a no, built in one other place ([`refuse`]). It must know neither keys nor files.

mod encode;
mod headers;
mod metadata;

pub use encode::principal as canonical_principal;

use crate::decide::Permit;
use crate::keys::Signed;
use crate::path::Facts;
use crate::proto::envoy::config::core::v3::HeaderValueOption;
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::proto::envoy::r#type::v3::HttpStatus;
use crate::proto::google::rpc::Status;
use crate::reason::{Accepted, Class, Reason};
use crate::request::AuthzRequest;
use crate::resource::{Opened, Resource};
use metadata::Metadata;

/// What an answer needs besides the outcome.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// UUIDv7, the same in header, metadata and log.
    pub decision_id: &'a str,
    /// Generation and digest of the table that decided; `None` before there is one.
    pub table: Option<(u64, &'a str)>,
    /// Every NAME that some grant can forward as `x-credence-claim-NAME`.
    pub forwardable: &'a [String],
    /// How much to tell.
    pub style: Style,
}

/// How much to tell, by the flags of `serve`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// `--claim-headers`: forwarded claims also as headers.
    pub claim_headers: bool,
    /// `--deny-detail reason`: the precise reason also to the client.
    pub deny_detail: bool,
}

/// Lets the request through with the scoped principal. Takes only a permit that a real signature stands behind.
///
/// ```
/// use credence::{answer, decide::Permit, keys::Signed, request::AuthzRequest};
/// fn yes(permit: &Permit<'_, Signed>, request: &AuthzRequest<'_>, occasion: answer::Occasion<'_>) {
///     answer::allow(permit, request, occasion);
/// }
/// ```
///
/// What `explain` assumed is not enough:
///
/// ```compile_fail
/// use credence::{answer, decide::Permit, request::AuthzRequest, trail::Assumed};
/// fn yes(permit: &Permit<'_, Assumed>, request: &AuthzRequest<'_>, occasion: answer::Occasion<'_>) {
///     answer::allow(permit, request, occasion);
/// }
/// ```
pub fn allow(permit: &Permit<'_, Signed>, request: &AuthzRequest<'_>, occasion: Occasion<'_>) -> CheckResponse {
    let mut set = headers::identity(permit, occasion);
    set.extend(headers::decision_id(occasion));
    let mut metadata = Metadata::new(occasion, "allow", Accepted::Ok.code(), Some(permit.resource()));
    metadata.allowed(permit);
    let credential = if permit.resource().forward_token {
        Vec::new()
    } else {
        headers::credential(permit.resource(), request, &mut set)
    };
    ok(permit.resource(), request, occasion, set, credential, metadata)
}

/// Lets the request through without identity: the place is open to all, nothing was verified.
pub fn open(opened: Opened<'_>, request: &AuthzRequest<'_>, occasion: Occasion<'_>) -> CheckResponse {
    let resource = opened.resource();
    let mut set = headers::decision_id(occasion);
    let metadata = Metadata::new(occasion, "allow", Accepted::Anonymous.code(), Some(resource));
    let credential = headers::credential(resource, request, &mut set);
    ok(resource, request, occasion, set, credential, metadata)
}

fn ok(
    resource: &Resource,
    request: &AuthzRequest<'_>,
    occasion: Occasion<'_>,
    set: Vec<(String, String)>,
    credential: Vec<String>,
    metadata: Metadata,
) -> CheckResponse {
    let headers_to_remove = headers::removals(resource, request, occasion, &set, credential);
    CheckResponse {
        status: Some(Status { code: 0, message: String::new() }),
        http_response: Some(HttpResponse::OkResponse(OkHttpResponse { headers: options(set), headers_to_remove })),
        dynamic_metadata: Some(metadata.finish()),
    }
}

/// Refuses: always a `denied_response` beside a status that is not 0, never an `error_response`, never an RPC error
/// (with `failure_mode_allow` those two let the request through with the client's own headers).
pub fn refuse(
    reason: Reason,
    facts: &Facts<'_>,
    request: Option<&AuthzRequest<'_>>,
    occasion: Occasion<'_>,
) -> CheckResponse {
    let class = reason.class();
    let mut set =
        vec![("content-type".to_owned(), "application/json".to_owned()), ("cache-control".into(), "no-store".into())];
    if let Some(challenge) = challenge(class, facts.resource) {
        set.push(("www-authenticate".into(), challenge));
    }
    if class == Class::Unavailable {
        set.push(("retry-after".into(), "1".into()));
    }
    let mut body = serde_json::json!({"error": class.error(), "decision_id": occasion.decision_id});
    if let (true, Some(members)) = (occasion.style.deny_detail, body.as_object_mut()) {
        members.insert("reason".into(), reason.code().into());
    }
    let status = class.http_status(request.is_some_and(AuthzRequest::is_grpc));
    let mut metadata = Metadata::new(occasion, "deny", reason.code(), facts.resource);
    metadata.refused(facts);
    CheckResponse {
        // No message: some proxy could hand it on, and it would say the reason.
        status: Some(Status { code: class.grpc_code(), message: String::new() }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(status) }),
            headers: options(set),
            body: body.to_string(),
        })),
        dynamic_metadata: Some(metadata.finish()),
    }
}

/// RFC 6750 §3: a bare challenge where nothing was presented, else one with the error; RFC 9728 §5.1 adds where to
/// learn more.
fn challenge(class: Class, resource: Option<&Resource>) -> Option<String> {
    let error = match class {
        Class::Unavailable => return None,
        Class::Unauthorized => String::new(),
        Class::InvalidRequest | Class::InvalidToken | Class::InsufficientScope => {
            format!(", error=\"{}\"", class.error())
        }
    };
    let metadata = resource.and_then(|resource| resource.resource_metadata.as_ref());
    let metadata = metadata.map_or_else(String::new, |url| format!(", resource_metadata=\"{url}\""));
    Some(format!("Bearer realm=\"credence\"{error}{metadata}"))
}

/// `append` is what Envoy up to 1.40 reads, `append_action` what later ones do: both say overwrite.
fn options(headers: Vec<(String, String)>) -> Vec<HeaderValueOption> {
    use crate::proto::envoy::config::core::v3::{HeaderValue, header_value_option::HeaderAppendAction};
    let option = |(key, value)| HeaderValueOption {
        header: Some(HeaderValue { key, value, raw_value: Vec::new() }),
        append: Some(false),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    };
    headers.into_iter().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCCASION: Occasion<'static> = Occasion {
        decision_id: "id",
        table: None,
        forwardable: &[],
        style: Style { claim_headers: false, deny_detail: false },
    };

    #[test]
    fn no_refusal_reads_as_an_allow_and_each_has_its_challenge() {
        for reason in Reason::ALL {
            let response = refuse(reason, &Facts::default(), None, OCCASION);
            assert_ne!(response.status.unwrap().code, 0, "{reason}");
            let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
                panic!("{reason}: no denied_response")
            };
            let header = |name: &str| {
                let found =
                    denied.headers.iter().filter_map(|option| option.header.as_ref()).find(|header| header.key == name);
                found.map(|header| header.value.clone())
            };
            let expected = match reason.class() {
                Class::InvalidRequest => Some(r#"Bearer realm="credence", error="invalid_request""#),
                Class::Unauthorized => Some(r#"Bearer realm="credence""#),
                Class::InvalidToken => Some(r#"Bearer realm="credence", error="invalid_token""#),
                Class::InsufficientScope => Some(r#"Bearer realm="credence", error="insufficient_scope""#),
                Class::Unavailable => None,
            };
            assert_eq!(header("www-authenticate").as_deref(), expected, "{reason}");
            assert_eq!(header("retry-after").is_some(), reason.class() == Class::Unavailable, "{reason}");
            assert_eq!(header("cache-control").as_deref(), Some("no-store"));
            assert!(denied.headers.iter().all(|option| option.append == Some(false)));
            assert!(!denied.headers.iter().any(|option| option.header.as_ref().unwrap().key.starts_with("x-credence")));
            assert!(
                reason == Reason::Internal || !denied.body.contains(&format!("\"{}\"", reason.code())),
                "{}",
                denied.body
            );
        }
    }

    #[test]
    fn the_client_learns_the_reason_only_where_the_operator_says_so() {
        let occasion = Occasion { style: Style { deny_detail: true, ..Style::default() }, ..OCCASION };
        let response = refuse(Reason::PinMismatch, &Facts::default(), None, occasion);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!() };
        assert_eq!(denied.body, r#"{"decision_id":"id","error":"invalid_token","reason":"pin_mismatch"}"#);
    }

    #[test]
    fn a_grpc_caller_gets_403_where_others_get_400() {
        let headers = crate::request::Headers::new(vec![("content-type", b"application/grpc")], false);
        let request = AuthzRequest { headers, ..AuthzRequest::default() };
        let response = refuse(Reason::MultipleTokens, &Facts::default(), Some(&request), OCCASION);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!() };
        assert_eq!(denied.status.unwrap().code, 403);
    }
}
