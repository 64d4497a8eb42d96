//! `check`: is this table good?

use std::fs;

use crate::support::credence::command;
use crate::support::scratch;
use crate::support::table::{Table, document};
use crate::world::{Ended, run, with_input};

const GOOD: &str = "\
issuers:
  ci: {issuer: \"https://ci.acme.test\", owner: team@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
  own: {issuer: ci, resource: api, subject: x, methods: [GET], paths: any}
";

/// Two mistakes, on lines 6 and 8.
const BAD: &str = "\
issuers:
  ci: {issuer: \"https://ci.acme.test\", owner: team@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audienze: https://api.acme.test, audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
  own: {issuer: cx, resource: api, subject: x, methods: [GET], paths: any}
";

fn check(table: &Table, more: &[&str]) -> Ended {
    let path = table.path().display().to_string();
    run(&[&["check", &path], more].concat())
}

#[test]
fn a_good_table_is_0_and_told_in_one_line_with_its_digest() {
    let ended = check(&Table::new(GOOD), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    assert!(ended.out.contains("1 issuers, 1 resources, 1 grants"), "{}", ended.out);
    let digest = ended.out.trim().rsplit(' ').next().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |yaml: &str| {
        let ended = check(&Table::new(yaml), &[]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out.trim().rsplit(' ').next().unwrap().to_owned()
    };
    let same = GOOD.replace("resources:", "# a remark\nresources:").replace("[GET]", "[ 'GET' ]");
    assert_eq!(digest(GOOD), digest(&same));
    assert_ne!(digest(GOOD), digest(&GOOD.replace("[GET]", "[PUT]")));
    assert_ne!(digest(GOOD), digest(&GOOD.replace("subject: x", "subject: y")));
}

#[test]
fn a_bad_table_is_1_and_every_problem_is_told_with_place_and_remedy() {
    let table = Table::new(BAD);
    let ended = check(&table, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    for (code, line) in [("CR001", 6), ("CR003", 8)] {
        let (_, rest) =
            ended.err.split_once(&format!("error[{code}]")).unwrap_or_else(|| panic!("no {code} in {}", ended.err));
        assert!(rest.contains(&format!("{}:{line}:", table.path().display())), "{}", ended.err);
    }
    assert!(ended.err.contains("audience") && ended.err.contains("= help: "), "{}", ended.err);
}

#[test]
fn a_path_that_is_not_there_is_2_and_named() {
    let ended = run(&["check", "/nowhere/trust.yaml"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("/nowhere/trust.yaml: no such file"), "{}", ended.err);
}

#[test]
fn of_several_paths_the_worst_counts_and_each_is_told() {
    let (good, bad) = (Table::new(GOOD), Table::new(BAD));
    let (good, bad) = (good.path().display().to_string(), bad.path().display().to_string());
    let ended = run(&["check", &bad, &good]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains(&good) && ended.err.contains(&bad));
    assert_eq!(run(&["check", &bad, &good, "/nowhere"]).code, 2);
    assert_eq!(run(&["check", &good, &good]).code, 0);
}

#[test]
fn standard_input_is_a_table_too() {
    let stdin = |text: &str| with_input(command(&["check", "-"]), text);
    assert_eq!(stdin(&document(GOOD)).code, 0);
    let bad = stdin(&document(BAD));
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("<stdin>:6:"), "{}", bad.err);
    assert_eq!(stdin("").code, 1);
    let cut = stdin(document(GOOD).trim_end());
    assert!(cut.code == 1 && cut.err.contains("CR005"), "{}", cut.err);
}

#[test]
fn a_directory_is_one_table_of_many_files() {
    let dir = scratch();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let (head, grants) = GOOD.split_once("grants:").unwrap();
    write("10-base.yaml", &document(head));
    write("20-grants.yml", &document(&format!("grants:{grants}")));
    write("payments_test.yaml", "apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ncases: []\n");
    write(".hidden.yaml", "{");
    write("notes.txt", "{");
    let path = dir.path().display().to_string();
    let ended = run(&["check", &path]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("1 issuers, 1 resources, 1 grants"), "{}", ended.out);
    write("30-twice.yaml", &document(&format!("grants:{grants}")));
    let ended = run(&["check", &path]);
    assert_eq!(ended.code, 1);
    let told =
        ended.err.contains("CR004") && ended.err.contains("20-grants.yml") && ended.err.contains("30-twice.yaml");
    assert!(told, "{}", ended.err);
}

#[test]
fn warnings_pass_unless_asked_for_and_time_can_be_chosen() {
    let table = Table::new(&GOOD.replace("paths: any", "paths: any, expires: 2026-03-31"));
    let before = ["--at", "2025-06-01T00:00:00Z"];
    let after = ["--at", "2026-06-01T00:00:00Z"];
    let strict = ["--fail-on", "warning"];
    let ended = check(&table, &after);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("warning[CR303]") && ended.err.contains("trust.yaml:8:"), "{}", ended.err);
    assert!(ended.out.contains("sha256"), "a warned table is good");
    assert_eq!(check(&table, &[after, strict].concat()).code, 1);
    let ended = check(&table, &[before, strict].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(check(&Table::new(GOOD), &strict).code, 0);
    for bad in ["yesterday", "2026-06-01", "2026-06-01T00:00:00"] {
        let ended = check(&table, &["--at", bad]);
        assert_eq!(ended.code, 2, "{bad}");
        assert!(ended.err.contains("RFC 3339"), "{}", ended.err);
    }
}

#[test]
fn variables_stand_for_flags() {
    let (good, ended) = (Table::new(GOOD), Table::new(&GOOD.replace("paths: any", "paths: any, expires: 2020-01-01")));
    let with = |table: &Table, fail_on: &str| {
        let mut command = command(&["check"]);
        command.env("CREDENCE_TRUST", table.path()).env("CREDENCE_FAIL_ON", fail_on);
        with_input(command, "").code
    };
    assert_eq!(with(&good, "warning"), 0);
    assert_eq!(with(&ended, "warning"), 1);
    assert_eq!(with(&ended, "error"), 0);
    assert_eq!(with(&good, "sometimes"), 2);
}

#[test]
fn a_hostile_table_cannot_move_the_cursor() {
    let table = Table::new(&GOOD.replace("own:", "\"own\\x1b[2J\\u202e\":"));
    let ended = check(&table, &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.is_plain(), "{:?}", ended.err);
}
