//! The same call where nobody is blocked and where ten thousand blocks are about others.

use serde_json::json;

use super::pair::{in_turn, once, prime, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::tokens;
use crate::report::Row;
use crate::servers::Subject;
use crate::stats::median;
use crate::support::blocks::Blocks;
use crate::world::{AUDIENCE, World};

const CASE: &str = "0 -> 10,000 blocks";
const BLOCKS: usize = 10_000;
const GOAL: f64 = 1.1;
/// The number of the token that one of the blocks is about.
const STOLEN: usize = 99_999_999;

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    Ok(vec![Row::or_why(CASE, measure(args))])
}

fn measure(args: &Args) -> Outcome<Row> {
    let world = World::new();
    let blocks = ten_thousand();
    let blocks = Blocks::new(&blocks.iter().map(String::as_str).collect::<Vec<_>>());
    let path = blocks.path().display().to_string();
    let (none, many) =
        (Subject::start(&world.table, args)?, Subject::start(&world.table, &args.also_serving(&["--blocks", &path]))?);
    let signer = std::slice::from_ref(&world.es);
    let shown = |from, count| World::ask().frames(&tokens(signer, AUDIENCE, from, count));
    // The blocks are in force, and stand against none but whom they are about.
    let stolen = once(&round_and_round(args, shown(STOLEN, 1), Expect::Refuse("blocked")));
    many.load(&stolen)?;
    let load = round_and_round(args, shown(0, args.distinct()), Expect::Allow);
    none.load(&prime(&load))?;
    many.load(&prime(&load))?;
    let pairs = in_turn(args.rounds(), || none.load(&load), || many.load(&load))?;
    many.load(&stolen)?;
    let ratio = median(&pairs.ratios()).unwrap_or(f64::NAN);
    Ok(Row::new(CASE, "<= 1.1 x without", GOAL, "x without", &pairs.ratios())
        .made_of(pairs.in_words())
        .bar(ratio, GOAL)
        .detail(json!({"rounds": pairs.json()})))
}

/// Of every kind as many: subjects, tokens and keys of the very issuer, and others; those about old tokens include the
/// caller's own.
fn ten_thousand() -> Vec<String> {
    let block = |n: usize| {
        let about = match n {
            0 => format!("issuer: plain, jti: id-{STOLEN:08}"),
            1 => "issuer: plain, issuedBefore: \"2001-01-01T00:00:00Z\"".to_owned(),
            2 => "issuer: plain, subject: build-1, issuedBefore: \"2001-01-01T00:00:00Z\"".to_owned(),
            _ => about_others(n),
        };
        format!("b-{n:05}: {{{about}, reason: bench}}")
    };
    (0..BLOCKS).map(block).collect()
}

fn about_others(n: usize) -> String {
    match n % 5 {
        0 => format!("issuer: plain, subject: other-{n}"),
        1 => format!("issuer: plain, jti: other-{n}"),
        2 => format!("issuer: plain, key: other-{n}"),
        3 => format!("issuer: \"https://other-{n}.bench.test\""),
        _ => format!("issuer: plain, subject: other-{n}, issuedBefore: \"2001-01-01T00:00:00Z\""),
    }
}
