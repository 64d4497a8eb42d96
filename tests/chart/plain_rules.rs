//! The chart's alerts for a Prometheus without the chart: docs/prometheus-rules.yaml.

use std::fmt::Write as _;

use crate::alert_cases::cases;
use crate::alerts::{promtool, rules, try_cases};
use crate::support::root;

const FILE: &str = "docs/prometheus-rules.yaml";
/// It asks kube-state-metrics for pods.
const LEFT_OUT: &str = "CredenceNotReady";
const START: &str = "\
# The alerts of the chart for a Prometheus that scrapes credence as `job=\"credence\"`, each replica an `instance`.
# One job for each table: two installations under one job would be replicas that disagree, and the one that is down would not be missed.
# Written by `UPDATE_DOCS=1 cargo test --test chart plain_rules`; what each means is in docs/runbooks.
groups:
  - name: credence
    rules:
";

/// What the chart says of a release in Kubernetes, said of any scrape.
fn plain(text: &str) -> String {
    text.replace("namespace=\"trust\",job=\"rel-credence\"", "job=\"credence\"")
        .replace("(pod", "(instance")
        .replace("$labels.pod", "$labels.instance")
        .replace(" in trust", "")
}

fn written() -> String {
    let mut text = START.to_owned();
    let quoted = |text: &str| format!("'{}'", plain(text).replace('\'', "''"));
    for rule in rules()["groups"][0]["rules"].as_array().unwrap() {
        let of = |path: &str| rule.pointer(path).and_then(|value| value.as_str());
        let name = of("/alert").unwrap();
        if name == LEFT_OUT {
            continue;
        }
        writeln!(text, "      - alert: {name}\n        expr: {}", quoted(of("/expr").unwrap())).unwrap();
        if let Some(wait) = of("/for") {
            writeln!(text, "        for: {wait}").unwrap();
        }
        writeln!(text, "        labels: {{severity: {}}}\n        annotations:", of("/labels/severity").unwrap())
            .unwrap();
        for key in ["summary", "description", "runbook_url"] {
            writeln!(text, "          {key}: {}", quoted(of(&format!("/annotations/{key}")).unwrap())).unwrap();
        }
    }
    text
}

#[test]
fn the_rules_without_the_chart_are_those_of_the_chart() {
    let (path, text) = (root().join(FILE), written());
    assert!(!text.contains("namespace") && !text.contains("pod)") && !text.contains("rel-"), "{text}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == text, "{FILE} is stale: UPDATE_DOCS=1 cargo test --test chart plain_rules");
}

#[test]
fn the_rules_without_the_chart_fire_when_they_should_and_not_otherwise() {
    let file = root().join(FILE);
    promtool(&["check", "rules"], &file);
    let names = |series: &str| {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').replace("pod=", "instance=");
        let elsewhere = labels.contains("namespace=\"elsewhere\"");
        let job = if elsewhere { "job=\"elsewhere\"" } else { "job=\"credence\"" };
        format!("{name}{{{job}{}{labels}}}", if labels.is_empty() { "" } else { "," })
    };
    try_cases(&std::fs::read_to_string(&file).unwrap(), cases(), &[LEFT_OUT], names);
}
