//! Tokens that nobody has shown before: each is sent once. Each round has a new credence, so that it has seen none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::pair::{Pairs, in_turn, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::bare::Bare;
use crate::closed::{Load, Until};
use crate::judge::Expect;
use crate::mint::tokens;
use crate::report::{Row, short};
use crate::servers::{Null, Subject};
use crate::stats::median;
use crate::world::{AUDIENCE, World};

/// Signing RS256 takes thirty times as long as verifying it, so there are fewer.
const COUNTS: [(&str, usize); 2] = [("RS256-2048", 8_000), ("ES256", 24_000)];

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let null = Null::start()?;
    let signers = [&world.rs, &world.es];
    let row = |((name, count), signer)| {
        let case = format!("never seen, {name}");
        let count = if args.quick { count / 4 } else { count };
        Row::or_why(&case, measure(args, &case, &world, signer, &null, count))
    };
    Ok(COUNTS.into_iter().zip(signers).map(row).collect())
}

fn measure(
    args: &Args,
    case: &str,
    world: &World,
    signer: &crate::mint::Signer,
    null: &Null,
    count: usize,
) -> Outcome<Row> {
    let warm = count / 8;
    let minted = tokens(std::slice::from_ref(signer), AUDIENCE, 0, warm + count + 1);
    let bare = Bare::new(&signer.key, &minted)?;
    let mut frames = World::ask().frames(&minted);
    let known = frames.pop().ok_or("no tokens")?;
    let (warm, window) = (Until::Count(warm), Until::Count(count));
    let load = Load { warm, window, ..round_and_round(args, frames, Expect::Allow) };
    let empty = Load { expect: Expect::Null, ..load.clone() };
    // A process that has just started pays for its first pages: one known token wakes it up.
    let awake = Load { window: Until::Time(Duration::from_millis(200)), frames: Arc::new(vec![known]), ..load.clone() };
    let awake = Load { warm: Until::Count(0), ..awake };
    let subject = || {
        let subject = Subject::start(&world.table, args)?;
        subject.load(&awake)?;
        subject.load(&load)
    };
    let mut verifications = Vec::new();
    let pairs = in_turn(
        args.rounds(),
        || {
            verifications.push(bare.measure(args.window() / 4)?);
            null.load(&empty)
        },
        subject,
    )?;
    Ok(row(case, &pairs, &verifications))
}

/// The row for a cost that has one signature verification in it, measured in the same rounds.
pub(super) fn row(case: &str, pairs: &Pairs, verifications: &[f64]) -> Row {
    let goals: Vec<f64> =
        pairs.0.iter().zip(verifications).map(|((null, _), bare)| 1.1f64.mul_add(*bare, null.cost())).collect();
    let of_goal: Vec<f64> = pairs.0.iter().zip(&goals).map(|((_, subject), goal)| subject.cost() / goal).collect();
    let (null, cost) = pairs.costs();
    let (bare, goal) = (median(verifications).unwrap_or(f64::NAN), median(&goals).unwrap_or(f64::NAN));
    Row::new(case, "<= null + 1.1 x bare", 1.0, "of goal", &of_goal)
        .made_of(format!("{} us against {} = {} + 1.1 x {}", short(cost), short(goal), short(null), short(bare)))
        .bar(cost / null, goal / null)
        .detail(json!({"rounds": pairs.json(), "bare_verification_us": verifications}))
}
