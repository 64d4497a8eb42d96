//! What the operator sees: health, readiness and metrics, and nothing that a caller chose.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::http::Request;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, now};
use crate::world::{API, KEPT, RELOADED, SUBJECT, call, entry, reason, table, table_of, token, until};

/// One series: name, labels, value.
pub(crate) type Series = (String, BTreeMap<String, String>, f64);

/// Reads an OpenMetrics exposition strictly: every line is a comment of a known kind or a series, `# EOF` is last.
pub(crate) fn exposition(credence: &Credence) -> Vec<Series> {
    let asked = Request::get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0");
    let response = asked.send(credence.admin_address());
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = response.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let (mut series, mut seen) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(["HELP ", "TYPE ", "UNIT ", "EOF"].iter().any(|kind| comment.starts_with(kind)), "{line}");
            continue;
        }
        let (line, exemplar) = line.split_once(" # ").map_or((line, None), |(line, exemplar)| (line, Some(exemplar)));
        assert!(exemplar.is_none_or(|exemplar| exemplar.starts_with("{decision_id=\"")), "{exemplar:?}");
        let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line}"));
        assert!(seen.insert(key.to_owned()), "twice: {key}");
        let (name, labels) =
            key.split_once('{').map_or((key, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
        let labels = labels.split_terminator("\",").map(|label| {
            let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label in {line}"));
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        series.push((name.to_owned(), labels.collect(), value.parse().unwrap_or_else(|_| panic!("{line}"))));
    }
    series
}

/// The names and labels that are promised; what is not in here may not be there.
const PROMISED: [(&str, &[&str]); 32] = [
    ("credence_decisions_total", &["decision", "issuer", "reason"]),
    ("credence_resource_decisions_total", &["decision", "resource"]),
    ("credence_grant_matches_total", &["grant", "mode"]),
    ("credence_decision_duration_seconds_bucket", &["decision", "le"]),
    ("credence_decision_duration_seconds_sum", &["decision"]),
    ("credence_decision_duration_seconds_count", &["decision"]),
    ("credence_token_verifications_total", &["cache", "issuer", "result"]),
    ("credence_calls_shed_total", &[]),
    ("credence_keys", &["issuer", "state"]),
    ("credence_jwks_fetches_total", &["issuer", "result"]),
    ("credence_jwks_last_result", &["issuer", "result"]),
    ("credence_jwks_last_success_timestamp_seconds", &["issuer"]),
    ("credence_jwks_next_refresh_timestamp_seconds", &["issuer"]),
    ("credence_trust_expires_timestamp_seconds", &["kind", "name"]),
    ("credence_config_last_reload_successful", &["kind"]),
    ("credence_config_last_reload_success_timestamp_seconds", &["kind"]),
    ("credence_config_info", &["sha256"]),
    ("credence_table_entries", &["kind"]),
    ("credence_decision_log_dropped_total", &[]),
    ("credence_build_info", &["version"]),
    ("credence_jwks_fetch_duration_seconds_bucket", &["le"]),
    ("credence_jwks_fetch_duration_seconds_sum", &[]),
    ("credence_jwks_fetch_duration_seconds_count", &[]),
    ("credence_replay_entries", &[]),
    ("credence_lint_findings", &["code", "severity"]),
    ("process_cpu_seconds_total", &[]),
    ("process_max_fds", &[]),
    ("process_open_fds", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
    ("process_threads", &[]),
    ("process_virtual_memory_bytes", &[]),
];

#[test]
fn metrics_have_the_promised_names_and_nothing_that_a_stranger_chose() {
    let ci = Issuer::start();
    let table = table(&ci, &["own"]).replace("paths: [/own/**]", "paths: [/own/**], expires: 2099-01-01");
    // Without its owner there is a finding to count.
    let file = Table::new(&table.replace(", owner: team@acme.test", ""));
    let credence = Credence::serve(file.path()).start();
    let mark = "evil-mark";
    let marked = |claim: &str| ci.token(SUBJECT, API).claim(claim, format!("{mark}-{claim}")).mint();
    let calls = [
        call("own", &token(&ci)),
        call("own", &marked("sub")),
        call("own", &marked("iss")),
        call("own", &marked("aud")),
        call("own", &marked("jti")),
        call("own", &ci.token(SUBJECT, API).header("kid", mark).mint()),
        call("own", &ci.token(SUBJECT, API).header("alg", mark).mint()),
        call("own", &ci.token(SUBJECT, API).header("typ", mark).mint()),
        call(mark, &token(&ci)),
        call("own", mark),
        Call::get(&format!("https://{mark}.test/")),
        Call::new(mark, &format!("{API}/own/x")).bearer(token(&ci)),
        call("own", &token(&ci)).header("x-request-id", mark).context(mark, mark),
    ];
    let mut reasons = BTreeSet::new();
    for call in &calls {
        reasons.insert(credence.check(call).reason());
    }
    assert!(reasons.len() > 6, "{reasons:?}");

    let series = exposition(&credence);
    let promised: BTreeMap<_, _> = PROMISED.into_iter().collect();
    for (name, labels, _) in &series {
        let wanted = promised.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not promised"));
        let given: Vec<_> = labels.keys().map(String::as_str).collect();
        assert_eq!(given, *wanted, "{name}");
    }
    for (name, _) in PROMISED {
        assert!(series.iter().any(|(there, ..)| there == name), "{name} is missing");
    }
    let text = credence.admin("/metrics").text();
    for stranger in [mark, SUBJECT, ci.url(), "127.0.0.1", API] {
        assert!(!text.contains(stranger), "{stranger} is in the metrics");
    }
    let issuers = series.iter().filter_map(|(_, labels, _)| labels.get("issuer"));
    assert_eq!(issuers.collect::<BTreeSet<_>>(), BTreeSet::from([&"ci".to_owned(), &"unverified".to_owned()]));

    // What was counted is what was asked.
    let sum = |name: &str| series.iter().filter(|(n, ..)| n == name).map(|(.., value)| value).sum::<f64>();
    assert_eq!(sum("credence_decisions_total"), calls.len() as f64);
    assert_eq!(sum("credence_decision_duration_seconds_count"), calls.len() as f64);
    let counted = series.iter().filter(|(name, ..)| name == "credence_decisions_total");
    let counted: BTreeSet<_> = counted.map(|(_, labels, _)| labels["reason"].clone()).collect();
    assert_eq!(counted, reasons);
    let metric = |series: &str| credence.metric(series);
    assert_eq!(metric("credence_table_entries{kind=\"grant\"}"), Some(1.0));
    assert_eq!(metric("credence_keys{issuer=\"ci\",state=\"usable\"}"), Some(1.0));
    assert!(metric("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"own\"}").unwrap() > now() as f64);
    let sha256 = crate::world::in_force(&credence).1;
    assert_eq!(metric(&format!("credence_config_info{{sha256=\"{sha256}\"}}")), Some(1.0));
}

#[test]
fn the_series_of_an_issuer_that_was_removed_go_away() {
    let (ci, partner) = (Issuer::start(), Issuer::start());
    let both = entry("ci", &ci, "") + &entry("partner", &partner, "");
    let file = Table::new(&table_of(&both, &[("own", "ci"), ("theirs", "partner")]));
    let credence = Credence::serve(file.path()).start();
    assert_eq!(reason(&credence, "theirs", &token(&partner)), "ok");
    assert_eq!(reason(&credence, "own", &token(&partner)), "grant_none");
    assert_eq!(reason(&credence, "theirs", &partner.token("x", "y").mint()), "audience_mismatch");
    assert_eq!(
        reason(&credence, "theirs", &partner.token(SUBJECT, API).mint_with_signature(&[1; 64])),
        "signature_invalid"
    );
    let with_partner = || {
        let all = exposition(&credence).into_iter();
        all.filter(|(_, labels, _)| labels.values().any(|value| value == "partner" || value == "theirs")).count()
    };
    assert!(with_partner() > 5);
    file.replace(&table(&ci, &["own"]));
    until(&credence, "theirs", &token(&partner), "issuer_unknown");
    eventually("the series to go", || (with_partner() == 0).then_some(()));
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
}

#[test]
fn the_findings_of_the_table_in_force_are_counted_by_rule_and_go_with_the_table() {
    let ci = Issuer::start();
    let clean = table(&ci, &["own"]);
    let weak = clean.replace(&format!(", {KEPT}"), "");
    let file = Table::new(&weak);
    let credence = Credence::serve(file.path()).start();
    let findings = || {
        let all = exposition(&credence).into_iter().filter(|(name, ..)| name == "credence_lint_findings");
        let mut all: Vec<_> =
            all.map(|(_, labels, count)| (labels["code"].clone(), labels["severity"].clone(), count)).collect();
        all.sort_by(|one, two| one.0.cmp(&two.0));
        all
    };
    let of_weak = findings();
    assert_eq!(of_weak, ["CR301", "CR302"].map(|code| (code.to_owned(), "warning".to_owned(), 1.0)));
    // What was refused is not in force, and its findings are not counted.
    file.replace(&weak.replace("resource: api", "resource: nowhere"));
    eventually("the refusal", || (credence.metric(RELOADED) == Some(0.0)).then_some(()));
    assert_eq!(findings(), of_weak);
    file.replace(&clean);
    eventually("the series to go", || findings().is_empty().then_some(()));
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
}

#[test]
fn alive_ready_and_nothing_else() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    assert_eq!(credence.admin("/healthz").status, 200);
    let ready = credence.admin("/readyz");
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, true.into()));
    assert!(ready.json()["last_reload_error"].is_null());
    assert_eq!(ready.json()["issuers"][0]["keys"], 1);
    for path in ["/config", "/healthz/", "/../metrics", "/debug/pprof", "/quitquitquit", "/readyz/x", "/METRICS"] {
        assert_eq!(credence.admin(path).status, 404, "{path}");
    }
    let admin = credence.admin_address();
    for path in ["/", "/healthz", "/readyz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let answer = Request::new(method, path).send(admin);
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
}
