//! A cluster changes its signing key, and with it the token that credence reads the keys with. Another one with the same
//! `iss` changes nothing.

use super::cluster::Cluster;
use super::{ACCOUNT, AUDIENCE, NAMESPACE, Trust, ask, refused};
use crate::support::eventually;
use crate::token::{header, kids, signed_by};

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn keys_go_from_rs256_to_es256_with_overlap_and_then_the_old_one_is_gone() {
    let (mut cluster, west) = (Cluster::start(), Cluster::start());
    let uid = |cluster: &Cluster| {
        cluster.publish_keys_to_accounts();
        cluster.create_account(NAMESPACE, ACCOUNT)
    };
    let (uid, west_uid) = (uid(&cluster), uid(&west));
    let trust = Trust::new()
        .cluster("east", &cluster)
        .cluster("west", &west)
        .grant("east", "east", ACCOUNT, &uid)
        .grant("west", "west", ACCOUNT, &west_uid);
    let credence = trust.serve().start();
    let mint = |cluster: &Cluster, alg: &str| {
        let token = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 3600);
        assert_eq!(header(&token)["alg"], alg);
        assert!(signed_by(&token, &cluster.keys()));
        token
    };
    let first = mint(&cluster, "RS256");
    assert!(ask(&credence, &first).allowed());

    cluster.rotate("ES256", true);
    assert_eq!(kids(&cluster.keys()).len(), 2, "RSA and EC in one set");
    let second = mint(&cluster, "ES256");
    eventually("the new key", || ask(&credence, &second).allowed().then_some(()));
    assert!(ask(&credence, &first).allowed(), "its key is still published");
    assert_eq!(ask(&credence, &second).header("x-credence-realm").as_deref(), Some("east"));

    // Now also the bearer token that credence has is signed by a key that is gone.
    cluster.rotate("ES256", false);
    let third = mint(&cluster, "ES256");
    refused(&credence, &third, 401, "key_unknown");
    assert!(ask(&credence, &second).allowed(), "the last keys that were seen go on serving");
    trust.write_bearer("east", &cluster);
    eventually("the keys, by the new bearer token", || ask(&credence, &third).allowed().then_some(()));
    refused(&credence, &second, 401, "key_unknown");
    refused(&credence, &first, 401, "key_unknown");
    let answer = ask(&credence, &mint(&west, "RS256"));
    assert_eq!(answer.header("x-credence-realm").as_deref(), Some("west"), "{}", answer.reason());
}
