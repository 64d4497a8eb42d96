//! `diff`: what another table would change, by meaning.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::open::Open;
use super::output::{escaped, escaped_json, result, trouble, value};
use super::sheet::markdown;
use super::trust::{Loaded, instant, load};
use super::{NO, YES};
use crate::clock::{Clock, Time};
use crate::inquiry::{Asked, Change, Kind, diff};

/// Tell what one trust table allows that another does not: who gains or loses what.
///
/// Compared is the meaning, not the text: another order, another file or another name for the same makes no widening.
/// Each change is `widened` (something is allowed, believed or handed on that was not), `narrowed`, or `changed`
/// (neither). What cannot be seen to have been allowed before counts as widened. The keys behind a URL are not fetched.
///
/// Exit code: 0 told, 1 there is a change of the kind that `--fail-on` names, 2 could not run.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence diff --fail-on widened -o markdown old/trust.yaml new/trust.yaml")]
pub(super) struct Diff {
    /// The table as it was: a YAML file, or a directory of them.
    old: PathBuf,
    /// The table as it would be.
    new: PathBuf,
    #[command(flatten)]
    open: Open,
    /// Judge as if it were this instant (RFC 3339), or the first second of this date, in UTC.
    #[arg(long, env = "CREDENCE_AT", value_name = "TIME", value_parser = instant)]
    at: Option<Time>,
    /// What makes the exit code 1.
    #[arg(long, env = "CREDENCE_FAIL_ON", value_enum)]
    fail_on: Option<FailOn>,
    /// For people, for programs, or for a pull request.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A widening.
    Widened,
    /// Any change.
    Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

pub(super) fn run(args: &Diff) -> u8 {
    match try_run(args) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(args: &Diff) -> Result<u8, String> {
    let now = args.at.unwrap_or_else(|| Clock::System.now());
    let (old, new) = (load(&args.old, &args.open, now)?, load(&args.new, &args.open, now)?);
    let changes = diff(asked(&old, &args.old), asked(&new, &args.new));
    result(&match args.output {
        Format::Text => escaped(&text(&changes)),
        Format::Json => escaped_json(&tree(&changes)),
        Format::Markdown => table(&changes),
    });
    let widened = changes.iter().any(|change| change.kind == Kind::Widened);
    let fails = match args.fail_on {
        None => false,
        Some(FailOn::Widened) => widened,
        Some(FailOn::Changed) => !changes.is_empty(),
    };
    Ok(if fails { NO } else { YES })
}

fn asked<'t>(loaded: &'t Loaded, path: &'t Path) -> Asked<'t> {
    let root = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    Asked { snapshot: &loaded.snapshot, origins: &loaded.origins, root }
}

fn counts(changes: &[Change]) -> String {
    let count = |kind: Kind| changes.iter().filter(|change| change.kind == kind).count();
    let kinds = [Kind::Widened, Kind::Narrowed, Kind::Changed];
    kinds.map(|kind| format!("{} {kind}", count(kind))).join(", ")
}

fn text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no difference in meaning\n".to_owned();
    }
    let mut out = String::new();
    for change in changes {
        out += &format!(
            "{:<8} {} {} {}  [{}]\n",
            change.kind.as_str(),
            change.entry.as_str(),
            value(&change.name),
            value(&change.text),
            value(&change.site)
        );
        for detail in &change.details {
            let told = match (&detail.old, &detail.new) {
                (Some(old), Some(new)) => format!("{}: {old} -> {new}", detail.field),
                (Some(old), None) => format!("{}: - {old}", detail.field),
                (None, new) => format!("{}: + {}", detail.field, new.as_deref().unwrap_or_default()),
            };
            out += &format!("         {}\n", value(told));
        }
    }
    format!("{out}{}\n", counts(changes))
}

fn tree(changes: &[Change]) -> Value {
    let one = |change: &Change| {
        let details: Vec<_> = change
            .details
            .iter()
            .map(|detail| json!({"field": detail.field, "old": detail.old, "new": detail.new}))
            .collect();
        json!({
            "kind": change.kind.as_str(),
            "entry": change.entry.as_str(),
            "name": change.name,
            "text": change.text,
            "details": details,
            "site": change.site.to_string(),
        })
    };
    json!({"changes": changes.iter().map(one).collect::<Vec<_>>()})
}

/// For a pull request: what widens first, one row a change.
fn table(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "**Trust table**: no difference in meaning.\n".to_owned();
    }
    let mut out = format!(
        "**Trust table**: {}.\n\n| | entry | what changes | from | to |\n|---|---|---|---|---|\n",
        counts(changes)
    );
    for change in changes {
        let kind = match change.kind {
            Kind::Widened => "**widened**".to_owned(),
            kind => kind.to_string(),
        };
        out += &format!(
            "| {kind} | {} {} | {} | | |\n",
            change.entry.as_str(),
            markdown(&change.name),
            markdown(&change.text)
        );
        for detail in &change.details {
            let cell = |text: &Option<String>| text.as_deref().map(markdown).unwrap_or_default();
            out += &format!("| | | {} | {} | {} |\n", markdown(&detail.field), cell(&detail.old), cell(&detail.new));
        }
    }
    out
}
