//! What the upstream gets when a request is let through.

use serde_json::json;

use crate::support::http::Request;
use crate::support::upstream::{Echo, MARK};
use crate::world::{API, SUBJECT, World, api, mark, world};

/// Every spelling in which a client might try to name itself; what must never come through is the value `forged`.
const SPOOFS: [&str; 14] = [
    "x-credence-subject",
    "X-Credence-Issuer",
    "X-CREDENCE-PRINCIPAL",
    "x-credence-scopes",
    "x-credence-grants",
    "x-credence-realm",
    "x-credence-actor-issuer",
    "x-credence-actor-subject",
    "x-credence-decision-id",
    "X_Credence_Subject",
    "x_credence_issuer",
    "x_credence_principal",
    "x-credence-claim-role",
    "x-credence-anything",
];
const MIXED_SPOOFS: [&str; 5] = [
    "x-credence_subject",
    "x_credence-subject",
    "X_Credence-Actor_Issuer",
    "x.credence.subject",
    "x_credence_new-thing",
];

fn spoofed(request: Request, names: &[&str]) -> Request {
    names.iter().fold(request, |request, name| request.header(name, "forged").header(name, "forged again"))
}

fn assert_exact_identity(world: &World, echo: &Echo) {
    let principal = format!("{}#{SUBJECT}", world.ci.url());
    assert_eq!(echo.one("x-credence-issuer"), world.ci.url());
    assert_eq!(echo.one("x-credence-subject"), SUBJECT);
    assert_eq!(echo.one("x-credence-principal"), principal);
    assert_eq!(echo.one("x-credence-scopes"), "read write");
    assert_eq!(echo.one("x-credence-grants"), "ci-writes");
    echo.one("x-credence-decision-id");
    assert_eq!(echo.identity_headers().len(), 6, "{:?}", echo.identity_headers());
}

#[test]
fn an_allowed_request_reaches_the_upstream_with_the_exact_pair() {
    let world = world();
    let request = api("GET", "/v1/x?page=2", &mark()).bearer(world.ci.token(SUBJECT, API));
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    assert_exact_identity(&world, &echo);
    assert_eq!((echo.method(), echo.path()), ("GET", "/v1/x?page=2"));
}

#[test]
fn the_credential_does_not_reach_the_upstream() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    let request = api("GET", "/v1/x", &mark()).bearer(&token);
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    assert!(echo.headers().iter().all(|(_, value)| !value.contains(&token)), "{:?}", echo.headers());
}

#[test]
fn override_headers_do_not_reach_the_upstream() {
    let world = world();
    let mut request = api("GET", "/v1/x", &mark()).bearer(world.ci.token(SUBJECT, API));
    let names = ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
    for name in names {
        request = request.header(name, "/admin");
    }
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    for name in names {
        assert_eq!(echo.all(name), [""; 0], "{name}");
    }
    assert_eq!(echo.method(), "GET");
}

#[test]
fn a_resource_may_keep_credential_and_overrides() {
    let world = world();
    let token = world.ci.token(SUBJECT, "https://kept.acme.test").mint();
    let request = Request::get("/x").host("kept.acme.test").bearer(&token).header("x-http-method-override", "PUT");
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    assert_eq!(echo.one("authorization"), format!("Bearer {token}"));
    assert_eq!(echo.one("x-http-method-override"), "PUT");
    assert_eq!(echo.one("x-credence-subject"), SUBJECT);
}

#[test]
fn forged_identity_headers_never_reach_the_upstream_whatever_the_spelling() {
    let world = world();
    for listener in ["plain", "raw", "strip", "few-strip", "socket"] {
        let request = spoofed(api("GET", "/v1/x", &mark()), &SPOOFS).bearer(world.ci.token(SUBJECT, API));
        let echo = Echo::of(&spoofed(request, &MIXED_SPOOFS).send(world.envoy.address(listener)));
        assert_exact_identity(&world, &echo);
        assert!(echo.headers().iter().all(|(_, value)| !value.contains("forged")), "{listener}: {:?}", echo.headers());
    }
}

#[test]
fn with_allowed_headers_the_known_names_are_still_cleaned_unseen() {
    // Here credence sees none of them; what it removes without looking is the family it sets itself.
    let world = world();
    let request = spoofed(api("GET", "/v1/x", &mark()), &SPOOFS[..12]).bearer(world.ci.token(SUBJECT, API));
    let echo = Echo::of(&request.send(world.envoy.address("few")));
    assert_exact_identity(&world, &echo);
}

#[test]
fn an_anonymous_request_carries_no_identity_and_no_credential() {
    let world = world();
    for listener in ["plain", "raw", "strip", "socket"] {
        let request = spoofed(api("GET", "/healthz", &mark()), &SPOOFS).bearer(world.ci.token(SUBJECT, API));
        let echo = Echo::of(&spoofed(request, &MIXED_SPOOFS).send(world.envoy.address(listener)));
        let identity: Vec<_> =
            echo.identity_headers().into_iter().filter(|(name, _)| *name != "x-credence-decision-id").collect();
        assert_eq!(identity, [], "{listener}");
        assert_eq!(echo.all("authorization"), [""; 0], "{listener}");
    }
}

#[test]
fn bytes_that_mean_something_in_a_header_are_percent_encoded() {
    let world = world();
    let request = api("GET", "/v1/x", &mark()).bearer(world.ci.token("Zoë #1%", API));
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    assert_eq!(echo.one("x-credence-subject"), "Zo%C3%AB%20#1%25");
    assert_eq!(echo.one("x-credence-principal"), format!("{}#Zo%C3%AB%20%231%25", world.ci.url()));
}

#[test]
fn envoys_access_log_tells_who_was_let_through_and_why() {
    let world = world();
    let mark = mark();
    let key = world.ci.key();
    let echo =
        Echo::of(&api("GET", "/v1/x", &mark).bearer(world.ci.token(SUBJECT, API)).send(world.envoy.address("plain")));
    let line = world.envoy.access(&mark);
    let told = &line["metadata"]["credence"];
    let expected = json!({"decision": "allow", "reason": "ok", "resource": "api", "issuer_name": "ci", "audience": API,
        "grants": ["ci-writes"], "scopes": ["read", "write"], "decision_id": echo.one("x-credence-decision-id"),
        "principal": {"format": "iss_sub", "iss": world.ci.url(), "sub": SUBJECT},
        "principal_canonical": format!("{}#{SUBJECT}", world.ci.url())});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name} in {told}");
    }
    assert_eq!(told["token"]["kid"], key.kid);
    assert_eq!(told["token"]["alg"], key.alg);
    assert!(told["token"]["exp"].is_number() && told["token"]["iat"].is_number(), "{told}");
    assert!(told["table"]["generation"].is_number() && told["table"]["sha256"].is_string(), "{told}");
    assert_eq!(line["code"], 200);
}

#[test]
fn the_same_decision_stands_in_credences_own_log() {
    let world = world();
    let request = api("POST", "/v1/x", &mark()).bearer(world.ci.token(SUBJECT, API));
    let echo = Echo::of(&request.send(world.envoy.address("plain")));
    let line = world.credence.decision(echo.one("x-credence-decision-id"));
    assert_eq!(line["schema"], "credence.decision/v1");
    assert_eq!((&line["decision"], &line["reason"]), (&json!("allow"), &json!("ok")));
    assert_eq!(line["principal"]["iss"], world.ci.url());
    assert_eq!(line["principal"]["sub"], SUBJECT);
    assert_eq!((&line["http"]["method"], &line["http"]["path"]), (&json!("POST"), &json!("/v1/x")));
}

#[test]
fn an_rbac_filter_can_tell_two_issuers_with_one_subject_apart() {
    let world = world();
    let rbac = world.envoy.address("rbac");
    let ask = |token: String, mark: &str| {
        Request::get("/x").host("shared.acme.test").header(MARK, mark).bearer(token).send(rbac)
    };
    let audience = "https://shared.acme.test";
    let echo = Echo::of(&ask(world.ci.token(SUBJECT, audience).mint(), &mark()));
    assert_eq!(echo.one("x-credence-issuer"), world.ci.url());
    let stopped = mark();
    let response = ask(world.partner.token(SUBJECT, audience).mint(), &stopped);
    assert_eq!((response.status, response.text().as_str()), (403, "RBAC: access denied"));
    let line = world.envoy.access(&stopped);
    assert_eq!(line["metadata"]["credence"]["decision"], "allow", "credence let it through, RBAC did not: {line}");
    assert!(!world.upstream.saw(&stopped));
}

#[test]
fn what_the_route_says_picks_the_resource_and_no_header_does() {
    let world = world();
    let plain = world.envoy.address("plain");
    let token = world.ci.token(SUBJECT, "https://payments.acme.test").mint();
    let ask = |path: &str| {
        Request::get(path).host("anything.acme.test").bearer(&token).header("resource", "payments").send(plain)
    };
    assert_eq!(Echo::of(&ask("/payments/7")).one("x-credence-grants"), "ci-payments");
    assert_eq!(ask("/refunds/7").status, 401, "a token for payments is not one for refunds");
    assert_eq!(ask("/elsewhere").status, 403, "no route, no resource");
}
