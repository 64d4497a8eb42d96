//! `test`: does this table do what its cases say?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::open::Open;
use super::output::{colours, diagnostic, escaped_json, result, trouble, value};
use super::test_coverage::Uncovered;
use super::test_judge::{Verdict, decision, differences, judge, listed};
use super::test_report::{CaseReport, FileReport, Report};
use super::trust::Blocked;
use super::{NO, TROUBLE, YES};
use crate::block::Blocks;
use crate::clock::{Clock, Time};
use crate::keys::LiveKeys;
use crate::path::Rules;
use crate::table::{Compiled, Permissions, Snapshot, Sources, Vector, Vectors, compile};

/// Hold a trust table against written cases: who should get in, and who should not.
///
/// Reads test files (`kind: TrustTableTest`) and walks each of their cases through the very function that the server
/// walks. A case's token counts as verified; everything else is judged. Nothing is fetched. At the end it names the
/// grants that no case shows to allow anything, and the reasons that lines of the table can cause and no case ends with.
///
/// Exit code: 0 every case passes, 1 a case fails (with `--fail-on` also where something is not covered), 2 a file or
/// its table could not be read.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence test examples/ci-deploy

A case in trust_test.yaml:
  - name: main branch deploys payments
    token: {iss: https://idp.acme.test, sub: payments, aud: https://deploy.acme.test}
    request: {method: POST, url: https://deploy.acme.test/v1/services/payments/web}
    expect: {decision: allow, grants: [payments-deploy], scopes: [deploy:payments]}")]
pub(super) struct Test {
    /// Test files, or directories whose `*_test.yaml` files are meant (subdirectories are not searched).
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    blocks: Blocked,
    #[command(flatten)]
    open: Open,
    /// What makes the exit code 1.
    #[arg(long, env = "CREDENCE_FAIL_ON", value_enum, default_value_t = FailOn::Failure)]
    fail_on: FailOn,
    /// For people, for programs, or JUnit's XML for the systems that collect test results.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Also write JUnit's XML to this file.
    #[arg(long, env = "CREDENCE_JUNIT", value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A case fails.
    Failure,
    /// A case fails, or there is a grant that no case is allowed by.
    UncoveredGrant,
    /// A case fails, or no case shows a grant, or a reason that the table can cause.
    Uncovered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Junit,
}

pub(super) fn run(test: &Test) -> u8 {
    let blocks = match test.blocks.load(Clock::System.now()) {
        Ok(blocks) => blocks,
        Err(error) => return trouble(error),
    };
    let mut session =
        Session { permissions: test.open.permissions(), blocks, form: Some(test.output), ..Session::default() };
    for path in &test.paths {
        match files(path) {
            Ok(files) => files.iter().for_each(|file| session.file(file)),
            Err(error) => session.broken(path, &error),
        }
    }
    session.finish(test)
}

/// The file itself, or the test files of a directory, sorted.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Err(format!("{}: no such file or directory", path.display()));
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: std::io::Error| format!("{}: cannot list the directory: {error}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let text = name.to_string_lossy();
        if !text.starts_with('.') && (text.ends_with("_test.yaml") || text.ends_with("_test.yml")) {
            files.push(if path == Path::new(".") { PathBuf::from(&name) } else { path.join(&name) });
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: no *_test.yaml file in this directory", path.display())) } else { Ok(files) }
}

/// A table that cases were held against, and what they showed of it.
struct Table {
    shown: PathBuf,
    snapshot: Snapshot,
    grants: BTreeSet<String>,
    reasons: BTreeSet<&'static str>,
}

/// One run of the command.
#[derive(Default)]
struct Session {
    permissions: Permissions,
    form: Option<Form>,
    blocks: Blocks,
    tables: BTreeMap<PathBuf, Option<Table>>,
    report: Report,
    code: u8,
}

impl Session {
    fn file(&mut self, path: &Path) {
        let (vectors, report) = Vectors::read(path);
        if !report.is_empty() {
            diagnostic(&report.render(colours()));
        }
        let Some(vectors) = vectors else { return self.note_broken(path, "the file cannot be read as test cases") };
        let now = vectors.now.unwrap_or_else(|| Clock::System.now());
        let table = table(&mut self.tables, &self.permissions, &vectors.table, now);
        let Some(table) = table else {
            return self.broken(path, &format!("{}: its table does not load", path.display()));
        };
        let mut cases = Vec::new();
        for case in &vectors.cases {
            let verdict = judge(Rules { table: &table.snapshot, blocks: &self.blocks }, now, case);
            let differences = differences(&case.expect, &verdict);
            let told = if differences.is_empty() {
                table.reasons.insert(verdict.reason);
                String::new()
            } else {
                tell(case, &verdict, &differences, &table.snapshot)
            };
            cases.push(CaseReport {
                name: case.name.clone(),
                site: case.site.to_string(),
                line: case.site.line,
                decision: decision(verdict.allowed),
                reason: verdict.reason,
                told,
                differences,
            });
            if cases.last().is_some_and(|case| !case.failed()) && verdict.allowed {
                table.grants.extend(verdict.grants);
            }
        }
        let file = FileReport { path: path.display().to_string(), error: None, cases };
        if self.form == Some(Form::Text) {
            result(&file.text());
        }
        self.report.files.push(file);
    }

    /// The cases of this file could not be run.
    fn broken(&mut self, path: &Path, error: &str) {
        trouble(error);
        self.note_broken(path, error);
    }

    fn note_broken(&mut self, path: &Path, error: &str) {
        let error = Some(error.to_owned());
        self.report.files.push(FileReport { path: path.display().to_string(), error, cases: Vec::new() });
        self.code = TROUBLE;
    }

    fn finish(mut self, test: &Test) -> u8 {
        for table in self.tables.values().flatten() {
            let uncovered = Uncovered::of(&table.snapshot, &table.grants, &table.reasons);
            if !uncovered.is_empty() {
                self.report.uncovered.push((table.shown.display().to_string(), uncovered));
            }
        }
        result(&match test.output {
            Form::Text => self.report.summary(),
            Form::Json => escaped_json(&self.report.json()),
            Form::Junit => self.report.junit(),
        });
        let written = test.junit.as_ref().map(|path| (path, std::fs::write(path, self.report.junit())));
        if let Some((path, Err(error))) = written {
            self.code = trouble(format!("{}: {error}", path.display()));
        }
        let lacking = self.report.uncovered.iter().any(|(_, uncovered)| match test.fail_on {
            FailOn::Failure => false,
            FailOn::UncoveredGrant => !uncovered.grants.is_empty(),
            FailOn::Uncovered => true,
        });
        let fails = self.report.failed() > 0 || lacking;
        self.code.max(if fails { NO } else { YES })
    }
}

/// The compiled table; every problem of it is told once.
fn table<'t>(
    tables: &'t mut BTreeMap<PathBuf, Option<Table>>,
    permissions: &Permissions,
    path: &Path,
    now: Time,
) -> Option<&'t mut Table> {
    let key = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let read = || {
        // Tokens count as verified, so that keys have no say, not even those that stand in the table.
        let keys = |need: crate::table::KeyNeed<'_>| Arc::new(LiveKeys::unfetched(need.rules));
        let Compiled { snapshot, report } = compile(&Sources::read(path), permissions, now, keys);
        if report.refuses() {
            diagnostic(&report.render(colours()));
        }
        let (grants, reasons) = (BTreeSet::new(), BTreeSet::new());
        Some(Table { shown: path.to_owned(), snapshot: snapshot?, grants, reasons })
    };
    tables.entry(key).or_insert_with(read).as_mut()
}

/// What is wrong with a failed case, a line each.
fn tell(case: &Vector, seen: &Verdict, differences: &[(String, String)], snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for (expected, seen) in differences {
        out += &format!("    expected  {}\n    seen      {}\n", value(expected), value(seen));
    }
    if let Some(step) = &seen.decided {
        let site = step.note.site.as_ref().map(|site| format!("  [{}]", value(site))).unwrap_or_default();
        out += &format!("    decided   {}: {}{site}\n", step.subject, value(&step.note.text));
    }
    for (grant, failed) in &seen.near_misses {
        out += &format!("    near miss {} differs in {}\n", value(grant), value(listed(failed)));
    }
    let known: BTreeSet<_> = snapshot.grants.iter().map(|grant| grant.name.as_str()).collect();
    let named = case.expect.grants.iter().flatten().chain(case.expect.near_misses.keys());
    for grant in named.filter(|grant| !known.contains(grant.as_str())) {
        out += &format!("    note      the table has no grant {grant:?}\n");
    }
    out.trim_end().to_owned()
}
