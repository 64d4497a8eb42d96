//! Realms: two clusters with one iss, in every place where a principal is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::endpoint::Endpoint;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::key::Key;
use crate::support::server::reply;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::{API, Findings, KEPT, state};

pub(crate) const ISS: &str = "https://kubernetes.default.svc.cluster.local";
pub(crate) const SUB: &str = "system:serviceaccount:ci:deployer";

pub(crate) fn key(kid: &str, alg: &str) -> Arc<Key> {
    Arc::new(Key::generate(kid, alg))
}

struct World {
    endpoint: Endpoint,
    eu: Arc<Key>,
    us: Arc<Key>,
    lone: Arc<Key>,
    alone: Arc<Key>,
    credence: Credence,
    _table: Table,
}

fn world(eu_more: &str, us_more: &str) -> World {
    let endpoint = Endpoint::start();
    let (eu, us, lone, alone) = (key("k", "ES256"), key("k", "ES256"), key("k", "ES256"), key("k", "ES256"));
    for (path, key) in [("/eu", &eu), ("/us", &us), ("/lone", &lone), ("/alone", &alone)] {
        endpoint.json(path, &json!({"keys": [key.jwk()]}));
    }
    let url = |path: &str| endpoint.url(path);
    let table = Table::new(&format!(
        r##"issuers:
  eu: {{profile: kubernetes, issuer: "{ISS}", realm: eu-1, jwksUri: "{}", {KEPT}{eu_more}}}
  us: {{profile: kubernetes, issuer: "{ISS}", realm: us-1, jwksUri: "{}", {KEPT}{us_more}}}
  lone: {{issuer: "https://lone.test", jwksUri: "{}", {KEPT}}}
  alone: {{issuer: "https://alone.test/%7Ea", realm: only, jwksUri: "{}", {KEPT}}}
resources:
  api: {{audience: {API}, hosts: [api.acme.test]}}
grants:
  eu: {{issuer: eu, resource: api, subject: "{SUB}", methods: [GET], paths: [/eu/**]}}
  us: {{issuer: us, resource: api, subject: "{SUB}", methods: [GET], paths: [/us/**]}}
  lone: {{issuer: lone, resource: api, subject: "{SUB}", methods: [GET], paths: [/lone/**]}}
  alone: {{issuer: alone, resource: api, subject: "a#b;realm=x %é", methods: [GET], paths: [/alone/**]}}
"##,
        url("/eu"),
        url("/us"),
        url("/lone"),
        url("/alone")
    ));
    let credence = Credence::serve(table.path()).start();
    World { endpoint, eu, us, lone, alone, credence, _table: table }
}

pub(crate) fn account(key: &Arc<Key>) -> Token {
    Token::new(key, ISS, SUB, API).without_header("typ").claim("aud", json!([API]))
}

pub(crate) fn get(path: &str, token: &Token) -> Call {
    Call::get(&format!("{API}/{path}/x")).bearer(token.mint())
}

#[test]
fn the_realm_is_in_every_place_and_nowhere_without_one() {
    let mut findings = Findings::default();
    let world = world("", "");
    for (name, key, realm) in [("eu", &world.eu, "eu-1"), ("us", &world.us, "us-1")] {
        let answer = world.credence.check(&get(name, &account(key)));
        findings.same(name, &answer.reason(), "ok");
        let header = |name: &str| answer.header(name).unwrap_or_default();
        findings.same("issuer", &header("x-credence-issuer"), ISS);
        findings.same("subject", &header("x-credence-subject"), SUB);
        findings.same("realm", &header("x-credence-realm"), realm);
        findings.same("principal", &header("x-credence-principal"), &format!("{ISS};realm={realm}#{SUB}"));
        let meta = answer.metadata();
        findings.same("metadata realm", meta["realm"].as_str().unwrap_or_default(), realm);
        findings.same(
            "metadata canonical",
            meta["principal_canonical"].as_str().unwrap_or_default(),
            &format!("{ISS};realm={realm}#{SUB}"),
        );
        findings.same(
            "metadata principal",
            &meta["principal"].to_string(),
            &json!({"format": "iss_sub", "iss": ISS, "sub": SUB}).to_string(),
        );
        findings.same("metadata issuer_name", meta["issuer_name"].as_str().unwrap_or_default(), name);
        let line = world.credence.decision(&answer.decision_id());
        findings.same("log realm", line["realm"].as_str().unwrap_or_default(), realm);
        findings.same("log principal", &line["principal"].to_string(), &json!({"iss": ISS, "sub": SUB}).to_string());
        // Refused after the signature stood: the realm is known and said.
        let refused = world.credence.check(&get(if name == "eu" { "us" } else { "eu" }, &account(key)));
        findings.same("the other cluster's path", &refused.reason(), "grant_none");
        let line = world.credence.decision(&refused.decision_id());
        findings.same("log realm of a refusal", line["realm"].as_str().unwrap_or_default(), realm);
        findings.expect(line["verified"].is_object(), format!("verified in {line}"));
        findings.expect(
            refused.headers().iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("x-credence")),
            "identity on a refusal",
        );
        // An unverified token has no realm.
        let stray = world.credence.check(&get(name, &account(&self::key("z", "ES256"))));
        findings.same("stray", &stray.reason(), "key_unknown");
        let line = world.credence.decision(&stray.decision_id());
        findings.expect(
            line["realm"].is_null() && line["issuer_name"].is_null(),
            format!("realm {} issuer_name {} of a stranger", line["realm"], line["issuer_name"]),
        );
    }
    let answer = world.credence.check(&get("lone", &Token::new(&world.lone, "https://lone.test", SUB, API)));
    findings.same("lone", &answer.reason(), "ok");
    findings.expect(answer.header("x-credence-realm").is_none(), "a realm without one");
    findings.expect(
        answer.metadata().get("realm").is_none_or(|realm| realm.is_null()),
        format!("metadata realm {}", answer.metadata()["realm"]),
    );
    findings.expect(world.credence.decision(&answer.decision_id())["realm"].is_null(), "log realm without one");
    findings.same(
        "lone principal",
        &answer.header("x-credence-principal").unwrap_or_default(),
        &format!("https://lone.test#{SUB}"),
    );
    // Percent-encoding: `%` and bytes outside 0x21-0x7E everywhere, `#` inside sub in the principal.
    let answer = world
        .credence
        .check(&get("alone", &Token::new(&world.alone, "https://alone.test/%7Ea", "a#b;realm=x %é", API)));
    findings.same("alone", &answer.reason(), "ok");
    let header = |name: &str| answer.header(name).unwrap_or_default();
    findings.same("alone issuer", &header("x-credence-issuer"), "https://alone.test/%257Ea");
    findings.same("alone subject", &header("x-credence-subject"), "a#b;realm=x%20%25%C3%A9");
    findings.same("alone realm", &header("x-credence-realm"), "only");
    findings.same(
        "alone principal",
        &header("x-credence-principal"),
        "https://alone.test/%257Ea;realm=only#a%23b;realm=x%20%25%C3%A9",
    );
    findings.end();
}

#[test]
fn a_realm_that_the_client_sends_is_removed_in_every_spelling() {
    let mut findings = Findings::default();
    let world = world("", "");
    let spellings = [
        "x-credence-realm",
        "X-Credence-Realm",
        "x_credence_realm",
        "x.credence.realm",
        "X_Credence-Realm",
        "x-credence_realm",
        "x-credence.realm",
        "X.CREDENCE_REALM",
        "x-credence-realm-x",
        "x-credence--realm",
    ];
    for raw in [false, true] {
        for (name, token) in
            [("eu", account(&world.eu)), ("lone", Token::new(&world.lone, "https://lone.test", SUB, API))]
        {
            let mut call = get(name, &token);
            for spelling in spellings {
                call = call.header(spelling, "us-1");
            }
            if raw {
                call = call.raw_headers();
            }
            let answer = world.credence.check(&call);
            findings.same(name, &answer.reason(), "ok");
            let removed: Vec<String> = answer.removed().iter().map(|name| name.to_ascii_lowercase()).collect();
            for spelling in spellings {
                let lower = spelling.to_ascii_lowercase();
                let set = lower == "x-credence-realm" && name == "eu";
                findings.expect(
                    removed.contains(&lower) != set,
                    format!("{name} raw={raw}: {spelling} removed={}", removed.contains(&lower)),
                );
            }
            // The fixed family goes even when credence did not see it.
            let plain = world.credence.check(&get(name, &token));
            let removed = plain.removed();
            findings.expect(removed.iter().any(|name| name == "x_credence_realm"), format!("{name}: {removed:?}"));
            findings.expect(
                removed.iter().any(|name| name == "x-credence-realm") == (name == "lone"),
                format!("{name}: {removed:?}"),
            );
        }
    }
    findings.end();
}

#[test]
fn each_realm_keeps_its_own_rules_keys_and_budget() {
    let mut findings = Findings::default();
    // One may only RS256, has shorter tokens, and an end in the past.
    let w = world(", signingAlgs: [ES256], maxTokenAge: 10m", ", signingAlgs: [RS256, ES256], maxTokenAge: 1h");
    let old = |key: &Arc<Key>| {
        let now = crate::support::now();
        account(key).claim("iat", now - 1500).claim("exp", now + 300)
    };
    findings.same("us within its age", &w.credence.check(&get("us", &old(&w.us))).reason(), "ok");
    findings.same("eu past its age", &w.credence.check(&get("eu", &old(&w.eu))).reason(), "too_old");
    findings.same(
        "same kid, nobody's signature",
        &w.credence.check(&get("eu", &account(&key("k", "ES256")))).reason(),
        "signature_invalid",
    );
    // A rotation in one is found although the other hangs.
    let next = key("next", "ES256");
    w.endpoint.json("/us", &json!({"keys": [next.jwk(), w.us.jwk()]}));
    w.endpoint.answers("/eu", |stream| {
        let _ = stream.read(&mut [0; 1]);
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    let begun = Instant::now();
    while w.credence.check(&get("us", &account(&next))).reason() != "ok" {
        assert!(begun.elapsed() < Duration::from_secs(5), "us's rotation while eu hangs");
    }
    findings.same("eu's last good key", &w.credence.check(&get("eu", &account(&w.eu))).reason(), "ok");
    // One withdraws all; its tokens are refused, and never taken for the other's.
    let third = key("third", "ES256");
    w.endpoint.json("/eu", &json!({"keys": [third.jwk()]}));
    let begun = Instant::now();
    while w.credence.check(&get("eu", &account(&third))).reason() != "ok" {
        assert!(begun.elapsed() < Duration::from_secs(25), "eu's rotation: {}", state(&w.credence, "eu"));
        std::thread::sleep(Duration::from_millis(50));
    }
    findings.same(
        "eu's withdrawn key with us's kid",
        &w.credence.check(&get("eu", &account(&w.eu))).reason(),
        "signature_invalid",
    );
    findings.same(
        "eu's withdrawn key at us",
        &w.credence.check(&get("us", &account(&w.eu))).reason(),
        "signature_invalid",
    );
    // A key that moves over to the other cluster (published by both) speaks for neither.
    w.endpoint.json("/us", &json!({"keys": [third.jwk(), w.us.jwk(), key("fourth", "ES256").jwk()]}));
    let begun = Instant::now();
    loop {
        let seen =
            w.credence.check(&get("us", &account(&key(&format!("x{}", crate::support::now()), "ES256")))).reason();
        assert_eq!(seen, "key_unknown");
        if w.endpoint.hits("/us").len() >= 3 && state(&w.credence, "us")["keys"] != 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(25), "{}", state(&w.credence, "us"));
        std::thread::sleep(Duration::from_millis(50));
    }
    for path in ["eu", "us"] {
        let seen = w.credence.check(&get(path, &account(&third)));
        findings.expect(!seen.allowed(), format!("a key of both at /{path}: {}", seen.reason()));
    }
    findings.end();
    let _ = reply;
}

#[test]
fn an_expired_realm_and_one_without_keys() {
    let mut findings = Findings::default();
    let endpoint = Endpoint::start();
    let (eu, us) = (key("e", "ES256"), key("u", "ES256"));
    endpoint.json("/eu", &json!({"keys": [eu.jwk()]}));
    let table = |eu_more: &str| {
        format!(
            r#"issuers:
  eu: {{profile: kubernetes, issuer: "{ISS}", realm: eu-1, jwksUri: "{}", owner: t@acme.test, {eu_more}}}
  us: {{profile: kubernetes, issuer: "{ISS}", realm: us-1, jwksUri: "{}", {KEPT}}}
resources:
  api: {{audience: {API}, hosts: [api.acme.test]}}
grants:
  eu: {{issuer: eu, resource: api, subject: "{SUB}", methods: [GET], paths: [/eu/**]}}
  us: {{issuer: us, resource: api, subject: "{SUB}", methods: [GET], paths: [/us/**]}}
"#,
            endpoint.url("/eu"),
            endpoint.url("/us")
        )
    };
    let file = Table::new(&table("reviewBy: 2099-01-01"));
    let credence = Credence::serve(file.path()).keyless("us").start();
    let ask = |path: &str, token: &Token| credence.check(&get(path, token)).reason();
    findings.same("eu, us has no keys", &ask("eu", &account(&eu)), "ok");
    findings.same("us without keys", &ask("us", &account(&us)), "keys_unavailable");
    // Keys come; eu's trust ends.
    endpoint.json("/us", &json!({"keys": [us.jwk()]}));
    let begun = Instant::now();
    while ask("us", &account(&us)) != "ok" {
        assert!(begun.elapsed() < Duration::from_secs(25));
        std::thread::sleep(Duration::from_millis(20));
    }
    file.replace(&table("expires: 2020-01-01"));
    let begun = Instant::now();
    while ask("eu", &account(&eu)) == "ok" {
        assert!(begun.elapsed() < Duration::from_secs(25), "expired");
        std::thread::sleep(Duration::from_millis(20));
    }
    findings.same("eu expired", &ask("eu", &account(&eu)), "issuer_expired");
    findings.same("us goes on", &ask("us", &account(&us)), "ok");
    findings.end();
}

#[test]
fn a_rotated_key_is_found_although_the_token_breaks_the_other_realms_rules() {
    let mut findings = Findings::default();
    // What only one realm forbids says nothing about a token of the other, whose key is not known yet.
    let now = crate::support::now();
    type Bend = fn(Token, u64) -> Token;
    let cases: [(&str, &str, Bend); 4] = [
        (", maxTokenAge: 10m", ", maxTokenAge: 1h", |token, now| {
            token.claim("iat", now - 1500).claim("exp", now + 300)
        }),
        (", clockSkew: 0s", ", clockSkew: 300s", |token, now| token.claim("iat", now - 600).claim("exp", now - 60)),
        (", tokenTypes: [\"at+jwt\"]", "", |token, _| token),
        (", signingAlgs: [ES256]", "", |token, _| token),
    ];
    for (strict, lax, bend) in cases {
        for turned in [false, true] {
            let (eu_more, us_more) = if turned { (lax, strict) } else { (strict, lax) };
            let eu_more = eu_more.to_owned();
            let w = world(&eu_more, us_more);
            let (path, own) = if turned { ("eu", &w.eu) } else { ("us", &w.us) };
            let known = w.credence.check(&get(path, &bend(account(own), now))).reason();
            findings.same(&format!("{strict} turned={turned}: known key"), &known, "ok");
            // As a cluster that moves from one algorithm to another.
            let next = key("next", if strict.contains("Algs") { "RS256" } else { "ES256" });
            w.endpoint.json(&format!("/{path}"), &json!({"keys": [next.jwk(), own.jwk()]}));
            let begun = Instant::now();
            let mut seen;
            loop {
                seen = w.credence.check(&get(path, &bend(account(&next), now))).reason();
                if seen == "ok" || begun.elapsed() > Duration::from_secs(3) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            findings.same(&format!("{strict} turned={turned}: rotated key"), &seen, "ok");
        }
    }
    findings.end();
}

#[test]
fn a_rotated_key_is_found_although_the_other_realm_has_ended_or_has_no_keys() {
    let mut findings = Findings::default();
    for (what, ended, silent, down) in [
        ("eu has ended", "eu", "us", false),
        ("us has ended", "us", "eu", false),
        ("eu has no keys", "eu", "us", true),
        ("us has no keys", "us", "eu", true),
    ] {
        let endpoint = Endpoint::start();
        let (one, next) = (key("k", "ES256"), key("next", "ES256"));
        endpoint.json(&format!("/{silent}"), &json!({"keys": [one.jwk()]}));
        if !down {
            endpoint.json(&format!("/{ended}"), &json!({"keys": [key("k", "ES256").jwk()]}));
        }
        let date = |name: &str| if name == ended && !down { "expires: 2020-01-01" } else { "reviewBy: 2099-01-01" };
        let table = Table::new(&format!(
            r#"issuers:
  eu: {{profile: kubernetes, issuer: "{ISS}", realm: eu-1, jwksUri: "{}", owner: t@acme.test, {}}}
  us: {{profile: kubernetes, issuer: "{ISS}", realm: us-1, jwksUri: "{}", owner: t@acme.test, {}}}
resources:
  api: {{audience: {API}, hosts: [api.acme.test]}}
grants:
  eu: {{issuer: eu, resource: api, subject: "{SUB}", methods: [GET], paths: [/eu/**]}}
  us: {{issuer: us, resource: api, subject: "{SUB}", methods: [GET], paths: [/us/**]}}
"#,
            endpoint.url("/eu"),
            date("eu"),
            endpoint.url("/us"),
            date("us")
        ));
        let credence = Credence::serve(table.path()).keyless(ended).start();
        findings.same(&format!("{what}: known"), &credence.check(&get(silent, &account(&one))).reason(), "ok");
        endpoint.json(&format!("/{silent}"), &json!({"keys": [next.jwk(), one.jwk()]}));
        let begun = Instant::now();
        let mut seen;
        loop {
            seen = credence.check(&get(silent, &account(&next))).reason();
            if seen == "ok" || begun.elapsed() > Duration::from_secs(3) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        findings.same(&format!("{what}: rotated"), &seen, "ok");
    }
    findings.end();
}
