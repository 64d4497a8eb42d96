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
/// Room for all of them.
const ROOM: [&str; 2] = ["--token-memory", "512MiB"];
/// How many of them are shown again, and how many of those may have been forgotten: the memory is divided into parts that
/// fill unevenly.
const SAMPLE: usize = 10_000;
const FORGOTTEN: f64 = 100.0;
/// Verifications that found the token in the memory.
const HITS: &str = r#"credence_token_verifications_total{issuer="plain",result="ok",cache="hit"}"#;

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let million = "memory, 1,000,000 remembered tokens";
    let mut rows = vec![idle(args)?, many_issuers(args)?];
    rows.push(if !args.full {
        Row::unmeasured(million, "only with --full")
    } else {
        Row::or_why(million, remembered(args, million))
    });
    Ok(rows)
}

/// What is resident once things have settled.
pub(super) fn settled(subject: &Subject) -> Outcome<f64> {
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

/// Growth from a process that has answered some to one that has answered a million different ones. Then a sample from
/// all over the million is shown again: the metrics have to say that it was remembered, or there is no figure.
fn remembered(args: &Args, case: &str) -> Outcome<Row> {
    let world = World::new();
    let roomy = args.also_serving(&ROOM);
    let subject = Subject::start(&world.table, &roomy)?;
    let signer = std::slice::from_ref(&world.es);
    let send = |shown: &[String]| {
        let load = round_and_round(args, World::ask().frames(shown), Expect::Allow);
        subject.load(&once(&load))
    };
    let mut sample = Vec::new();
    // The same traffic first, over one small set, so that the growth is that of the memory alone.
    let few = round_and_round(args, World::ask().frames(&tokens(signer, AUDIENCE, MILLION, 1)), Expect::Allow);
    subject.load(&few)?;
    let before = settled(&subject)?;
    for from in (0..MILLION).step_by(AT_A_TIME) {
        let some = tokens(signer, AUDIENCE, from, AT_A_TIME);
        send(&some)?;
        sample.extend(some.into_iter().step_by(MILLION / SAMPLE));
    }
    let after = settled(&subject)?;
    let hits = || subject.credence().metric(HITS).unwrap_or(0.0);
    let first = hits();
    send(&sample)?;
    let (shown, remembered) = (sample.len() as f64, hits() - first);
    if remembered + FORGOTTEN < shown {
        return Err(format!("of {shown} tokens shown again only {remembered} were remembered").into());
    }
    let words = format!("{} MiB became {} MiB; {remembered} of {shown} remembered", short(before), short(after));
    Ok(Row::new(case, "<= 300 MiB more", 300.0, "MiB", &[after - before])
        .made_of(words)
        .detail(json!({"before_mib": before, "after_mib": after, "shown_again": shown, "remembered": remembered})))
}
