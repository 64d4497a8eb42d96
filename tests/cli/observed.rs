//! A resource that only observes, as every verb tells of it.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::table::Table;
use crate::world::{Ended, run};

const PLACE: &str = "resources:\n  api: {audience: https://api.acme.test, hosts: [api.acme.test]OBSERVE}\n";
const REST: &str = "issuers:
  ci: {issuer: https://ci.acme.test, owner: ci@acme.test, reviewBy: 2027-06-30}
grants:
  reads: {issuer: ci, resource: api, subject: robot, methods: [GET], paths: [/v1/**]}
";
const OBSERVE: &str = ", observe: {until: 2027-01-31, reason: callers are being moved}";
const URL: &str = "https://api.acme.test/v1/x";

fn table(observe: &str) -> Table {
    Table::new(&format!("{}{REST}", PLACE.replace("OBSERVE", observe)))
}

fn ask(verb: &str, at: &str, rest: &[&str]) -> Ended {
    let table = table(OBSERVE);
    run(&[&[verb, "--trust", &table.path().display().to_string(), "--at", at], rest].concat())
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}", ended.all()))
}

const NOW: &str = "2026-11-21T12:00:00Z";
const AFTER: &str = "2027-02-01T00:00:00Z";

#[test]
fn who_may_what_if_and_who_can_tell_that_anybody_comes_through_until_the_end() {
    let stranger = ["--issuer", "ci", "--subject", "stranger", "GET", URL];
    let ended = ask("can", NOW, &stranger);
    assert!(ended.code == 0 && ended.out.starts_with("yes: observed"), "{}", ended.all());
    assert!(ended.out.contains("nearest grant reads"), "{}", ended.out);
    let ended = ask("can", AFTER, &stranger);
    assert!(ended.code == 1 && ended.out.starts_with("no: grant_none"), "{}", ended.all());
    let ended = ask("can", NOW, &["--issuer", "ci", "--subject", "robot", "GET", URL]);
    assert!(ended.code == 0 && ended.out.starts_with("yes: ok"), "{}", ended.all());

    let ended = ask("who-can", NOW, &["DELETE", URL]);
    assert!(ended.code == 0 && ended.out.contains("anyone, without identity, until 2027-02-01"), "{}", ended.all());
    let ended = ask("who-can", AFTER, &["DELETE", URL]);
    assert!(ended.code == 1 && ended.out.contains("nobody"), "{}", ended.all());
    assert_eq!(
        json(&ask("who-can", NOW, &["-o", "json", "GET", URL]))["observed"]["reason"],
        "callers are being moved"
    );

    assert!(ask("list", NOW, &[]).out.contains("OBSERVED UNTIL"));
    assert!(!ask("list", AFTER, &[]).out.contains("OBSERVED UNTIL"));
    let due = ask("list", NOW, &["--expiring", "90d"]);
    assert!(due.out.contains("observe") && due.out.contains("api"), "{}", due.all());
    let ended = ask("reach", NOW, &["--issuer", "ci"]);
    assert!(ended.out.contains("only observed until 2027-02-01"), "{}", ended.all());
}

#[test]
fn explain_says_that_it_goes_through_and_what_it_would_be_refused_for() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"opaque").unwrap();
    let token = file.path().display().to_string();
    let ended = ask("explain", NOW, &["--offline", "--token-file", &token, "GET", URL]);
    assert!(
        ended.code == 0 && ended.out.starts_with("allow observed: api only observes until 2027-02-01"),
        "{}",
        ended.all()
    );
    assert!(ended.out.contains("it would be deny malformed"), "{}", ended.out);
    let told = json(&ask("explain", NOW, &["--offline", "--token-file", &token, "-o", "json", "GET", URL]));
    assert_eq!(
        (&told["decision"], &told["reason"], &told["observed_reason"]),
        (&json!("allow"), &json!("observed"), &json!("malformed"))
    );
    assert_eq!(told["principal"], Value::Null);
    assert_eq!(ask("explain", AFTER, &["--offline", "--token-file", &token, "GET", URL]).code, 1);
    let unclear =
        ask("explain", NOW, &["--offline", "--token-file", &token, "GET", "https://api.acme.test/v1/%2e%2e/x"]);
    assert!(unclear.code == 1 && unclear.out.starts_with("deny path_not_normalized"), "{}", unclear.all());
}

#[test]
fn a_table_that_begins_to_observe_is_wider_and_one_that_stops_is_narrower() {
    let (plain, observed) = (table(""), table(OBSERVE));
    let path = |table: &Table| table.path().display().to_string();
    let diff = |old: &Table, new: &Table| run(&["diff", "--fail-on", "widened", &path(old), &path(new)]);
    let ended = diff(&plain, &observed);
    assert!(ended.code == 1 && ended.out.contains("lets through what it refuses"), "{}", ended.all());
    let ended = diff(&observed, &plain);
    assert!(ended.code == 0 && ended.out.contains("refuses sooner"), "{}", ended.all());
    let longer = table(&OBSERVE.replace("2027-01-31", "2027-02-28"));
    assert_eq!(diff(&observed, &longer).code, 1);
    assert_eq!(diff(&longer, &observed).code, 0);
}

#[test]
fn a_case_can_expect_it() {
    let table = table(OBSERVE);
    let head = "apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ntable: trust.yaml\nnow: 2026-11-21T12:00:00Z\ncases:\n";
    let case = |name: &str, reason: &str| {
        format!(
            "  - name: {name}\n    token: none\n    request: {{method: GET, url: \"{URL}\"}}\n    expect: {{decision: allow, reason: {reason}}}\n"
        )
    };
    let file = table.dir().join("trust_test.yaml");
    std::fs::write(&file, format!("{head}{}", case("nobody", "observed"))).unwrap();
    let ended = run(&["test", &file.display().to_string()]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    std::fs::write(&file, format!("{head}{}", case("nobody", "anonymous"))).unwrap();
    assert_eq!(run(&["test", &file.display().to_string()]).code, 1);
}

#[test]
fn a_backtest_counts_what_was_observed_and_what_enforcing_would_refuse() {
    let (base, candidate) = (
        table(OBSERVE),
        Table::new(&format!(
            "{}{REST}{}",
            PLACE.replace("OBSERVE", ""),
            "  writes: {issuer: ci, resource: api, subject: robot, methods: [PUT], paths: [/v1/**]}\n"
        )),
    );
    let digest = |table: &Table| {
        let out = run(&["check", &table.path().display().to_string()]).all();
        out.split(|c: char| !c.is_ascii_hexdigit())
            .find(|word| word.len() == 64)
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{out}"))
    };
    let line = |id: &str, sub: &str| {
        json!({
            "schema": "credence.decision/v1", "ts": "2026-11-21T12:00:00.000Z", "decision_id": id, "decision": "allow",
            "reason": "observed", "observed_reason": "grant_none", "status": 200, "verified": {"iss": "https://ci.acme.test", "sub": sub},
            "issuer_name": "ci", "resource": "api", "near_miss": [{"grant": "reads", "failed": if sub == "robot" { json!(["methods"]) } else { json!(["subject", "methods"]) }}],
            "http": {"method": "PUT", "host": "api.acme.test", "path": "/v1/x"},
            "token": {"alg": "RS256", "typ": "JWT", "iat": 1_795_262_340, "exp": 1_795_262_640},
            "table": {"generation": 1, "sha256": digest(&base)},
        })
        .to_string()
    };
    let mut log = tempfile::NamedTempFile::new().unwrap();
    writeln!(log, "{}\n{}", line("one", "robot"), line("two", "stranger")).unwrap();
    let (log, base) = (log.path().display().to_string(), base.path().display().to_string());
    let ended = run(&["backtest", "--log", &log, "--base", &base, "-o", "json", &base]);
    let told = json(&ended);
    assert_eq!(
        (&told["same"], &told["observed"], &told["observed_refused"]),
        (&json!(2), &json!(2), &json!(2)),
        "{told}"
    );
    let told = json(&run(&[
        "backtest",
        "--log",
        &log,
        "--base",
        &base,
        "-o",
        "json",
        &candidate.path().display().to_string(),
    ]));
    assert_eq!((&told["observed"], &told["observed_refused"]), (&json!(2), &json!(1)), "{told}");
    assert_eq!(told["changes"][0]["kind"], "deny_to_allow", "{told}");
    let why = run(&["why", "--log", &log, "one"]);
    assert!(why.out.contains("only observed, it would have been refused as grant_none"), "{}", why.all());
}
