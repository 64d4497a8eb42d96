//! The trust bundle as it changes, over both kinds of endpoint.

use super::{AUDIENCE, Domain, Endpoint, SETTLER, ask, grant, issuer, refused, table};
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::system::fetch_error;
use crate::token::{kid, kids};

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_new_key_is_used_at_once_and_a_revoked_one_no_more_after_the_next_look() {
    let fabric = Domain::start("fabric.test", Endpoint::Web);
    let table = table(&issuer("fabric", &fabric), &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).start();
    let first = fabric.mint(SETTLER, AUDIENCE);
    assert!(ask(&credence, &first).allowed());

    fabric.rotate();
    let second = fabric.mint(SETTLER, AUDIENCE);
    assert_ne!(kid(&second), kid(&first));
    eventually("the new key", || ask(&credence, &second).allowed().then_some(()));
    assert!(ask(&credence, &first).allowed(), "the old key is still in the bundle");

    fabric.revoke_old();
    fabric.rotate();
    let (status, published) = fabric.get(&fabric.bundle_url());
    assert_eq!(status, 200);
    assert!(!kids(&published).contains(&kid(&first)) && kids(&published).contains(&kid(&second)));
    let third = fabric.mint(SETTLER, AUDIENCE);
    eventually("the bundle without the revoked key", || ask(&credence, &third).allowed().then_some(()));
    assert!(ask(&credence, &second).allowed());
    refused(&credence, &first, 401, "key_unknown");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_bundle_is_taken_from_a_server_that_proves_nothing_but_its_spiffe_id() {
    let fabric = Domain::start("fabric.test", Endpoint::Spiffe);
    let table = table(&issuer("fabric", &fabric), &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).start();
    let first = fabric.mint(SETTLER, AUDIENCE);
    let answer = ask(&credence, &first);
    assert!(answer.allowed(), "{}", answer.reason());

    fabric.rotate();
    let second = fabric.mint(SETTLER, AUDIENCE);
    eventually("the new key", || ask(&credence, &second).allowed().then_some(()));
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_bundle_is_not_taken_from_a_server_with_another_spiffe_id_than_the_table_says() {
    let fabric = Domain::start("fabric.test", Endpoint::Spiffe);
    let entry = |id: &str| {
        let id = format!("spiffeEndpointId: \"{}\", owner:", fabric.id(id));
        table(&issuer("fabric", &fabric).replace("owner:", &id), &grant("fabric", &fabric.id(SETTLER)))
    };
    let right = entry("/spire/server");
    let credence = Credence::serve(right.path()).start();
    assert!(ask(&credence, &fabric.mint(SETTLER, AUDIENCE)).allowed());

    let wrong = entry("/another/server");
    let credence = Credence::serve(wrong.path()).keyless("fabric").start();
    let reason = fetch_error(&credence, "fabric");
    assert!(reason.contains("spiffe://fabric.test"), "{reason}");
    refused(&credence, &fabric.mint(SETTLER, AUDIENCE), 503, "keys_unavailable");
}

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_bundle_is_not_taken_from_another_trust_domains_server() {
    // Both prove a SPIFFE ID, each under its own authority.
    let (fabric, partner) =
        (Domain::start("fabric.test", Endpoint::Spiffe), Domain::start("partner.test", Endpoint::Spiffe));
    let mixed = issuer("fabric", &fabric).replace(&fabric.bundle_url(), &partner.bundle_url());
    let table = table(&mixed, &grant("fabric", &fabric.id(SETTLER)));
    let credence = Credence::serve(table.path()).keyless("fabric").start();
    let reason = fetch_error(&credence, "fabric");
    assert!(reason.to_lowercase().contains("certificate"), "{reason}");
    refused(&credence, &fabric.mint(SETTLER, AUDIENCE), 503, "keys_unavailable");
}
