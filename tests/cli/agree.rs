//! `explain` and `serve` walk the same function: for every call the same reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::key::Key;
use crate::support::{eventually, now};
use crate::world::{API, SUBJECT, explain, table};

/// One question: what is asked, and with which token.
struct Case {
    name: &'static str,
    method: &'static str,
    url: String,
    token: String,
}

fn at(name: &'static str, method: &'static str, path: &str, token: String) -> Case {
    Case { name, method, url: format!("{API}{path}"), token }
}

/// `GET /v1/x` with this token.
fn with(name: &'static str, token: String) -> Case {
    at(name, "GET", "/v1/x", token)
}

fn cases(ci: &Issuer) -> Vec<Case> {
    let token = || ci.token(SUBJECT, API);
    let good = || token().mint();
    let (now, other, same_kid) =
        (now(), Arc::new(Key::generate("other", "ES256")), Arc::new(Key::generate(&ci.key().kid, "ES256")));
    let main = || token().claim("ref", "refs/heads/main").mint();
    vec![
        with("allowed", good()),
        at("allowed by claim", "POST", "/v1/deploys/web", main()),
        at("another ref", "POST", "/v1/deploys/web", token().claim("ref", "refs/heads/dev").mint()),
        at("another method", "PUT", "/v1/x", good()),
        at("another path", "GET", "/v2/x", good()),
        at("an ended grant", "DELETE", "/v1/x", good()),
        at("open", "GET", "/healthz", String::new()),
        at("open with a token", "GET", "/healthz", good()),
        at("open to GET only", "POST", "/healthz", String::new()),
        at("a dot segment", "GET", "/v1/../healthz", good()),
        at("a double slash", "GET", "/v1//x", good()),
        at("an encoded slash", "GET", "/v1/a%2Fb", good()),
        at("a query", "GET", "/v1/x?y=/../z", good()),
        Case { name: "another host", method: "GET", url: "https://elsewhere.test/v1/x".into(), token: good() },
        Case { name: "a host with userinfo", method: "GET", url: "https://a@api.acme.test/v1/x".into(), token: good() },
        Case {
            name: "a host with a port",
            method: "GET",
            url: "https://API.acme.test:8443/v1/x".into(),
            token: good(),
        },
        with("no token", String::new()),
        with("two tokens", format!("{},{}", good(), good())),
        with("garbage", "garbage".into()),
        with("four parts", format!("{}.x", good())),
        with("another issuer", token().claim("iss", "https://elsewhere.test").mint()),
        with("the issuer with a slash", token().claim("iss", format!("{}/", ci.url())).mint()),
        with("no issuer", token().without("iss").mint()),
        with("a list of issuers", token().claim("iss", json!([ci.url()])).mint()),
        with("alg none", token().header("alg", "none").mint_with_signature(b"")),
        with("alg HS256", token().header("alg", "HS256").mint_hs256(b"secret")),
        with("another typ", token().header("typ", "dpop+jwt").mint()),
        with("crit", token().header("crit", json!(["exp"])).mint()),
        with("expired", token().claim("iat", now - 900).claim("exp", now - 600).mint()),
        with("from the future", token().claim("nbf", now + 600).mint()),
        with("too old", token().claim("iat", now - 200_000).mint()),
        with("no sub", token().without("sub").mint()),
        with("an empty sub", token().claim("sub", "").mint()),
        with("a sub with a control character", token().claim("sub", "a\u{1}b").mint()),
        with("no exp", token().without("exp").mint()),
        with("exp as text", token().claim("exp", "soon").mint()),
        with("an unknown kid", token().signed_by(&other).header("kid", "other").mint()),
        with("a forged signature", token().signed_by(&same_kid).mint()),
        with("a confirmed token", token().claim("cnf", json!({"jkt": "x"})).mint()),
        with("another audience", ci.token(SUBJECT, "https://elsewhere.test").mint()),
        with("no audience", token().without("aud").mint()),
        with("an actor", token().claim("act", json!({"sub": "agent"})).mint()),
        at("an actor where one is named", "GET", "/act", token().claim("act", json!({"sub": "agent"})).mint()),
        at("another actor there", "GET", "/act", token().claim("act", json!({"sub": "agents"})).mint()),
        at("no actor there", "GET", "/act", good()),
        at("another issuer's actor", "GET", "/act", token().claim("act", json!({"iss": "x", "sub": "agent"})).mint()),
        at("a chain", "GET", "/act", token().claim("act", json!({"sub": "agent", "act": {"sub": "a"}})).mint()),
        at("a first use", "GET", "/once", good()),
        at("no id where each is used once", "GET", "/once", token().without("jti").mint()),
        at("no iat where each is used once", "GET", "/once", token().without("iat").mint()),
        at("from the future where each is used once", "GET", "/once", token().claim("iat", now + 25).mint()),
        with("another subject", ci.token("repo:acme/other", API).mint()),
        with("expired and for another audience", ci.token(SUBJECT, "x").claim("exp", 1).mint()),
        with(
            "a duplicate member",
            token().raw_claims(format!("{{\"iss\":\"{}\",\"sub\":\"a\",\"sub\":\"b\"}}", ci.url())).mint(),
        ),
    ]
}

#[test]
fn explain_and_serve_give_the_same_reason_for_every_call() {
    let ci = Issuer::start();
    let table = table(&ci);
    let credence = Credence::serve(table.path()).start();
    // A token that is used once was issued since the program began, whole seconds counted.
    let started = now();
    eventually("the next second", || (now() > started).then_some(()));
    let (mut reasons, mut differ) = (BTreeSet::new(), Vec::new());
    let cases = cases(&ci);
    for case in &cases {
        let call = Call::new(case.method, &case.url);
        let call = if case.token.is_empty() { call } else { call.bearer(&case.token) };
        let answer = credence.check(&call);
        let ended = explain(&table, &case.token, &["-o", "json", case.method, &case.url]);
        let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}: {}", case.name, ended.all()));
        let explained = told["reason"].as_str().unwrap().to_owned();
        let same = explained == answer.reason()
            && ended.code == i32::from(!answer.allowed())
            && (told["decision"] == "allow") == answer.allowed();
        if !same {
            differ.push(format!("{}: serve says {}, explain {explained} ({})", case.name, answer.reason(), ended.code));
        }
        reasons.insert(answer.reason());
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(cases.len() >= 40 && reasons.len() >= 20, "{} calls, {} reasons: {reasons:?}", cases.len(), reasons.len());
}
