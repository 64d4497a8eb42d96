//! What the client gets when a request is refused: the status, the challenge, and nothing that helps to guess.

use std::sync::Arc;

use serde_json::json;

use crate::support::http::{Request, Response};
use crate::support::key::Key;
use crate::world::{API, SUBJECT, World, api, mark, world};

const CHALLENGE: &str = "Bearer realm=\"credence\"";

struct Refused {
    status: u16,
    /// Of the challenge; none when there is no challenge at all.
    challenge: Option<&'static str>,
    error: &'static str,
    reason: &'static str,
}

const fn unauthorized(reason: &'static str) -> Refused {
    Refused { status: 401, challenge: Some("error=\"invalid_token\""), error: "invalid_token", reason }
}

const fn forbidden(reason: &'static str) -> Refused {
    Refused { status: 403, challenge: Some("error=\"insufficient_scope\""), error: "insufficient_scope", reason }
}

const fn bad_request(reason: &'static str) -> Refused {
    Refused { status: 400, challenge: Some("error=\"invalid_request\""), error: "invalid_request", reason }
}

fn refused(world: &World, request: impl FnOnce(&str) -> Request, expected: &Refused) -> Response {
    let mark = mark();
    let response = request(&mark).send(world.envoy.address("plain"));
    let reason = expected.reason;
    assert_eq!(response.status, expected.status, "{reason}: {response:?}");
    let challenge = expected
        .challenge
        .map(|rest| if rest.is_empty() { CHALLENGE.to_owned() } else { format!("{CHALLENGE}, {rest}") });
    assert_eq!(response.header("www-authenticate"), challenge.as_deref(), "{reason}");
    assert_eq!(response.header("content-type"), Some("application/json"), "{reason}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{reason}");
    assert_eq!(response.header("retry-after").is_some(), expected.status == 503, "{reason}");
    // `date`, `server` and the connection's own headers are Envoy's.
    let known = [
        "www-authenticate",
        "content-type",
        "cache-control",
        "retry-after",
        "content-length",
        "date",
        "server",
        "connection",
    ];
    for (name, value) in &response.headers {
        assert!(known.contains(&name.as_str()), "{reason}: {name}: {value} is more than the client needs");
    }
    let body = response.json();
    let id = body["decision_id"].as_str().unwrap();
    assert_eq!(body, json!({"error": expected.error, "decision_id": id}), "{reason}");
    assert!(!world.upstream.saw(&mark), "{reason}: it reached the upstream");
    assert_eq!(world.credence.decision(id)["reason"], reason);
    let line = world.envoy.access(&mark);
    let told = &line["metadata"]["credence"];
    assert_eq!(
        (&told["decision"], &told["reason"], &told["decision_id"]),
        (&json!("deny"), &json!(reason), &json!(id)),
        "{line}"
    );
    assert!(told["principal"].is_null(), "a refused caller is no principal: {told}");
    assert_eq!(line["details"], "ext_authz_denied");
    response
}

#[test]
fn without_a_token_the_challenge_says_only_how_to_come_back() {
    let expected = Refused { status: 401, challenge: Some(""), error: "unauthorized", reason: "no_token" };
    let world = world();
    refused(&world, |mark| api("GET", "/v1/x", mark), &expected);
    let token = world.ci.token(SUBJECT, API).mint();
    for scheme in ["Basic", "DPoP", "Negotiate", "Bearerx"] {
        refused(
            &world,
            |mark| api("GET", "/v1/x", mark).header("authorization", format!("{scheme} {token}")),
            &expected,
        );
    }
}

#[test]
fn a_token_is_read_nowhere_but_where_the_resource_expects_it() {
    let expected = Refused { status: 401, challenge: Some(""), error: "unauthorized", reason: "no_token" };
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    refused(&world, |mark| api("GET", &format!("/v1/x?access_token={token}"), mark), &expected);
    let form = format!("access_token={token}");
    refused(&world, |mark| api("POST", "/v1/x", mark).body(form.clone()), &expected);
    refused(&world, |mark| api("GET", "/v1/x", mark).header("cookie", format!("access_token={token}")), &expected);
    let names = [
        "proxy-authorization",
        "x-authorization",
        "x-access-token",
        "x-forwarded-access-token",
        "x-api-key",
        "x-amz-security-token",
    ];
    for name in names {
        refused(&world, |mark| api("GET", "/v1/x", mark).header(name, format!("Bearer {token}")), &expected);
    }
}

#[test]
fn a_method_is_what_the_request_line_says() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    for method in ["DELETE", "PATCH", "HEAD", "get", "Get"] {
        let mark = mark();
        let mut request = api(method, "/v1/x", &mark).bearer(&token);
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            request = request.header(name, "GET");
        }
        let status = request.send(world.envoy.address("plain")).status;
        assert!(matches!(status, 400 | 403), "{method}: {status}");
        assert!(!world.upstream.saw(&mark), "{method}");
    }
}

#[test]
fn an_override_of_the_url_changes_nothing() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    for name in ["x-original-url", "x-rewrite-url", "x-envoy-original-path", "x-forwarded-uri", "x-forwarded-prefix"] {
        let mark = mark();
        let status =
            api("GET", "/admin", &mark).bearer(&token).header(name, "/v1/x").send(world.envoy.address("plain")).status;
        assert_eq!(status, 403, "{name}");
        assert!(!world.upstream.saw(&mark), "{name}");
    }
}

#[test]
fn a_token_that_is_not_believed_is_401_invalid_token() {
    let world = world();
    let forged = Arc::new(Key::generate(&world.ci.key().kid, "ES256"));
    let good = || world.ci.token(SUBJECT, API);
    let cases = [
        ("signature_invalid", good().signed_by(&forged).mint()),
        ("key_unknown", good().header("kid", "another").mint()),
        ("expired", good().claim("exp", 1).claim("iat", 0).mint()),
        ("audience_mismatch", world.ci.token(SUBJECT, "https://other.acme.test").mint()),
        ("issuer_unknown", good().claim("iss", "https://nobody.test").mint()),
        ("malformed", "not-a-token".to_owned()),
        ("alg_not_allowed", good().header("alg", "none").mint_with_signature(b"")),
        ("confirmation_required", good().claim("cnf", json!({"jkt": "x"})).mint()),
    ];
    for (reason, token) in cases {
        refused(&world, |mark| api("GET", "/v1/x", mark).bearer(&token), &unauthorized(reason));
    }
}

#[test]
fn a_believed_caller_without_a_grant_is_403_insufficient_scope() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    refused(&world, |mark| api("DELETE", "/v1/x", mark).bearer(&token), &forbidden("grant_none"));
    refused(&world, |mark| api("GET", "/v2/x", mark).bearer(&token), &forbidden("grant_none"));
    let stranger = world.ci.token("repo:acme/other", API).mint();
    refused(&world, |mark| api("GET", "/v1/x", mark).bearer(&stranger), &forbidden("grant_none"));
    let elsewhere =
        |mark: &str| Request::get("/v1/x").host("nowhere.acme.test").header("x-test-mark", mark).bearer(&token);
    refused(&world, elsewhere, &forbidden("resource_unknown"));
}

#[test]
fn the_same_subject_from_the_other_issuer_is_refused_where_it_was_not_granted() {
    // The partner has no grant at this resource at all, so no audience of its could be right; what matters is that
    // a valid signature over the same `sub` opens nothing.
    let world = world();
    let mark = mark();
    let response =
        api("GET", "/v1/x", &mark).bearer(world.partner.token(SUBJECT, API)).send(world.envoy.address("plain"));
    assert_eq!(response.status, 403, "{response:?}");
    assert!(!world.upstream.saw(&mark));
    let told = world.envoy.access(&mark)["metadata"]["credence"].clone();
    assert_eq!(told["verified"]["iss"], world.partner.url());
    assert_eq!(told["verified"]["sub"], SUBJECT);
}

#[test]
fn two_authorization_headers_are_refused_in_both_encodings() {
    let world = world();
    let (mine, other) = (world.ci.token(SUBJECT, API).mint(), world.partner.token(SUBJECT, API).mint());
    refused(&world, |mark| api("GET", "/v1/x", mark).bearer(&mine).bearer(&other), &bad_request("multiple_tokens"));
    refused(&world, |mark| api("GET", "/v1/x", mark).bearer(&mine).bearer(&mine), &bad_request("multiple_tokens"));
    for listener in ["raw", "few", "open", "open-raw"] {
        for second in [other.as_str(), mine.as_str()] {
            let mark = mark();
            let response = api("GET", "/v1/x", &mark).bearer(&mine).bearer(second).send(world.envoy.address(listener));
            assert_eq!(response.status, 400, "{listener}");
            assert!(!world.upstream.saw(&mark), "{listener}");
        }
    }
}

#[test]
fn an_issuer_without_keys_is_503_and_told_to_come_back() {
    let world = world();
    let expected =
        Refused { status: 503, challenge: None, error: "temporarily_unavailable", reason: "keys_unavailable" };
    let token = world.hanging.token(SUBJECT, API).mint();
    refused(&world, |mark| api("GET", "/v1/x", mark).bearer(&token), &expected);
}

#[test]
fn the_access_log_tells_claimed_and_verified_callers_apart() {
    let world = world();
    let told = |token: String| {
        let mark = mark();
        api("DELETE", "/v1/x", &mark).bearer(token).send(world.envoy.address("plain"));
        world.envoy.access(&mark)["metadata"]["credence"].clone()
    };
    let forged = Arc::new(Key::generate(&world.ci.key().kid, "ES256"));
    let claimed = told(world.ci.token(SUBJECT, API).signed_by(&forged).mint());
    assert_eq!(claimed["claimed"]["iss"], world.ci.url(), "{claimed}");
    assert!(claimed["verified"].is_null() && claimed["principal"].is_null(), "{claimed}");
    let verified = told(world.ci.token(SUBJECT, API).mint());
    assert_eq!(verified["verified"], json!({"iss": world.ci.url(), "sub": SUBJECT}), "{verified}");
    assert!(verified["claimed"].is_null() && verified["principal"].is_null(), "{verified}");
}
