//! `check`: is this table good, and are these blocks?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::open::{Open, given};
use super::output::{colours, diagnostic, result, trouble};
use super::probe_check::{Wanted, probe_all};
use super::{NO, TROUBLE, YES};
use crate::clock::{Clock, Time};
use crate::keys::LiveKeys;
use crate::table::{
    Compiled, CompiledBlocks, Documents, Report, Snapshot, Sources, compile, compile_blocks,
};

/// Read the trust table, or blocks, offline and tell every problem at once.
///
/// Parses, compiles and lints offline: nothing is fetched unless `--probe` asks for it, nothing is changed. Every problem is told at once, with
/// file, line and column, and how to mend it. A file of blocks (`kind: TrustBlocks`) is known by its kind; one that stops
/// nobody, or more than it may seem, is warned of.
///
/// Exit code: 0 the table is good, 1 it is not (with `--fail-on warning` also for a warning, with
/// `--probe` for keys that cannot be had), 2 there is nothing at the path.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence check trust.yaml && git commit -a")]
pub(super) struct Check {
    /// Files or directories; `-` is standard input.
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
    /// Judge as if it were this instant (RFC 3339).
    #[arg(long, env = "CREDENCE_AT", value_parser = super::trust::instant)]
    at: Option<Time>,
    /// Then fetch the keys of every issuer, without credentials; one that fails makes the exit code 1.
    #[arg(long, env = "CREDENCE_PROBE", value_parser = super::output::switch)]
    probe: bool,
    /// Let `--probe` send bearer tokens and client certificates to where the table says.
    #[arg(long, env = "CREDENCE_WITH_CREDENTIALS", value_parser = super::output::switch, requires = "probe")]
    with_credentials: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
}

pub(super) fn run(check: &Check) -> u8 {
    let now = check.at.unwrap_or_else(|| Clock::System.now());
    let mut code = YES;
    let (mut read, mut table) = (Vec::new(), None);
    for path in &check.paths {
        if path.as_os_str() != "-" && !path.exists() {
            diagnostic(&format!("error: {}: no such file or directory", path.display()));
            code = TROUBLE;
            continue;
        }
        let sources = Sources::read(path);
        let documents = Documents::of(&sources);
        if documents.table {
            let (judged, snapshot) = judged(check, path, &sources, now);
            code = code.max(judged);
            table = snapshot.or(table);
        }
        read.extend(documents.blocks.then_some((path, sources)));
    }
    // After every table, whichever is named first: a block is held against the table that stands beside it.
    if let (false, None, Some(path)) = (read.is_empty(), &table, given(check.trust.as_ref())) {
        match super::trust::load(&path, &check.open, now) {
            Ok(loaded) => table = Some(loaded.snapshot),
            Err(error) => return trouble(error),
        }
    }
    for (path, sources) in &read {
        code = code.max(blocks(check, path, sources, table.as_ref(), now));
    }
    code
}

/// Tells what is wrong with a table, and how it went.
fn judged(check: &Check, path: &Path, sources: &Sources, now: Time) -> (u8, Option<Snapshot>) {
    let mut wanted = Vec::new();
    let Compiled { snapshot, report } = compile(sources, &check.open.permissions(), now, |need| {
        wanted.push(Wanted::new(&need));
        Arc::new(LiveKeys::at_rest(need.issuer, need.origin, need.rules))
    });
    if !report.is_empty() {
        diagnostic(&report.render(colours()));
    }
    let Some(snapshot) = snapshot else { return (NO, None) };
    result(&format!(
        "{}: {} issuers, {} resources, {} grants, sha256 {}\n",
        path.display(),
        snapshot.issuers.entries(),
        snapshot.resources.iter().count(),
        snapshot.grants.len(),
        snapshot.digest
    ));
    (check.verdict(&report).max(probed(check, wanted)), Some(snapshot))
}

/// The same of blocks; without a table nobody knows whether they are about anybody.
fn blocks(check: &Check, path: &Path, sources: &Sources, table: Option<&Snapshot>, now: Time) -> u8 {
    let CompiledBlocks { blocks, report, .. } = compile_blocks(sources, now, table);
    if !report.is_empty() {
        diagnostic(&report.render(colours()));
    }
    let Some(blocks) = blocks else { return NO };
    let held = if table.is_some() { "" } else { ", not held against a table (`--trust PATH`)" };
    result(&format!("{}: {} blocks{held}, sha256 {}\n", path.display(), blocks.len(), blocks.digest()));
    check.verdict(&report)
}

impl Check {
    /// The exit code for what was found in something that loads.
    fn verdict(&self, report: &Report) -> u8 {
        if self.fail_on == FailOn::Warning && report.warnings() > 0 { NO } else { YES }
    }
}

/// What `--probe` adds.
fn probed(check: &Check, wanted: Vec<Wanted>) -> u8 {
    if !check.probe {
        return YES;
    }
    probe_all(wanted, check.with_credentials, &check.open.outside())
}
