//! dex: ID tokens by the password grant, of an issuer with a path, without `typ` and `jti`; keys that change by themselves.
//!
//! It is built from its Go module. Without Go these tests say so and pass, except by `make test-interop`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::table::Table;
use crate::system;
use crate::token::{claims, header, kid, kids, signed_by, tampered};
use crate::web::Web;

const CLIENT: &str = "invoice-desk";
const OTHER: &str = "another-desk";
/// What the clients authenticate with.
const SECRET: &str = "not-a-secret-only-a-test";

struct World {
    issuer: String,
    web: Web,
    credence: Credence,
    dex: std::sync::Mutex<Process>,
    _table: Table,
}

fn world() -> Option<&'static World> {
    static WORLD: LazyLock<Option<World>> = LazyLock::new(World::start);
    WORLD.as_ref()
}

impl World {
    fn start() -> Option<Self> {
        let home = system::bring("interop/dex.sh", "INTEROP")?;
        let table = Table::raw(b"");
        let port = system::free_port();
        let issuer = format!("http://127.0.0.1:{port}/dex");
        let file = table.dir().join("dex.config");
        std::fs::write(&file, config(&issuer, port)).unwrap();
        let mut dex = Process::start(home.join("bin/dex"), ["serve", &file.display().to_string()]);
        let web = Web::plain();
        system::ready("dex", &mut dex, || {
            (web.get(&format!("{issuer}/.well-known/openid-configuration")).0 == 200).then_some(())
        });
        let subject = claims(&id_token(&web, &issuer, CLIENT))["sub"].as_str().unwrap().to_owned();
        table.replace(&format!(
            "issuers:\n  desk: {{issuer: \"{issuer}\", tokenTypes: [\"\"], owner: team@acme.test, reviewBy: 2099-01-01}}\n\
             resources:\n  invoices: {{audience: {CLIENT}, hosts: [invoices.acme.test]}}\n\
             grants:\n  alice: {{issuer: desk, resource: invoices, subject: {subject}, methods: [GET], paths: any}}\n",
        ));
        let credence = Credence::serve(table.path()).start();
        Some(Self { issuer, web, credence, dex: dex.into(), _table: table })
    }

    fn token(&self, client: &str) -> String {
        id_token(&self.web, &self.issuer, client)
    }

    fn key_set(&self) -> Value {
        self.web.get(&format!("{}/keys", self.issuer)).1
    }

    fn ask(&self, token: &str) -> Answer {
        self.credence.check(&Call::get("https://invoices.acme.test/v1/2026").bearer(token))
    }
}

/// JSON is YAML, which is what dex reads. The hash is bcrypt's of `password`.
fn config(issuer: &str, port: u16) -> String {
    let client =
        |id: &str| serde_json::json!({"id": id, "secret": SECRET, "name": id, "redirectURIs": ["http://127.0.0.1/"]});
    serde_json::json!({
        "issuer": issuer,
        "storage": {"type": "memory"},
        "web": {"http": format!("127.0.0.1:{port}")},
        "expiry": {"signingKeys": "20s", "idTokens": "5m"},
        "oauth2": {"passwordConnector": "local", "grantTypes": ["password"]},
        "enablePasswordDB": true,
        "staticPasswords": [{
            "email": "alice@acme.test",
            "hash": "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
            "username": "alice",
            "userID": "6f8d2a3e-2f37-4c8e-9d55-0f3a1c9b7e21",
        }],
        "staticClients": [client(CLIENT), client(OTHER)],
    })
    .to_string()
}

fn id_token(web: &Web, issuer: &str, client: &str) -> String {
    let secret = format!("Basic {}", STANDARD.encode(format!("{client}:{SECRET}")));
    let fields =
        [("grant_type", "password"), ("username", "alice@acme.test"), ("password", "password"), ("scope", "openid")];
    let (_, body) = web.form(&format!("{issuer}/token"), &[("authorization", &secret)], &fields);
    body["id_token"].as_str().unwrap_or_else(|| panic!("no token: {body}")).to_owned()
}

#[test]
fn a_token_of_dex_is_accepted() {
    let Some(world) = world() else { return };
    let token = world.token(CLIENT);
    assert!(header(&token)["typ"].is_null() && claims(&token)["jti"].is_null(), "dex writes neither");
    assert!(signed_by(&token, &world.key_set()));
    let answer = world.ask(&token);
    assert!(answer.allowed(), "{}", answer.reason());
    assert_eq!(answer.header("x-credence-issuer").as_deref(), Some(world.issuer.as_str()));
    assert_eq!(answer.header("x-credence-subject").as_deref(), claims(&token)["sub"].as_str());
}

#[test]
fn a_token_of_dex_for_another_client_is_refused() {
    let Some(world) = world() else { return };
    let answer = world.ask(&world.token(OTHER));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "audience_mismatch"));
}

#[test]
fn a_token_of_dex_with_one_changed_bit_in_its_signature_is_refused() {
    let Some(world) = world() else { return };
    let answer = world.ask(&tampered(&world.token(CLIENT)));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "signature_invalid"));
}

#[test]
#[ignore = "waits half a minute for dex to change its key: make test-interop"]
fn the_key_that_dex_changed_to_by_itself_is_used_at_once() {
    let Some(world) = world() else { return };
    let first = world.token(CLIENT);
    let next = system::ready("dex to change its key", &mut world.dex.lock().unwrap(), || {
        let token = world.token(CLIENT);
        (kid(&token) != kid(&first)).then_some(token)
    });
    eventually("the new key", || world.ask(&next).allowed().then_some(()));
    assert!(kids(&world.key_set()).contains(&kid(&first)), "dex still publishes the old one");
    assert!(world.ask(&first).allowed());
}
