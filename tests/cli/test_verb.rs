//! `test`: what its results look like to programs, and what the cases do not show.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::world::run;

const TABLE: &str = r#"apiVersion: credence.dev/v1alpha1
kind: TrustTable
issuers:
  ci: {issuer: https://ci.acme.test, pin: {claims: {org: "1"}}, owner: o, reviewBy: 2099-01-01}
resources:
  api: {audience: api, hosts: [api.test]}
grants:
  one: {issuer: ci, resource: api, subject: s, methods: [GET], paths: any}
  two: {issuer: ci, resource: api, subject: t, methods: [GET], paths: any}
"#;
const CASES: &str = r#"apiVersion: credence.dev/v1alpha1
kind: TrustTableTest
table: trust.yaml
cases:
  - name: the subject reads
    token: {iss: https://ci.acme.test, sub: s, aud: api, org: "1"}
    request: {method: GET, url: https://api.test/x}
    expect: {decision: allow, grants: [one]}
  - name: "another <org> & \"co\""
    base: the subject reads
    with: {org: "2"}
    expect: {decision: deny, reason: pin_mismatch}
"#;

fn world(cases: &str) -> (TempDir, PathBuf) {
    let dir = crate::support::scratch();
    std::fs::write(dir.path().join("trust.yaml"), TABLE).unwrap();
    let file = dir.path().join("trust_test.yaml");
    std::fs::write(&file, cases).unwrap();
    (dir, file)
}

#[test]
fn grants_and_reasons_that_no_case_shows_are_named_and_can_fail_the_run() {
    let (_dir, file) = world(CASES);
    let file = file.display().to_string();
    let ended = run(&["test", &file]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(
        ended.out.contains("no case is allowed by these grants of") && ended.out.contains(": two\n"),
        "{}",
        ended.out
    );
    let reasons = "ends with: resource_unknown no_token issuer_unknown audience_mismatch grant_none\n";
    assert!(ended.out.contains(reasons), "{}", ended.out);
    assert_eq!(run(&["test", "--fail-on", "uncovered-grant", &file]).code, 1);
    assert_eq!(run(&["test", "--fail-on", "uncovered", &file]).code, 1);
    let told: Value = serde_json::from_str(&run(&["test", "-o", "json", &file]).out).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&2.into(), &0.into()));
    assert_eq!(told["uncovered"][0]["grants"][0], "two");
    assert_eq!(told["files"][0]["cases"][1]["reason"], "pin_mismatch");
}

#[test]
fn junit_tells_failures_and_errors_and_a_name_cannot_leave_its_attribute() {
    let (dir, file) = world(&CASES.replace("reason: pin_mismatch", "reason: grant_none"));
    let junit = dir.path().join("junit.xml");
    let (file, junit) = (file.display().to_string(), junit.display().to_string());
    let ended = run(&["test", "--junit", &junit, &file]);
    assert_eq!(ended.code, 1);
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert_eq!(run(&["test", "-o", "junit", &file]).out, xml);
    for told in [
        "<testsuites name=\"credence test\" tests=\"2\" failures=\"1\" errors=\"0\">",
        "name=\"the subject reads\"",
        "name=\"another &lt;org&gt; &amp; &quot;co&quot;\"",
        "<failure message=\"expected deny grant_none, seen deny pin_mismatch\">",
    ] {
        assert!(xml.contains(told), "no {told} in {xml}");
    }
    std::fs::write(&file, "kind: Nonsense\n").unwrap();
    let ended = run(&["test", "-o", "junit", &file]);
    assert_eq!(ended.code, 2);
    assert!(ended.out.contains("errors=\"1\"") && ended.out.contains("<error message="), "{}", ended.out);
}

#[test]
fn a_path_that_does_not_exist_is_called_so() {
    let ended = run(&["test", "no/such/place"]);
    assert_eq!(ended.code, 2);
    assert_eq!(ended.err, "error: no/such/place: no such file or directory\n");
}

#[test]
fn a_method_that_no_table_can_mean_shows_nothing() {
    let (_dir, file) = world(&CASES.replace("method: GET", "method: get"));
    let ended = run(&["test", file.to_str().unwrap()]);
    assert_eq!(ended.code, 2, "{}", ended.all());
    assert!(ended.err.contains("\"get\" is not a method") && ended.err.contains("write `GET`"), "{}", ended.err);
}

#[test]
fn that_a_denial_has_no_grants_may_be_said() {
    let none = CASES.replace("decision: deny,", "decision: deny, grants: [], scopes: [],");
    let (_dir, file) = world(&none);
    let ended = run(&["test", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    let (_dir, file) = world(&CASES.replace("decision: deny,", "decision: deny, grants: [one],"));
    let ended = run(&["test", file.to_str().unwrap()]);
    assert!(ended.code == 2 && ended.err.contains("never happens"), "{}", ended.all());
}
