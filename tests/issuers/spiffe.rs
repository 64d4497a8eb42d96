//! SPIFFE: whose key, whose trust domain, which iss.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::key::{Key, b64};
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::{API, Findings, KEPT, state};

fn key(kid: &str, alg: &str) -> Arc<Key> {
    Arc::new(Key::generate(kid, alg))
}

fn bundled(key: &Key, purpose: Option<&str>, kid: bool) -> Value {
    let mut jwk = key.bare_jwk();
    if kid {
        jwk["kid"] = json!(key.kid);
    }
    if let Some(purpose) = purpose {
        jwk["use"] = json!(purpose);
    }
    jwk
}

fn svid(key: &Arc<Key>, sub: &str) -> Token {
    Token::new(key, "", sub, API).header("typ", "JWT").without("iss").without("jti").without("iat")
}

fn grants(ids: &[(&str, &str)]) -> String {
    let mut text = format!("resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n");
    for (name, sub) in ids {
        text += &format!(
            "  {name}: {{issuer: {name}, resource: api, subject: \"{sub}\", methods: [GET], paths: [/{name}/**]}}\n"
        );
    }
    text
}

#[test]
fn the_pair_the_key_and_the_domain() {
    let mut findings = Findings::default();
    let endpoint = Endpoint::start();
    let a = key("same", "ES256");
    let b = key("same", "ES256");
    let (x509, sig, nouse, nokid, r, c) = (
        key("x509", "ES256"),
        key("sig", "ES256"),
        key("nouse", "ES256"),
        key("nokid", "ES384"),
        key("rsa", "RS256"),
        key("c", "ES256"),
    );
    endpoint.json(
        "/a",
        &json!({"spiffe_sequence": 5, "spiffe_refresh_hint": 300, "keys": [
        bundled(&a, Some("jwt-svid"), true), bundled(&x509, Some("x509-svid"), true), bundled(&sig, Some("sig"), true),
        bundled(&nouse, None, true), bundled(&nokid, Some("jwt-svid"), false), bundled(&r, Some("jwt-svid"), true)]}),
    );
    endpoint.json("/b", &json!({"keys": [bundled(&b, Some("jwt-svid"), true)]}));
    endpoint.json("/c", &json!({"keys": [bundled(&c, Some("jwt-svid"), true)]}));
    let domain = |name: &str, more: &str| {
        format!(
            "  {name}: {{profile: spiffe, with: {{trustDomain: {name}.test}}, spiffeBundleUrl: \"{}\", {KEPT}{more}}}\n",
            endpoint.url(&format!("/{name}"))
        )
    };
    let id = |name: &str| format!("spiffe://{name}.test/w");
    let table = Table::new(&format!(
        "issuers:\n{}{}{}{}",
        domain("a", ""),
        domain("b", ""),
        domain("c", ", issuer: \"https://oidc.c.test\""),
        grants(&[("a", &id("a")), ("b", &id("b")), ("c", &id("c"))])
    ));
    let credence = Credence::serve(table.path()).start();
    let ask = |path: &str, token: &Token| credence.check(&crate::world::call(path, &token.mint()));
    let mut expect = |what: &str, path: &str, token: Token, expected: &str| {
        let seen = ask(path, &token).reason();
        findings.same(what, &seen, expected);
    };
    expect("no iss", "a", svid(&a, &id("a")), "ok");
    expect("no typ", "a", svid(&a, &id("a")).without_header("typ"), "ok");
    expect("typ JOSE", "a", svid(&a, &id("a")).header("typ", "JOSE"), "ok");
    expect("typ at+jwt", "a", svid(&a, &id("a")).header("typ", "at+jwt"), "type_not_allowed");
    expect("RSA of the bundle", "a", svid(&r, &id("a")), "ok");
    expect("PS256 by the same key", "a", svid(&r, &id("a")).header("alg", "PS256"), "key_unknown");
    expect("x509-svid key", "a", svid(&x509, &id("a")), "key_unknown");
    expect("sig key", "a", svid(&sig, &id("a")), "key_unknown");
    expect("key without use", "a", svid(&nouse, &id("a")), "key_unknown");
    expect("jwt-svid key without kid, by a token with one", "a", svid(&nokid, &id("a")), "key_unknown");
    expect("b's key for a's workload", "a", svid(&b, &id("a")), "signature_invalid");
    expect("a's key for b's workload", "b", svid(&a, &id("b")), "signature_invalid");
    expect("unknown domain", "a", svid(&a, "spiffe://d.test/w"), "issuer_unknown");
    expect("a's domain in other case", "a", svid(&a, "spiffe://A.test/w"), "issuer_unknown");
    expect("scheme in other case", "a", svid(&a, "SPIFFE://a.test/w"), "issuer_unknown");

    expect("iss foreign URL", "a", svid(&a, &id("a")).claim("iss", "https://oidc.a.test"), "issuer_unknown");
    expect(
        "iss of another domain in the table",
        "a",
        svid(&a, &id("a")).claim("iss", "spiffe://b.test"),
        "issuer_unknown",
    );
    expect("iss of b, key of b, sub of a", "a", svid(&b, &id("a")).claim("iss", "spiffe://b.test"), "issuer_unknown");
    expect(
        "iss of b, key of b, sub no SPIFFE ID",
        "b",
        svid(&b, "w").claim("iss", "spiffe://b.test"),
        "issuer_unknown",
    );
    expect("iss null", "a", svid(&a, &id("a")).claim("iss", Value::Null), "malformed");
    expect("iss empty", "a", svid(&a, &id("a")).claim("iss", ""), "issuer_unknown");
    expect("iss a list", "a", svid(&a, &id("a")).claim("iss", json!(["spiffe://a.test"])), "malformed");
    expect("c with its iss", "c", svid(&c, &id("c")).claim("iss", "https://oidc.c.test"), "ok");
    expect("c without", "c", svid(&c, &id("c")), "ok");
    expect("c with the domain", "c", svid(&c, &id("c")).claim("iss", "spiffe://c.test"), "issuer_unknown");
    expect("c's iss, sub of a, c's key", "a", svid(&c, &id("a")).claim("iss", "https://oidc.c.test"), "pin_mismatch");
    for sub in [
        "spiffe://a.test",
        "spiffe://a.test/",
        "spiffe://a.test//w",
        "spiffe://a.test/./w",
        "spiffe://a.test/../w",
        "spiffe://a.test/w/",
        "spiffe://a.test/w?x",
        "spiffe://a.test/w#x",
        "spiffe://a.test:80/w",
        "spiffe://u@a.test/w",
        "spiffe://a.test/w%41",
        "spiffe://a.test/w w",
    ] {
        let seen = ask("a", &svid(&a, sub));
        findings.expect(!seen.allowed(), format!("{sub}: let through"));
    }
    // The principal's iss is the domain, whatever the token said.
    for (path, token) in [
        ("a", svid(&a, &id("a"))),
        ("c", svid(&c, &id("c")).claim("iss", "https://oidc.c.test")),
        ("c", svid(&c, &id("c"))),
    ] {
        let answer = ask(path, &token);
        let iss = format!("spiffe://{path}.test");
        findings.same("header iss", &answer.header("x-credence-issuer").unwrap_or_default(), &iss);
        findings.same(
            "principal",
            &answer.header("x-credence-principal").unwrap_or_default(),
            &format!("{iss}#{}", id(path)),
        );
        findings.same("metadata iss", answer.metadata()["principal"]["iss"].as_str().unwrap_or_default(), &iss);
        let line = credence.decision(&answer.decision_id());
        findings.same("log iss", line["principal"]["iss"].as_str().unwrap_or_default(), &iss);
    }
    findings.end();
}

#[test]
fn a_bundle_moves_forward_only() {
    let mut findings = Findings::default();
    let endpoint = Endpoint::start();
    let keys: Vec<_> = (0..8).map(|n| key(&format!("k{n}"), "ES256")).collect();
    let set = |sequence: Value, key: &Key| json!({"spiffe_sequence": sequence, "spiffe_refresh_hint": 1, "keys": [bundled(key, Some("jwt-svid"), true)]});
    endpoint.json("/a", &set(json!(10), &keys[0]));
    let table = Table::new(&format!(
        "issuers:\n  a: {{profile: spiffe, with: {{trustDomain: a.test}}, spiffeBundleUrl: \"{}\", {KEPT}}}\n{}",
        endpoint.url("/a"),
        grants(&[("a", "spiffe://a.test/w")])
    ));
    let credence = Credence::serve(table.path()).start();
    let ask =
        |key: &Arc<Key>| credence.check(&crate::world::call("a", &svid(key, "spiffe://a.test/w").mint())).reason();
    findings.same("sequence 10", &ask(&keys[0]), "ok");
    // Each unknown key causes one fetch; what it finds is refused.
    for (n, sequence, taken) in [
        (1, json!(9), false),
        (2, json!("11"), false),
        (3, json!(-1), false),
        (4, json!(10.5), false),
        (5, json!(11), true),
    ] {
        endpoint.json("/a", &set(sequence.clone(), &keys[n]));
        let before = endpoint.hits("/a").len();
        eventually(&format!("a fetch of sequence {sequence}"), || {
            ask(&keys[n]);
            ask(&key(&format!("z{}", crate::support::now()), "ES256"));
            (endpoint.hits("/a").len() >= before + 2 || ask(&keys[n]) == "ok").then_some(())
        });
        if taken {
            eventually("the next sequence", || (ask(&keys[n]) == "ok").then_some(()));
            findings.same("the withdrawn one", &ask(&keys[0]), "key_unknown");
        } else {
            findings.expect(ask(&keys[n]) != "ok", format!("sequence {sequence} was taken"));
            findings.same(&format!("the last good one at {sequence}"), &ask(&keys[0]), "ok");
        }
    }
    // A table without it and back again, while the publisher serves an older one.
    findings.end();
    let _ = (b64("x"), Duration::ZERO);
}

#[test]
fn an_entry_may_name_its_domain_as_iss() {
    let mut findings = Findings::default();
    let endpoint = Endpoint::start();
    let a = key("k", "ES256");
    endpoint.json("/a", &json!({"keys": [bundled(&a, Some("jwt-svid"), true)]}));
    let table = Table::new(&format!(
        "issuers:\n  a: {{profile: spiffe, issuer: \"spiffe://a.test\", with: {{trustDomain: a.test}}, spiffeBundleUrl: \"{}\", {KEPT}}}\n{}",
        endpoint.url("/a"),
        grants(&[("a", "spiffe://a.test/w")])
    ));
    let credence = Credence::serve(table.path()).start();
    for token in [svid(&a, "spiffe://a.test/w"), svid(&a, "spiffe://a.test/w").claim("iss", "spiffe://a.test")] {
        let answer = credence.check(&crate::world::call("a", &token.mint()));
        findings.same("named domain", &answer.reason(), "ok");
        findings.same("issuer", &answer.header("x-credence-issuer").unwrap_or_default(), "spiffe://a.test");
    }
    findings.end();
}

/// What a token may carry as `iss` is what the entry says under `issuer`, and nothing else.
#[test]
fn an_iss_that_the_entry_does_not_say_finds_nothing_even_where_it_is_the_domain() {
    let endpoint = Endpoint::start();
    let a = key("k", "ES256");
    endpoint.json("/a", &json!({"keys": [bundled(&a, Some("jwt-svid"), true)]}));
    let table = Table::new(&format!(
        "issuers:\n  a: {{profile: spiffe, with: {{trustDomain: a.test}}, spiffeBundleUrl: \"{}\", {KEPT}}}\n{}",
        endpoint.url("/a"),
        grants(&[("a", "spiffe://a.test/w")])
    ));
    let credence = Credence::serve(table.path()).start();
    assert_eq!(state(&credence, "a")["iss"], "spiffe://a.test");
    let mint = svid(&a, "spiffe://a.test/w").claim("iss", "spiffe://a.test").mint();
    assert_eq!(credence.check(&crate::world::call("a", &mint)).reason(), "issuer_unknown");
}
