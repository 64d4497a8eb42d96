//! The same call where the table is small and where it is large.

use bytes::Bytes;
use serde_json::json;

use super::pair::{in_turn, prime, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::{Signer, in_parallel};
use crate::report::Row;
use crate::servers::Subject;
use crate::stats::median;
use crate::world::{Apart, Large, grants_heaped, grants_spread, issuers};

const ISSUERS: usize = 10_000;
const GRANTS: usize = 100_000;

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    type Make = fn(usize) -> Large;
    let many: [(&str, usize, Make, bool); 5] = [
        ("1 -> 10,000 issuers", ISSUERS, |count| issuers(count, 1), true),
        ("1 -> 100,000 grants", GRANTS, grants_spread, true),
        ("... at one issuer and resource, by sub", GRANTS, |count| grants_heaped(count, Apart::Subject), true),
        ("... at one issuer and resource, by claim", GRANTS, |count| grants_heaped(count, Apart::Claim), true),
        ("... at one issuer and resource, none fits", GRANTS, |count| grants_heaped(count, Apart::Claim), false),
    ];
    let row = |(case, count, make, fits): (&str, usize, Make, bool)| {
        Row::or_why(case, measure(args, case, (&make(1), &make(count)), fits))
    };
    Ok(many.into_iter().map(row).collect())
}

fn measure(args: &Args, case: &str, (small, large): (&Large, &Large), fits: bool) -> Outcome<Row> {
    let expect = if fits { Expect::Allow } else { Expect::Refuse("grant_none") };
    let load = |world: &Large| round_and_round(args, frames(args, world, fits), expect);
    let (one, many) = (load(small), load(large));
    let (first, second) = (Subject::start(&small.table, args)?, Subject::start(&large.table, args)?);
    first.load(&prime(&one))?;
    second.load(&prime(&many))?;
    let pairs = in_turn(args.rounds(), || first.load(&one), || second.load(&many))?;
    let ratio = median(&pairs.ratios()).unwrap_or(f64::NAN);
    Ok(Row::new(case, "<= 1.1 x with one", 1.1, "x with one", &pairs.ratios())
        .made_of(pairs.in_words())
        .bar(ratio, 1.1)
        .detail(json!({"rounds": pairs.json()})))
}

/// As many distinct tokens as in the other rows, the callers in turn; `fits`: of those whom a grant names.
fn frames(args: &Args, world: &Large, fits: bool) -> Vec<Bytes> {
    let make = |n: usize| {
        let caller = world.callers.get(n % world.callers.len().max(1))?;
        let claims = serde_json::json!({"env": "production", "ref": "refs/heads/elsewhere"});
        let signer = if fits { caller.signer.clone() } else { Signer { claims, ..caller.signer.clone() } };
        Some(caller.ask.frame(Some(&signer.token(n, &caller.audience).mint())))
    };
    in_parallel(args.distinct(), make).into_iter().flatten().collect()
}
