//! Who reaches credence, and whom it reaches.

use serde_json::{Value, json};

use crate::helm::{Release, examples};

fn policy(example: &str) -> Value {
    Release::of(example).render().only("NetworkPolicy")["spec"].clone()
}

/// The rules that let somebody in on this port.
fn into<'a>(policy: &'a Value, port: &str) -> Vec<&'a Value> {
    let rules = policy["ingress"].as_array().unwrap().iter();
    rules.filter(|rule| rule["ports"].as_array().unwrap().iter().any(|open| open["port"] == port)).collect()
}

#[test]
fn only_gateways_may_ask() {
    let policy = policy("several");
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "server");
    let rules = into(&policy, "grpc");
    assert_eq!(rules.len(), 1);
    let gateways = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}]);
    assert_eq!(rules[0]["from"], gateways);
}

#[test]
fn admin_is_open_to_monitoring_and_helm_test_alone() {
    let watched = policy("several");
    let rules = into(&watched, "admin");
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0]["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "monitoring");
    assert_eq!(rules[1]["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "test");
    let unwatched = policy("inline");
    assert_eq!(into(&unwatched, "admin").len(), 1, "helm test only");
}

#[test]
fn no_rule_is_open_to_everybody_by_being_empty() {
    for example in examples() {
        for policy in Release::of(&example).render().of("NetworkPolicy") {
            for rule in policy["spec"]["ingress"].as_array().unwrap() {
                assert!(rule["from"].as_array().is_some_and(|from| !from.is_empty()), "{example}: {rule}");
            }
        }
    }
    let refusal =
        Release::of("inline").with("networkPolicy: {gateways: null}").set("networkPolicy.gateways=null").refusal();
    assert!(refusal.contains("nobody could ask"), "{refusal}");
}

#[test]
fn keys_are_fetched_by_https_and_never_from_where_clouds_keep_credentials() {
    let policy = policy("inline");
    let out = policy["egress"].as_array().unwrap();
    assert_eq!(out.len(), 2);
    assert_eq!(out[0]["ports"], json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]));
    assert_eq!(out[0]["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "kube-system");
    assert_eq!(out[1]["ports"], json!([{"protocol": "TCP", "port": 443}]));
    assert_eq!(out[1]["to"][0]["ipBlock"]["except"], json!(["169.254.0.0/16"]));
    assert_eq!(out[1]["to"][1]["ipBlock"]["except"], json!(["fe80::/10", "fd00:ec2::254/128"]));
}

#[test]
fn the_api_server_and_the_store_are_reached_where_they_are_needed() {
    assert_eq!(policy("replay")["egress"][2]["ports"][1]["port"], 6443);
    assert_eq!(policy("several")["egress"][2]["to"][0]["ipBlock"]["cidr"], "10.20.30.0/24");
    let refusal = Release::of("several").with("networkPolicy: {replayStore: []}").refusal();
    assert!(refusal.contains("the store could not be reached"), "{refusal}");
}

#[test]
fn the_service_says_that_it_is_grpc() {
    let objects = Release::of("inline").render();
    let spec = &objects.named("Service", "rel-credence")["spec"];
    assert_eq!(spec["ports"][0]["appProtocol"], "grpc");
    assert_eq!(spec["ports"][0]["port"], 9191);
    assert_eq!(spec["selector"], objects.only("Deployment")["spec"]["selector"]["matchLabels"]);
    assert_eq!(spec["internalTrafficPolicy"], "Cluster");
}

#[test]
fn a_headless_service_gives_the_addresses_of_all() {
    let objects = Release::of("existing").render();
    let service = objects.named("Service", "rel-credence");
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["metadata"]["annotations"]["example.test/note"], "headless");
    assert_eq!(service["metadata"]["labels"]["exposed-to"], "gateways");
    let refusal = Release::of("existing").set("service.type=LoadBalancer").refusal();
    assert!(refusal.contains("`service.headless`"), "{refusal}");
}
