//! What whoever installs it is told.

use serde_json::{Value, json};

use crate::helm::Release;
use crate::objects::documents;

/// The NetworkPolicy that the notes offer for gateways with sidecars.
pub(crate) fn offered_policy(notes: &str) -> Value {
    let begins = |line: &&str| *line == "  apiVersion: networking.k8s.io/v1";
    let text = notes.lines().skip_while(|line| !begins(line));
    let lines: Vec<&str> = text.map_while(|line| line.strip_prefix("  ")).collect();
    documents(&lines.join("\n")).remove(0)
}

#[test]
fn whoever_installs_it_is_shown_readiness_and_one_explain() {
    let notes = Release::of("inline").notes();
    for line in [
        "kubectl -n trust rollout status deployment/rel-credence",
        "helm -n trust test rel",
        "curl http://127.0.0.1:9192/readyz",
        "credence explain --trust trust.yaml --token-file token.jwt GET https://your.host/path",
        "Gateways ask at rel-credence.trust.svc:9191, gRPC with mutual TLS, as spiffe://acme.test/ns/gateways/sa/envoy.",
    ] {
        assert!(notes.contains(line), "{line:?} is not in\n{notes}");
    }
    assert!(!notes.contains("WARNING"), "{notes}");
    let any = Release::of("autoscaling").notes();
    assert!(any.contains("gRPC with mutual TLS, as whatever the authority signed.\n"), "{any}");
    let sidecar = Release::of("sidecar").notes();
    for line in
        ["get configmap rel-credence-sidecar", "port-forward pod/GATEWAY 9192", "curl http://127.0.0.1:9192/readyz"]
    {
        assert!(sidecar.contains(line), "{line:?} is not in\n{sidecar}");
    }
    assert!(!sidecar.contains("WARNING"), "{sidecar}");
}

/// The table that `explain` is given is the one that the pods have, however it came to them.
#[test]
fn every_file_of_the_table_is_saved_before_it_is_explained() {
    let save = |map: &str, key: &str, to: &str| {
        format!("  kubectl -n trust get configmap {map} -o go-template='{{{{index .data \"{key}\"}}}}' > {to}\n")
    };
    let own = "rel-credence-trust";
    let explain = |table: &str| format!("\n  credence explain --trust {table} --token-file");
    for (example, saved, table) in [
        ("inline", vec![save(own, "trust.yaml", "trust.yaml")], "trust.yaml"),
        (
            "sidecar",
            vec![save(own, "trust.yaml", "trust/trust.yaml"), save(own, "corp-ca.pem", "trust/corp-ca.pem")],
            "trust",
        ),
        (
            "several",
            vec![
                save("trust-platform", "trust.yaml", "trust/trust-platform.trust.yaml"),
                save("trust-payments", "trust.yaml", "trust/trust-payments.trust.yaml"),
                save("trust-payments", "suppliers.yaml", "trust/trust-payments.suppliers.yaml"),
            ],
            "trust",
        ),
    ] {
        let notes = Release::of(example).notes();
        for line in &saved {
            assert!(notes.contains(line), "{example}: {line:?} is not in\n{notes}");
        }
        assert_eq!(notes.matches(" > trust").count(), saved.len(), "{example}: {notes}");
        assert_eq!(notes.contains("mkdir -p trust\n"), table == "trust", "{example}: {notes}");
        assert!(notes.contains(&explain(table)), "{example}: {notes}");
    }
    // Of a ConfigMap that is not the chart's own, only the cluster knows the files.
    let existing = Release::of("existing").notes();
    for line in [
        "  mkdir -p trust\n",
        "  for file in $(kubectl -n trust get configmap acme-trust -o go-template='{{range $name, $_ := .data}}{{$name}} {{end}}'); do\n",
        "    kubectl -n trust get configmap acme-trust -o go-template=\"{{index .data \\\"$file\\\"}}\" > \"trust/$file\"\n  done\n",
        "credence explain --trust trust --secrets-dir /etc/credence/secrets --token-file token.jwt GET",
    ] {
        assert!(existing.contains(line), "{line:?} is not in\n{existing}");
    }
    let secrets = "the secrets themselves need not be on your machine";
    assert!(existing.contains(secrets) && !Release::of("inline").notes().contains(secrets), "{existing}");
}

#[test]
fn whoever_installs_it_is_warned() {
    let existing = Release::of("existing").notes();
    assert!(existing.contains("WARNING: tls.mode is insecure"), "{existing}");
    assert!(existing.contains("WARNING: there is more than one replica and no replayStore.url"), "{existing}");
    assert!(Release::of("daemonset-tcp").notes().contains("WARNING: networkPolicy.enabled is false"));
    assert!(Release::of("replay").notes().contains("WARNING: one replica"));
}

/// A policy of the chart's cannot close one port of somebody else's pods without a say in the others.
#[test]
fn an_open_admin_port_of_sidecars_comes_with_the_policy_that_closes_it() {
    let notes = Release::of("sidecar-metrics").notes();
    assert!(notes.contains("WARNING: sidecar.admin is pod. Whoever reaches a gateway reads"), "{notes}");
    let spec = offered_policy(&notes)["spec"].clone();
    assert_eq!(spec["podSelector"]["matchLabels"], json!({"app.kubernetes.io/name": "envoy"}));
    assert_eq!(spec["policyTypes"], json!(["Ingress"]));
    let ports = |low, high| json!({"protocol": "TCP", "port": low, "endPort": high});
    let udp = json!({"protocol": "UDP", "port": 1, "endPort": 65535});
    assert_eq!(spec["ingress"][0], json!({"ports": [ports(1, 9191), ports(9193, 65535), udp]}), "all others are left");
    let monitoring = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}});
    assert_eq!(spec["ingress"][1], json!({"from": [monitoring], "ports": [{"protocol": "TCP", "port": 9192}]}));
    assert!(spec["ingress"][2].is_null());
    let last = Release::of("sidecar-metrics").set("listen.adminPort=65535").set("networkPolicy.monitoring=null");
    assert_eq!(offered_policy(&last.notes())["spec"]["ingress"], json!([{"ports": [ports(1, 65534), udp]}]));
}
