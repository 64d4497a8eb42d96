//! The trust bundle as it changes, over both kinds of endpoint.

use super::{AUDIENCE, Domain, Endpoint, SETTLER, ask, grant, issuer, refused, table};
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::token::{kid, kids};

#[test]
#[ignore = "needs SPIRE: make test-interop"]
fn a_new_key_is_used_at_once_and_a_revoked_one_no_more_after_the_next_look() {
    let fabric = Domain::start("fabric.test", Endpoint::Web, None);
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
    let (status, published) = fabric.published();
    assert_eq!(status, 200);
    assert!(!kids(&published).contains(&kid(&first)) && kids(&published).contains(&kid(&second)));
    let third = fabric.mint(SETTLER, AUDIENCE);
    eventually("the bundle without the revoked key", || ask(&credence, &third).allowed().then_some(()));
    assert!(ask(&credence, &second).allowed());
    refused(&credence, &first, 401, "key_unknown");
}
