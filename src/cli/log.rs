//! The decision logs that a question is about.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{diagnostic, value};
use crate::logbook::{Counts, Record, read};

#[derive(Debug, Clone, Args)]
pub(super) struct Logs {
    /// A decision log, one JSON object a line; `-` for standard input. May be given several times.
    #[arg(long = "log", env = "CREDENCE_LOG", value_name = "FILE", required = true)]
    logs: Vec<PathBuf>,
}

impl Logs {
    /// These, in order; for a verb that can do without any.
    pub(super) const fn at(logs: Vec<PathBuf>) -> Self {
        Self { logs }
    }

    /// Shows `each` every decision, log by log, until it has seen enough. What is passed over is told on standard
    /// error.
    ///
    /// # Errors
    /// A sentence that names the log, where one cannot be read.
    pub(super) fn read(&self, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<Counts, String> {
        let mut all = Counts::default();
        for path in &self.logs {
            let (name, mut counts, mut enough) = (named(path), Counts::default(), false);
            let mut from = open(path).map_err(|error| format!("{name}: {error}"))?;
            let mut each = |record: Record| {
                let flow = each(record);
                enough = flow.is_break();
                flow
            };
            let read = read(from.as_mut(), &mut counts, &mut each);
            tell(&name, counts);
            read.map_err(|error| format!("{name}: {error}"))?;
            all = Counts {
                decisions: all.decisions + counts.decisions,
                unreadable: all.unreadable + counts.unreadable,
                foreign: all.foreign + counts.foreign,
                too_long: all.too_long + counts.too_long,
            };
            if enough {
                break;
            }
        }
        Ok(all)
    }

    /// How many logs there are.
    pub(super) const fn len(&self) -> usize {
        self.logs.len()
    }
}

fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    Ok(if path.as_os_str() == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path)?))
    })
}

fn named(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

fn tell(name: &str, counts: Counts) {
    if counts.passed_over() == 0 {
        return;
    }
    let Counts { unreadable, foreign, too_long, .. } = counts;
    let mut parts = Vec::new();
    for (count, what) in [
        (unreadable, "that cannot be read (torn, or of another program)"),
        (foreign, "of another schema"),
        (too_long, "of more than 64 KiB"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    // Not a line of many could be read: something wrote before each of them.
    let hint = match counts.decisions == 0 && unreadable > 0 {
        true => {
            ": a decision has its line to itself, without a name or a time before it (`kubectl logs --prefix=false`)"
        }
        false => "",
    };
    diagnostic(&value(format!("warning: {name}: lines passed over: {}{hint}", parts.join(", "))));
}
