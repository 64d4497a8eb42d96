//! docs/helm.md promises nothing that no test holds the chart to.

use std::collections::BTreeSet;

use crate::support::root;

/// Every test of this binary as `file::name`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let entries = std::fs::read_dir(root().join("tests/chart")).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.filter(|path| path.is_file()) {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut marked = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn ").filter(|_| marked) {
                found.insert(format!("{file}::{}", name.split('(').next().unwrap()));
            }
            marked = line == "#[test]" || (marked && line.starts_with("#["));
        }
    }
    found
}

#[test]
fn every_row_of_the_checklist_names_a_test_and_every_test_a_row() {
    let text = std::fs::read_to_string(root().join("docs/helm.md")).unwrap();
    let rows =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise") && line.ends_with('|'));
    let mut named = BTreeSet::new();
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<_> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!tests.is_empty(), "no test beside: {row}");
        named.extend(tests);
    }
    let tests = tests();
    assert!(tests.len() > 40, "{tests:?}");
    let gone: Vec<_> = named.difference(&tests).collect();
    assert!(gone.is_empty(), "docs/helm.md names tests that are not there: {gone:?}");
    let unnamed: Vec<_> = tests.difference(&named).collect();
    assert!(unnamed.is_empty(), "docs/helm.md does not name: {unnamed:?}");
}
