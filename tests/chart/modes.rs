//! One on each node, or beside each gateway: over a socket, or over TCP that stays on the node.

use serde_json::{Value, json};

use crate::helm::Release;
use crate::objects::{Objects, documents, item, strings};

/// The pod that the patch makes of a gateway's.
fn patched(objects: &Objects) -> Value {
    let text = objects.named("ConfigMap", "rel-credence-sidecar")["data"]["patch.yaml"].as_str().unwrap();
    documents(text)[0]["spec"]["template"]["spec"].clone()
}

#[test]
fn a_daemon_set_is_asked_over_a_socket_of_its_node() {
    let objects = Release::of("daemonset-socket").render();
    assert!(objects.lacks("Deployment") && objects.lacks("PodDisruptionBudget"));
    let args = objects.args();
    assert!(args.contains(&"--listen=unix:/run/credence/authz.sock".to_owned()), "{args:?}");
    assert!(!args.iter().any(|arg| arg.starts_with("--tls") || arg == "--insecure-listen"), "{args:?}");
    let volume = item(&objects.pod()["spec"]["volumes"], "credence-socket");
    assert_eq!(volume["hostPath"], json!({"path": "/run/credence", "type": "Directory"}));
    // Nobody asks over the network.
    let services: Vec<_> = objects.of("Service").map(|service| &service["metadata"]["name"]).collect();
    assert_eq!(services, ["rel-credence-admin"]);
    let ports = objects.container()["ports"].as_array().unwrap();
    assert_eq!(ports.len(), 1);
}

#[test]
fn a_daemon_set_on_tcp_keeps_to_its_node() {
    let objects = Release::of("daemonset-tcp").render();
    let service = objects.named("Service", "trust");
    assert_eq!(service["spec"]["internalTrafficPolicy"], "Local");
    let refusal = Release::of("daemonset-tcp").set("service.internalTrafficPolicy=Cluster").refusal();
    assert!(refusal.contains("keeps to the node"), "{refusal}");
}

/// The second process would end with `another server listens there`.
#[test]
fn two_pods_of_one_node_cannot_have_one_socket() {
    let rolling = |text: &str| format!("daemonSet: {{updateStrategy: {{rollingUpdate: {{{text}}}}}}}");
    for (example, values, word) in [
        ("daemonset-socket", "maxSurge: 1, maxUnavailable: 0", "the rollout would hang"),
        ("daemonset-socket", "maxSurge: 10%", "the rollout would hang"),
        ("daemonset-socket", "maxUnavailable: 0", "no pod could ever be replaced"),
        ("daemonset-tcp", "maxUnavailable: 0%", "no pod could ever be replaced"),
        ("daemonset-tcp", "maxSurge: 1", "`maxUnavailable: 0` beside it"),
    ] {
        let refusal = Release::of(example).with(&rolling(values)).refusal();
        assert!(refusal.contains("`daemonSet.updateStrategy.rollingUpdate.") && refusal.contains(word), "{refusal}");
    }
    let tcp = Release::of("daemonset-tcp").with(&rolling("maxSurge: 1, maxUnavailable: 0"));
    assert_eq!(tcp.render().only("DaemonSet")["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"], 1);
    let gap = "WARNING: one pod on each node. While it is replaced, by each upgrade, gateways of that node answer 503.";
    assert!(!tcp.notes().contains(gap));
    let socket = Release::of("daemonset-socket").notes();
    assert!(socket.contains(gap) && socket.contains("Two cannot have one socket:"), "{socket}");
    let tcp = Release::of("daemonset-tcp").notes();
    assert!(tcp.contains(gap) && tcp.contains("{maxSurge: 1, maxUnavailable: 0}"), "{tcp}");
    let by_hand = "daemonSet: {updateStrategy: {type: OnDelete, rollingUpdate: null}}";
    Release::of("daemonset-socket").with(by_hand).render().only("DaemonSet");
}

#[test]
fn a_sidecar_is_a_patch_for_the_gateways_pods() {
    let objects = Release::of("sidecar").render();
    for kind in ["Deployment", "DaemonSet", "Service", "NetworkPolicy", "Pod", "ServiceAccount"] {
        assert!(objects.lacks(kind), "{kind}");
    }
    let spec = patched(&objects);
    let credence = item(&spec["initContainers"], "credence");
    assert!(strings(&credence["args"]).contains(&"--listen=unix:/run/credence/authz.sock".to_owned()));
    let gateway = item(&spec["containers"], "envoy");
    assert_eq!(gateway["volumeMounts"], json!([{"name": "credence-socket", "mountPath": "/run/credence"}]));
    assert_eq!(item(&spec["volumes"], "credence-socket")["emptyDir"]["medium"], "Memory");
    // The socket has mode 0660.
    assert_eq!(spec["securityContext"]["supplementalGroups"], json!([65532]));
    assert_eq!(spec["securityContext"]["fsGroup"], 65532);
    assert_eq!(item(&spec["initContainers"], "check-trust")["args"][0], "check");
}

/// A gateway that drains still asks, for as long as it takes.
#[test]
fn a_sidecar_starts_before_its_gateway_and_ends_after_it() {
    let spec = patched(&Release::of("sidecar").render());
    let names: Vec<_> = spec["initContainers"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["check-trust", "credence"]);
    assert!(spec["containers"].as_array().unwrap().iter().all(|one| one["name"] != "credence"));
    let credence = item(&spec["initContainers"], "credence");
    assert_eq!(credence["restartPolicy"], "Always");
    assert!(credence["startupProbe"].is_object(), "the gateway waits for it");
    // The kubelet ends it when nobody is left to ask: there is nothing to sleep for.
    assert!(credence["lifecycle"].is_null(), "{}", credence["lifecycle"]);
}

#[test]
fn the_admin_port_of_a_sidecar_is_closed_to_all_but_its_pod() {
    let closed = patched(&Release::of("sidecar").render());
    let credence = item(&closed["initContainers"], "credence");
    let args = strings(&credence["args"]);
    assert!(args.contains(&"--admin-listen=127.0.0.1:9192".to_owned()), "{args:?}");
    assert!(credence["ports"].is_null(), "{}", credence["ports"]);
    // The kubelet does not reach it: the program asks itself.
    let probe = |name: &str| strings(&credence[name]["exec"]["command"]);
    let alive = ["/credence", "status", "--timeout=0", "http://127.0.0.1:9192"];
    assert_eq!(
        (probe("startupProbe"), probe("livenessProbe")),
        (alive.map(str::to_owned).into(), probe("startupProbe"))
    );
    assert_eq!(probe("readinessProbe"), ["/credence", "status", "--timeout=0", "--ready", "http://127.0.0.1:9192"]);

    let open = patched(&Release::of("sidecar-metrics").render());
    let credence = item(&open["initContainers"], "credence");
    assert!(strings(&credence["args"]).contains(&"--admin-listen=0.0.0.0:9192".to_owned()));
    assert_eq!(credence["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "admin"}));
    assert_eq!(item(&credence["ports"], "admin")["containerPort"], 9192);
}
