//! What it takes to read, compile and lint large tables: `credence check`, a process for each figure; and a reload.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::args::Args;
use crate::process::{children, peak};
use crate::report::{Row, short};
use crate::rows::reload::taken;
use crate::servers::Subject;
use crate::stats::median;
use crate::support::credence::command;
use crate::support::eventually;
use crate::support::table::{Table, document};
use crate::world::{Apart, crowd, grants_heaped};

const ISSUERS: usize = 10_000;
const GRANTS: usize = 100_000;
/// Seconds from start to end, and MiB.
const GOAL: (f64, f64) = (2.0, 1024.0);

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    type Make = fn() -> Vec<String>;
    let tables: [(&str, Make); 3] = [
        ("check, 10,000 issuers, 100,000 grants", || crowd(ISSUERS, GRANTS)),
        ("check, 100,000 grants of one pair, by sub", || grants_heaped(GRANTS, Apart::Subject).table),
        ("check, 100,000 grants of one pair, by claim", || grants_heaped(GRANTS, Apart::Claim).table),
    ];
    let mut rows: Vec<_> = tables.into_iter().flat_map(|(case, make)| judged(args, case, &make())).collect();
    rows.extend(reloaded(args).unwrap_or_else(|error| vec![Row::unmeasured(RELOAD, error.to_string())]));
    Ok(rows)
}

/// Time and peak memory.
fn judged(args: &Args, case: &str, documents: &[String]) -> Vec<Row> {
    let rounds: Outcome<Vec<Run>> = (0..args.rounds()).map(|_| checked(documents)).collect();
    let rounds = match rounds {
        Ok(rounds) => rounds,
        Err(error) => return vec![Row::unmeasured(case, error.to_string())],
    };
    let of = |figure: fn(&Run) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    let size = documents.concat().len() as f64 / 1_048_576.0;
    let cpu = median(&of(|run| run.cpu)).unwrap_or(f64::NAN);
    let words = format!("{} s of CPU; the table is {} MiB, with nothing to say of it", short(cpu), short(size));
    vec![
        Row::new(case, "<= 2 s", GOAL.0, "s", &of(|run| run.seconds)).made_of(words),
        Row::new("... peak memory", "<= 1,024 MiB", GOAL.1, "MiB", &of(|run| run.memory)),
    ]
}

/// Seconds from start to end and of CPU, and MiB at the peak.
struct Run {
    seconds: f64,
    cpu: f64,
    memory: f64,
}

/// A run that finds anything has no figure.
fn checked(documents: &[String]) -> Outcome<Run> {
    let table = Table::new(documents.first().map_or("", String::as_str));
    for (n, text) in documents.iter().enumerate().skip(1) {
        std::fs::write(table.dir().join(format!("more-{n}.yaml")), document(text))?;
    }
    let path = table.dir().display().to_string();
    let (before, begun) = (children()?, Instant::now());
    let mut run = command(&["check", "--fail-on", "warning", &path]);
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut memory = 0.0_f64;
    let status = loop {
        memory = memory.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("`credence check` ended with {status}").into());
    }
    Ok(Run { seconds, cpu: children()? - before, memory })
}

const RELOAD: &str = "reload, 10,000 issuers, 100,000 grants";

/// From the change of a file until its table is in force, and the most that was ever resident; nobody calls meanwhile.
fn reloaded(args: &Args) -> Outcome<Vec<Row>> {
    let documents = crowd(ISSUERS, GRANTS);
    let first = documents.first().ok_or("no table")?;
    let tables = [first.replacen("build-1", "build-2", 1), first.clone()];
    let subject = Subject::start(&documents, args)?;
    let mut seconds = Vec::new();
    for table in tables.iter().cycle().take(args.rounds()) {
        let before = taken(&subject);
        let begun = Instant::now();
        subject.table().replace(table);
        subject.credence().signal("HUP");
        eventually("a reload", || (taken(&subject) > before).then_some(()));
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let memory = peak(subject.credence().pid())?;
    let words = "from the change of a file, which is read until two looks agree";
    Ok(vec![
        Row::new(RELOAD, "<= 2 s", GOAL.0, "s", &seconds).made_of(words.to_owned()),
        Row::new("... peak memory", "<= 1,024 MiB", GOAL.1, "MiB", &[memory]),
    ])
}
