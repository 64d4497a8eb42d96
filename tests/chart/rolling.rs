//! How pods come and go, and where they are: no call is to be lost on the way.

use serde_json::json;

use crate::helm::{NAME, Release};

#[test]
fn two_replicas_are_replaced_without_one_missing() {
    let objects = Release::of("inline").render();
    let spec = &objects.only("Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxUnavailable": 0, "maxSurge": 1}));
}

#[test]
fn a_pod_answers_until_gateways_know_that_it_goes_and_then_drains() {
    let objects = Release::of("inline").render();
    assert_eq!(objects.container()["lifecycle"]["preStop"], json!({"sleep": {"seconds": 5}}));
    assert_eq!(objects.pod()["spec"]["terminationGracePeriodSeconds"], 30);
    assert!(objects.args().contains(&"--drain-seconds=10".to_owned()));
    let refusal = Release::of("inline").set("terminationGracePeriodSeconds=15").refusal();
    assert!(refusal.contains("would kill a drain"), "{refusal}");
}

#[test]
fn replicas_are_spread_over_nodes_and_zones() {
    let objects = Release::of("inline").render();
    let spread = objects.pod()["spec"]["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<_> = spread.iter().map(|rule| rule["topologyKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    for rule in spread {
        assert_eq!(rule["labelSelector"]["matchLabels"], objects.only("Deployment")["spec"]["selector"]["matchLabels"]);
        assert_eq!(
            rule["matchLabelKeys"],
            json!(["pod-template-hash"]),
            "old and new pods are spread apart from each other"
        );
    }
}

#[test]
fn evictions_leave_somebody_to_answer() {
    let budget = Release::of("inline").render().only("PodDisruptionBudget")["spec"].clone();
    assert_eq!(budget["maxUnavailable"], 1);
    assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(budget["selector"]["matchLabels"]["app.kubernetes.io/component"], "server");
    let at_least = Release::of("autoscaling").render().only("PodDisruptionBudget")["spec"].clone();
    assert_eq!(at_least["minAvailable"], 2);
    assert!(at_least["maxUnavailable"].is_null());
}

#[test]
fn an_autoscaler_sets_the_number_and_nobody_else() {
    let objects = Release::of("autoscaling").render();
    let scaler = &objects.only("HorizontalPodAutoscaler")["spec"];
    assert_eq!(scaler["scaleTargetRef"], json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "rel-trust"}));
    assert_eq!((&scaler["minReplicas"], &scaler["maxReplicas"]), (&json!(3), &json!(12)));
    assert_eq!(scaler["metrics"][0]["resource"]["target"]["averageUtilization"], 60);
    assert!(objects.only("Deployment")["spec"]["replicas"].is_null());
    let refusal = Release::of("autoscaling").set("autoscaling.minReplicas=20").refusal();
    assert!(refusal.contains("is more than `autoscaling.maxReplicas`"), "{refusal}");
}

#[test]
fn pods_go_where_the_house_wants_them() {
    let objects = Release::of("autoscaling").render();
    let spec = &objects.pod()["spec"];
    assert_eq!(spec["priorityClassName"], "system-cluster-critical");
    assert_eq!(spec["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(spec["tolerations"][0]["key"], "gateway");
    assert!(spec["affinity"]["nodeAffinity"].is_object());
    assert_eq!(spec["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule");
}

/// Where each replica remembers for itself, a token is good once at each.
#[test]
fn replay_once_with_several_replicas_needs_a_shared_store() {
    assert_eq!(Release::of("replay").render().only("Deployment")["spec"]["replicas"], 1);
    let several = [
        "replicaCount: 2",
        "autoscaling: {enabled: true}",
        "mode: DaemonSet",
        "{mode: Sidecar, networkPolicy: {enabled: false}}",
    ];
    for values in several {
        let refusal = Release::of("replay").with(values).refusal();
        assert!(refusal.contains("each would take a token once"), "{values}: {refusal}");
    }
    let store = "{replicaCount: 3, replayStore: {url: \"rediss://redis.acme.test\"}, \
                 networkPolicy: {replayStore: [{ports: [{port: 6379}]}]}}";
    assert_eq!(Release::of("replay").with(store).render().only("Deployment")["spec"]["replicas"], 3);
    // In a file beside the table, too.
    let beside = "trust: {files: {more.yaml: \"grants: {x: {replay: once}}\\n\"}}";
    assert!(Release::of("inline").with(beside).refusal().contains("each would take a token once"));
    // Where only a comment says it, nothing is wrong.
    let comment = "trust: {inline: \"# replay: once\\ngrants: {x: {issuer: y}}\\n\"}";
    assert_eq!(Release::of("inline").with(comment).render().only("Deployment")["metadata"]["name"], NAME);
}

#[test]
fn the_shared_store_is_named_with_its_secrets() {
    let objects = Release::of("several").render();
    let args = objects.args();
    for arg in [
        "--replay-store=rediss://redis.acme.test:6379",
        "--replay-password-file=/etc/credence/replay/password",
        "--replay-ca-file=/etc/credence/replay/ca.crt",
        "--replay-client-cert=/etc/credence/replay/tls.crt",
        "--replay-client-key=/etc/credence/replay/tls.key",
    ] {
        assert!(args.contains(&arg.to_owned()), "{arg} not in {args:?}");
    }
}

/// Arguments are shown to whoever may look at a pod.
#[test]
fn a_password_in_the_stores_address_is_refused_and_told_where_it_goes() {
    for url in ["redis://:hunter2@redis.acme.test", "rediss://me:hunter2/x@a@redis.acme.test:6379/0"] {
        let refusal = Release::of("several").set(&format!("replayStore.url={url}")).refusal();
        for hint in ["`replayStore.url` holds a password", "create secret generic", "`replayStore.passwordSecret.name`"]
        {
            assert!(refusal.contains(hint), "{url}: no {hint} in {refusal}");
        }
        assert!(!refusal.contains("hunter2"), "it is not told on: {refusal}");
    }
    let user = "rediss://me@redis.acme.test:6379/0";
    let args = Release::of("several").set(&format!("replayStore.url={user}")).render().args();
    assert!(args.contains(&format!("--replay-store={user}")), "{args:?}");
    let nowhere = Release::of("several").set("replayStore.url=").refusal();
    assert!(nowhere.contains("`replayStore.url` is empty"), "{nowhere}");
}
