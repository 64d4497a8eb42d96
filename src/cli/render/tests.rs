use std::sync::Arc;

use saphyr::{LoadableYamlNode as _, Yaml};

use super::snippet::{EXAMPLE, piece};
use super::*;
use crate::clock::Time;
use crate::keys::LiveKeys;
use crate::table::{Permissions, SourceFile, Sources, compile};

const PLAIN: &str = "  api: {audience: api, hosts: [api.acme.test, \"ops.acme.test:8443\"]}\n";
const PICKED: &str = "  api: {audience: api, hosts: [api.acme.test]}
  payments: {audience: pay, context: {resource: payments, \"odd\": \"a: b # }\"}}
  orders: {audience: orders, route: {namespace: shop, name: orders}, context: {tier: gold}}
";

fn snapshot(resources: &str) -> Snapshot {
    let text = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  ci: {{issuer: https://ci.test}}\nresources:\n{resources}"
    );
    let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let compiled = compile(&sources, &Permissions::default(), now, |need| Arc::new(LiveKeys::unfetched(need.rules)));
    let report = compiled.report.render(false);
    compiled.snapshot.unwrap_or_else(|| panic!("{report}"))
}

fn names() -> Names {
    Names { service: None, namespace: "credence".into(), port: 9191, gateway: None, gateway_namespace: None }
}

fn rendered(to: Target, resources: &str, names: &Names) -> Rendered {
    of(to, &snapshot(resources), names)
}

const ALL: [Target; 3] = [Target::Envoy, Target::EnvoyGateway, Target::Istio];

#[test]
fn everything_that_is_printed_is_yaml_and_the_same_each_time() {
    for to in ALL {
        for resources in [PLAIN, PICKED] {
            let Rendered { text, .. } = rendered(to, resources, &names());
            let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{to:?}: {error}\n{text}"));
            assert!(documents.iter().all(|document| document.is_mapping()), "{to:?}\n{text}");
            assert_eq!(documents.len(), 1 + text.matches("\n---\n").count(), "{text}");
            assert_eq!(text, rendered(to, resources, &names()).text);
        }
    }
}

#[test]
fn what_envoy_is_told_is_what_the_tested_example_says() {
    let Rendered { text, lost } = rendered(Target::Envoy, PLAIN, &names());
    assert!(lost.is_empty());
    // Every line of the example that has to do with credence is there, in its order.
    let (listener, rest) = EXAMPLE.split_once("          normalize_path").unwrap();
    assert!(!listener.contains("credence_") && !rest.is_empty());
    let ours = EXAMPLE.lines().skip_while(|line| !line.contains("normalize_path"));
    let filter = ours.clone().take_while(|line| !line.contains("envoy.filters.http.router")).map(str::trim);
    let cluster = EXAMPLE.lines().skip_while(|line| *line != "  - name: credence");
    let cluster = cluster.take_while(|line| *line != "  - name: upstream").map(str::trim);
    let mut printed = text.lines().map(str::trim);
    for line in filter.chain(cluster).filter(|line| !line.starts_with('#') && *line != "http_filters:") {
        assert!(printed.any(|other| other == line), "{line:?} is missing, or at another place\n{text}");
    }
    assert!(piece("- name: envoy.filters.http.ext_authz", 0).contains("decoder_header_mutation_rules"));
    assert!(!piece("- name: envoy.filters.http.ext_authz", 0).contains("router"));
}

#[test]
fn names_come_from_the_flags() {
    let names = Names {
        service: Some("authz".into()),
        namespace: "trust".into(),
        port: 7443,
        gateway: Some("edge".into()),
        gateway_namespace: Some("gates".into()),
    };
    for (to, wanted) in [
        (Target::Envoy, ["address: authz", "port_value: 7443", "type: STRICT_DNS"]),
        (Target::EnvoyGateway, ["name: authz, namespace: trust, port: 7443", "namespace: \"gates\"", "name: \"edge\""]),
        (Target::Istio, ["authz.trust.svc.cluster.local", "port: 7443", "istio: edge"]),
    ] {
        let Rendered { text, .. } = rendered(to, PLAIN, &names);
        for part in wanted {
            assert!(text.contains(part), "{to:?}: no {part:?} in\n{text}");
        }
        assert!(!text.contains("9191"), "{text}");
    }
    for bad in ["", "a b", "a}", "-a", "a\nb: c", "#"] {
        assert!(name(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn envoy_gateway_is_told_context_and_routes_where_resources_are_picked_by_them() {
    let plain = rendered(Target::EnvoyGateway, PLAIN, &names()).text;
    assert!(!plain.contains("includeRouteMetadata") && !plain.contains("contextExtensions"), "{plain}");
    let Rendered { text, lost } = rendered(Target::EnvoyGateway, PICKED, &names());
    assert!(lost.is_empty());
    for part in [
        "includeRouteMetadata: true",
        "{name: \"resource\", type: Value, value: \"payments\"}",
        "{name: \"tier\", type: Value, value: \"gold\"}",
        "kind: HTTPRoute",
        "kind: ReferenceGrant",
        "namespace: \"shop\"",
        "failOpen: false",
        "{type: Prefix, value: x.credence}",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_eq!(text.matches("kind: SecurityPolicy\nmetadata").count(), 3, "{text}");
}

#[test]
fn what_a_gateway_cannot_tell_is_said_for_each_resource() {
    let lost = |to| rendered(to, PICKED, &names()).lost;
    assert_eq!(lost(Target::Envoy).len(), 1);
    assert!(lost(Target::Envoy)[0].contains("orders"));
    let istio = lost(Target::Istio);
    assert!(istio.len() == 2 && istio[0].contains("Istio"), "{istio:?}");
}

#[test]
fn istio_asks_about_every_request_and_says_how_to_ask_about_the_tables_hosts_alone() {
    let Rendered { text, .. } = rendered(Target::Istio, PLAIN, &names());
    assert!(text.contains("\n  rules: [{}]\n") && text.contains("NOT CHECKED AT ALL"), "{text}");
    let narrower =
        r#"  # rules: [{to: [{operation: {hosts: ["api.acme.test", "api.acme.test:*", "ops.acme.test:8443"]}}]}]"#;
    assert!(text.contains(narrower), "{text}");
    for others in ["  api: {audience: api, hosts: [\"*.acme.test\"]}\n", "  api: {audience: api, context: {a: b}}\n"] {
        let text = rendered(Target::Istio, others, &names()).text;
        assert!(text.contains("\n  rules: [{}]\n") && !text.contains("hosts: ["), "{text}");
    }
}

#[test]
fn istio_is_told_what_its_tested_example_says() {
    let text =
        rendered(Target::Istio, "  api: {audience: api, hosts: [ledger.acme.test, partners.acme.test]}\n", &names())
            .text;
    let (mesh, objects) = text.split_once("---\n").unwrap();
    assert_eq!(objects, include_str!("../../../examples/istio/credence.yaml"));
    let values = include_str!("../../../examples/istio/istiod-values.yaml");
    for line in mesh.lines().filter(|line| !line.starts_with('#')) {
        assert!(values.contains(&format!("\n  {line}\n")), "{line:?} is not in\n{values}");
    }
}
