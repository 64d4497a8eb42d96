//! Resident memory: at rest, with many issuers, and with a million tokens remembered.

use std::time::Duration;

use serde_json::json;

use super::pair::{once, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::tokens;
use crate::process::resident;
use crate::report::{Row, short};
use crate::servers::Subject;
use crate::world::{AUDIENCE, World, issuers};

/// Tokens that are to be remembered, and how many are made at a time.
const MILLION: usize = 1_000_000;
const AT_A_TIME: usize = 50_000;
/// The flag that makes room for them, and how much.
const ROOM: [&str; 2] = ["--token-memory", "512MiB"];

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let million = "memory, 1,000,000 remembered tokens";
    let mut rows = vec![idle(args)?, many_issuers(args)?];
    rows.push(if !args.full {
        Row::unmeasured(million, "only with --full")
    } else if !knows(ROOM[0]) {
        Row::unmeasured(million, format!("not built: credence serve has no {}", ROOM[0]))
    } else {
        Row::or_why(million, remembered(args, million))
    });
    Ok(rows)
}

/// What is resident once things have settled.
fn settled(subject: &Subject) -> Outcome<f64> {
    std::thread::sleep(Duration::from_secs(2));
    resident(subject.pid())
}

fn idle(args: &Args) -> Outcome<Row> {
    let subject = Subject::start(&World::new().table, args)?;
    let rss = settled(&subject)?;
    Ok(Row::new("memory, idle", "<= 25 MiB", 25.0, "MiB", &[rss]).made_of("two issuers, nothing asked yet"))
}

fn many_issuers(args: &Args) -> Outcome<Row> {
    let world = issuers(10_000, 4);
    let subject = Subject::start(&world.table, args)?;
    let rss = settled(&subject)?;
    let words =
        format!("all in all, the table itself is {} MiB", short(world.table.concat().len() as f64 / 1_048_576.0));
    Ok(Row::new("memory, 10,000 issuers of 4 keys", "<= 80 MiB", 80.0, "MiB", &[rss]).made_of(words))
}

fn knows(flag: &str) -> bool {
    let help = crate::support::credence::run(&["serve", "--help"]);
    String::from_utf8_lossy(&help.stdout).contains(flag)
}

/// Growth from a process that has answered some to one that has answered a million different ones; then a sample of
/// them is sent again, and must be cheaper than a verification would let it be.
fn remembered(args: &Args, case: &str) -> Outcome<Row> {
    let world = World::new();
    let roomy = args.also_serving(&ROOM);
    let subject = Subject::start(&world.table, &roomy)?;
    let signer = std::slice::from_ref(&world.es);
    let send = |from: usize, count: usize| {
        let load = round_and_round(args, World::ask().frames(&tokens(signer, AUDIENCE, from, count)), Expect::Allow);
        subject.load(&once(&load))
    };
    // The same traffic first, over one small set, so that the growth is that of the memory alone.
    let few = round_and_round(args, World::ask().frames(&tokens(signer, AUDIENCE, MILLION, 1)), Expect::Allow);
    subject.load(&few)?;
    let before = settled(&subject)?;
    for from in (0..MILLION).step_by(AT_A_TIME) {
        send(from, AT_A_TIME)?;
    }
    let after = settled(&subject)?;
    let words = format!("{} MiB became {} MiB", short(before), short(after));
    Ok(Row::new(case, "<= 300 MiB more", 300.0, "MiB", &[after - before])
        .made_of(words)
        .detail(json!({"before_mib": before, "after_mib": after})))
}
