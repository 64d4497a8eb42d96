//! `check`: is this table good?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::findings::{Checked, Format, Summary, written};
use super::open::Open;
use super::output::{colours, diagnostic, result, trouble};
use super::probe_check::{Wanted, probe_all};
use super::{NO, TROUBLE, YES};
use crate::clock::{Clock, Time};
use crate::keys::LiveKeys;
use crate::table::{Compiled, Sources, compile};

/// Read the trust table offline and tell every problem at once.
///
/// Parses, compiles and lints offline: nothing is fetched unless `--probe` asks for it, nothing is changed. Every problem is told at once, with
/// file, line and column, and how to mend it.
///
/// Exit code: 0 the table is good, 1 it is not (with `--fail-on warning` also for a warning, with
/// `--probe` for keys that cannot be had), 2 there is nothing at the path. `credence rule CODE` tells about a finding.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence check trust.yaml && git commit -a")]
pub(super) struct Check {
    /// Files or directories; `-` is standard input.
    #[arg(env = "CREDENCE_TRUST", default_value = "trust.yaml")]
    paths: Vec<PathBuf>,
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
    let mut tables = Vec::new();
    for path in &check.paths {
        let (worst, checked) = one(check, path, now);
        code = code.max(worst);
        tables.extend(checked);
    }
    result(&written(check.output, &tables));
    code
}

/// The exit code for one table, and the table if there is one.
fn one(check: &Check, path: &Path, now: Time) -> (u8, Option<Checked>) {
    if path.as_os_str() != "-" && !path.exists() {
        diagnostic(&format!("error: {}: no such file or directory", path.display()));
        return (TROUBLE, None);
    }
    let mut wanted = Vec::new();
    let Compiled { snapshot, report } = compile(&Sources::read(path), &check.open.permissions(), now, |need| {
        wanted.push(Wanted::new(&need));
        Arc::new(LiveKeys::at_rest(need.issuer, need.origin, need.rules))
    });
    let failed = report.refuses() || (check.fail_on == FailOn::Warning && report.warnings() > 0);
    let table = snapshot.as_ref().map(Summary::of);
    let checked = Checked { path: path.display().to_string(), report, table };
    if check.output == Format::Text {
        told(&checked);
    }
    let code = if failed { NO } else { YES };
    (if checked.table.is_some() { code.max(probed(check, wanted)) } else { code }, Some(checked))
}

/// For people: findings on standard error, one line about a good table on standard output.
fn told(checked: &Checked) {
    if !checked.report.is_empty() {
        diagnostic(&checked.report.render(colours()));
    }
    if let Some(table) = &checked.table {
        result(&format!(
            "{}: {} issuers, {} resources, {} grants, sha256 {}\n",
            checked.path, table.issuers, table.resources, table.grants, table.digest
        ));
    }
}

/// What `--probe` adds.
fn probed(check: &Check, wanted: Vec<Wanted>) -> u8 {
    if !check.probe {
        return YES;
    }
    probe_all(wanted, check.with_credentials, &check.open.outside())
}
