//! What it takes to read, compile and lint large tables: `credence check`, a process for each figure.

use std::process::Stdio;
use std::time::Duration;

use crate::Outcome;
use crate::args::Args;
use crate::process::{children, peak};
use crate::report::{Row, short};
use crate::support::credence::command;
use crate::support::table::{Table, document};
use crate::world::{Apart, crowd, grants_heaped};

const ISSUERS: usize = 10_000;
const GRANTS: usize = 100_000;
/// Seconds of CPU, and MiB.
const GOAL: (f64, f64) = (2.0, 1024.0);

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    type Make = fn() -> Vec<String>;
    let tables: [(&str, Make); 3] = [
        ("check, 10,000 issuers, 100,000 grants", || crowd(ISSUERS, GRANTS)),
        ("check, 100,000 grants of one pair, by sub", || grants_heaped(GRANTS, Apart::Subject).table),
        ("check, 100,000 grants of one pair, by claim", || grants_heaped(GRANTS, Apart::Claim).table),
    ];
    Ok(tables.into_iter().flat_map(|(case, make)| judged(args, case, &make())).collect())
}

/// CPU time and peak memory.
fn judged(args: &Args, case: &str, documents: &[String]) -> Vec<Row> {
    let rounds: Outcome<Vec<(f64, f64)>> = (0..args.rounds()).map(|_| checked(documents)).collect();
    let rounds = match rounds {
        Ok(rounds) => rounds,
        Err(error) => return vec![Row::unmeasured(case, error.to_string())],
    };
    let (seconds, memory): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    let size = documents.concat().len() as f64 / 1_048_576.0;
    let words = format!("the table is {} MiB, with nothing to say of it", short(size));
    vec![
        Row::new(case, "<= 2 s of CPU", GOAL.0, "s of CPU", &seconds).made_of(words),
        Row::new("... peak memory", "<= 1,024 MiB", GOAL.1, "MiB", &memory),
    ]
}

/// One run: seconds of CPU, and MiB at the peak. A run that finds anything has no figure.
fn checked(documents: &[String]) -> Outcome<(f64, f64)> {
    let table = Table::new(documents.first().map_or("", String::as_str));
    for (n, text) in documents.iter().enumerate().skip(1) {
        std::fs::write(table.dir().join(format!("more-{n}.yaml")), document(text))?;
    }
    let path = table.dir().display().to_string();
    let before = children()?;
    let mut run = command(&["check", "--fail-on", "warning", &path]);
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut most = 0.0_f64;
    let status = loop {
        most = most.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    if !status.success() {
        return Err(format!("`credence check` ended with {status}").into());
    }
    Ok((children()? - before, most))
}
