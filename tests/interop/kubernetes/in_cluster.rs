//! credence as a pod of the cluster that it trusts: everything it needs for the keys is what every pod finds.

use super::cluster::Cluster;
use super::{ACCOUNT, AUDIENCE, NAMESPACE, Trust, ask, refused};
use crate::support::eventually;

#[test]
#[ignore = "needs Kubernetes: make test-interop"]
fn a_pod_reads_the_keys_of_its_own_cluster_by_its_own_account() {
    let mut cluster = Cluster::start();
    cluster.publish_keys_to_accounts();
    let uid = cluster.create_account(NAMESPACE, ACCOUNT);
    let trust = Trust::new().own_cluster("here").grant("settler", "here", ACCOUNT, &uid);
    // What a kubelet mounts into a pod, and writes anew.
    let mount = trust.table.dir().join("serviceaccount");
    std::fs::create_dir(&mount).unwrap();
    std::fs::copy(cluster.ca_file(), mount.join("ca.crt")).unwrap();
    let write_token = |cluster: &Cluster| {
        std::fs::write(mount.join("..token"), cluster.reader_token()).unwrap();
        std::fs::rename(mount.join("..token"), mount.join("token")).unwrap();
    };
    write_token(&cluster);
    let variables = format!("KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT={}", cluster.port());
    let credence = trust
        .serve()
        .arg("--service-account-dir")
        .arg(&mount.display().to_string())
        .shell(&format!("{variables} exec \"$@\""))
        .start();
    let first = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
    let answer = ask(&credence, &first);
    assert!(answer.allowed(), "{}", answer.reason());
    assert_eq!(answer.header("x-credence-realm"), None);

    cluster.rotate("RS256", false);
    write_token(&cluster);
    let second = cluster.token(NAMESPACE, ACCOUNT, AUDIENCE, 600);
    eventually("the new key", || ask(&credence, &second).allowed().then_some(()));
    refused(&credence, &first, 401, "key_unknown");
}
