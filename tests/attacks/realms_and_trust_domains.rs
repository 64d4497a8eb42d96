//! Clusters that call themselves alike, and trust domains that speak for each other's workloads.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::visit::{Talks, Visit};

/// What every cluster calls itself.
const ISS: &str = "https://kubernetes.default.svc.cluster.local";
const ACCOUNT: &str = "system:serviceaccount:payments:settler";
const LEDGER: &str = "https://ledger.acme.test";
const SVID: &str = "spiffe://a.acme.test/settler";
/// What trust domain `c.acme.test` writes as `iss`.
const CARRIED: &str = "https://oidc.c.acme.test";

struct Clusters {
    credence: Credence,
    /// Keys of clusters `eu` and `us`, both named `same`; the key that both publish; a key of nobody.
    eu: Arc<Key>,
    us: Arc<Key>,
    both: Arc<Key>,
    /// Published by `eu` as `renamed`, and by `us` as `another`.
    renamed: Arc<Key>,
    own: Arc<Key>,
    nobody: Arc<Key>,
    /// Keys of the trust domains.
    a: Arc<Key>,
    b: Arc<Key>,
    c: Arc<Key>,
    x509: Arc<Key>,
    _table: Table,
}

impl Talks for Clusters {
    fn said(&self) -> Vec<(&'static str, String)> {
        vec![("credence", self.credence.stderr())]
    }
}

fn world() -> Visit<Clusters> {
    static WORLD: LazyLock<Clusters> = LazyLock::new(build);
    Visit(&WORLD)
}

fn key(kid: &str) -> Arc<Key> {
    Arc::new(Key::generate(kid, "ES256"))
}

fn set(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

/// A key as a bundle publishes it: `use` says what for, and there is no `alg`.
fn bundled(key: &Key, purpose: &str) -> Value {
    let mut jwk = key.bare_jwk();
    jwk["kid"] = json!(key.kid);
    jwk["use"] = json!(purpose);
    jwk
}

fn build() -> Clusters {
    let [eu, us] = [key("same"), key("same")];
    let [both, renamed, own, nobody] = [key("both"), key("renamed"), key("eu-only"), key("nobody")];
    let mut another = renamed.jwk();
    another["kid"] = json!("another");
    let [a, b, c, x509] = [key("svid"), key("svid"), key("svid"), key("x509")];
    let keys_eu = set(&[eu.jwk(), both.jwk(), renamed.jwk(), own.jwk()]);
    let keys_us = set(&[us.jwk(), both.jwk(), another]);
    let [bundle_a, bundle_b, bundle_c] = [
        set(&[bundled(&a, "jwt-svid"), bundled(&x509, "x509-svid")]),
        set(&[bundled(&b, "jwt-svid")]),
        set(&[bundled(&c, "jwt-svid")]),
    ];
    let kept = "owner: team@acme.test, reviewBy: 2099-01-01";
    let table = Table::new(&format!(
        r#"issuers:
  cluster-eu: {{profile: kubernetes, issuer: "{ISS}", realm: eu, jwks: {keys_eu}, {kept}}}
  cluster-us: {{profile: kubernetes, issuer: "{ISS}", realm: us, jwks: {keys_us}, {kept}}}
  domain-a: {{profile: spiffe, with: {{trustDomain: a.acme.test}}, jwks: {bundle_a}, {kept}}}
  domain-b: {{profile: spiffe, with: {{trustDomain: b.acme.test}}, jwks: {bundle_b}, {kept}}}
  domain-c: {{profile: spiffe, issuer: "{CARRIED}", with: {{trustDomain: c.acme.test}}, jwks: {bundle_c}, {kept}}}
resources:
  ledger: {{audience: {LEDGER}, hosts: [ledger.acme.test]}}
grants:
  eu-writes: {{issuer: cluster-eu, resource: ledger, subject: "{ACCOUNT}", methods: [POST], paths: [/v1/entries]}}
  us-reads: {{issuer: cluster-us, resource: ledger, subject: "{ACCOUNT}", methods: [GET], paths: [/v1/entries]}}
  a-reads: {{issuer: domain-a, resource: ledger, subject: "{SVID}", methods: [GET], paths: [/v1/entries]}}
  b-reads: {{issuer: domain-b, resource: ledger, subject: any, reason: the attack, claims: {{role: {{absent: true}}}}, methods: [GET], paths: [/v1/entries]}}
  c-reads: {{issuer: domain-c, resource: ledger, subject: "spiffe://c.acme.test/settler", methods: [GET], paths: [/v1/entries]}}
"#
    ));
    let credence = Credence::serve(table.path()).start();
    Clusters { credence, eu, us, both, renamed, own, nobody, a, b, c, x509, _table: table }
}

impl Clusters {
    fn ask(&self, method: &str, token: &Token) -> Answer {
        self.credence.check(&Call::new(method, &format!("{LEDGER}/v1/entries")).bearer(token))
    }

    fn refuses(&self, method: &str, token: &Token, reason: &str) {
        let answer = self.ask(method, token);
        assert_eq!((answer.allowed(), answer.reason().as_str()), (false, reason), "{}", token.claims_json());
    }
}

/// A service account token as a cluster writes it: no `typ`, `aud` an array.
fn account(key: &Arc<Key>) -> Token {
    Token::new(key, ISS, ACCOUNT, LEDGER).without_header("typ").claim("aud", json!([LEDGER]))
}

/// A JWT-SVID: no `iss`, no `jti`, no `iat` guaranteed.
fn svid(key: &Arc<Key>, sub: &str) -> Token {
    Token::new(key, "", sub, LEDGER).header("typ", "JWT").without("iss").without("jti").without("iat")
}

#[test]
fn two_clusters_with_one_iss_and_one_kid_stay_apart_whichever_key_signs() {
    let world = world();
    for (key, method, realm, grant, other) in
        [(&world.eu, "POST", "eu", "eu-writes", "GET"), (&world.us, "GET", "us", "us-reads", "POST")]
    {
        let answer = world.ask(method, &account(key));
        assert!(answer.allowed(), "{realm}: {}", answer.reason());
        let principal = format!("{ISS};realm={realm}#{ACCOUNT}");
        assert_eq!(answer.header("x-credence-principal").as_deref(), Some(principal.as_str()));
        assert_eq!(answer.header("x-credence-realm").as_deref(), Some(realm));
        let told = answer.metadata();
        assert_eq!((&told["realm"], &told["principal_canonical"]), (&json!(realm), &json!(principal)));
        assert_eq!(told["principal"], json!({"format": "iss_sub", "iss": ISS, "sub": ACCOUNT}));
        assert_eq!((&told["grants"], &told["issuer_name"]), (&json!([grant]), &json!(format!("cluster-{realm}"))));
        let line = world.credence.decision(&answer.decision_id());
        assert_eq!((&line["realm"], &line["principal"]["iss"]), (&json!(realm), &json!(ISS)));

        // The other cluster's grant is out of reach, and the refusal says whose token it was.
        let refused = world.ask(other, &account(key));
        assert_eq!(refused.reason(), "grant_none");
        assert_eq!(refused.metadata()["realm"], realm);
        assert_eq!(world.credence.decision(&refused.decision_id())["realm"], realm);
    }
}

#[test]
fn a_realm_that_the_caller_writes_into_token_or_request_means_nothing() {
    let world = world();
    let token = account(&world.us).claim("realm", "eu").header("realm", "eu");
    world.refuses("POST", &token, "grant_none");
    let forged = Call::get(&format!("{LEDGER}/v1/entries")).header("x-credence-realm", "eu").bearer(account(&world.us));
    let answer = world.credence.check(&forged);
    assert_eq!(answer.header("x-credence-realm").as_deref(), Some("us"));
    assert!(!answer.removed().contains(&"x-credence-realm".to_owned()), "what is set is not removed");
    let plain = world.ask("GET", &svid(&world.a, SVID));
    assert!(plain.allowed() && plain.header("x-credence-realm").is_none());
    assert!(plain.removed().contains(&"x-credence-realm".to_owned()));
}

#[test]
fn a_key_that_both_clusters_publish_speaks_for_neither() {
    let world = world();
    assert!(world.ask("POST", &account(&world.own)).allowed());
    for method in ["GET", "POST"] {
        world.refuses(method, &account(&world.both), "key_unknown");
        for kid in ["renamed", "another"] {
            world.refuses(method, &account(&world.renamed).header("kid", kid), "key_unknown");
        }
    }
}

#[test]
fn a_stranger_with_a_known_kid_or_an_unknown_one_is_no_clusters() {
    let world = world();
    let stranger = account(&world.nobody);
    world.refuses("GET", &stranger, "key_unknown");
    world.refuses("GET", &stranger.clone().header("kid", "same"), "signature_invalid");
    world.refuses("GET", &stranger.clone().header("kid", "eu-only"), "signature_invalid");
    world.refuses("GET", &stranger.clone().without_header("kid"), "key_unknown");
    // What comes before the keys is judged before them here as well.
    world.refuses("GET", &stranger.clone().claim("exp", 1_000_000_000), "expired");
    world.refuses("GET", &stranger.clone().header("alg", "none"), "alg_not_allowed");
    world.refuses("GET", &stranger.header("typ", "at+jwt"), "type_not_allowed");
}

#[test]
fn a_trust_domain_that_speaks_for_the_workload_of_another() {
    let world = world();
    let answer = world.ask("GET", &svid(&world.a, SVID));
    assert!(answer.allowed(), "{}", answer.reason());
    let principal = json!({"format": "iss_sub", "iss": "spiffe://a.acme.test", "sub": SVID});
    assert_eq!(answer.metadata()["principal"], principal);
    assert_eq!(answer.header("x-credence-principal"), Some(format!("spiffe://a.acme.test#{SVID}")));

    // Found by the domain of the subject, so the keys of that domain judge: equal kids or not.
    world.refuses("GET", &svid(&world.b, SVID), "signature_invalid");
    world.refuses("GET", &svid(&world.c, SVID), "signature_invalid");
    // Found by an `iss` that the table knows: its domain may not speak for another.
    let foreign = svid(&world.c, SVID).claim("iss", CARRIED);
    world.refuses("GET", &foreign, "pin_mismatch");
    world.refuses("GET", &foreign.claim("sub", "settler"), "pin_mismatch");
}

#[test]
fn an_iss_beside_a_spiffe_id_counts_only_where_the_table_names_it() {
    let world = world();
    let own = svid(&world.c, "spiffe://c.acme.test/settler");
    for token in [own.clone(), own.clone().claim("iss", CARRIED)] {
        let answer = world.ask("GET", &token);
        assert!(answer.allowed(), "{}", answer.reason());
        assert_eq!(answer.metadata()["principal"]["iss"], "spiffe://c.acme.test");
    }
    for iss in ["spiffe://c.acme.test", "https://oidc.c.acme.test/", "https://elsewhere.test", ""] {
        world.refuses("GET", &own.clone().claim("iss", iss), "issuer_unknown");
    }
    // No `issuer` is written for domain a: its tokens carry none.
    world.refuses("GET", &svid(&world.a, SVID).claim("iss", "spiffe://a.acme.test"), "issuer_unknown");
    world.refuses("GET", &svid(&world.a, SVID).claim("iss", Value::Null), "malformed");
}

#[test]
fn a_spiffe_id_that_is_almost_one_finds_no_trust_domain() {
    let world = world();
    for sub in [
        "SPIFFE://a.acme.test/settler",
        "Spiffe://a.acme.test/settler",
        "spiffe://A.acme.test/settler",
        "spiffe://a.acme.test:443/settler",
        "spiffe://user@a.acme.test/settler",
        "spiffe://a.acme.test./settler/.",
        "spiffe://a.acme.test/./settler",
        "spiffe://a.acme.test/x/../settler",
        "spiffe://a.acme.test//settler",
        "spiffe://a.acme.test/settler/",
        "spiffe://a.acme.test/settler?x",
        "spiffe://a.acme.test/settler#x",
        "spiffe://a.acme.test/%73ettler",
        "spiffe:/a.acme.test/settler",
        "spiffe:///settler",
        "//a.acme.test/settler",
        "a.acme.test",
        "",
    ] {
        world.refuses("GET", &svid(&world.a, sub), "issuer_unknown");
    }
    let several = svid(&world.a, SVID).claim("sub", json!([SVID]));
    world.refuses("GET", &several, "issuer_unknown");
}

#[test]
fn a_key_for_x509_does_not_verify_a_token() {
    let world = world();
    assert!(world.ask("GET", &svid(&world.a, SVID)).allowed());
    world.refuses("GET", &svid(&world.x509, SVID), "key_unknown");
}
