//! What one cluster's tokens say, and what of it has to be judged.

use std::sync::LazyLock;

use super::cluster::{Cluster, ISSUER};
use super::{ACCOUNT, AUDIENCE, NAMESPACE, Trust, ask, refused};
use crate::support::credence::{Credence, command};
use crate::system::fetch_error;
use crate::token::{claims, header, tampered};

/// One cluster and a credence that trusts two accounts of it.
struct World {
    cluster: Cluster,
    credence: Credence,
    trust: Trust,
}

const REBORN: &str = "reborn";

fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let cluster = Cluster::start();
        cluster.publish_keys_to_accounts();
        let uid = |account: &str| cluster.create_account(NAMESPACE, account);
        let (settler, reborn) = (uid(ACCOUNT), uid(REBORN));
        let trust = Trust::new()
            .cluster("east", &cluster)
            .grant("settler", "east", ACCOUNT, &settler)
            .grant("reborn", "east", REBORN, &reborn);
        let credence = trust.serve().start();
        World { cluster, credence, trust }
    });
    &WORLD
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn the_keys_are_for_accounts_of_the_cluster_only() {
    let World { cluster, .. } = world();
    assert_eq!(cluster.key_set("").0, 403, "nobody");
    assert_eq!(cluster.key_set(&cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600)).0, 401, "a token for someone else");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn with_a_bearer_token_for_someone_else_there_are_no_keys_and_nothing_is_allowed() {
    let World { cluster, .. } = world();
    let trust = Trust::new().cluster("east", cluster).grant("settler", "east", ACCOUNT, "any-uid");
    std::fs::write(trust.bearer_file("east"), cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600)).unwrap();
    let credence = trust.serve().keyless("east").start();
    let reason = fetch_error(&credence, "east");
    assert!(reason.contains("401"), "{reason}");
    refused(&credence, &cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600), 503, "keys_unavailable");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_service_account_token_is_accepted() {
    let World { cluster, credence, .. } = world();
    let token = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
    assert!(header(&token)["typ"].is_null(), "Kubernetes writes no typ");
    assert!(claims(&token)["aud"].is_array(), "and always a list of audiences");
    let answer = ask(credence, &token);
    assert!(answer.allowed(), "{}", answer.reason());
    refused(credence, &tampered(&token), 401, "signature_invalid");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_token_for_another_audience_is_refused() {
    let World { cluster, credence, .. } = world();
    refused(credence, &cluster.token(NAMESPACE, ACCOUNT, "https://orders.acme.test", 600), 401, "audience_mismatch");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn an_account_without_a_grant_is_refused() {
    let World { cluster, credence, .. } = world();
    cluster.create_account(NAMESPACE, "intruder");
    refused(credence, &cluster.token(NAMESPACE, "intruder", AUDIENCE, 600), 403, "grant_none");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_token_that_lives_too_long_is_refused_although_the_cluster_gives_it() {
    let World { cluster, credence, .. } = world();
    assert!(ask(credence, &cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 3600)).allowed());
    refused(credence, &cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 86_400), 401, "too_old");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn the_token_of_a_pod_is_its_accounts() {
    let World { cluster, credence, .. } = world();
    cluster.create_pod(NAMESPACE, "settler-0", ACCOUNT);
    let token = cluster.pod_token(NAMESPACE, "settler-0", ACCOUNT, AUDIENCE, 600);
    assert_eq!(claims(&token)["kubernetes.io"]["pod"]["name"], "settler-0");
    let answer = ask(credence, &token);
    assert!(answer.allowed(), "{}", answer.reason());
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn the_token_that_every_pod_gets_unasked_is_refused() {
    let World { cluster, credence, .. } = world();
    cluster.create_pod(NAMESPACE, "settler-1", ACCOUNT);
    // What a kubelet asks for: the API server's own audience, a little more than an hour. It gets a year.
    let token = cluster.pod_token(NAMESPACE, "settler-1", ACCOUNT, ISSUER, 3607);
    let claims = claims(&token);
    assert!(claims["kubernetes.io"]["warnafter"].is_u64(), "{claims}");
    assert!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() > 300 * 86_400);
    refused(credence, &token, 401, "too_old");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn an_account_made_anew_under_its_old_name_is_another() {
    let World { cluster, credence, .. } = world();
    let before = cluster.token(NAMESPACE, REBORN, AUDIENCE, 600);
    assert!(ask(credence, &before).allowed());
    cluster.delete_account(NAMESPACE, REBORN);
    cluster.create_account(NAMESPACE, REBORN);
    let after = cluster.token(NAMESPACE, REBORN, AUDIENCE, 600);
    assert_eq!(claims(&after)["sub"], claims(&before)["sub"]);
    refused(credence, &after, 403, "grant_none");
}

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_token_after_its_end_is_refused() {
    let World { cluster, trust, .. } = world();
    let token = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
    let end = claims(&token)["exp"].as_u64().unwrap();
    let file = trust.table.dir().join("token");
    let keys = trust.table.dir().join("keys.json");
    std::fs::write(&file, &token).unwrap();
    std::fs::write(&keys, cluster.keys().to_string()).unwrap();
    let table = trust.table.path();
    let at = |second: u64| {
        let time = jiff::Timestamp::from_second(second.try_into().unwrap()).unwrap().to_string();
        let path = |path: &std::path::Path| path.display().to_string();
        let (table, file, keys, secrets) = (path(&table), path(&file), path(&keys), path(&trust.secrets()));
        let target = "https://ledger.acme.test/v1/entries";
        let explain = ["explain", "--trust", &table, "--secrets-dir", &secrets, "--token-file", &file, "--keys", &keys];
        let output = command(&[&explain[..], &["--at", &time, "POST", target]].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = at(end - 1);
    assert_eq!(code, Some(0), "{text}");
    // 30 seconds of clock skew are the default.
    let (code, text) = at(end + 30);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("expired"), "{text}");
}
