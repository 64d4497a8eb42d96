//! Which headers the upstream gets, and which it never sees.

use std::borrow::Cow;

use super::Occasion;
use super::encode::{element, joined};
use super::told::Header;
use crate::claims::Said;
use crate::decide::Permit;
use crate::json::Json;
use crate::keys::Signed;
use crate::request::AuthzRequest;
use crate::resource::{CredentialPlace, Resource};

/// The fixed family: set by an allow that has a value for it, removed by every other. Each with the spelling of those who
/// put `_` for `-` (CGI, RFC 3875 §4.1.18), which is always removed.
const FAMILY: [(&str, &str); 9] = [
    ("x-credence-issuer", "x_credence_issuer"),
    ("x-credence-subject", "x_credence_subject"),
    ("x-credence-principal", "x_credence_principal"),
    ("x-credence-realm", "x_credence_realm"),
    ("x-credence-scopes", "x_credence_scopes"),
    ("x-credence-grants", "x_credence_grants"),
    ("x-credence-actor-issuer", "x_credence_actor_issuer"),
    ("x-credence-actor-subject", "x_credence_actor_subject"),
    ("x-credence-decision-id", "x_credence_decision_id"),
];

/// Headers by which some frameworks replace the method or the URL that was judged.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Who calls and what they may; `canonical` is the canonical form of the permit's principal.
pub(super) fn identity<'a>(permit: &'a Permit<'_, Signed>, canonical: &str, occasion: Occasion<'a>) -> Vec<Header<'a>> {
    let (issuer, subject) = permit.principal().pair();
    let actor = permit.actor().map(|acting| acting.pair());
    let (actor_issuer, actor_subject) = actor.unwrap_or_default();
    let family = [
        ("x-credence-issuer", element(issuer.as_str(), None)),
        ("x-credence-subject", element(subject, None)),
        ("x-credence-principal", Cow::Owned(canonical.to_owned())),
        ("x-credence-realm", permit.principal().realm().map_or("", |realm| realm.as_str()).into()),
        ("x-credence-scopes", joined(permit.scopes().iter().map(|scope| scope.as_str()), ' ')),
        ("x-credence-actor-issuer", element(actor_issuer, None)),
        ("x-credence-actor-subject", element(actor_subject, None)),
        ("x-credence-grants", joined(permit.grants().map(|grant| grant.as_str()), ',')),
    ];
    // Also for the decision's id and a cookie.
    let mut set = Vec::with_capacity(family.len() + 2);
    // A header without a value would be one that the client's own could hide behind: it is removed instead.
    let stated = family.into_iter().filter(|(_, value)| !value.is_empty());
    set.extend(stated.map(|(name, value)| (name.into(), value)));
    if occasion.style.claim_headers {
        let claims = permit.forwarded().into_iter();
        set.extend(claims.filter_map(|(name, value)| Some((claim_header(name, occasion), claim_value(value)?))));
    }
    set
}

pub(super) fn decision_id(occasion: Occasion<'_>) -> Header<'_> {
    ("x-credence-decision-id".into(), occasion.decision_id.into())
}

fn claim_header<'a>(name: &str, occasion: Occasion<'a>) -> Cow<'a, str> {
    match occasion.forwardable.binary_search_by(|known| known.claim().cmp(name)).map(|at| occasion.forwardable.get(at))
    {
        Ok(Some(known)) => known.header().into(),
        _ => format!("x-credence-claim-{name}").into(),
    }
}

fn claim_value(value: Said<'_>) -> Option<Cow<'_, str>> {
    match value {
        Said::Text(text) if !text.is_empty() => Some(element(text, None)),
        Said::Other(Json::Number(number)) => {
            let text = crate::json::whole(*number).map_or_else(|| number.to_string(), |whole| whole.to_string());
            Some(text.into())
        }
        Said::Other(Json::Bool(value)) => Some(if *value { "true" } else { "false" }.into()),
        Said::Text(_) | Said::Other(_) => None,
    }
}

/// The headers to remove so that the credential ends here. Of a cookie header only the credential's cookie goes:
/// what is left is added to `set`.
pub(super) fn credential<'a>(
    resource: &'a Resource,
    request: &AuthzRequest<'_>,
    set: &mut Vec<Header<'a>>,
) -> Vec<Cow<'a, str>> {
    match &resource.credential {
        CredentialPlace::Authorization => vec!["authorization".into()],
        CredentialPlace::Header(name) => {
            // And every header that some server could take for it.
            let twins = request.headers.names().filter(|seen| *seen != name.as_str() && folded(seen).eq(folded(name)));
            [name.as_str().into()].into_iter().chain(twins.map(|twin| twin.to_ascii_lowercase().into())).collect()
        }
        CredentialPlace::Cookie(name) => match other_cookies(request, name) {
            Some(cookies) => {
                set.push(("cookie".into(), cookies.into()));
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

/// Everything that must not reach the upstream, less what is set: Envoy removes last, so a name in both is lost. Each name
/// once.
pub(super) fn removals<'a>(
    resource: &Resource,
    request: &AuthzRequest<'_>,
    occasion: Occasion<'a>,
    set: &[Header<'a>],
    credential: Vec<Cow<'a, str>>,
) -> Vec<Cow<'a, str>> {
    let is_set = |name: &str| set.iter().any(|(key, _)| key == name);
    let claims = occasion.forwardable.iter().map(|claim| (claim.header(), claim.underscored()));
    let most = 2 * FAMILY.len() + 2 * claims.len() + OVERRIDES.len() + credential.len();
    let mut remove: Vec<Cow<'a, str>> = Vec::with_capacity(most);
    for (name, underscored) in FAMILY.into_iter().chain(claims) {
        if !is_set(name) {
            remove.push(name.into());
        }
        remove.push(underscored.into());
    }
    if !resource.forward_overrides {
        remove.extend(OVERRIDES.map(Cow::from));
    }
    // What follows may name one twice: a credential that comes in a header of the table's own choice, and what the client
    // sent under names that read like those above. Few requests have either.
    let usual = credential.len() <= 1 && !credential.iter().any(|name| remove.contains(name));
    remove.extend(credential.into_iter().filter(|name| !is_set(name)));
    let known = remove.len();
    let alike = |name: &&str| is_ours(name) || !resource.forward_overrides && is_override(name);
    let seen = request.headers.names().filter(alike).map(str::to_ascii_lowercase);
    remove.extend(seen.filter(|name| !is_set(name)).map(Cow::from));
    if !usual || remove.len() > known {
        remove.sort_unstable();
        remove.dedup();
    }
    remove
}

/// Whether some reader could take a header for one of ours.
fn is_ours(name: &str) -> bool {
    folded(name).take(11).eq(b"x-credence-".iter().copied())
}

/// Whether some reader could take a header for one that overrides method or URL.
fn is_override(name: &str) -> bool {
    OVERRIDES.iter().any(|meant| meant.len() == name.len() && folded(name).eq(meant.bytes()))
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
    fn both_spellings_of_the_family_differ_in_nothing_else() {
        for (name, underscored) in FAMILY {
            assert_eq!(name.replace('-', "_"), underscored);
            assert!(is_ours(name) && is_ours(underscored));
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
