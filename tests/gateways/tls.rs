//! Mutual TLS between the gateway and credence, by the very objects that the page for operators shows.

use crate::envoy_gateway::Gateway;
use crate::kubernetes::Api;
use crate::manifests::Manifests;
use crate::render::{NAMESPACES, manifests, rendered};
use crate::scene::{BY_ROUTE, Reached, Scene, get};
use crate::support::issuer::Ca;
use crate::support::scratch;
use crate::support::tls::Identity;

const PAGE: &str = include_str!("../../docs/install/envoy-gateway.md");
const GATEWAY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";

/// The objects of the page: the policy beside the Service, and the line of the EnvoyProxy.
fn page() -> (String, String) {
    let block = PAGE.split("```yaml\n").find(|block| block.contains("kind: BackendTLSPolicy")).unwrap();
    let (policy, proxy) = block.split("```").next().unwrap().split_once("\n---\n").unwrap();
    let line = proxy.lines().find(|line| line.starts_with("  backendTLS:")).unwrap();
    (policy.to_owned(), line.split(" #").next().unwrap().to_owned())
}

fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("    {line}\n")).collect()
}

/// The secret and the authority that the page takes for granted.
fn given(authority: &Ca, shown: &Identity) -> String {
    let dir = scratch();
    let (chain, key) = shown.write(dir.path(), "client");
    let read = |path: &str| indented(&std::fs::read_to_string(path).unwrap());
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{name: credence-ca, namespace: credence}}
data:
  ca.crt: |
{}---
apiVersion: v1
kind: Secret
metadata: {{name: credence-client, namespace: gateways}}
type: kubernetes.io/tls
stringData:
  tls.crt: |
{}  tls.key: |
{}",
        indented(&authority.pem()),
        read(&chain),
        read(&key)
    )
}

#[test]
fn the_gateway_asks_over_mutual_tls_and_a_gateway_of_another_name_may_not_ask() {
    let (authority, dir) = (Ca::new(), scratch());
    let (chain, key) = authority.issue(&["credence.credence.svc"]).write(dir.path(), "server");
    let clients = authority.write(dir.path());
    let flags = ["--tls-cert", &chain, "--tls-key", &key, "--tls-client-ca", &clients, "--allow-peer", GATEWAY];
    let scene = Scene::serving(BY_ROUTE, |text| text, |serve| flags.iter().fold(serve, |serve, flag| serve.arg(flag)));
    let (policy, line) = page();
    let with = |shown: &str| -> Manifests {
        let manifests = manifests(&scene, &rendered(&scene))
            .with("  provider: {type: Host", &format!("{line}\n  provider: {{type: Host"));
        manifests.and(&policy).and(&given(&authority, &authority.issue(&[shown])))
    };
    let call = || get("partners.acme.test", "/orders/4711").bearer(scene.token());

    let api = Api::start(&NAMESPACES);
    let gateway = Gateway::in_cluster(&api, with(GATEWAY));
    let outcome = scene.send(&gateway, call());
    assert_eq!(outcome.reached, Reached::Orders, "{:?}", outcome.response);
    let line = scene.credence.decision(outcome.echo().one("x-credence-decision-id"));
    assert!(line["proxy"]["peer"].as_str().unwrap().starts_with(GATEWAY), "{line}");
    drop((gateway, api));

    let api = Api::start(&NAMESPACES);
    let gateway = Gateway::in_cluster(&api, with("spiffe://acme.test/ns/other/sa/envoy"));
    let outcome = scene.send(&gateway, call());
    assert_eq!((outcome.reached, outcome.response.status), (Reached::Neither, 503), "{:?}", outcome.response);
}
