//! `make bench`: what a decision costs, against a server that decides nothing, on this machine, in one run.
//!
//! Read `docs/performance.md` for the method. In short: credence and a null server (tonic with the full Envoy types that
//! always says yes) are started on loopback and loaded in turn with what Envoy sends; the operating system says how much
//! CPU time each took; every answer is counted and judged. A row is a goal, a figure, a spread and a verdict.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measuring tool: it talks on standard output, and its counts are far below 2^52"
)]

mod args;
mod bare;
mod closed;
mod contestant;
mod envoy;
mod http1;
mod judge;
mod machine;
mod mint;
mod null;
mod open;
mod owner;
mod peers;
mod plot;
mod process;
mod replay;
mod report;
mod request;
mod rows;
mod self_check;
mod servers;
mod stats;
mod wire;
mod world;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Mode};
use crate::report::{Report, Verdict};

/// What can go wrong here is told to a person and nothing else is done about it.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The same allocator as credence's, so that the null server is as good as it can be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.mode {
        Some(Mode::Null(null)) => null::serve(null).map(|()| ExitCode::SUCCESS),
        None => run(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn run(args: &Args) -> Outcome<ExitCode> {
    self_check::run().map_err(|error| format!("the bench cannot be trusted: {error}"))?;
    eprintln!("self-check passed: wrong, short and foreign answers are caught");
    if args.self_check {
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::new(args);
    for group in args.groups() {
        eprintln!("{group:?} …");
        report.add(rows::run(group, args));
    }
    report.finish();
    println!("{}", report.text());
    std::fs::create_dir_all(&args.out)?;
    report.write_json(&args.out.join("load.json"))?;
    plot::draw(&report, &args.out.join("load.svg"))?;
    println!("written: {0}/load.json {0}/load.svg", args.out.display());
    let fell_short = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Missed | Verdict::Unmeasured));
    Ok(if args.check && fell_short { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
