//! The alerts: each fires when it should and not otherwise, by promtool, and each has its page.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::alert_cases::{Case, ON_A_SOCKET, cases};
use crate::helm::{Release, brought, chart_file};
use crate::support::{root, scratch};

/// The groups of the chart's rules.
pub(crate) fn rules() -> Value {
    Release::of("several").render().only("PrometheusRule")["spec"].clone()
}

fn alerts() -> Vec<Value> {
    rules()["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The series with the labels that a scrape gives it.
fn scraped(series: &str) -> String {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.trim_end_matches('}');
    let mut all: Vec<String> = (!labels.is_empty()).then(|| labels.to_owned()).into_iter().collect();
    if !labels.contains("namespace=") {
        all.push("namespace=\"trust\"".into());
    }
    all.push("job=\"rel-credence\"".into());
    format!("{name}{{{}}}", all.join(","))
}

/// promtool has nothing against this file.
pub(crate) fn promtool(args: &[&str], file: &Path) {
    let output = Command::new(brought("prometheus/bin/promtool")).args(args).arg(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_takes_the_rules() {
    let dir = scratch();
    let file = dir.path().join("rules.yaml");
    std::fs::write(&file, rules().to_string()).unwrap();
    promtool(&["check", "rules"], &file);
}

/// What promtool finds of these rules in each world: the alerts that fire are those of the case. `names` gives a series the labels
/// that the rules ask for.
pub(crate) fn try_cases<'c>(
    rules: &str,
    cases: impl Iterator<Item = &'c Case>,
    left_out: &[&str],
    names: impl Fn(&str) -> String,
) {
    let dir = scratch();
    std::fs::write(dir.path().join("rules.yaml"), rules).unwrap();
    // What takes days is looked at every five minutes, which is a fifth of the work.
    let (mut of_hours, mut of_days) = (Vec::new(), Vec::new());
    for Case(name, series, minutes, firing) in cases {
        let series: Vec<_> =
            series.iter().map(|(series, values)| json!({"series": names(series), "values": values})).collect();
        let firing = firing.iter().filter(|alert| !left_out.contains(alert));
        let samples: Vec<_> =
            firing.map(|alert| json!({"labels": format!("{{alertname={alert:?}}}"), "value": 1})).collect();
        let expr = "count by (alertname) (count by (alertname, job) (ALERTS{alertstate=\"firing\"}))";
        let look = json!({"expr": expr, "eval_time": format!("{minutes}m"), "exp_samples": samples});
        let test = json!({"name": name, "interval": "1m", "input_series": series, "promql_expr_test": [look]});
        if *minutes < 2000 { &mut of_hours } else { &mut of_days }.push(test);
    }
    for (every, tests) in [("1m", of_hours), ("5m", of_days)] {
        let tests = json!({"rule_files": ["rules.yaml"], "evaluation_interval": every, "tests": tests});
        let file = dir.path().join(format!("every-{every}.yaml"));
        std::fs::write(&file, format!("{tests:#}")).unwrap();
        promtool(&["test", "rules"], &file);
    }
}

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    try_cases(&rules().to_string(), cases(), &[], scraped);
    let tried: BTreeSet<_> = cases().flat_map(|case| case.3.iter().copied()).collect();
    let written: Vec<_> = alerts();
    let written: BTreeSet<_> = written.iter().map(|alert| alert["alert"].as_str().unwrap()).collect();
    assert_eq!(tried, written, "each alert is seen firing");
}

#[test]
fn what_a_stranger_or_a_clients_retry_can_cause_wakes_nobody() {
    let alerts = alerts();
    let is_critical = |name: &&str| {
        let found = alerts.iter().find(|alert| alert["alert"] == **name).unwrap();
        found["labels"]["severity"] == "critical"
    };
    let harmless: Vec<_> = cases().filter(|case| case.0.ends_with("wakes nobody")).collect();
    assert!(harmless.len() > 4);
    for Case(name, _, _, firing) in harmless {
        assert_eq!(firing.iter().find(|alert| is_critical(alert)), None, "{name}");
    }
    let Case(_, _, _, firing) = cases().find(|case| case.0 == "a certificate that has ended").unwrap();
    assert!(firing.iter().all(is_critical), "and what keeps every gateway out does");
}

#[test]
fn a_node_whose_gateways_are_all_refused_wakes_somebody() {
    let on_a_socket = Release::of("daemonset-socket").set("prometheusRule.enabled=true");
    let mut rules = on_a_socket.render().only("PrometheusRule")["spec"].clone();
    let all = rules["groups"][0]["rules"].as_array_mut().unwrap();
    all.retain(|rule| rule["alert"] == "CredenceNotReady");
    assert_eq!(all[0]["labels"]["severity"], "critical");
    let says = all[0]["annotations"]["description"].as_str().unwrap().to_owned();
    assert!(says.contains("every request is refused"), "{says}");
    try_cases(&rules.to_string(), ON_A_SOCKET.iter(), &[], scraped);
    // By the Service the others answer.
    let others = alerts();
    let by_service = others.iter().find(|alert| alert["alert"] == "CredenceNotReady").unwrap();
    assert_eq!(by_service["labels"]["severity"], "warning");
    assert!(by_service["annotations"]["description"].as_str().unwrap().contains("It gets no calls."));
}

/// The selectors of an expression, with the labels that they want.
fn selectors(expr: &str) -> Vec<(String, Vec<String>)> {
    let parts = expr.split('{').collect::<Vec<_>>();
    let pairs = parts.iter().zip(parts.iter().skip(1));
    let of = |(before, after): (&&str, &&str)| {
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
        let labels = after.split('}').next().unwrap().split(',');
        let asked = labels
            .filter(|label| ["reason=\"", "result=~", "state=\"", "kind=\""].iter().any(|own| label.starts_with(own)));
        (name.to_owned(), asked.map(str::to_owned).collect())
    };
    pairs.map(of).collect()
}

#[test]
fn all_is_well_has_something_of_all_that_alerts_look_at() {
    let Case(name, there, ..) = cases().next().unwrap();
    assert_eq!(*name, "all is well");
    for alert in alerts() {
        // One of them at least: the classic or the native histogram, what is lost or what is refused.
        let selectors = selectors(alert["expr"].as_str().unwrap());
        let is_there = |(metric, labels): &(String, Vec<String>)| {
            there.iter().any(|(series, _)| {
                let wanted = |label: &String| {
                    let (name, value) = label.split_once('=').unwrap();
                    let first = value.trim_start_matches('~').trim_matches('"').split('|').next().unwrap();
                    series.contains(&format!("{name}=\"{first}\""))
                };
                series.split('{').next() == Some(metric.as_str()) && labels.iter().all(wanted)
            })
        };
        assert!(selectors.iter().any(is_there), "{}: {selectors:?}", alert["alert"]);
    }
}

#[test]
fn each_alert_says_how_bad_it_is_and_where_to_read_on() {
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}");
        assert_eq!(alert["labels"]["team"], "platform", "{name}");
        let url = alert["annotations"]["runbook_url"].as_str().unwrap();
        assert!(url.ends_with(&format!("/docs/runbooks/{name}.md")), "{url}");
        for text in ["summary", "description"] {
            assert!(alert["annotations"][text].is_string(), "{name}");
        }
    }
}

#[test]
fn each_alert_has_a_runbook_and_each_runbook_an_alert() {
    let alerts = alerts();
    let alerts: BTreeSet<_> = alerts.iter().map(|alert| alert["alert"].as_str().unwrap().to_owned()).collect();
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap().map(|entry| entry.unwrap().path());
    let mut found = BTreeSet::new();
    for page in pages {
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "README" {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        for heading in [format!("# {name}\n"), "\n## What it means\n".into(), "\n## What to do\n".into()] {
            assert!(text.contains(&heading), "{name}: no {heading:?}");
        }
        found.insert(name);
    }
    assert_eq!(found, alerts);
    let list = std::fs::read_to_string(root().join("docs/runbooks/README.md")).unwrap();
    for alert in &alerts {
        assert!(list.contains(&format!("[{alert}]({alert}.md)")), "docs/runbooks/README.md does not name {alert}");
    }
}

#[test]
fn alerts_can_be_left_out_and_tuned() {
    let objects = Release::of("sidecar-metrics").render();
    assert!(!objects.text.contains("CredenceNotReady"));
    let tuned = Release::of("several").with("prometheusRule: {thresholds: {p99Seconds: 0.05}}").render();
    assert!(tuned.text.contains("> 0.05"), "{}", tuned.text);
    let own = "prometheusRule: {runbookBase: \"https://wiki.acme.test/runbooks/\", disabled: [CredenceSlow]}";
    let own = Release::of("several").with(own).render();
    assert!(own.text.contains("https://wiki.acme.test/runbooks/CredenceDown.md") && !own.text.contains("CredenceSlow"));
}

#[test]
fn an_alert_that_there_is_not_cannot_be_left_out() {
    let refusal = Release::of("several").with("prometheusRule: {disabled: [CredenceSlow, CredenceDwon]}").refusal();
    assert!(refusal.contains("/prometheusRule/disabled/1") && refusal.contains("'CredenceDown'"), "{refusal}");
    let schema: Value = serde_json::from_str(&chart_file("values.schema.json")).unwrap();
    let known = schema["properties"]["prometheusRule"]["properties"]["disabled"]["items"]["enum"].as_array().unwrap();
    let alerts = alerts();
    assert_eq!(known.iter().collect::<Vec<_>>(), alerts.iter().map(|alert| &alert["alert"]).collect::<Vec<_>>());
}

#[test]
fn alerts_that_could_see_nothing_are_refused_or_told_of() {
    let closed = Release::of("sidecar").set("prometheusRule.enabled=true").refusal();
    assert!(
        closed.contains("`prometheusRule` could see nothing") && closed.contains("`sidecar.admin: pod`"),
        "{closed}"
    );
    let told = "namespace=\"trust-system\",job=\"trust\":";
    let own = Release::of("daemonset-tcp").set("prometheusRule.enabled=true").notes();
    assert!(own.contains("no monitor") && own.contains(told), "{own}");
    assert!(!Release::of("several").notes().contains("no monitor"));
}
