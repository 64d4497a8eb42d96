//! The whole answer to a caller who may.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use credence::proto::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::{Value, json};

use crate::expected::{names, overwrites, stamped};
use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::world::{API, PRIVATE, QUERY, SUBJECT, World, api, good, part, world};

/// Asks and sees an allow that is one in every way.
pub(crate) fn allowed(world: &World, call: &Call) -> Answer {
    let answer = world.credence.check(call);
    assert_eq!(answer.reason(), "ok", "{call:?} {answer:?}");
    assert!(matches!(answer.0.http_response, Some(HttpResponse::OkResponse(_))));
    assert_eq!(answer.0.status.as_ref().map(|status| (status.code, status.message.as_str())), Some((0, "")));
    overwrites(&answer);
    for (name, _) in answer.headers() {
        assert!(!answer.removed().contains(&name), "{name} is set and removed: Envoy removes last");
    }
    answer
}

fn headers(answer: &Answer) -> Value {
    answer.headers().into_iter().map(|(name, value)| (name, Value::from(value))).collect()
}

#[test]
fn an_allow_hands_over_the_pair_the_grants_and_the_scopes() {
    let world = world();
    let iss = world.ci.url();
    for (call, grants, scopes) in [
        (api("GET", "/v1/x"), vec!["ci-reads"], vec!["list", "read"]),
        (api("POST", "/v1/deploy/x"), vec!["ci-deploys"], vec!["deploy", "list"]),
        (api("GET", "/v1/deploy"), vec!["ci-deploys", "ci-reads"], vec!["deploy", "list", "read"]),
        (api("GET", "/bare"), vec!["ci-bare"], vec![]),
    ] {
        let token = good(&world.ci).claim("repository", "acme/payments").claim("groups", json!(["x"])).mint();
        let answer = allowed(world, &call.bearer(&token));
        let told = answer.metadata();
        let mut expected = json!({
            "x-credence-issuer": iss,
            "x-credence-subject": SUBJECT,
            "x-credence-principal": format!("{iss}#{SUBJECT}"),
            "x-credence-scopes": scopes.join(" "),
            "x-credence-grants": grants.join(","),
            "x-credence-decision-id": answer.decision_id(),
        });
        if scopes.is_empty() {
            expected.as_object_mut().unwrap().remove("x-credence-scopes");
        }
        assert_eq!(headers(&answer), expected);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        let forwarded = if grants.contains(&"ci-reads") { json!({"repo": "acme/payments"}) } else { json!({}) };
        let expected = json!({
            "decision_id": answer.decision_id(),
            "decision": "allow",
            "reason": "ok",
            "resource": "api",
            "table": told["table"],
            "issuer_name": "ci",
            "audience": API,
            "grants": grants,
            "scopes": scopes,
            "principal": {"format": "iss_sub", "iss": iss, "sub": SUBJECT},
            "principal_canonical": format!("{iss}#{SUBJECT}"),
            "claims": forwarded,
            "token": {"kid": header["kid"], "alg": "ES256", "iat": claims["iat"].as_f64(), "exp": claims["exp"].as_f64()},
        });
        assert_eq!(told, expected);
        stamped(&world.credence, &told);
    }
}

#[test]
fn a_token_without_kid_and_iat_leaves_them_out() {
    let world = world();
    let token = good(&world.ci).without_header("kid").without_header("typ").without("iat").without("jti").mint();
    let answer = allowed(world, &api("GET", "/v1/x").bearer(&token));
    assert_eq!(answer.metadata()["token"], json!({"alg": "ES256", "exp": part(&token, 1)["exp"].as_f64()}));
    let line = world.credence.decision(&answer.decision_id());
    assert_eq!(names(&line["token"]), BTreeSet::from(["alg", "exp"]));
}

#[test]
fn every_subject_can_be_told_from_every_other_in_a_header() {
    let world = world();
    let iss = world.ci.url();
    for (subject, header, in_principal) in [
        ("Zoë Ünal", "Zo%C3%AB%20%C3%9Cnal", "Zo%C3%AB%20%C3%9Cnal"),
        ("100% #1", "100%25%20#1", "100%25%20%231"),
        ("a#b%23c", "a#b%2523c", "a%23b%2523c"),
        ("tilde~, comma", "tilde~,%20comma", "tilde~,%20comma"),
        ("π/ρ", "%CF%80/%CF%81", "%CF%80/%CF%81"),
    ] {
        let answer = allowed(world, &api("GET", "/odd").bearer(world.ci.token(subject, API)));
        assert_eq!(answer.header("x-credence-subject").as_deref(), Some(header));
        let principal = format!("{iss}#{in_principal}");
        assert_eq!(answer.header("x-credence-principal"), Some(principal.clone()));
        let told = answer.metadata();
        assert_eq!(told["principal_canonical"], principal);
        assert_eq!(told["principal"], json!({"format": "iss_sub", "iss": iss, "sub": subject}));
        let line = world.credence.decision(&answer.decision_id());
        assert_eq!(line["principal"], json!({"iss": iss, "sub": subject}));
    }
}

#[test]
fn the_log_tells_of_an_allow_by_whom_what_and_why() {
    let world = world();
    let token = good(&world.ci).claim("repository", "acme/payments").claim("jti", "one-token-id").mint();
    let call = api("GET", "/v1/deploy/x")
        .bearer(&token)
        .header("x-request-id", "req-1")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = allowed(world, &call);
    let mut line = world.credence.decision(&answer.decision_id());
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let text = line.to_string();
    for secret in [PRIVATE, QUERY, "password", "one-token-id"].into_iter().chain(token.split('.')) {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let id = digest(&SHA256, b"one-token-id").as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (iat, exp) = (&line["token"]["iat"], &line["token"]["exp"]);
    assert_eq!((iat.as_f64(), exp.as_f64()), (claims["iat"].as_f64(), claims["exp"].as_f64()));
    let expected = json!({
        "schema": "credence.decision/v1", "ts": line["ts"], "decision_id": answer.decision_id(), "decision": "allow",
        "reason": "ok", "status": 200, "principal": {"iss": world.ci.url(), "sub": SUBJECT}, "issuer_name": "ci",
        "resource": "api", "grants": ["ci-deploys", "ci-reads"], "scopes": ["deploy", "list", "read"],
        "shadow": ["ci-tried"],
        "http": {"method": "GET", "host": "api.acme.test", "path": "/v1/deploy/x", "request_id": "req-1"},
        "proxy": line["proxy"],
        "token": {"kid": header["kid"], "alg": "ES256", "typ": "at+jwt", "jti_hash": id, "iat": iat, "exp": exp},
        "table": line["table"], "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331",
        "duration_us": line["duration_us"],
    });
    assert_eq!(line, expected);
    assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    assert!(line["proxy"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(line["table"].take()["sha256"], answer.metadata()["table"]["sha256"]);
}

#[test]
fn a_shadow_grant_is_told_to_the_log_and_lets_nobody_through() {
    let world = world();
    let answer = world.credence.check(&api("PATCH", "/v1/x").bearer(good(&world.ci)));
    assert_eq!(answer.reason(), "grant_none");
    let line = world.credence.decision(&answer.decision_id());
    assert_eq!(line["shadow"], json!(["ci-tried"]));
    assert!(line["near_miss"].as_array().unwrap().iter().all(|miss| miss["grant"] != "ci-tried"));
    assert!(!answer.metadata().to_string().contains("ci-tried"));
}
