//! `check`: is this table good, and are these blocks?

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::findings::{BlocksSummary, Checked, Format, Summary, Unread, written};
use super::open::{Open, given};
use super::output::{colours, diagnostic, result, trouble, value};
use super::probe_check::{Wanted, probe_all};
use super::trust::load;
use super::{NO, YES};
use crate::clock::{Clock, Time};
use crate::keys::LiveKeys;
use crate::table::{Code, Compiled, CompiledBlocks, Documents, Report, Snapshot, Sources, compile, compile_blocks};

/// Read the trust table, or blocks, offline and tell every problem at once.
///
/// Parses, compiles and lints offline: nothing is fetched unless `--probe` asks for it, nothing is changed. Every problem is told at once, with
/// file, line and column, and how to mend it. Blocks are known by their kind (`TrustBlocks`); one that stops nobody, or more
/// than it may seem, is warned of.
///
/// Exit code: 0 the table is good, 1 it is not (with `--fail-on warning` also for a warning, with
/// `--probe` for keys that cannot be had), 2 there is nothing at the path. `credence rule CODE` tells about a finding.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence check trust.yaml && git commit -a")]
pub(super) struct Check {
    /// Files or directories, each a table by itself; `-` is standard input.
    #[arg(env = "CREDENCE_TRUST", default_value = "trust.yaml")]
    paths: Vec<PathBuf>,
    /// The table that blocks are held against, where none of the paths is one.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    open: Open,
    /// From which severity on the exit code is 1.
    #[arg(long, env = "CREDENCE_FAIL_ON", value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    /// Judge as if it were this instant (RFC 3339), or the first second of this date, in UTC.
    #[arg(long, env = "CREDENCE_AT", value_parser = super::trust::instant)]
    at: Option<Time>,
    /// Then fetch the keys of every issuer, without credentials; one that fails makes the exit code 1.
    #[arg(long, env = "CREDENCE_PROBE", value_parser = super::output::switch)]
    probe: bool,
    /// Let `--probe` send bearer tokens and client certificates to where the table says.
    #[arg(long, env = "CREDENCE_WITH_CREDENTIALS", value_parser = super::output::switch, requires = "probe")]
    with_credentials: bool,
    /// For people on standard error; or on standard output as JSON, SARIF 2.1.0 or annotations of GitHub Actions.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
}

pub(super) fn run(check: &Check) -> u8 {
    if check.probe && check.output != Format::Text {
        return trouble("`--probe` tells its story as text: leave out `-o`, or check first and probe then");
    }
    let now = check.at.unwrap_or_else(|| Clock::System.now());
    let mut code = YES;
    let (mut read, mut beside, mut seen, mut unread) = (Vec::new(), None, Vec::new(), Vec::new());
    for path in &check.paths {
        if let Some(message) = missing(path) {
            code = trouble(format!("{}: {message}", path.display()));
            unread.push(Unread { path: path.display().to_string(), message });
            continue;
        }
        let sources = Sources::read(path);
        let documents = Documents::of(&sources);
        if documents.table {
            let (worst, checked, snapshot) = table(check, path, &sources, now);
            code = code.max(worst);
            beside = snapshot.or(beside);
            seen.push(checked);
        }
        read.extend(documents.blocks.then_some((path, sources)));
    }
    // After every table, whichever is named first: a block is held against the table that stands beside it.
    if let (false, None, Some(path)) = (read.is_empty(), &beside, given(check.trust.as_ref())) {
        match load(&path, &check.open, now) {
            Ok(loaded) => beside = Some(loaded.snapshot),
            Err(message) => {
                code = trouble(&message);
                unread.push(Unread { path: path.display().to_string(), message });
                read.clear();
            }
        }
    }
    for (path, sources) in &read {
        let (worst, checked) = blocks(check, path, sources, beside.as_ref(), now);
        code = code.max(worst);
        seen.push(checked);
    }
    if check.output == Format::Text && may_be_parts(&seen) {
        diagnostic(
            "note: each path is a table by itself, and what is in one is not known in another: if these files are parts of \
             one table, give the directory that they are in",
        );
    }
    result(&written(check.output, &seen, &unread));
    code
}

/// Whether there are several tables, and one of them misses what may be in another.
fn may_be_parts(seen: &[Checked]) -> bool {
    let tables = || seen.iter().filter(|one| one.blocks.is_none());
    let misses = |one: &Checked| one.report.by_code().any(|(code, _)| code == Code::CR003);
    tables().count() > 1 && tables().any(misses)
}

/// Why there is nothing at a path, as far as can be seen.
fn missing(path: &Path) -> Option<String> {
    if path.as_os_str() == "-" {
        return None;
    }
    let error = std::fs::metadata(path).err()?;
    Some(match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => format!("cannot be looked at: {error}"),
    })
}

/// The exit code for one table, what was found, and the table if it loads.
fn table(check: &Check, path: &Path, sources: &Sources, now: Time) -> (u8, Checked, Option<Snapshot>) {
    let mut wanted = Vec::new();
    let Compiled { snapshot, report } = compile(sources, &check.open.permissions(), now, |need| {
        wanted.push(Wanted::new(&need));
        Arc::new(LiveKeys::at_rest(need.issuer, need.origin, need.rules))
    });
    let code = check.verdict(&report);
    let summary = snapshot.as_ref().map(Summary::of);
    let checked = Checked { path: path.display().to_string(), report, table: summary, blocks: None };
    if check.output == Format::Text {
        told(&checked);
    }
    let code = if checked.table.is_some() { code.max(probed(check, wanted)) } else { code };
    (code, checked, snapshot)
}

/// The same of blocks; without a table nobody knows whether they are about anybody.
fn blocks(check: &Check, path: &Path, sources: &Sources, table: Option<&Snapshot>, now: Time) -> (u8, Checked) {
    let CompiledBlocks { blocks, report, .. } = compile_blocks(sources, now, table);
    let code = check.verdict(&report);
    let summary = blocks.map(|blocks| BlocksSummary {
        blocks: blocks.len(),
        digest: blocks.digest().to_owned(),
        held: table.is_some(),
    });
    let checked = Checked { path: path.display().to_string(), report, table: None, blocks: summary };
    if check.output == Format::Text {
        told(&checked);
    }
    (code, checked)
}

impl Check {
    /// The exit code for what was found.
    fn verdict(&self, report: &Report) -> u8 {
        let failed = report.refuses() || (self.fail_on == FailOn::Warning && report.warnings() > 0);
        if failed { NO } else { YES }
    }
}

/// For people: findings on standard error, one line about what is good on standard output.
fn told(checked: &Checked) {
    if !checked.report.is_empty() {
        diagnostic(&checked.report.render(colours()));
    }
    if let Some(table) = &checked.table {
        result(&format!(
            "{}: {} issuers, {} resources, {} grants, sha256 {}\n",
            value(&checked.path),
            table.issuers,
            table.resources,
            table.grants,
            table.digest
        ));
    }
    if let Some(blocks) = &checked.blocks {
        let held = if blocks.held { "" } else { " (held against no table: add it, or `--trust PATH`)" };
        result(&format!("{}: {} blocks{held}, sha256 {}\n", value(&checked.path), blocks.blocks, blocks.digest));
    }
}

/// What `--probe` adds.
fn probed(check: &Check, wanted: Vec<Wanted>) -> u8 {
    if !check.probe {
        return YES;
    }
    probe_all(wanted, check.with_credentials, &check.open.outside())
}
