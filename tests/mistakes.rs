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

#[test]
fn a_fix_works_when_it_is_typed_as_it_is_printed() {
    let judged = |issuer: &str, grant: &str| {
        let text = format!(
            "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  idp: {{{issuer}}}\nresources:\n  \
             orders: {{audience: https://orders.acme.test, hosts: [orders.acme.test]}}\ngrants:\n  \
             g: {{issuer: idp, resource: orders, {grant}}}\n"
        );
        let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
        compile(&sources, &Permissions::default(), now(), |need| Arc::new(LiveKeys::unfetched(need.rules))).report
    };
    let idp = "issuer: https://idp.acme.test";
    let grant = "subject: alice, methods: [GET], paths: [/v1/**]";
    for (issuer, bad, good) in [
        (idp, "subject: 'team:*', methods: [GET], paths: [/v1/**]", "subject: {glob: \"team:*\"}"),
        (idp, "subject: alice, methods: [], paths: [/v1/**]", "methods: [GET]"),
        (idp, "subject: alice, methods: [], paths: [/v1/**]", "methods: any"),
        (idp, "subject: alice, methods: [GET], paths: []", "paths: [/v1/orders/**]"),
        (idp, "subject: alice, methods: [GET], paths: []", "paths: any"),
        (idp, "subject: alice, methods: [ANY], paths: [/v1/**]", "methods: any"),
        (idp, "subject: alice, methods: [GET], paths: [any]", "paths: any"),
        (idp, "subject: Anyone, reason: it is open, methods: [GET], paths: [/v1/**]", "subject: any"),
        (idp, "claims: {team: 'a/*'}, methods: [GET], paths: [/v1/**]", "team: {glob: \"a/*\"}"),
    ] {
        let report = judged(issuer, bad);
        assert!(report.refuses(), "{bad}");
        let printed = report.sorted().iter().any(|one| one.help_text().is_some_and(|help| help.contains(good)));
        assert!(printed, "{bad}: {}", report.render(false));
        let (field, value) = good.split_once(": ").unwrap();
        let (before, typed) = bad.split_once(&format!("{field}: ")).unwrap();
        // To the end of the value: the next field, or the end of the map around it.
        let (_, after) = typed.split_at(typed.find([',', '}']).unwrap_or(typed.len()));
        let mended = format!("{before}{field}: {value}{after}");
        assert!(!judged(issuer, &mended).refuses(), "{mended}: {}", judged(issuer, &mended).render(false));
    }
    let tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
    let entra = |tenants: &str| judged(&format!("profile: entra, with: {{tenants: {tenants}}}"), grant);
    let listed = format!("`tenants: [{tenant}]`");
    assert!(entra(tenant).render(false).contains(&listed) && !entra(&format!("[{tenant}]")).refuses());
    let circleci = judged("profile: circleci", grant).render(false);
    let root = "issuer: https://oidc.circleci.com";
    let pin = "pin: {claims: {oidc.circleci.com/org-id: \"<id>\"}}";
    assert!(circleci.contains(root) && circleci.contains(pin), "{circleci}");
    let pinned = format!("profile: circleci, {root}, {}", pin.replace("<id>", tenant));
    let project = format!("claims: {{oidc.circleci.com/project-id: {tenant}}}, methods: [GET], paths: [/v1/**]");
    assert!(!judged(&pinned, &project).refuses());
    // Nothing that is printed for a missing value makes another fault.
    let nothing = judged(idp, "subject: , methods: [GET], paths: [/v1/**]").render(false);
    assert!(!nothing.contains("\"\""), "{nothing}");
}
