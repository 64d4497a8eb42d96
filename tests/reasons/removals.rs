//! What never reaches the upstream, and what stays as it was.

use std::collections::BTreeSet;

use crate::allow::allowed;
use crate::support::answer::Answer;
use crate::world::{SUBJECT, World, api, at, good, world};

/// Every header of the fixed family.
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

/// Every name that any grant of the table can forward.
const FORWARDED: [&str; 6] = ["repo", "run", "guarded", "teams", "never-there", "elsewhere-only"];

/// Headers that override the method or the URL.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// What an answer must remove: both spellings of all that is ours and not set, and `more`.
pub(crate) fn removes(answer: &Answer, more: &[&str]) {
    let claims = FORWARDED.map(|name| format!("x-credence-claim-{name}"));
    let ours = FAMILY.iter().map(|name| (*name).to_owned()).chain(claims);
    let mut expected: BTreeSet<String> = ours.flat_map(|name| [name.replace('-', "_"), name]).collect();
    for (name, _) in answer.headers() {
        expected.remove(&name);
    }
    expected.extend(more.iter().map(|name| (*name).to_owned()));
    let removed: BTreeSet<String> = answer.removed().iter().cloned().collect();
    assert_eq!(removed.len(), answer.removed().len(), "each once");
    assert_eq!(removed, expected);
}

/// The credential of `api` and the overrides.
pub(crate) fn and_overrides(credential: &str) -> Vec<&str> {
    OVERRIDES.into_iter().chain([credential]).filter(|name| !name.is_empty()).collect()
}

fn audience(resource: &str) -> String {
    format!("https://{resource}.acme.test")
}

fn token(world: &World, resource: &str) -> String {
    world.ci.token(SUBJECT, &audience(resource)).mint()
}

#[test]
fn both_spellings_of_the_family_of_all_claim_headers_the_credential_and_the_overrides_go() {
    let world = world();
    removes(&allowed(world, &api("GET", "/v1/x").bearer(good(&world.ci))), &and_overrides("authorization"));
    // A grant without scopes and claims removes no less: the client's own would stand there.
    removes(&allowed(world, &api("GET", "/bare").bearer(good(&world.ci))), &and_overrides("authorization"));
}

#[test]
fn whatever_some_reader_could_take_for_ours_goes_under_the_name_it_came_with() {
    let world = world();
    let odd = [
        "x_credence-subject",
        "x.credence.subject",
        "x-credence_claim.repo",
        "x-credence-role",
        "x_credence_claim_anything",
        "x-credence-",
        "x.credence-tenant",
    ];
    let alike = ["x-credence", "xcredence-subject", "x-credenced-subject", "my-x-credence-subject", "x-request-id"];
    for raw in [false, true] {
        let mut call = api("GET", "/v1/x").bearer(good(&world.ci));
        for name in odd.iter().chain(&alike) {
            call = call.header(name, "forged");
        }
        let call = if raw { call.raw_headers() } else { call };
        let answer = allowed(world, &call);
        let more: Vec<_> = odd.into_iter().chain(and_overrides("authorization")).collect();
        removes(&answer, &more);
        assert_eq!(answer.header("x-credence-subject").as_deref(), Some(SUBJECT));
    }
    // A name sent in capitals is set all the same, and so must not be removed.
    let answer = allowed(world, &api("GET", "/v1/x").bearer(good(&world.ci)).header("X-Credence-Subject", "forged"));
    assert!(answer.removed().iter().all(|name| !name.eq_ignore_ascii_case("x-credence-subject")));
}

#[test]
fn an_override_in_another_spelling_goes_too() {
    let world = world();
    let call = api("GET", "/v1/x").bearer(good(&world.ci)).header("x.original_url", "/admin");
    let more: Vec<_> = and_overrides("authorization").into_iter().chain(["x.original_url"]).collect();
    removes(&allowed(world, &call), &more);
}

#[test]
fn a_resource_may_keep_the_token_and_the_overrides() {
    let world = world();
    let mut call = at("GET", &audience("kept"), "/x").bearer(token(world, "kept"));
    for name in OVERRIDES {
        call = call.header(name, "POST");
    }
    removes(&allowed(world, &call.header("x_credence_subject", "forged")), &["x_credence_subject"]);
}

#[test]
fn of_the_cookies_only_the_credential_goes() {
    let world = world();
    let (web, token) = (audience("web"), token(world, "web"));
    let ask = |cookie: String| {
        allowed(world, &at("GET", &web, "/x").header("cookie", cookie).header("authorization", "Basic mine"))
    };
    let answer = ask(format!("theme=dark; session={token}; sessions=3;  lang=de"));
    assert_eq!(answer.header("cookie").as_deref(), Some("theme=dark; sessions=3; lang=de"));
    removes(&answer, &and_overrides(""));
    let answer = ask(format!("session={token}"));
    assert_eq!(answer.header("cookie"), None);
    removes(&answer, &and_overrides("cookie"));

    // HTTP/2 may split the header.
    let split =
        at("GET", &web, "/x").raw_headers().header("cookie", "a=1").header("cookie", format!("session={token}"));
    let answer = allowed(world, &split.header("cookie", "b=2"));
    assert_eq!(answer.header("cookie").as_deref(), Some("a=1; b=2"));
    removes(&answer, &and_overrides(""));
}

#[test]
fn a_credential_in_a_header_of_its_own_goes_and_authorization_stays() {
    let world = world();
    let token = token(world, "machine");
    for value in [token.clone(), format!("Bearer {token}")] {
        let call = at("GET", &audience("machine"), "/x")
            .header("x-machine-token", value)
            .header("authorization", "Basic mine");
        removes(&allowed(world, &call), &and_overrides("x-machine-token"));
        let twins = call.header("X_Machine_Token", "twin").header("x.http.method", "PUT");
        let expected = [and_overrides("x-machine-token"), vec!["x_machine_token", "x.http.method"]].concat();
        removes(&allowed(world, &twins), &expected);
    }
}
