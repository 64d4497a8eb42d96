//! Where spans go, and what they say of their pod.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::helm::Release;

/// The container of credence: its arguments, and its variables as text.
fn told(release: &Release) -> (Vec<String>, BTreeMap<String, String>) {
    let objects = release.render();
    let container = &objects.only("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let env = container["env"].as_array().into_iter().flatten();
    let env = env.map(|pair| {
        (text(&pair["name"]), text(if pair["value"].is_null() { &pair["valueFrom"] } else { &pair["value"] }))
    });
    (args, env.collect())
}

#[test]
fn spans_go_to_the_collector_and_name_their_pod() {
    let (args, env) = told(&Release::of("several"));
    assert!(args.contains(&"--otlp-endpoint=http://otel-collector.observability:4317".to_owned()), "{args:?}");
    assert_eq!(
        env["OTEL_RESOURCE_ATTRIBUTES"],
        "k8s.pod.name=$(K8S_POD_NAME),k8s.namespace.name=$(K8S_POD_NAMESPACE),deployment.environment.name=production"
    );
    assert!(
        env["K8S_POD_NAME"].contains("metadata.name") && env["K8S_POD_NAMESPACE"].contains("metadata.namespace"),
        "{env:?}"
    );
    assert_eq!((&*env["OTEL_TRACES_SAMPLER"], &*env["OTEL_TRACES_SAMPLER_ARG"]), ("parentbased_traceidratio", "0.1"));
    let (_, env) = told(&Release::of("several").set("tracing.protocol=http/protobuf").set("tracing.sampler=always_on"));
    assert_eq!(
        (&*env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"], &*env["OTEL_TRACES_SAMPLER"]),
        ("http/protobuf", "always_on")
    );
    assert!(!env.contains_key("OTEL_TRACES_SAMPLER_ARG"), "{env:?}");
}

#[test]
fn without_an_endpoint_nothing_is_said_of_traces() {
    let (args, env) = told(&Release::of("inline"));
    assert!(
        args.iter().all(|arg| !arg.contains("otlp")) && env.keys().all(|name| !name.starts_with("OTEL_")),
        "{env:?}"
    );
}

#[test]
fn the_network_policy_lets_out_to_the_collector_or_the_chart_says_why_not() {
    let policy = Release::of("several").render().only("NetworkPolicy")["spec"]["egress"].clone();
    let to = "observability";
    let rule = policy.as_array().unwrap().iter().find(|rule| rule["to"].to_string().contains(to)).unwrap();
    assert_eq!(rule["ports"][0]["port"], 4317);
    let refusal = Release::of("several").with("networkPolicy: {collector: []}").refusal();
    assert!(refusal.contains("the collector could not be reached"), "{refusal}");
}
