//! Keycloak 26: two realms with the same client and user, three kinds of token that share keys and `iss`, and rotation
//! by the administrator.

mod server;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::table::Table;
use crate::token::{claims, header, kid, signed_by, tampered};
use server::Keycloak;

const AUDIENCE: &str = "https://invoices.acme.test";
const CLIENT: &str = "invoice-bot";

/// One Keycloak and a credence that trusts two of its three realms and grants to one.
struct World {
    keycloak: Keycloak,
    credence: Credence,
    _table: Table,
}

fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let keycloak = Keycloak::start();
        ["acme", "globex", "stranger", "changing"].iter().for_each(|realm| keycloak.create_realm(realm));
        let issuer = |realm: &str| {
            format!(
                "  {realm}: {{profile: keycloak, issuer: \"{}\", caFile: {}, pin: {{claims: {{typ: Bearer}}}}, \
                 owner: team@acme.test, reviewBy: 2099-01-01}}\n",
                keycloak.issuer(realm),
                keycloak.ca_file(),
            )
        };
        let grant = |realm: &str| {
            format!(
                "  {realm}: {{issuer: {realm}, resource: invoices, claims: {{azp: {CLIENT}}}, methods: [GET], paths: any, \
                 scopes: [invoices:read]}}\n"
            )
        };
        let table = Table::new(&format!(
            "issuers:\n{}{}{}resources:\n  invoices: {{audience: \"{AUDIENCE}\", hosts: [invoices.acme.test]}}\n\
             grants:\n{}{}",
            issuer("acme"),
            issuer("globex"),
            issuer("changing"),
            grant("acme"),
            grant("changing"),
        ));
        let credence = Credence::serve(table.path()).start();
        World { keycloak, credence, _table: table }
    });
    &WORLD
}

impl World {
    fn ask(&self, token: &str) -> Answer {
        self.credence.check(&Call::get("https://invoices.acme.test/v1/2026").bearer(token))
    }

    fn refused(&self, token: &str, status: i32, reason: &str) {
        let answer = self.ask(token);
        assert_eq!((answer.status(), answer.reason().as_str()), (status, reason), "{}", claims(token));
    }

    /// One of the tokens for alice.
    fn of_alice(&self, kind: &str) -> String {
        let answer = self.keycloak.tokens_of_alice("acme");
        answer[kind].as_str().unwrap_or_else(|| panic!("no {kind}: {answer}")).to_owned()
    }
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn an_access_token_of_a_client_for_itself_is_accepted() {
    let world = world();
    let token = world.keycloak.access_token("acme");
    assert!(signed_by(&token, &world.keycloak.key_set("acme")));
    let answer = world.ask(&token);
    assert!(answer.allowed(), "{} for {}", answer.reason(), claims(&token));
    assert_eq!(answer.header("x-credence-issuer"), Some(world.keycloak.issuer("acme")));
    assert_eq!(answer.header("x-credence-subject").as_deref(), claims(&token)["sub"].as_str());
    world.refused(&tampered(&token), 401, "signature_invalid");
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn an_access_token_for_a_user_is_accepted() {
    let token = world().of_alice("access_token");
    assert_eq!(claims(&token)["typ"], "Bearer");
    assert!(world().ask(&token).allowed());
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn an_id_token_is_no_access_token_although_audience_and_key_are_right() {
    let token = world().of_alice("id_token");
    assert_eq!((&header(&token)["typ"], &claims(&token)["typ"]), (&Value::from("JWT"), &Value::from("ID")));
    assert!(claims(&token)["aud"].to_string().contains(AUDIENCE), "the realm writes this audience into ID tokens too");
    world().refused(&token, 401, "pin_mismatch");
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn a_refresh_token_is_no_access_token() {
    let token = world().of_alice("refresh_token");
    assert_eq!(header(&token)["alg"], "HS512");
    world().refused(&token, 401, "alg_not_allowed");
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn the_same_client_of_another_realm_is_another() {
    let world = world();
    // Trusted for something, but not for this.
    let token = world.keycloak.access_token("globex");
    assert_eq!(claims(&token)["azp"], CLIENT);
    let answer = world.ask(&token);
    assert!(!answer.allowed());
    assert_eq!(answer.status(), 403, "{}", answer.reason());
    // Of the same host, and not trusted at all.
    world.refused(&world.keycloak.access_token("stranger"), 401, "issuer_unknown");
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn the_encryption_key_between_the_signing_keys_verifies_nothing() {
    let world = world();
    let set = world.keycloak.key_set("acme");
    let key = set["keys"].as_array().unwrap().iter().find(|key| key["use"] == "enc").expect("Keycloak publishes one");
    let token = world.keycloak.access_token("acme");
    let mut header = header(&token);
    header["kid"] = key["kid"].clone();
    let (_, rest) = token.split_once('.').unwrap();
    world.refused(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())), 401, "key_unknown");
}

#[test]
#[ignore = "needs Keycloak: make test-interop"]
fn a_new_key_is_used_at_its_first_token_and_a_withdrawn_one_no_more() {
    let (world, realm) = (world(), "changing");
    let first = world.keycloak.access_token(realm);
    assert!(world.ask(&first).allowed());

    world.keycloak.add_key(realm, 200);
    let second = world.keycloak.access_token(realm);
    assert_ne!(kid(&second), kid(&first));
    eventually("the new key", || world.ask(&second).allowed().then_some(()));
    assert!(world.ask(&first).allowed(), "the old key is still published");

    world.keycloak.remove_key(realm, &kid(&first));
    world.keycloak.add_key(realm, 300);
    // Whoever brings the next new key brings the news of the withdrawal too.
    let third = world.keycloak.access_token(realm);
    eventually("the next new key", || world.ask(&third).allowed().then_some(()));
    assert!(world.ask(&second).allowed());
    world.refused(&first, 401, "key_unknown");
}
