//! The files as they lie there, with the program as a user calls it.

use std::path::Path;
use std::process::Output;

use crate::support::credence::run;
use crate::support::scratch;
use crate::world::{directory, examples};

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) fn credence(verb: &str, path: &Path) -> (i32, String) {
    // The examples have ends and review dates; their cases say `now` themselves.
    let at: &[&str] = if verb == "check" { &["--at", "2026-11-21T12:00:00Z"] } else { &[] };
    let output = run(&[&[verb, path.to_str().unwrap()], at].concat());
    (output.status.code().unwrap(), told(&output))
}

#[test]
fn every_example_has_a_readme_and_tests_and_a_table_without_a_finding() {
    assert!(examples().len() >= 7, "{:?}", examples());
    for example in examples() {
        let (code, text) = credence("check", &directory(&example).join("trust.yaml"));
        assert_eq!(code, 0, "{text}");
        assert!(!text.contains("error[") && !text.contains("warning["), "{text}");
        assert!(directory(&example).join("README.md").exists(), "{example}");
    }
}

#[test]
fn every_case_of_every_example_passes_and_no_grant_is_left_out() {
    for example in examples() {
        let (code, text) = credence("test", &directory(&example));
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(" passed") && !text.contains("no case is allowed"), "{text}");
        let readme = std::fs::read_to_string(directory(&example).join("README.md")).unwrap();
        if let Some(shown) = readme.lines().find(|line| line.starts_with("    ok   examples/")) {
            let shown = shown.rsplit('/').next().unwrap();
            assert!(text.lines().any(|line| line.ends_with(shown)), "{shown}");
        }
    }
}

/// A copy of an example with `from` replaced in one of its files.
pub(crate) fn broken(example: &str, file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let copy = scratch();
    for name in ["trust.yaml", "trust_test.yaml"] {
        let mut text = std::fs::read_to_string(directory(example).join(name)).unwrap();
        if name == file {
            assert!(text.contains(from), "{example}/{file} has no {from:?}");
            text = text.replace(from, to);
        }
        std::fs::write(copy.path().join(name), text).unwrap();
    }
    copy
}

#[test]
fn s2_without_the_pin_the_table_does_not_load_and_the_finding_says_what_to_write() {
    let pin = "    pin:\n      claims: {repository_owner_id: \"9919\"} # GitHub signs for everyone: this is whose tokens count\n";
    let copy = broken("ci-deploy", "trust.yaml", pin, "");
    let (code, text) = credence("check", &copy.path().join("trust.yaml"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("error[CR101]") && text.contains("trust.yaml:5:3"), "{text}");
    assert!(text.contains("repository_owner_id"), "{text}");
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 2, "cases cannot run on a table that does not load: {text}");
    assert!(text.contains("error[CR101]"), "{text}");
}

#[test]
fn s2_a_grant_by_name_alone_lets_the_new_repository_in_and_its_case_shows_it() {
    let copy = broken("ci-deploy", "trust.yaml", "repository_id: \"512345678\", ", "");
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("11 passed, 3 failed"), "{text}");
    for words in [
        "a new repository that took over the old name",
        "expected  deny grant_none",
        "seen      allow ok",
        "decided   grants: grant payments-deploy fits",
        "trust_test.yaml:",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

#[test]
fn s4_a_wrong_expectation_is_told_with_the_grant_that_came_near() {
    let copy = broken(
        "wrong-role",
        "trust_test.yaml",
        "near_miss: {invoice-writer: [/realm_access/roles]}",
        "near_miss: {invoice-writers: [subject]}",
    );
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 1, "{text}");
    for words in [
        "expected  near miss invoice-writers [subject]",
        "seen      near miss invoice-writers not told",
        "near miss invoice-writer differs in [/realm_access/roles]",
        "the table has no grant \"invoice-writers\"",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
}

#[test]
fn what_the_documentation_shows_of_a_test_file_is_true() {
    let page = include_str!("../../docs/testing-a-table.md");
    let (code, text) = credence("test", Path::new("examples/ci-deploy"));
    assert_eq!(code, 0, "{text}");
    assert!(page.contains(&text), "docs/testing-a-table.md does not hold: {text}");
    let file = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let copy = broken("ci-deploy", "trust.yaml", "", "");
    std::fs::write(copy.path().join("trust_test.yaml"), file).unwrap();
    let (code, text) = credence("test", copy.path());
    assert_eq!((code, text.contains("2 passed")), (0, true), "{text}");
}

#[test]
fn a_grant_that_no_case_shows_is_named_and_is_no_failure() {
    let copy = broken(
        "two-tenants",
        "trust_test.yaml",
        "    expect: {decision: allow, grants: [south-staff], scopes: [read]}",
        "    expect: {decision: deny}",
    );
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no case is allowed by these grants of") && text.contains(": south-staff\n"), "{text}");
}

#[test]
fn a_test_file_with_mistakes_cannot_run_and_every_mistake_is_told() {
    let copy = broken("two-tenants", "trust_test.yaml", "decision: deny", "desicion: deny");
    let (code, text) = credence("test", &copy.path().join("trust_test.yaml"));
    assert_eq!((code, text.matches("error[CR001]").count()), (2, 5), "{text}");
    assert!(text.contains("did you mean `decision`?"), "{text}");
    for nothing in [scratch().path(), Path::new("/nonexistent/x_test.yaml")] {
        assert_eq!(credence("test", nothing).0, 2);
    }
}

#[test]
fn a_token_in_a_test_file_cannot_move_the_cursor() {
    let copy = broken(
        "wrong-role",
        "trust_test.yaml",
        "with: {sub: reporting}\n    expect: {decision: deny, reason: grant_none",
        "with: {iss: \"\\e[2J\"}\n    expect: {decision: deny, reason: grant_none",
    );
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 1, "{text}");
    assert!(!text.contains('\u{1b}') && text.contains("u{1b}"), "{text}");
}
