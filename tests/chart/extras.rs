//! What a house adds and renames.

use serde_json::json;

use crate::helm::{Release, examples};
use crate::objects::item;

#[test]
fn everything_that_is_added_is_there() {
    let objects = Release::of("extras").render();
    let spec = &objects.pod()["spec"];
    assert_eq!(objects.args().last().unwrap(), "--service-account-dir=/var/run/account");
    assert_eq!(objects.container()["env"], json!([{"name": "HTTPS_PROXY", "value": "http://proxy.acme.test:3128"}]));
    assert_eq!(objects.container()["envFrom"][0]["configMapRef"]["name"], "proxies");
    assert_eq!(item(&spec["volumes"], "corp-ca")["configMap"]["name"], "corp-ca");
    assert_eq!(item(&objects.container()["volumeMounts"], "corp-ca")["mountPath"], "/etc/corp");
    let check = item(&spec["initContainers"], "check-trust");
    assert_eq!(
        item(&check["volumeMounts"], "corp-ca")["mountPath"],
        "/etc/corp",
        "the check reads what the table names"
    );
    assert_eq!(item(&spec["containers"], "shipper")["image"], "images.acme.test/shipper:1");
    assert_eq!(spec["initContainers"][0]["name"], "wait");
    assert_eq!(spec["hostAliases"][0]["ip"], "192.0.2.7");
    assert_eq!(
        (&spec["dnsPolicy"], &spec["dnsConfig"]["options"][0]["name"]),
        (&json!("ClusterFirst"), &json!("ndots"))
    );
    assert_eq!(spec["serviceAccountName"], "somebody");
    assert!(objects.lacks("ServiceAccount"));
    let policy = &objects.only("NetworkPolicy")["spec"];
    assert_eq!(
        policy["ingress"].as_array().unwrap().last().unwrap()["from"][0]["podSelector"]["matchLabels"]["app"],
        "prober"
    );
    assert_eq!(policy["egress"].as_array().unwrap().last().unwrap()["to"][0]["ipBlock"]["cidr"], "192.0.2.0/24");
    assert_eq!(objects.only("Pod")["metadata"]["annotations"]["example.test/why"], "smoke");
}

#[test]
fn extra_objects_are_templates() {
    let objects = Release::of("extras").render();
    assert_eq!(objects.named("ConfigMap", "rel-credence-extra")["data"]["replicas"], "2");
    assert_eq!(objects.named("ConfigMap", "rel-text")["data"]["from"], "text");
}

#[test]
fn labels_and_annotations_of_the_house_are_on_every_object() {
    let objects = Release::of("autoscaling").render();
    for object in objects.iter() {
        let metadata = &object["metadata"];
        assert_eq!(metadata["labels"]["cost-centre"], "4711", "{}", metadata["name"]);
        assert_eq!(metadata["annotations"]["example.test/owner"], "platform", "{}", metadata["name"]);
    }
    let pod = &objects.pod()["metadata"];
    assert_eq!(pod["labels"]["sidecar.istio.io/inject"], "false");
    assert_eq!(pod["annotations"]["example.test/pod"], "true");
    // None of them takes the place of what objects are selected by.
    let hostile = Release::of("autoscaling").with("podLabels: {app.kubernetes.io/name: other}").render();
    assert_eq!(hostile.pod()["metadata"]["labels"]["app.kubernetes.io/name"], "trust");
}

#[test]
fn names_and_namespace_can_be_chosen() {
    let objects = Release::of("daemonset-tcp").render();
    assert_eq!(objects.only("DaemonSet")["metadata"]["name"], "trust");
    for object in objects.iter() {
        assert_eq!(object["metadata"]["namespace"], "trust-system", "{}", object["kind"]);
    }
    assert_eq!(Release::of("autoscaling").render().only("Deployment")["metadata"]["name"], "rel-trust");
    let long = format!("fullnameOverride={}", "a".repeat(80));
    let objects = Release::of("several").set(&long).render();
    for object in objects.iter() {
        assert!(object["metadata"]["name"].as_str().unwrap().len() <= 63, "{}", object["metadata"]["name"]);
    }
}

#[test]
fn every_object_has_a_namespace_and_the_usual_labels() {
    for example in examples() {
        for object in Release::of(&example).render().iter() {
            let (kind, metadata) = (&object["kind"], &object["metadata"]);
            if metadata["name"] == "rel-credence-extra" || metadata["name"] == "rel-text" {
                continue; // the user's own
            }
            assert!(metadata["namespace"].is_string() || kind == "ClusterRoleBinding", "{example}: {kind}");
            for label in ["name", "instance", "version", "managed-by", "part-of"] {
                assert!(
                    metadata["labels"][format!("app.kubernetes.io/{label}")].is_string(),
                    "{example}: {kind} {label}"
                );
            }
        }
    }
}
