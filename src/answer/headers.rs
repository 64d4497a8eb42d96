//! Which headers the upstream gets, and which it never sees.

use super::Occasion;
use super::encode::{element, principal};
use crate::decide::Permit;
use crate::json::Json;
use crate::keys::Signed;
use crate::request::AuthzRequest;
use crate::resource::{CredentialPlace, Resource};

/// The fixed family: set by an allow that has a value for it, removed by every other.
const FAMILY: [&str; 9] = [
    "x-credence-issuer",
    "x-credence-subject",
    "x-credence-principal",
    "x-credence-realm",
    "x-credence-scopes",
    "x-credence-grants",
    "x-credence-actor-issuer",
    "x-credence-actor-subject",
    "x-credence-decision-id",
];

/// Headers by which some frameworks replace the method or the URL that was judged.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

type Headers = Vec<(String, String)>;

/// Who calls and what they may.
pub(super) fn identity(permit: &Permit<'_, Signed>, occasion: Occasion<'_>) -> Headers {
    let (issuer, subject) = permit.principal().pair();
    let joined = |elements: Vec<String>, separator| elements.join(separator);
    let scopes = permit.scopes().iter().map(|scope| element(scope.as_str(), None)).collect();
    let grants = permit.grants().map(|grant| element(grant.as_str(), None)).collect();
    let mut set: Headers = vec![
        ("x-credence-issuer".into(), element(issuer.as_str(), None)),
        ("x-credence-subject".into(), element(subject, None)),
        ("x-credence-principal".into(), principal(permit.principal())),
        ("x-credence-realm".into(), permit.principal().realm().map(ToString::to_string).unwrap_or_default()),
        ("x-credence-scopes".into(), joined(scopes, " ")),
        ("x-credence-grants".into(), joined(grants, ",")),
    ];
    // A header without a value would be one that the client's own could hide behind: it is removed instead.
    set.retain(|(_, value)| !value.is_empty());
    if occasion.style.claim_headers {
        set.extend(
            permit.forwarded().into_iter().filter_map(|(name, value)| Some((claim_header(name), claim_value(value)?))),
        );
    }
    set
}

pub(super) fn decision_id(occasion: Occasion<'_>) -> Headers {
    vec![("x-credence-decision-id".into(), occasion.decision_id.to_owned())]
}

fn claim_header(name: &str) -> String {
    format!("x-credence-claim-{name}")
}

fn claim_value(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(element(text, None)),
        Json::Number(number) => {
            Some(crate::json::whole(*number).map_or_else(|| number.to_string(), |whole| whole.to_string()))
        }
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The headers to remove so that the credential ends here. Of a cookie header only the credential's cookie goes:
/// what is left is added to `set`.
pub(super) fn credential(resource: &Resource, request: &AuthzRequest<'_>, set: &mut Headers) -> Vec<String> {
    match &resource.credential {
        CredentialPlace::Authorization => vec!["authorization".into()],
        CredentialPlace::Header(name) => {
            // And every header that some server could take for it.
            let twins =
                request.headers.names().filter(|seen| folded(seen).eq(folded(name))).map(str::to_ascii_lowercase);
            twins.chain([name.clone()]).collect()
        }
        CredentialPlace::Cookie(name) => match other_cookies(request, name) {
            Some(cookies) => {
                set.push(("cookie".into(), cookies));
                Vec::new()
            }
            None => vec!["cookie".into()],
        },
    }
}

/// Every cookie but the named one; `None` if that leaves none, or if a header is no text.
fn other_cookies(request: &AuthzRequest<'_>, name: &str) -> Option<String> {
    let mut others = Vec::new();
    for header in request.headers.all("cookie") {
        let header = std::str::from_utf8(header).ok()?;
        let is_credential = |pair: &str| pair.split('=').next().is_some_and(|given| given.trim_ascii() == name);
        others.extend(header.split(';').map(str::trim_ascii).filter(|pair| !pair.is_empty() && !is_credential(pair)));
    }
    let safe = |pair: &&str| pair.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    (!others.is_empty() && others.iter().all(safe)).then(|| others.join("; "))
}

/// Everything that must not reach the upstream, less what is set: Envoy removes last, so a name in both is lost.
pub(super) fn removals(
    resource: &Resource,
    request: &AuthzRequest<'_>,
    occasion: Occasion<'_>,
    set: &[(String, String)],
    credential: Vec<String>,
) -> Vec<String> {
    let family = FAMILY.iter().map(|name| (*name).to_owned());
    let claims = occasion.forwardable.iter().map(|name| claim_header(name));
    let mut remove: Vec<String> = family.chain(claims).flat_map(|name| [name.replace('-', "_"), name]).collect();
    let seen =
        |meant: fn(&str) -> bool| request.headers.names().filter(move |name| meant(name)).map(str::to_ascii_lowercase);
    remove.extend(seen(is_ours));
    remove.extend(credential);
    if !resource.forward_overrides {
        remove.extend(OVERRIDES.iter().map(|name| (*name).to_owned()));
        remove.extend(seen(is_override));
    }
    remove.retain(|name| !set.iter().any(|(key, _)| key == name));
    remove.sort_unstable();
    remove.dedup();
    remove
}

/// Whether some reader could take a header for one of ours.
fn is_ours(name: &str) -> bool {
    folded(name).take(11).eq(b"x-credence-".iter().copied())
}

/// Whether some reader could take a header for one that overrides method or URL.
fn is_override(name: &str) -> bool {
    OVERRIDES.iter().any(|meant| folded(name).eq(meant.bytes()))
}

/// A name as those read it who replace `-` and `.` by `_` (CGI, RFC 3875 §4.1.18), and without case.
fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers as RequestHeaders;

    #[test]
    fn every_spelling_that_could_be_taken_for_ours_is_known() {
        for name in ["x-credence-subject", "X_Credence_Subject", "x.credence.subject", "x-credence_x", "x-credence-"] {
            assert!(is_ours(name), "{name}");
        }
        assert!(is_override("X_HTTP_Method_Override") && !is_override("x-http-method-overrides"));
        for name in ["x-credence", "xcredence-subject", "y-credence-subject", "x-request-id"] {
            assert!(!is_ours(name), "{name}");
        }
    }

    #[test]
    fn only_the_credential_leaves_the_cookie_header() {
        let with = |value: &'static str| {
            let headers = RequestHeaders::new(vec![("cookie", value.as_bytes())], false);
            other_cookies(&AuthzRequest { headers, ..AuthzRequest::default() }, "t")
        };
        assert_eq!(with("a=1; t=secret; tt=2").as_deref(), Some("a=1; tt=2"));
        assert_eq!(with("t=secret; t =other;\tt\t= more; b=2").as_deref(), Some("b=2"));
        assert_eq!(with("t=secret"), None);
        assert_eq!(with("a=\u{1}; t=secret"), None);
    }
}
