//! `oidc-provider` 9.13.3 of npm, a certified OpenID provider: access tokens by RFC 9068 in every algorithm, and its keys
//! as they come and go.
//!
//! It needs node. Without it these tests say so and pass, except in CI.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Ca;
use crate::support::key::{Key, b64};
use crate::support::process::Process;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::{eventually, now, root};
use crate::token::{claims, header, kids, signed_by, tampered};
use crate::web::Web;
use crate::{system, token};

const AUDIENCE: &str = "https://invoices.acme.test";

struct World {
    issuer: String,
    web: Web,
    credence: Credence,
    provider: Process,
    _table: Table,
}

/// The provider and a credence that trusts it, or nothing where there is no node.
fn world() -> Option<&'static World> {
    static WORLD: LazyLock<Option<World>> = LazyLock::new(World::start);
    WORLD.as_ref()
}

impl World {
    fn start() -> Option<Self> {
        let home = system::bring("oidc-provider.sh", "CI")?.display().to_string();
        // The directory of this table also holds the authority's certificate and the server's.
        let table = Table::raw(b"");
        let (ca, dir) = (Ca::new(), table.dir());
        let ca_file = ca.write(dir);
        let (certificate, key) = ca.write_server(dir, "localhost");
        let script = root().join("tests/interop/provider.mjs").display().to_string();
        let mut provider = Process::start("node", [script, home, certificate, key]);
        let stdout = provider.stdout();
        let issuer = system::ready("oidc-provider", &mut provider, || {
            let output = std::fs::read_to_string(&stdout).ok()?;
            output.lines().find_map(|line| Some(line.strip_prefix("issuer ")?.to_owned()))
        });
        let grant = |name: &str| {
            format!(
                "  {name}: {{issuer: foreign, resource: invoices, subject: {name}, methods: [GET], paths: any, scopes: [invoices:read]}}\n"
            )
        };
        table.replace(&format!(
            "issuers:\n  foreign: {{issuer: \"{issuer}\", caFile: {ca_file}, signingAlgs: [RS256, PS256, ES256, EdDSA], tokenTypes: [at+jwt], \
             owner: team@acme.test, reviewBy: 2099-01-01}}\n\
             resources:\n  invoices: {{audience: \"{AUDIENCE}\", hosts: [invoices.acme.test]}}\n\
             grants:\n{}{}",
            grant("invoice-bot"),
            grant("bound-bot"),
        ));
        let credence = Credence::serve(table.path()).start();
        Some(Self { issuer, web: Web::new(&ca.pem()), credence, provider, _table: table })
    }

    /// An access token for one audience, signed by this algorithm.
    fn token(&self, client: &str, audience: &str, alg: &str, dpop: Option<String>) -> String {
        let (_, body) = self.request(client, &format!("{audience}?alg={alg}"), dpop);
        body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {body}")).to_owned()
    }

    /// The client credentials grant (RFC 6749 §4.4) for one resource (RFC 8707): status and body of the answer.
    fn request(&self, client: &str, resource: &str, dpop: Option<String>) -> (u16, Value) {
        let secret = format!("Basic {}", STANDARD.encode(format!("{client}:not-a-secret-only-a-test-of-thirty-two")));
        let mut headers = vec![("authorization", secret.as_str())];
        headers.extend(dpop.as_deref().map(|proof| ("dpop", proof)));
        let fields = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", resource)];
        self.web.form(&format!("{}/token", self.issuer), &headers, &fields)
    }

    /// A proof that the client holds a key, for the token endpoint (RFC 9449 §4.2).
    fn dpop_proof(&self) -> String {
        let key = Arc::new(Key::generate("dpop", "ES256"));
        Token::new(&key, "", "", "")
            .raw_header(json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.bare_jwk()}).to_string())
            .raw_claims(
                json!({"jti": "1", "htm": "POST", "htu": format!("{}/token", self.issuer), "iat": now()}).to_string(),
            )
            .mint()
    }

    /// The published key set.
    fn key_set(&self) -> Value {
        self.web.get(&format!("{}/jwks", self.issuer)).1
    }

    /// Has the provider change its keys by a signal and waits until it publishes this many.
    fn change_keys(&self, signal: &str, count: usize) {
        self.provider.signal(signal);
        eventually("the changed key set", || (kids(&self.key_set()).len() == count).then_some(()));
    }

    fn ask(&self, token: &str) -> Answer {
        self.credence.check(&Call::get("https://invoices.acme.test/v1/2026").bearer(token))
    }
}

fn accepted(alg: &str) {
    let Some(world) = world() else { return };
    let token = world.token("invoice-bot", AUDIENCE, alg, None);
    assert_eq!(header(&token)["alg"], alg, "the issuer was asked for this algorithm");
    assert!(signed_by(&token, &world.key_set()));
    let answer = world.ask(&token);
    assert!(answer.allowed(), "{alg}: {} for {}", answer.reason(), claims(&token));
    assert_eq!(answer.header("x-credence-issuer").as_deref(), Some(world.issuer.as_str()));
    assert_eq!(answer.header("x-credence-subject").as_deref(), Some("invoice-bot"));
    assert_eq!(answer.header("x-credence-scopes").as_deref(), Some("invoices:read"));
}

#[test]
fn a_foreign_rs256_token_is_accepted() {
    accepted("RS256");
}

#[test]
fn a_foreign_ps256_token_is_accepted() {
    accepted("PS256");
}

#[test]
fn a_foreign_es256_token_is_accepted() {
    accepted("ES256");
}

#[test]
fn a_foreign_eddsa_token_is_accepted() {
    accepted("EdDSA");
}

#[test]
fn a_foreign_token_for_another_audience_is_refused() {
    let Some(world) = world() else { return };
    let answer = world.ask(&world.token("invoice-bot", "https://orders.acme.test", "ES256", None));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "audience_mismatch"));
}

#[test]
fn a_foreign_token_bound_to_a_key_is_refused_because_no_proof_is_judged() {
    let Some(world) = world() else { return };
    let token = world.token("bound-bot", AUDIENCE, "ES256", Some(world.dpop_proof()));
    assert!(claims(&token)["cnf"]["jkt"].is_string(), "the issuer was asked to bind it");
    let answer = world.ask(&token);
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "confirmation_required"));
}

#[test]
fn a_foreign_token_with_one_changed_bit_in_its_signature_is_refused() {
    let Some(world) = world() else { return };
    let answer = world.ask(&tampered(&world.token("invoice-bot", AUDIENCE, "ES256", None)));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "signature_invalid"));
}

#[test]
fn what_the_issuer_writes_oddly_is_judged_by_the_rules_although_it_is_signed() {
    let Some(world) = world() else { return };
    let soon = now() + 200;
    let cases = [
        (json!({}), "ok"),
        (json!({"payload": {"exp": soon as f64 + 0.5}}), "ok"),
        (json!({"payload": {"aud": ["https://orders.acme.test", AUDIENCE]}}), "ok"),
        (json!({"payload": {"jti": null}}), "ok"),
        (json!({"payload": {"aud": "https://invoices.acme.test/"}}), "audience_mismatch"),
        (json!({"payload": {"exp": soon.to_string()}}), "claims_malformed"),
        (json!({"payload": {"exp": null}}), "claims_malformed"),
        (json!({"payload": {"nbf": soon}}), "not_yet_valid"),
        (json!({"payload": {"iat": soon}}), "not_yet_valid"),
        (json!({"payload": {"exp": now() - 60}}), "expired"),
        (json!({"payload": {"iss": world.issuer.to_uppercase()}}), "issuer_unknown"),
        (json!({"payload": {"iss": [world.issuer]}}), "malformed"),
        (json!({"payload": {"sub": ""}}), "subject_missing"),
        (json!({"payload": {"sub": null}}), "subject_missing"),
        (json!({"payload": {"sub": ["invoice-bot"]}}), "claims_malformed"),
        (json!({"payload": {"sub": "Invoice-Bot"}}), "grant_none"),
        (json!({"payload": {"events": {}}}), "type_not_allowed"),
        (json!({"header": {"typ": "JWT"}}), "type_not_allowed"),
        (json!({"header": {"typ": "APPLICATION/AT+JWT"}}), "ok"),
        (json!({"header": {"kid": "another"}}), "key_unknown"),
        (json!({"header": {"jku": "https://keys.attacker.test/jwks"}}), "malformed"),
    ];
    for (odd, reason) in cases {
        let (status, body) =
            world.request("invoice-bot", &format!("{AUDIENCE}?alg=ES256&odd={}", b64(odd.to_string())), None);
        assert_eq!(status, 200, "{body}");
        let answer = world.ask(body["access_token"].as_str().unwrap());
        assert_eq!(answer.reason(), reason, "{odd}");
        assert_eq!(answer.allowed(), reason == "ok", "{odd}");
    }
}

#[test]
fn a_new_key_is_used_at_its_first_token_and_a_withdrawn_one_no_more() {
    let Some(world) = World::start() else { return };
    let old = world.token("invoice-bot", AUDIENCE, "ES256", None);
    assert!(world.ask(&old).allowed());

    world.change_keys("HUP", 8);
    let new = world.token("invoice-bot", AUDIENCE, "ES256", None);
    assert_ne!(token::kid(&new), token::kid(&old));
    eventually("the new key", || world.ask(&new).allowed().then_some(()));
    assert!(world.ask(&old).allowed(), "the old key is still published");

    world.change_keys("USR2", 4);
    world.change_keys("HUP", 8);
    // Whoever brings the next new key brings the news of the withdrawal too.
    let next = world.token("invoice-bot", AUDIENCE, "ES256", None);
    eventually("the next new key", || world.ask(&next).allowed().then_some(()));
    let answer = world.ask(&old);
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "key_unknown"));
}
