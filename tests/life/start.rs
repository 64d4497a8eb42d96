//! A table that does not load is told whole, and nothing starts.

use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{KEPT, ends, table};

/// Runs `serve`, which must not start, and returns what it said.
fn does_not_start(trust: &str) -> String {
    let (code, said) = ends(&["serve", "--trust", trust, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("listening grpc="), "{said}");
    said
}

#[test]
fn five_errors_are_told_at_once_each_with_its_place() {
    let text = format!(
        "\
issuers:
  ci: {{issuer: \"https://ci.test\", {KEPT}, colour: red}}
  plain: {{issuer: \"http://plain.test\", {KEPT}}}
resources:
  api: {{hosts: [api.acme.test]}}
  web: {{audience: https://web.acme.test, hosts: [web.acme.test]}}
grants:
  one: {{issuer: cj, resource: web, subject: x, methods: [GET], paths: any}}
  two: {{issuer: ci, resource: web, subject: any, claims: {{ref: main}}, methods: [GET], paths: any}}
"
    );
    let file = Table::new(&text);
    let path = file.path().display().to_string();
    let said = does_not_start(&path);
    // `apiVersion` and `kind` stand before: each line is two further down.
    for (code, place) in [("CR001", "4:"), ("CR102", "5:"), ("CR110", "7:"), ("CR003", "10:"), ("CR121", "11:")] {
        let (_, rest) = said.split_once(&format!("error[{code}]")).unwrap_or_else(|| panic!("no {code} in {said}"));
        let arrow = rest.lines().find(|line| line.trim_start().starts_with("-->")).unwrap_or_default();
        assert!(arrow.contains(&format!("{path}:{place}")), "{code}: {arrow}");
        let column = arrow.rsplit(':').next().unwrap().trim().parse::<usize>();
        assert!(column.is_ok_and(|column| column > 0), "{code}: {arrow}");
    }
    assert_eq!(said.matches("error[").count(), 5, "{said}");
}

#[test]
fn what_is_not_there_or_cut_off_or_empty_does_not_start() {
    assert!(does_not_start("/nowhere/trust.yaml").contains("/nowhere/trust.yaml"));
    let ci = Issuer::start();
    let whole = table(&ci, &["own"]);
    let file = Table::raw(b"");
    let path = file.path().display().to_string();
    let good = crate::support::table::document(&whole);
    for (what, bytes) in [
        ("empty", ""),
        ("cut off", good.trim_end()),
        ("another kind", "apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks: {}\n"),
        ("no map", "- a\n- b\n"),
    ] {
        file.replace_raw(bytes.as_bytes());
        assert!(does_not_start(&path).contains("trust.yaml"), "{what}");
    }
    let empty = crate::support::scratch();
    let said = does_not_start(&empty.path().display().to_string());
    assert!(said.contains("no *.yaml"), "{said}");
}

#[test]
fn a_decision_log_that_cannot_be_opened_does_not_start() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let (code, said) = ends(&[
        "serve",
        "--trust",
        &file.path().display().to_string(),
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--decision-log",
        "/nowhere/decisions.jsonl",
    ]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--decision-log") && said.contains("No such file"), "{said}");
}
