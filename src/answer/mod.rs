//! The answer to Envoy.
//!
//! In: how a walk ended. Out: an [`Answer`]. Envoy looks at the status code alone: a yes is built in one place
//! ([`allow`]) out of a [`Permit`] that a real signature stands behind, or of a place that is open to all ([`open`]), or
//! of a refusal that is only [`observe`]d; everything else is a no, built in one other place ([`refuse`]). It must know neither keys nor files.

mod encode;
mod headers;
mod metadata;
mod told;

pub use encode::principal as canonical_principal;
pub use told::{Answer, Header, Members, Value, Verdict};

use std::borrow::Cow;

use serde::Serialize;

use crate::decide::Permit;
use crate::keys::Signed;
use crate::path::{Facts, Observed};
use crate::reason::{Accepted, Class, Reason};
use crate::request::AuthzRequest;
use crate::resource::{Opened, Resource};
use crate::table::ClaimHeader;
use metadata::Metadata;

/// What an answer needs besides the outcome.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// UUIDv7, the same in header, metadata and log.
    pub decision_id: &'a str,
    /// Generation and digest of the table that decided; `None` before there is one.
    pub table: Option<(u64, &'a str)>,
    /// Every claim that some grant can forward, sorted by name.
    pub forwardable: &'a [ClaimHeader],
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
pub fn allow<'a>(permit: &'a Permit<'_, Signed>, request: &AuthzRequest<'_>, occasion: Occasion<'a>) -> Answer<'a> {
    let canonical = canonical_principal(permit.principal());
    let mut set = headers::identity(permit, &canonical, occasion);
    set.push(headers::decision_id(occasion));
    let mut metadata = Metadata::new(occasion, "allow", Accepted::Ok.code(), Some(permit.resource()));
    metadata.allowed(permit, canonical);
    let credential = if permit.resource().forward_token {
        Vec::new()
    } else {
        headers::credential(permit.resource(), request, &mut set)
    };
    yes(permit.resource(), request, occasion, set, credential, metadata)
}

/// Lets the request through without identity: the place is open to all, nothing was verified.
pub fn open<'a>(opened: Opened<'a>, request: &AuthzRequest<'_>, occasion: Occasion<'a>) -> Answer<'a> {
    let resource = opened.resource();
    let mut set = vec![headers::decision_id(occasion)];
    let metadata = Metadata::new(occasion, "allow", Accepted::Anonymous.code(), Some(resource));
    let credential = headers::credential(resource, request, &mut set);
    yes(resource, request, occasion, set, credential, metadata)
}

/// Lets the request through although it was refused, because its resource only observes: nobody is named, and the
/// credential stays for whoever judges it today. What it is made of knows no caller.
pub fn observe<'a>(observed: Observed<'a>, request: &AuthzRequest<'_>, occasion: Occasion<'a>) -> Answer<'a> {
    let resource = observed.resource();
    let set = vec![headers::decision_id(occasion)];
    let mut metadata = Metadata::new(occasion, "allow", Accepted::Observed.code(), Some(resource));
    metadata.observed(observed.refusal());
    yes(resource, request, occasion, set, Vec::new(), metadata)
}

fn yes<'a>(
    resource: &Resource,
    request: &AuthzRequest<'_>,
    occasion: Occasion<'a>,
    set: Vec<Header<'a>>,
    credential: Vec<Cow<'a, str>>,
    metadata: Metadata<'a>,
) -> Answer<'a> {
    let remove = headers::removals(resource, request, occasion, &set, credential);
    Answer::new(Verdict::Allow { set, remove }, metadata.finish())
}

/// Refuses: always a `denied_response` beside a status that is not 0, never an `error_response`, never an RPC error
/// (with `failure_mode_allow` those two let the request through with the client's own headers).
pub fn refuse<'a>(
    reason: Reason,
    facts: &'a Facts<'_>,
    request: Option<&AuthzRequest<'_>>,
    occasion: Occasion<'a>,
) -> Answer<'a> {
    let class = reason.class();
    let mut headers = Vec::with_capacity(4);
    headers.push(("content-type".into(), "application/json".into()));
    headers.push(("cache-control".into(), "no-store".into()));
    if let Some(challenge) = challenge(class, facts.resource) {
        headers.push(("www-authenticate".into(), challenge));
    }
    if class == Class::Unavailable {
        headers.push(("retry-after".into(), "1".into()));
    }
    let body = Body {
        decision_id: occasion.decision_id,
        error: class.error(),
        reason: occasion.style.deny_detail.then(|| reason.code()),
    };
    let mut metadata = Metadata::new(occasion, "deny", reason.code(), facts.resource);
    metadata.refused(facts);
    let verdict = Verdict::Deny {
        code: class.grpc_code(),
        status: class.http_status(request.is_some_and(AuthzRequest::is_grpc)),
        headers,
        // Text in a struct always has a JSON form.
        body: serde_json::to_string(&body).unwrap_or_default(),
    };
    Answer::new(verdict, metadata.finish())
}

/// What the client of a refused request reads.
#[derive(Serialize)]
struct Body<'a> {
    decision_id: &'a str,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// RFC 6750 §3: a bare challenge where nothing was presented, else one with the error; RFC 9728 §5.1 adds where to
/// learn more.
fn challenge(class: Class, resource: Option<&Resource>) -> Option<Cow<'static, str>> {
    let bare = match class {
        Class::Unavailable => return None,
        Class::Unauthorized => r#"Bearer realm="credence""#,
        Class::InvalidRequest => r#"Bearer realm="credence", error="invalid_request""#,
        Class::InvalidToken => r#"Bearer realm="credence", error="invalid_token""#,
        Class::InsufficientScope => r#"Bearer realm="credence", error="insufficient_scope""#,
    };
    Some(match resource.and_then(|resource| resource.resource_metadata.as_ref()) {
        Some(url) => format!("{bare}, resource_metadata=\"{url}\"").into(),
        None => bare.into(),
    })
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
            let facts = Facts::default();
            let answer = refuse(reason, &facts, None, OCCASION);
            assert_ne!(answer.verdict().code(), 0, "{reason}");
            let Verdict::Deny { headers, body, .. } = answer.verdict() else { panic!("{reason}: no denied_response") };
            let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
            let expected = match reason.class() {
                Class::InvalidRequest => Some(r#"Bearer realm="credence", error="invalid_request""#),
                Class::Unauthorized => Some(r#"Bearer realm="credence""#),
                Class::InvalidToken => Some(r#"Bearer realm="credence", error="invalid_token""#),
                Class::InsufficientScope => Some(r#"Bearer realm="credence", error="insufficient_scope""#),
                Class::Unavailable => None,
            };
            assert_eq!(header("www-authenticate"), expected, "{reason}");
            assert_eq!(header("retry-after").is_some(), reason.class() == Class::Unavailable, "{reason}");
            assert_eq!(header("cache-control"), Some("no-store"));
            assert!(!headers.iter().any(|(key, _)| key.starts_with("x-credence")));
            assert!(reason == Reason::Internal || !body.contains(&format!("\"{}\"", reason.code())), "{body}");
        }
    }

    #[test]
    fn the_client_learns_the_reason_only_where_the_operator_says_so() {
        let occasion = Occasion { style: Style { deny_detail: true, ..Style::default() }, ..OCCASION };
        let facts = Facts::default();
        let answer = refuse(Reason::PinMismatch, &facts, None, occasion);
        let Verdict::Deny { body, .. } = answer.verdict() else { panic!() };
        assert_eq!(body, r#"{"decision_id":"id","error":"invalid_token","reason":"pin_mismatch"}"#);
    }

    #[test]
    fn a_grpc_caller_gets_403_where_others_get_400() {
        let headers = crate::request::Headers::new(vec![("content-type", b"application/grpc")], false);
        let request = AuthzRequest { headers, ..AuthzRequest::default() };
        let facts = Facts::default();
        let answer = refuse(Reason::MultipleTokens, &facts, Some(&request), OCCASION);
        assert!(matches!(answer.verdict(), Verdict::Deny { status: 403, .. }));
    }
}
