//! Entries that share one `iss`, a trust domain, and secrets: what the offline verbs say of them.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use crate::support::key::Key;
use crate::support::scratch;
use crate::support::table::{Table, document};
use crate::support::token::Token;
use crate::world::{Ended, explain, run};

const ISS: &str = "https://kubernetes.default.svc";
const ACCOUNT: &str = "system:serviceaccount:payments:settler";
const LEDGER: &str = "https://ledger.acme.test";
const URL: &str = "https://ledger.acme.test/v1/entries";

/// Two clusters with one `iss`; their keys are where `eu` and `us` say.
fn clusters(eu: &str, us: &str) -> String {
    let kept = "owner: team@acme.test, reviewBy: 2099-01-01";
    format!(
        r#"issuers:
  cluster-eu: {{profile: kubernetes, issuer: {ISS}, realm: eu, {eu}, {kept}}}
  cluster-us: {{profile: kubernetes, issuer: {ISS}, realm: us, {us}, {kept}}}
  domain: {{profile: spiffe, with: {{trustDomain: a.acme.test}}, jwksFile: bundle.json, {kept}}}
resources:
  ledger: {{audience: {LEDGER}, hosts: [ledger.acme.test]}}
grants:
  eu-writes: {{issuer: cluster-eu, resource: ledger, subject: "{ACCOUNT}", methods: [POST], paths: any}}
  us-reads: {{issuer: cluster-us, resource: ledger, subject: "{ACCOUNT}", methods: [GET], paths: any}}
  a-reads: {{issuer: domain, resource: ledger, subject: "spiffe://a.acme.test/settler", methods: [GET], paths: any}}
"#
    )
}

fn account(key: &Arc<Key>) -> String {
    Token::new(key, ISS, ACCOUNT, LEDGER).without_header("typ").mint()
}

#[test]
fn explain_tells_whose_token_it_is_and_why_it_cannot_tell() {
    let [eu, us, nobody] = [(); 3].map(|()| Arc::new(Key::generate("same", "ES256")));
    let inline =
        |keys: &[&Key]| format!("jwks: {}", json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}));
    let table = Table::new(&clusters(&inline(&[&eu]), &inline(&[&us])));
    let ended = explain(&table, &account(&us), &["GET", URL]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(
        ended.out.contains("is issuer cluster-us, realm us") && ended.out.contains("\n  realm us\n"),
        "{}",
        ended.out
    );
    let ended = explain(&table, &account(&eu), &["GET", URL]);
    assert!(ended.code == 1 && ended.out.starts_with("deny grant_none"), "{}", ended.out);
    let ended = explain(&table, &account(&nobody), &["GET", URL]);
    assert!(
        ended.out.starts_with("deny signature_invalid") && ended.out.contains("cluster-eu, cluster-us"),
        "{}",
        ended.out
    );

    let table = Table::new(&clusters(&inline(&[&eu]), &inline(&[&us, &eu])));
    let ended = explain(&table, &account(&eu), &["GET", URL]);
    assert!(ended.code == 1 && ended.out.starts_with("deny key_unknown"), "{}", ended.out);

    let keys = table.dir().join("keys.json");
    fs::write(&keys, json!({"keys": [eu.jwk()]}).to_string()).unwrap();
    let ended = explain(&table, &account(&eu), &["--keys", keys.to_str().unwrap(), "GET", URL]);
    assert_eq!(ended.code, 2, "{}", ended.all());
    assert!(ended.err.contains("cluster-eu, cluster-us"), "{}", ended.err);
}

#[test]
fn offline_without_keys_nobody_can_say_which_of_two_clusters_signed() {
    let eu = Arc::new(Key::generate("same", "ES256"));
    let table = Table::new(&clusters("jwksFile: eu.json", "jwksFile: us.json"));
    let ended = explain(&table, &account(&eu), &["--offline", "POST", URL]);
    assert!(ended.code == 1 && ended.out.starts_with("deny keys_unavailable"), "{}", ended.out);
}

fn test(cases: &str) -> Ended {
    let directory = scratch();
    fs::write(directory.path().join("trust.yaml"), document(&clusters("jwksFile: eu.json", "jwksFile: us.json")))
        .unwrap();
    let text = format!("apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ntable: trust.yaml\ncases:\n{cases}");
    fs::write(directory.path().join("trust_test.yaml"), text).unwrap();
    run(&["test", directory.path().to_str().unwrap()])
}

#[test]
fn a_case_says_whose_key_signed_and_expects_a_realm() {
    let cases = format!(
        r#"  - name: eu writes
    token: {{iss: {ISS}, sub: "{ACCOUNT}", aud: {LEDGER}}}
    issuer: cluster-eu
    request: {{method: POST, url: {URL}}}
    expect: {{decision: allow, iss: {ISS}, realm: eu, grants: [eu-writes]}}
  - name: us does not
    base: eu writes
    issuer: cluster-us
    expect: {{decision: deny, reason: grant_none}}
  - name: whose
    token: {{iss: {ISS}, sub: "{ACCOUNT}", aud: {LEDGER}}}
    request: {{method: POST, url: {URL}}}
    expect: {{decision: deny, reason: keys_unavailable}}
  - name: an entry that has another iss
    base: eu writes
    issuer: domain
    expect: {{decision: deny, reason: key_unknown}}
  - name: a workload without iss
    token: {{sub: "spiffe://a.acme.test/settler", aud: {LEDGER}}}
    request: {{method: GET, url: {URL}}}
    expect: {{decision: allow, iss: "spiffe://a.acme.test", grants: [a-reads]}}
"#
    );
    let ended = test(&cases);
    assert_eq!(ended.code, 0, "{}", ended.all());
    for (from, to) in [("realm: eu", "realm: us"), ("iss: \"spiffe://a.acme.test\"", "iss: \"spiffe://b.acme.test\"")] {
        let ended = test(&cases.replace(from, to));
        assert!(ended.code == 1 && ended.out.contains("1 failed"), "{}", ended.all());
    }
}

#[test]
fn a_table_names_secrets_only_of_the_directory_that_was_opened_to_it() {
    let table = Table::new("issuers:\n  a: {issuer: https://a.test, bearerTokenFile: secrets/token}\n");
    let (path, secrets) = (table.path().display().to_string(), table.dir().join("secrets"));
    let check = |more: &[&str]| run(&[&["check", &path], more].concat());
    let ended = check(&[]);
    assert!(ended.code == 1 && ended.err.contains("--secrets-dir"), "{}", ended.err);
    let ended = check(&["--secrets-dir", secrets.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for elsewhere in ["/nowhere", &format!("{}-2", secrets.display()), &format!("{}/token/x", secrets.display())] {
        assert_eq!(check(&["--secrets-dir", elsewhere]).code, 1, "{elsewhere}");
    }
}
