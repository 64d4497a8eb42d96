//! Typical mistakes in a table or in blocks (`trust-blocks…`), and what is said about each.
//!
//! `tests/corpus/mistakes/NAME.yaml` (or a directory `NAME`) has beside it `NAME.txt`, the diagnostics as `check` prints
//! them. Write them anew with `UPDATE_CORPUS=1 cargo test --test mistakes`, and read every one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use credence::clock::Time;
use credence::keys::LiveKeys;
use credence::table::{
    Code, Compiled, CompiledBlocks, Permissions, Report, SourceFile, Sources, compile, compile_blocks,
};

const CORPUS: &str = "tests/corpus/mistakes";

/// Tables as people write them who have read the documentation.
const POLICIES: &str = "tests/corpus/policies";

/// What is said about a table, or about blocks beside a table that has the issuer `idp`; whether it loads.
fn judge(path: &Path) -> (bool, Report) {
    if !path.to_string_lossy().contains("/trust-blocks") {
        let Compiled { snapshot, report } = table(path);
        return (snapshot.is_some(), report);
    }
    let text = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers: {idp: {issuer: https://idp.acme.test}}\n";
    let beside = Sources::from_files([SourceFile::new("trust.yaml", text)]);
    let beside = compile(&beside, &Permissions::default(), now(), |need| Arc::new(LiveKeys::unfetched(need.rules)));
    let CompiledBlocks { blocks, report, .. } = compile_blocks(&Sources::read(path), now(), beside.snapshot.as_ref());
    (blocks.is_some(), report)
}

fn now() -> Time {
    Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap()
}

fn table(path: &Path) -> Compiled {
    // A directory of secrets is open to every table but those that show what is said without one.
    let closed = path.to_string_lossy().contains("/no-secrets-dir");
    let permissions = Permissions { secrets_dir: (!closed).then(|| "/run/secrets".into()) };
    compile(&Sources::read(path), &permissions, now(), |need| Arc::new(LiveKeys::unfetched(need.rules)))
}

fn tables(corpus: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let mut tables: Vec<_> =
        entries.filter(|path| path.extension().is_none_or(|extension| extension != "txt")).collect();
    tables.sort();
    tables
}

#[test]
fn every_mistake_is_told_as_it_is_written_down() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    let mut wrong = Vec::new();
    for table in tables(CORPUS) {
        let (loads, report) = judge(&table);
        let said = format!("{}\n{}\n", report.render(false), report.summary());
        assert_eq!(!loads, report.refuses(), "{}", table.display());
        assert!(!report.is_empty(), "{} is no mistake", table.display());
        let expected = table.with_extension("txt");
        if update {
            std::fs::write(&expected, &said).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("{}:\n{said}", table.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_CORPUS=1 writes them anew", wrong.join("\n"));
}

#[test]
fn every_mistake_has_a_help_and_a_place() {
    for table in tables(CORPUS) {
        for finding in judge(&table).1.sorted() {
            let said = finding.render(false);
            assert!(finding.site().is_some(), "{said}");
            assert!(finding.help_text().is_some_and(|help| !help.is_empty()), "{said}");
        }
    }
}

#[test]
fn a_careful_table_loads_without_a_word() {
    let policies = tables(POLICIES);
    assert_eq!(policies.len(), 5);
    for table in policies {
        let (loads, report) = judge(&table);
        assert!(report.is_empty() && loads, "{}:\n{}", table.display(), report.render(false));
    }
}

#[test]
fn every_rule_is_broken_by_some_table_here() {
    let mut seen = std::collections::BTreeSet::new();
    for table in tables(CORPUS) {
        seen.extend(judge(&table).1.sorted().iter().map(|finding| finding.code()));
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no table shows {missing:?}");
    assert!(tables(CORPUS).len() >= 30);
}
