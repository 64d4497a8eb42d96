//! Two clusters that nobody gave an issuer of their own: one `iss`, the same `sub`, and still two principals.

use std::sync::LazyLock;

use super::cluster::{Cluster, ISSUER};
use super::{ACCOUNT, AUDIENCE, NAMESPACE, SUBJECT, Trust, ask, refused};
use crate::support::credence::Credence;
use crate::token::{claims, kid, kids, signed_by};

/// Two clusters and a credence that trusts both.
struct World {
    east: Cluster,
    west: Cluster,
    credence: Credence,
    _trust: Trust,
}

fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let (east, west) = (Cluster::start(), Cluster::start());
        let uid = |cluster: &Cluster| {
            cluster.publish_keys_to_accounts();
            cluster.create_account(NAMESPACE, ACCOUNT)
        };
        let (east_uid, west_uid) = (uid(&east), uid(&west));
        let trust = Trust::new()
            .cluster("east", &east)
            .cluster("west", &west)
            .grant("east", "east", ACCOUNT, &east_uid)
            .grant("west", "west", ACCOUNT, &west_uid);
        let credence = trust.serve().start();
        World { east, west, credence, _trust: trust }
    });
    &WORLD
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn two_clusters_give_the_same_names_and_different_keys() {
    let World { east, west, .. } = world();
    let (from_east, from_west) =
        (east.token(NAMESPACE, ACCOUNT, AUDIENCE, 600), west.token(NAMESPACE, ACCOUNT, AUDIENCE, 600));
    for token in [&from_east, &from_west] {
        assert_eq!(claims(token)["iss"], ISSUER);
        assert_eq!(claims(token)["sub"], SUBJECT);
    }
    assert!(signed_by(&from_east, &east.keys()) && signed_by(&from_west, &west.keys()));
    assert!(!kids(&east.keys()).contains(&kid(&from_west)));
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn the_realm_keeps_two_clusters_with_one_iss_apart() {
    let World { east, west, credence, .. } = world();
    for (realm, cluster) in [("east", east), ("west", west)] {
        let answer = ask(credence, &cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600));
        assert!(answer.allowed(), "{realm}: {}", answer.reason());
        assert_eq!(answer.header("x-credence-issuer").as_deref(), Some(ISSUER));
        assert_eq!(answer.header("x-credence-subject").as_deref(), Some(SUBJECT));
        assert_eq!(answer.header("x-credence-realm").as_deref(), Some(realm));
        let principal = format!("{ISSUER};realm={realm}#{SUBJECT}");
        assert_eq!(answer.header("x-credence-principal").as_deref(), Some(principal.as_str()));
        assert_eq!(answer.header("x-credence-scopes").as_deref(), Some(format!("ledger:{realm}").as_str()));
        assert_eq!(answer.header("x-credence-grants").as_deref(), Some(realm), "the other cluster's grant is not its");
    }
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_cluster_that_no_entry_names_is_not_believed_for_its_neighbours_iss() {
    let World { east, west, .. } = world();
    let token = east.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
    let uid = claims(&token)["kubernetes.io"]["serviceaccount"]["uid"].as_str().unwrap().to_owned();
    // Even the uid of the stranger's account is written into the grant.
    let trust = Trust::new().cluster("west", west).grant("west", "west", ACCOUNT, &uid);
    let credence = trust.serve().start();
    refused(&credence, &token, 401, "key_unknown");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn an_account_of_one_cluster_is_not_granted_what_its_namesake_in_the_other_is() {
    let World { east, west, .. } = world();
    let uid = |cluster: &Cluster| {
        let token = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
        claims(&token)["kubernetes.io"]["serviceaccount"]["uid"].as_str().unwrap().to_owned()
    };
    let trust = Trust::new().cluster("east", east).cluster("west", west).grant("east", "east", ACCOUNT, &uid(east));
    let credence = trust.serve().start();
    assert!(ask(&credence, &east.token(NAMESPACE, ACCOUNT, AUDIENCE, 600)).allowed());
    refused(&credence, &west.token(NAMESPACE, ACCOUNT, AUDIENCE, 600), 403, "grant_none");
}
