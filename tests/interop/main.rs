//! Tokens of an issuer that is not ours: `oidc-provider`, a certified OpenID provider, over HTTPS with its own
//! authority.
//!
//! It needs node. Without it these tests say so and pass, except in CI.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use support::call::Call;
use support::credence::Credence;
use support::issuer::Ca;
use support::key::Key;
use support::process::Process;
use support::table::Table;
use support::token::Token;
use support::{eventually, now, runtime};

const AUDIENCE: &str = "https://invoices.acme.test";

struct World {
    issuer: String,
    http: reqwest::Client,
    credence: Credence,
    _provider: Process,
    _table: Table,
}

/// The provider and a credence that trusts it, or nothing where there is no node.
fn world() -> Option<&'static World> {
    static WORLD: LazyLock<Option<World>> = LazyLock::new(build);
    WORLD.as_ref()
}

fn build() -> Option<World> {
    let script =
        Command::new(support::root().join("scripts/oidc-provider.sh")).output().expect("scripts/oidc-provider.sh");
    let home = String::from_utf8(script.stdout).unwrap().trim().to_owned();
    if home.is_empty() {
        let reason = String::from_utf8_lossy(&script.stderr).into_owned();
        assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI this may not be left out: {reason}");
        eprintln!("left out: {reason}");
        return None;
    }
    // The directory of this table also holds the authority's certificate and the server's.
    let table = Table::raw(b"");
    let (ca, dir) = (Ca::new(), table.dir());
    let ca_file = ca.write(dir);
    let (certificate, key) = ca.write_server(dir, "localhost");
    let script = support::root().join("tests/interop/provider.mjs").display().to_string();
    let mut provider = Process::start("node", [script, home, certificate, key]);
    let issuer = eventually("oidc-provider to listen", || {
        assert!(provider.ended().is_none(), "oidc-provider ended: {}", provider.stderr());
        let output = std::fs::read_to_string(provider.stdout()).ok()?;
        output.lines().find_map(|line| Some(line.strip_prefix("issuer ")?.to_owned()))
    });
    let grant = |name: &str, subject: &str| {
        format!(
            "  {name}: {{issuer: foreign, resource: invoices, subject: {subject}, methods: [GET], paths: any, scopes: [invoices:read]}}\n"
        )
    };
    table.replace(&format!(
        "issuers:\n  foreign: {{issuer: \"{issuer}\", caFile: {ca_file}, signingAlgs: [RS256, PS256, ES256, EdDSA], tokenTypes: [at+jwt], \
         owner: team@acme.test, reviewBy: 2099-01-01}}\n\
         resources:\n  invoices: {{audience: \"{AUDIENCE}\", hosts: [invoices.acme.test]}}\n\
         grants:\n{}{}",
        grant("invoice-bot", "invoice-bot"),
        grant("bound-bot", "bound-bot"),
    ));
    let authority = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
    let credence = Credence::serve(table.path()).start();
    Some(World { issuer, http, credence, _provider: provider, _table: table })
}

impl World {
    /// An access token by the client credentials grant (RFC 6749 §4.4), for one resource (RFC 8707).
    fn token(&self, client: &str, audience: &str, alg: &str, dpop: Option<String>) -> String {
        let form = HashMap::from([
            ("grant_type", "client_credentials".to_owned()),
            ("scope", "read".into()),
            ("resource", format!("{audience}?alg={alg}")),
        ]);
        let encoded: Vec<String> = form
            .iter()
            .map(|(name, value)| {
                format!(
                    "{name}={}",
                    value.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D")
                )
            })
            .collect();
        let secret = STANDARD.encode(format!("{client}:not-a-secret-only-a-test-of-thirty-two"));
        let mut request = self
            .http
            .post(format!("{}/token", self.issuer))
            .header("authorization", format!("Basic {secret}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded.join("&"));
        if let Some(proof) = dpop {
            request = request.header("dpop", proof);
        }
        let body = runtime().block_on(async { request.send().await.unwrap().text().await.unwrap() });
        let body: Value = serde_json::from_str(&body).unwrap();
        body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {body}")).to_owned()
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

    fn ask(&self, token: &str) -> support::answer::Answer {
        self.credence.check(&Call::get("https://invoices.acme.test/v1/2026").bearer(token))
    }
}

/// The JSON of one part of a token.
fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn accepted(alg: &str) {
    let Some(world) = world() else { return };
    let token = world.token("invoice-bot", AUDIENCE, alg, None);
    assert_eq!(part(&token, 0)["alg"], alg, "the issuer was asked for this algorithm");
    let answer = world.ask(&token);
    assert!(answer.allowed(), "{alg}: {} for {}", answer.reason(), part(&token, 1));
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
    assert!(part(&token, 1)["cnf"]["jkt"].is_string(), "the issuer was asked to bind it");
    let answer = world.ask(&token);
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "confirmation_required"));
}

#[test]
fn a_foreign_token_with_one_changed_bit_in_its_signature_is_refused() {
    let Some(world) = world() else { return };
    let token = world.token("invoice-bot", AUDIENCE, "ES256", None);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    let answer = world.ask(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes)));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "signature_invalid"));
}
