//! Monitoring: who scrapes what, and a dashboard that asks for nothing that is not there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::alerts::{promtool, rules};
use crate::helm::{Release, chart_file};
use crate::prometheus::{Pods, Prometheus, Scrape, no_rules};
use crate::support::{eventually, root, scratch};

fn dashboard() -> Value {
    serde_json::from_str(&chart_file("files/dashboard.json")).unwrap()
}

/// The words of an expression that are names of metrics.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("credence_")).map(str::to_owned).collect()
}

#[test]
fn a_service_monitor_scrapes_the_admin_service() {
    let objects = Release::of("several").render();
    let monitor = objects.only("ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!((&endpoint["port"], &endpoint["path"]), (&json!("admin"), &json!("/metrics")));
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let chosen: Vec<_> = objects
        .of("Service")
        .filter(|service| wanted.iter().all(|(label, value)| service["metadata"]["labels"][label] == *value))
        .map(|service| service["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(chosen, ["rel-credence-admin"]);
    assert_eq!(objects.named("Service", "rel-credence-admin")["spec"]["publishNotReadyAddresses"], true);
}

#[test]
fn a_pod_monitor_scrapes_pods_or_gateways() {
    let objects = Release::of("existing").render();
    let monitor = &objects.only("PodMonitor")["spec"];
    let labels = &objects.pod()["metadata"]["labels"];
    for (label, value) in monitor["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(labels[label], *value);
    }
    let sidecar = Release::of("sidecar-metrics").render();
    let selector = &sidecar.only("PodMonitor")["spec"]["selector"]["matchLabels"];
    assert_eq!(*selector, json!({"app.kubernetes.io/name": "envoy"}));
    let refusal = Release::of("sidecar-metrics").set("podMonitor.sidecarSelector=null").refusal();
    assert!(refusal.contains("podMonitor.sidecarSelector"), "{refusal}");
    let closed = Release::of("sidecar-metrics").set("sidecar.admin=loopback").refusal();
    assert!(closed.contains("Set `sidecar.admin: pod`"), "{closed}");
    let both = Release::of("several").set("podMonitor.enabled=true").refusal();
    assert!(both.contains("count twice"), "{both}");
}

#[test]
fn alerts_and_dashboard_find_the_job_whoever_scrapes() {
    for example in ["several", "existing"] {
        let objects = Release::of(example).render();
        let monitors = objects.of("ServiceMonitor").map(|monitor| &monitor["spec"]["endpoints"][0]);
        let monitors =
            monitors.chain(objects.of("PodMonitor").map(|monitor| &monitor["spec"]["podMetricsEndpoints"][0]));
        for endpoint in monitors {
            let relabeling = json!({"action": "replace", "targetLabel": "job", "replacement": "rel-credence"});
            assert_eq!(endpoint["relabelings"][0], relabeling);
        }
    }
}

#[test]
fn the_dashboard_is_a_config_map_that_grafana_finds() {
    let objects = Release::of("several").render();
    let map = objects.named("ConfigMap", "rel-credence-dashboard");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["metadata"]["annotations"]["grafana_folder"], "Gateways");
    let written: Value = serde_json::from_str(map["data"]["credence.json"].as_str().unwrap()).unwrap();
    assert_eq!(written, dashboard(), "braces of legends are no templates of helm's");
    let elsewhere = Release::of("several").set("dashboard.namespace=grafana").render();
    assert_eq!(elsewhere.named("ConfigMap", "rel-credence-dashboard")["metadata"]["namespace"], "grafana");
}

#[test]
fn the_dashboard_shows_what_it_should() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let titles: Vec<&str> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    for title in [
        "By issuer",
        "By resource",
        "Refusals by reason",
        "Latency",
        "Age of keys",
        "What ends",
        "Shadow grants",
        "Only observed",
        "TLS handshakes",
        "Grants that nobody used",
    ] {
        assert!(titles.contains(&title), "{title} is not among {titles:?}");
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            assert!(expr.contains("namespace=\"$namespace\",job=\"$job\""), "{}: {expr}", panel["title"]);
        }
    }
}

/// What is asked for by alerts, dashboard and its variables.
fn asked() -> BTreeSet<String> {
    let mut asked = metrics(&chart_file("files/dashboard.json"));
    for rule in rules()["groups"][0]["rules"].as_array().unwrap() {
        asked.extend(metrics(rule["expr"].as_str().unwrap()));
    }
    asked
}

/// Expressions of panels by their title, as Grafana asks them.
fn queries() -> Vec<(String, String)> {
    let fill = |expr: &str| {
        let filled = expr.replace("$__rate_interval", "2m").replace("$__range", "6h");
        filled.replace("$namespace", "trust").replace("$job", "rel-credence")
    };
    let dashboard = dashboard();
    let of = |panel: &Value, query: &Value| {
        let name = panel["title"].as_str().or(panel["name"].as_str()).unwrap().to_owned();
        (name, fill(query["expr"].as_str().unwrap()))
    };
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| of(panel, target)).collect::<Vec<_>>()
    });
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    targets.chain(annotations.map(|annotation| of(annotation, annotation))).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_are_documented() {
    let documented = std::fs::read_to_string(root().join("docs/observability.md")).unwrap();
    let asked = asked();
    assert!(asked.len() > 12, "{asked:?}");
    for metric in asked {
        let family = metric.trim_end_matches("_bucket");
        assert!(documented.contains(&format!("`{family}`")), "docs/observability.md knows no {family}");
    }
}

#[test]
fn alerts_and_dashboard_find_all_that_they_ask_for_in_a_real_prometheus() {
    let pods = Pods::start();
    let both = [&pods.busy, &pods.tls];
    let scraped = [Scrape::Classic, Scrape::Native].map(|scrape| Prometheus::start(scrape, &both, &no_rules()));
    let mut names = BTreeSet::new();
    for prometheus in &scraped {
        prometheus.until_scraped(&pods.busy);
        pods.decide();
        prometheus.until_scraped(&pods.busy);
        names.extend(prometheus.names());
        for (panel, expression) in queries() {
            // What is empty while all is well.
            if ["Fetches that failed", "New table"].contains(&panel.as_str()) {
                prometheus.query(&expression);
                continue;
            }
            eventually(&format!("{panel}: {expression}"), || {
                let found = prometheus.query(&expression);
                (!found.is_empty() && found.iter().all(|one| one["value"][1] != "NaN")).then_some(())
            });
        }
    }
    let asked = asked();
    assert_eq!(asked.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn promtool_takes_every_query_of_the_dashboard() {
    let rules = queries().into_iter().enumerate();
    let rules: Vec<Value> =
        rules.map(|(number, (_, expr))| json!({"record": format!("query:{number}"), "expr": expr})).collect();
    assert!(rules.len() > 20);
    let dir = scratch();
    let file = dir.path().join("queries.yaml");
    std::fs::write(&file, json!({"groups": [{"name": "queries", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules"], &file);
}
