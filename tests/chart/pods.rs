//! What a pod may do, what it runs, and when it counts as well.

use std::process::Command;

use serde_json::{Value, json};

use crate::helm::{Release, examples};
use crate::objects::{Objects, documents, item};
use crate::support::credence::{binary, run};

/// Every pod of a rendering: of the workload, of the test, beside a gateway.
fn pods(objects: &Objects) -> Vec<Value> {
    let workloads = objects.of("Deployment").chain(objects.of("DaemonSet")).map(|object| &object["spec"]["template"]);
    let mut pods: Vec<Value> = workloads.chain(objects.of("Pod")).map(|pod| pod["spec"].clone()).collect();
    let patches = objects.of("ConfigMap").filter_map(|map| map["data"]["patch.yaml"].as_str());
    pods.extend(patches.map(|patch| documents(patch)[0]["spec"]["template"]["spec"].clone()));
    pods
}

/// The containers that this chart writes.
fn own(pod: &Value) -> Vec<&Value> {
    let all = ["containers", "initContainers"].into_iter().filter_map(|list| pod[list].as_array()).flatten();
    all.filter(|container| ["credence", "check-trust", "status"].iter().any(|name| container["name"] == *name))
        .collect()
}

#[test]
fn every_container_is_restricted() {
    for example in examples() {
        let objects = Release::of(&example).render();
        for pod in pods(&objects) {
            for container in own(&pod) {
                assert_eq!(
                    container["securityContext"],
                    json!({
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                        "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
                    }),
                    "{example}: {}",
                    container["name"]
                );
                assert!(container["resources"]["limits"]["memory"].is_string(), "{example}");
            }
        }
    }
}

#[test]
fn no_pod_has_a_token_unless_the_table_needs_one() {
    for example in examples() {
        let objects = Release::of(&example).render();
        let account = objects.of("ServiceAccount").all(|account| account["automountServiceAccountToken"] == false);
        assert!(account, "{example}");
        for pod in pods(&objects).iter().filter(|_| !example.starts_with("sidecar")) {
            assert_eq!(pod["automountServiceAccountToken"], false, "{example}");
        }
        assert_eq!(objects.text.contains("serviceAccountToken"), example == "replay", "{example}");
    }
    let objects = Release::of("replay").render();
    let sources = &item(&objects.pod()["spec"]["volumes"], "credence-account")["projected"]["sources"];
    assert_eq!(sources[0]["serviceAccountToken"], json!({"path": "token", "expirationSeconds": 3600}));
    let mount = item(&objects.container()["volumeMounts"], "credence-account");
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
    let binding = objects.only("ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], "system:service-account-issuer-discovery");
    assert_eq!(binding["subjects"][0]["namespace"], "trust");
    let without = Release::of("replay").set("kubernetes.inCluster=false").refusal();
    assert!(without.contains("kubernetes.inCluster: true"), "{without}");
}

#[test]
fn a_service_called_credence_sets_no_flag() {
    // The kubelet would set CREDENCE_SERVICE_HOST and the like in every pod of the namespace.
    for example in examples() {
        for pod in pods(&Release::of(&example).render()) {
            assert_eq!(pod["enableServiceLinks"], false, "{example}");
        }
    }
}

#[test]
fn the_program_knows_every_argument_that_the_chart_writes() {
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).unwrap();
    for example in examples() {
        for pod in pods(&Release::of(&example).render()) {
            for container in own(&pod) {
                let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
                // A program of a branch that has no shared store yet.
                let later = |arg: &&str| arg.starts_with("--replay-") && !arg.starts_with("--replay-memory");
                let args = args.filter(|arg| help.contains("--replay-store") || !later(arg));
                // What precedes `--help` is read first.
                let output = Command::new(binary()).args(args).arg("--help").env_clear().output().unwrap();
                assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

#[test]
fn every_setting_becomes_its_flag() {
    let args = Release::of("autoscaling").render().args();
    for flag in [
        "--max-concurrent=4096",
        "--max-request-bytes=33554432",
        "--max-bad-signatures=50",
        "--token-memory=128MiB",
        "--replay-memory=32MiB",
        "--workers=2",
        "--drain-seconds=20",
        "--claim-headers",
        "--reflection",
        "--deny-detail=reason",
        "--decision-log-full=deny",
        "--log-format=text",
        "--log-level=credence=debug",
    ] {
        assert!(args.contains(&flag.to_owned()), "{flag} not in {args:?}");
    }
}

#[test]
fn readiness_is_asked_by_grpc_where_the_kubelet_can() {
    let probe = |example: &str| Release::of(example).render().container()["readinessProbe"].clone();
    assert_eq!(probe("existing")["grpc"], json!({"port": 9191, "service": "envoy.service.auth.v3.Authorization"}));
    // It speaks gRPC neither over TLS nor on a socket.
    for example in ["inline", "daemonset-socket"] {
        assert_eq!(probe(example)["httpGet"], json!({"path": "/readyz", "port": "admin"}), "{example}");
        let refusal = Release::of(example).set("probes.readiness.type=grpc").refusal();
        assert!(refusal.contains("no pod would become ready"), "{refusal}");
    }
    let http = Release::of("existing").set("probes.readiness.type=http").render();
    assert_eq!(http.container()["readinessProbe"]["httpGet"]["path"], "/readyz");
}

#[test]
fn liveness_and_start_are_asked_by_http() {
    let objects = Release::of("inline").render();
    for probe in ["livenessProbe", "startupProbe"] {
        assert_eq!(objects.container()[probe]["httpGet"], json!({"path": "/healthz", "port": "admin"}));
    }
    assert!(objects.args().contains(&"--admin-listen=0.0.0.0:9192".to_owned()));
    let six = Release::of("inline").set("listen.address=[::]").render().args();
    assert!(six.contains(&"--admin-listen=[::]:9192".to_owned()) && six.contains(&"--listen=[::]:9191".to_owned()));
}

#[test]
fn the_image_is_named_by_tag_or_pinned_by_digest() {
    let version = Release::of("inline").render();
    assert_eq!(version.container()["image"], "ghcr.io/credence-dev/credence:0.1.0");
    let pinned = Release::of("autoscaling").render();
    let image = pinned.container()["image"].as_str().unwrap();
    assert!(image.starts_with("images.acme.test/credence@sha256:01234"), "{image}");
    assert_eq!(pinned.pod()["spec"]["imagePullSecrets"], json!([{"name": "images"}]));
}
