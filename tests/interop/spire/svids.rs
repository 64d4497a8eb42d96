//! Which JWT-SVID is believed about what.

use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::{AUDIENCE, Domain, Endpoint, SETTLER, ask, grant, issuer, refused, table};
use crate::support::credence::Credence;
use crate::support::now;
use crate::support::table::Table;
use crate::token::{claims, header, kid, signed_by, signed_with, tampered};

/// Two trust domains and a credence that trusts both and grants to one.
struct World {
    fabric: Domain,
    partner: Domain,
    credence: Credence,
    _table: Table,
}

fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let fabric = Domain::start("fabric.test", Endpoint::Web);
        let partner = Domain::start("partner.test", Endpoint::Web);
        let table =
            table(&(issuer("fabric", &fabric) + &issuer("partner", &partner)), &grant("fabric", &fabric.id(SETTLER)));
        let credence = Credence::serve(table.path()).start();
        World { fabric, partner, credence, _table: table }
    });
    &WORLD
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_jwt_svid_of_the_workload_api_is_accepted() {
    let World { fabric, credence, .. } = world();
    let token = fabric.agent(SETTLER).jwt_svid(AUDIENCE);
    assert!(claims(&token)["iss"].is_null() && claims(&token)["jti"].is_null(), "SPIRE writes neither");
    assert!(signed_by(&token, &fabric.bundle()));
    let answer = ask(credence, &token);
    assert!(answer.allowed(), "{}", answer.reason());
    assert_eq!(answer.header("x-credence-issuer").as_deref(), Some("spiffe://fabric.test"));
    assert_eq!(answer.header("x-credence-subject"), Some(fabric.id(SETTLER)));
    assert_eq!(answer.header("x-credence-principal"), Some(format!("spiffe://fabric.test#{}", fabric.id(SETTLER))));
    refused(credence, &tampered(&token), 401, "signature_invalid");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_jwt_svid_for_another_audience_is_refused() {
    let World { fabric, credence, .. } = world();
    refused(credence, &fabric.mint(SETTLER, "https://orders.acme.test"), 401, "audience_mismatch");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_workload_without_a_grant_is_refused() {
    let World { fabric, credence, .. } = world();
    refused(credence, &fabric.mint("/ns/payments/sa/intruder", AUDIENCE), 403, "grant_none");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn the_same_path_in_another_trust_domain_is_another_workload() {
    let World { partner, credence, .. } = world();
    // Its keys are known and good, and still nothing was granted to it.
    let answer = ask(credence, &partner.mint(SETTLER, AUDIENCE));
    assert_eq!(answer.status(), 403, "{}", answer.reason());
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_trust_domain_that_is_not_in_the_table_is_unknown() {
    let stranger = Domain::start("stranger.test", Endpoint::Web);
    refused(&world().credence, &stranger.mint(SETTLER, AUDIENCE), 401, "issuer_unknown");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn one_trust_domain_cannot_speak_for_another() {
    let World { fabric, partner, .. } = world();
    // The partner's server believes itself to be the other domain.
    let impostor = Domain::start("fabric.test", Endpoint::Web);
    let table = table(&(issuer("fabric", fabric) + &issuer("partner", partner)), &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).start();
    assert!(ask(&credence, &fabric.mint(SETTLER, AUDIENCE)).allowed());
    refused(&credence, &impostor.mint(SETTLER, AUDIENCE), 401, "key_unknown");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn the_authority_for_x509_svids_cannot_sign_a_jwt_svid() {
    // The only key for ES256 in this bundle is that of the authority: no `kid` is needed to find it.
    let fabric = Domain::with("fabric.test", Endpoint::Web, "jwt_key_type = \"rsa-2048\"");
    let table = table(&issuer("fabric", &fabric), &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).start();
    let bundle = fabric.bundle();
    let authority = bundle["keys"].as_array().unwrap().iter().find(|key| key["use"] == "x509-svid").unwrap();
    let believed = fabric.mint(SETTLER, AUDIENCE);
    assert_eq!(header(&believed)["alg"], "RS256");
    assert!(ask(&credence, &believed).allowed());
    let claims = json!({"sub": fabric.id(SETTLER), "aud": [AUDIENCE], "iat": now(), "exp": now() + 300});
    let key = EncodingKey::from_ec_der(&fabric.x509_authority_key());
    // By no name, and by the name of the key that may.
    for named in [None, Some(kid(&believed))] {
        let token = encode(&Header { kid: named, ..Header::new(Algorithm::ES256) }, &claims, &key).unwrap();
        assert!(signed_with(&token, authority), "a key of the bundle did sign it");
        refused(&credence, &token, 401, "key_unknown");
    }
}
