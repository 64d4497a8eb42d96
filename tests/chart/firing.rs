//! The chart's rules in a real Prometheus: they load, are silent while all is well, and fire for real trouble.

use serde_json::{Value, json};

use crate::alerts::rules;
use crate::prometheus::{Pods, Prometheus, Scrape};
use crate::support::eventually;

/// The rules as they are, but nobody waits.
fn impatient() -> Value {
    let mut rules = rules();
    for rule in rules["groups"][0]["rules"].as_array_mut().unwrap() {
        rule["for"] = json!("0s");
    }
    rules
}

fn until(prometheus: &Prometheus, alert: &str, fires: bool) {
    let what = if fires { "fire" } else { "end" };
    eventually(&format!("{alert} to {what}"), || (prometheus.firing().contains(alert) == fires).then_some(()));
}

#[test]
fn rules_load_and_fire_for_a_real_bad_table_and_for_credences_that_are_gone() {
    let mut pods = Pods::start();
    let prometheus = Prometheus::start(Scrape::Classic, &[&pods.busy, &pods.tls], &impatient());
    prometheus.until_scraped(&pods.busy);
    let groups = eventually("an evaluation of every rule", || {
        let groups = prometheus.groups();
        let rules = groups[0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert_eq!(groups.len(), impatient()["groups"][0]["rules"].as_array().unwrap().len());
    for rule in groups {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let quiet = prometheus.firing();
    for alert in ["CredenceDown", "CredenceReloadFailed", "CredenceReplicasDisagree", "CredenceNoKeys"] {
        assert!(!quiet.contains(alert), "{quiet:?}");
    }

    let good = pods.table.text();
    pods.table.replace_raw(good.replace("resource: api", "resource: nowhere").as_bytes());
    until(&prometheus, "CredenceReloadFailed", true);
    pods.table.replace_raw(good.as_bytes());
    until(&prometheus, "CredenceReloadFailed", false);

    until(&prometheus, "CredenceReplayStoreDown", false);
    pods.store.kill();
    until(&prometheus, "CredenceReplayStoreDown", true);
    pods.store.start_again();
    until(&prometheus, "CredenceReplayStoreDown", false);

    pods.busy.signal("KILL");
    prometheus.number("count(up == 0) == 1");
    assert!(!prometheus.firing().contains("CredenceDown"), "one of two still answers");
    pods.tls.signal("KILL");
    until(&prometheus, "CredenceDown", true);
}
