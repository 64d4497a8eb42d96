//! Who may ask is decided, never left open by leaving something out.

use serde_json::{Value, json};

use crate::helm::Release;
use crate::objects::item;

fn sources(release: &Release) -> Value {
    item(&release.render().pod()["spec"]["volumes"], "credence-tls")["projected"]["sources"].clone()
}

#[test]
fn mutual_tls_is_the_default_and_asks_for_what_it_needs() {
    let table = "trust: {existingConfigMap: acme-trust}\nnetworkPolicy: {enabled: false}";
    let refusal = Release::bare().with(table).refusal();
    assert!(refusal.contains("`tls.mode: mtls` needs a certificate"), "{refusal}");
    let refusal = Release::bare().with(table).set("tls.existingSecret=credence-tls").refusal();
    assert!(refusal.contains("`tls.allowPeer`"), "{refusal}");
    let refusal = Release::bare().with(table).with("tls: {allowPeer: [any], certManager: {enabled: true}}").refusal();
    assert!(refusal.contains("tls.certManager.issuerRef.name"), "{refusal}");
}

#[test]
fn certificate_key_and_authorities_come_from_secrets() {
    let release = Release::of("inline");
    assert_eq!(
        sources(&release),
        json!([
            {"secret": {"name": "credence-tls", "items": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}]}},
            {"secret": {"name": "credence-tls", "items": [{"key": "ca.crt", "path": "client-ca.crt"}]}},
        ])
    );
    let args = release.render().args();
    for arg in [
        "--tls-cert=/etc/credence/tls/tls.crt",
        "--tls-key=/etc/credence/tls/tls.key",
        "--tls-client-ca=/etc/credence/tls/client-ca.crt",
        "--allow-peer=spiffe://acme.test/ns/gateways/sa/envoy",
    ] {
        assert!(args.contains(&arg.to_owned()), "{arg} not in {args:?}");
    }
    assert!(!args.contains(&"--insecure-listen".to_owned()));
    let other = sources(&Release::of("autoscaling"));
    assert_eq!(other[0]["secret"]["items"][0]["key"], "cert.pem");
    assert_eq!(
        other[1]["secret"],
        json!({"name": "workload-ca", "items": [{"key": "ca.pem", "path": "client-ca.crt"}]})
    );
}

#[test]
fn cert_manager_makes_the_certificate() {
    let release = Release::of("several");
    let objects = release.render();
    let spec = &objects.only("Certificate")["spec"];
    assert_eq!(spec["secretName"], "rel-credence-tls");
    assert_eq!(spec["issuerRef"], json!({"name": "acme", "kind": "ClusterIssuer", "group": "cert-manager.io"}));
    let names = spec["dnsNames"].as_array().unwrap();
    assert!(names.contains(&json!("rel-credence.trust.svc")) && names.contains(&json!("credence.acme.test")));
    assert_eq!(spec["uris"], json!(["spiffe://acme.test/ns/credence/sa/credence"]));
    assert_eq!(spec["usages"], json!(["digital signature", "server auth"]));
    let sources = sources(&release);
    assert_eq!(sources[0]["secret"]["name"], "rel-credence-tls");
    assert_eq!(sources[1]["configMap"]["name"], "acme-workload-ca");
}

#[test]
fn without_tls_only_when_it_is_written() {
    let args = Release::of("existing").render().args();
    assert!(args.contains(&"--insecure-listen".to_owned()));
    assert!(!args.iter().any(|arg| arg.starts_with("--tls") || arg.starts_with("--allow-peer")));
    let refusal = Release::of("existing").set("tls.mode=none").refusal();
    assert!(refusal.contains("/tls/mode"), "{refusal}");
}
