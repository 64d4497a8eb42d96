//! The alerts: each fires when it should and not otherwise, by promtool, and each has its page.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::helm::{Release, brought};
use crate::support::{root, scratch};

const UP: (&str, &str) = ("up{pod=\"p1\"}", "1x2000");

/// A world of series, the moment of looking (minutes), and what fires then.
struct Case(&'static str, &'static [(&'static str, &'static str)], u32, &'static [&'static str]);

const CASES: &[Case] = &[
    Case(
        "all is well",
        &[
            UP,
            ("credence_config_last_reload_successful{kind=\"table\"}", "1x2000"),
            ("credence_config_last_reload_successful{kind=\"blocks\"}", "1x2000"),
            ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "2x2000"),
            ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"not_pinned\"}", "0x2000"),
            ("credence_jwks_last_success_timestamp_seconds{issuer=\"corp\"}", "0+60x2000"),
            ("credence_jwks_last_success_timestamp_seconds{issuer=\"never\"}", "0x2000"),
            ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "9000000x2000"),
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "9000000x2000"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\",issuer=\"corp\"}", "0+180x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "3x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"internal\",issuer=\"corp\"}", "3x2000"),
            ("credence_decision_duration_seconds_bucket{le=\"0.025\"}", "0+600x2000"),
            ("credence_decision_duration_seconds_bucket{le=\"+Inf\"}", "0+600x2000"),
            ("credence_decision_log_dropped_total", "5x2000"),
            ("credence_config_info{pod=\"p1\",sha256=\"a\"}", "1x2000"),
            ("credence_config_info{pod=\"p2\",sha256=\"a\"}", "1x2000"),
            ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "1x2000"),
        ],
        1900,
        &[],
    ),
    Case("nobody is there", &[], 5, &["CredenceDown"]),
    Case("nobody answers", &[("up{pod=\"p1\"}", "0x30")], 5, &["CredenceDown"]),
    Case("one of two answers", &[UP, ("up{pod=\"p2\"}", "0x30")], 5, &[]),
    Case(
        "a pod does not become ready",
        &[UP, ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x30")],
        15,
        &["CredenceNotReady"],
    ),
    Case(
        "a new pod takes a while",
        &[UP, ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x5 1x30")],
        15,
        &[],
    ),
    Case(
        "a bad table",
        &[UP, ("credence_config_last_reload_successful{kind=\"table\"}", "0x30")],
        10,
        &["CredenceReloadFailed"],
    ),
    Case(
        "bad blocks",
        &[UP, ("credence_config_last_reload_successful{kind=\"blocks\"}", "0x30")],
        10,
        &["CredenceBlocksNotTaken"],
    ),
    Case(
        "an issuer without keys",
        &[UP, ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "0x30")],
        10,
        &["CredenceNoKeys"],
    ),
    Case(
        "keys that were fetched long ago",
        &[UP, ("credence_jwks_last_success_timestamp_seconds{issuer=\"corp\"}", "60x900")],
        800,
        &["CredenceKeysStale"],
    ),
    Case(
        "a key that is not pinned",
        &[UP, ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"not_pinned\"}", "1x30")],
        20,
        &["CredenceKeyNotPinned"],
    ),
    Case(
        "a grant that ends in a day",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "100000x200")],
        90,
        &["CredenceTrustExpiresSoon"],
    ),
    Case(
        "a grant that has ended is nobody's news",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "60x200")],
        90,
        &[],
    ),
    Case(
        "a certificate that ends in a day",
        &[UP, ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "100000x200")],
        90,
        &["CredenceCertificateExpiresSoon"],
    ),
    Case(
        "far more refusals than yesterday",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "0+6x1500 9180+180x60")],
        1545,
        &["CredenceDenySpike"],
    ),
    Case(
        "refusals for a reason that was never seen",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "_x1500 0+180x60")],
        1545,
        &["CredenceDenySpike"],
    ),
    Case(
        "tokens of an unknown issuer",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"issuer_unknown\"}", "0+30x60")],
        40,
        &["CredenceUnknownIssuerSpike"],
    ),
    Case(
        "forged tokens",
        &[UP, ("credence_token_verifications_total{issuer=\"corp\",result=\"signature_invalid\"}", "0+30x60")],
        30,
        &["CredenceSignatureFailures"],
    ),
    Case(
        "the first replay ever",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "_x20 1x60")],
        25,
        &["CredenceReplay"],
    ),
    Case(
        "one more replay",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "1x20 2x60")],
        25,
        &["CredenceReplay"],
    ),
    Case(
        "a replay of an hour ago",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "_x20 1x90")],
        80,
        &[],
    ),
    Case(
        "the store of used tokens is away",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\"}", "0+6x60")],
        30,
        &["CredenceReplayUnavailable"],
    ),
    Case(
        "slow decisions",
        &[
            UP,
            ("credence_decision_duration_seconds_bucket{le=\"0.025\"}", "0+500x60"),
            ("credence_decision_duration_seconds_bucket{le=\"0.1\"}", "0+600x60"),
            ("credence_decision_duration_seconds_bucket{le=\"+Inf\"}", "0+600x60"),
        ],
        30,
        &["CredenceSlow"],
    ),
    Case(
        "too many calls",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\"}", "0+6x60")],
        30,
        &["CredenceOverloaded"],
    ),
    Case(
        "a full disk",
        &[UP, ("credence_decision_log_dropped_total{pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogLost"],
    ),
    Case(
        "a log that denies when it is full",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"log_unavailable\",pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogLost"],
    ),
    Case(
        "a fault of the program",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"internal\",pod=\"p1\"}", "_x20 1x60")],
        25,
        &["CredenceInternalError"],
    ),
    Case(
        "two tables at once",
        &[
            UP,
            ("credence_config_info{pod=\"p1\",sha256=\"a\"}", "1x60"),
            ("credence_config_info{pod=\"p2\",sha256=\"b\"}", "1x60"),
        ],
        30,
        &["CredenceReplicasDisagree"],
    ),
    Case(
        "another credence is not this one's matter",
        &[UP, ("credence_config_last_reload_successful{namespace=\"elsewhere\",kind=\"table\"}", "0x30")],
        10,
        &[],
    ),
];

fn rules() -> Value {
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

fn promtool(args: &[&str], file: &PathBuf) {
    let output = Command::new(brought("promtool/bin/promtool")).args(args).arg(file).output().unwrap();
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

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    let dir = scratch();
    std::fs::write(dir.path().join("rules.yaml"), rules().to_string()).unwrap();
    let tests = CASES.iter().map(|Case(name, series, minutes, firing)| {
        let series: Vec<_> =
            series.iter().map(|(series, values)| json!({"series": scraped(series), "values": values})).collect();
        let samples: Vec<_> =
            firing.iter().map(|alert| json!({"labels": format!("{{alertname={alert:?}}}"), "value": 1})).collect();
        let expr = "count by (alertname) (count by (alertname, job) (ALERTS{alertstate=\"firing\"}))";
        let look = json!({"expr": expr, "eval_time": format!("{minutes}m"), "exp_samples": samples});
        json!({"name": name, "interval": "1m", "input_series": series, "promql_expr_test": [look]})
    });
    let tests = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests.collect::<Vec<_>>()});
    let file = dir.path().join("tests.yaml");
    std::fs::write(&file, format!("{tests:#}")).unwrap();
    promtool(&["test", "rules"], &file);
    let tried: BTreeSet<_> = CASES.iter().flat_map(|case| case.3.iter().copied()).collect();
    let written: Vec<_> = alerts();
    let written: BTreeSet<_> = written.iter().map(|alert| alert["alert"].as_str().unwrap()).collect();
    assert_eq!(tried, written, "each alert is seen firing");
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
    let objects = Release::of("sidecar").render();
    assert!(!objects.text.contains("CredenceNotReady"));
    let tuned = Release::of("several").with("prometheusRule: {thresholds: {p99Seconds: 0.05}}").render();
    assert!(tuned.text.contains("> 0.05"), "{}", tuned.text);
    let own = "prometheusRule: {runbookBase: \"https://wiki.acme.test/runbooks/\", disabled: [CredenceSlow]}";
    let own = Release::of("several").with(own).render();
    assert!(own.text.contains("https://wiki.acme.test/runbooks/CredenceDown.md") && !own.text.contains("CredenceSlow"));
}
