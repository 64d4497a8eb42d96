//! `backtest`: which logged decisions would change under another table.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::log::Logs;
use super::open::Open;
use super::output::{Output, diagnostic, escaped, escaped_json, result, trouble, value};
use super::trust::{Loaded, load};
use super::{NO, YES};
use crate::clock::Clock;
use crate::logbook::{Backtest as Bench, Changes, Summary, Table, Told, Unsettled};

/// Say which logged decisions would change under a candidate table.
///
/// Each decision is judged again, at the time it was logged: it stays the same, it changes, or the log does not tell
/// enough. A log keeps no claims and no audiences, so give the table that was in force with `--base`: then it is known
/// of each decision which conditions held and which did not. What cannot be told is never guessed, but told with what
/// is missing. Keys and blocks are taken to be as they were; whether a token of `replay: once` had been used before, had
/// the candidate been in force, no log tells.
///
/// Exit code: 0 nothing changes, 1 a decision changes (with `--fail-on cannot-tell` also where one cannot be told), 2
/// could not run, or there is no decision in these logs.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence backtest --log decisions.jsonl --base trust.yaml candidate.yaml")]
pub(super) struct Backtest {
    #[command(flatten)]
    logs: Logs,
    /// A table that was in force when the log was written; used for the lines that have its digest. May be given
    /// several times.
    #[arg(long, env = "CREDENCE_BASE", value_name = "TABLE")]
    base: Vec<PathBuf>,
    /// Which outcome makes the exit code 1.
    #[arg(long, env = "CREDENCE_FAIL_ON", value_enum, default_value_t = FailOn::Change)]
    fail_on: FailOn,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    open: Open,
    /// The candidate: a YAML file, or a directory of them.
    table: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A decision changes.
    Change,
    /// A decision changes, or it cannot be told whether it does.
    CannotTell,
}

pub(super) fn run(backtest: &Backtest) -> u8 {
    match try_run(backtest) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(backtest: &Backtest) -> Result<u8, String> {
    // Whether a table ends soon is no question here: every line is judged at its own time.
    let now = Clock::System.now();
    let candidate = load(&backtest.table, &backtest.open, now)?;
    let bases = backtest.base.iter().map(|path| load(path, &backtest.open, now)).collect::<Result<Vec<_>, _>>()?;
    let digest = candidate.snapshot.digest.clone();
    let mut bench = Bench::new(of(&candidate), bases.iter().map(of).collect());
    let counts = backtest.logs.read(&mut |record| {
        bench.take(&record);
        ControlFlow::Continue(())
    })?;
    if counts.decisions == 0 {
        return Err("there is no decision in these logs, so nothing can be said about the table".to_owned());
    }
    let summary = bench.finish();
    let report = Report { backtest, summary: &summary, digest: &digest, passed_over: counts.passed_over() };
    result(&match backtest.output {
        Output::Text => escaped(&report.text()),
        Output::Json => escaped_json(&report.json()),
    });
    if summary.without_base > 0 && backtest.output == Output::Text {
        diagnostic(&format!("note: {}", report.without_base()));
    }
    let fails = summary.changed > 0 || (backtest.fail_on == FailOn::CannotTell && summary.cannot_tell > 0);
    Ok(if fails { NO } else { YES })
}

const fn of(loaded: &Loaded) -> Table<'_> {
    Table { snapshot: &loaded.snapshot, origins: &loaded.origins }
}

/// What is told.
struct Report<'a> {
    backtest: &'a Backtest,
    summary: &'a Summary,
    digest: &'a str,
    passed_over: u64,
}

impl Report<'_> {
    fn text(&self) -> String {
        let Summary { decisions, same, changed, cannot_tell, stays, .. } = *self.summary;
        let logs =
            if self.backtest.logs.len() == 1 { "log".to_owned() } else { format!("{} logs", self.backtest.logs.len()) };
        let mut out = format!("{} decisions of the {logs} under {}\n", decisions, value(self.backtest.table.display()));
        out += &format!("  {same} same\n  {changed} changed\n  {cannot_tell} cannot be told");
        if cannot_tell > 0 {
            out += &format!(" ({stays} of them stay allowed or denied as they were)");
        }
        out.push('\n');
        for change in &self.summary.changes {
            out += &changed_text(change);
        }
        for open in &self.summary.unsettled {
            out += &open_text(open);
        }
        if self.summary.not_listed > 0 {
            out += &format!(
                "\n{} more decisions are counted above, but too many kinds to list\n",
                self.summary.not_listed
            );
        }
        out
    }

    fn without_base(&self) -> String {
        format!(
            "{} decisions were made by a table that is not here: give it with `--base`, and much more can be told. \
             Of these, tokens are taken to have been in `Authorization`.",
            self.summary.without_base
        )
    }

    fn json(&self) -> Value {
        let summary = self.summary;
        json!({
            "table": {"path": self.backtest.table.display().to_string(), "sha256": self.digest},
            "decisions": summary.decisions,
            "same": summary.same,
            "changed": summary.changed,
            "cannot_tell": summary.cannot_tell,
            "stays": summary.stays,
            "without_base": summary.without_base,
            "not_listed": summary.not_listed,
            "lines_passed_over": self.passed_over,
            "changes": summary.changes.iter().map(changed_json).collect::<Vec<_>>(),
            "unsettled": summary.unsettled.iter().map(|open| json!({
                "missing": open.gaps, "stays": open.stays, "count": open.count, "example": open.example,
            })).collect::<Vec<_>>(),
        })
    }
}

fn times(count: u64, example: &str) -> String {
    let example = value(example);
    if count == 1 { format!("once: {example}") } else { format!("{count} times, such as {example}") }
}

fn changed_text(change: &Changes) -> String {
    let realm = change.realm.as_ref().map(|realm| format!(" realm {}", value(realm))).unwrap_or_default();
    let method = change.method.as_deref().map_or_else(|| "?".to_owned(), value);
    let place =
        change.resource.as_ref().map_or_else(|| "no resource".to_owned(), |name| format!("resource {}", value(name)));
    format!(
        "\n{} -> {}\n  {}{realm}\n  {method} at {place}\n  {}\n",
        value(&change.from),
        value(&change.to),
        value(&change.who),
        times(change.count, &change.example)
    )
}

fn open_text(open: &Unsettled) -> String {
    let stays = if open.stays { "cannot tell in full; allowed or denied as it was" } else { "cannot tell" };
    let gaps: Vec<_> = open.gaps.iter().map(value).collect();
    format!("\n{stays}: not in the log: {}\n  {}\n", gaps.join("; "), times(open.count, &open.example))
}

fn changed_json(change: &Changes) -> Value {
    let (iss, sub) = change.who.names();
    json!({
        "kind": change.kind.code(),
        "who": {"standing": change.who.standing(), "iss": iss, "sub": sub, "realm": change.realm},
        "resource": change.resource,
        "method": change.method,
        "from": told_json(&change.from),
        "to": told_json(&change.to),
        "count": change.count,
        "example": change.example,
    })
}

fn told_json(told: &Told) -> Value {
    json!({
        "decision": told.allowed.map(|allowed| if allowed { "allow" } else { "deny" }),
        "reason": told.reason,
        "grants": told.grants,
        "scopes": told.scopes,
        "perhaps": told.perhaps,
    })
}
