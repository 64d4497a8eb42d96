//! A flood of tokens whose signatures do not verify: what each costs, and what honest callers feel of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::never;
use super::pair::{in_turn, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::bare::Bare;
use crate::closed::Load;
use crate::judge::Expect;
use crate::mint::{forged, tokens};
use crate::open::Pace;
use crate::report::{Row, short};
use crate::request::Ask;
use crate::servers::{Null, Subject};
use crate::stats::{median, percentile};
use crate::world::{AUDIENCE, World};

/// Honest calls and forged ones a second.
const HONEST: f64 = 300.0;
const FORGED: f64 = 4000.0;

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let (null, subject) = (Null::start()?, Subject::start(&world.table, args)?);
    let bad = forged(std::slice::from_ref(&world.es), AUDIENCE, 0, args.distinct());
    let (cost, tail) = ("bad signatures, ES256", "honest p99 beside a flood");
    Ok(vec![
        Row::or_why(cost, price(args, cost, &world, (&null, &subject), &bad)),
        Row::or_why(tail, felt(args, tail, &world, &subject, &bad)),
    ])
}

/// As if from everywhere, so that what is done about a single flooder is not measured here.
fn price(args: &Args, case: &str, world: &World, (null, subject): (&Null, &Subject), bad: &[String]) -> Outcome<Row> {
    let good = tokens(std::slice::from_ref(&world.es), AUDIENCE, 0, 256);
    let bare = Bare::new(&world.es.key, &good)?;
    let from = |n: usize| Ask { source: format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255), ..World::ask() };
    let frames = bad.iter().enumerate().map(|(n, token)| from(n).frame(Some(token))).collect();
    let load = round_and_round(args, frames, Expect::Refuse("signature_invalid"));
    let empty = Load { expect: Expect::Null, ..load.clone() };
    let mut verifications = Vec::new();
    let pairs = in_turn(
        args.rounds(),
        || {
            verifications.push(bare.measure(args.window() / 4)?);
            null.load(&empty)
        },
        || subject.load(&load),
    )?;
    Ok(never::row(case, &pairs, &verifications))
}

/// p99 of honest callers, of the flooded issuer and of another, without and with a flood from one address beside them.
fn felt(args: &Args, case: &str, world: &World, subject: &Subject, bad: &[String]) -> Outcome<Row> {
    let signers = [world.es.clone(), world.rs.clone()];
    let honest = World::ask().frames(&tokens(&signers, AUDIENCE, 0, 512));
    let flooder = Ask { source: "198.51.100.66".into(), ..World::ask() };
    let time = args.window() * 2;
    let calm = Pace { frames: Arc::new(honest), rate: HONEST, time, expect: Expect::Allow, kinds: 2 };
    let flood = Pace {
        frames: Arc::new(flooder.frames(bad)),
        rate: FORGED,
        time: time + Duration::from_millis(300),
        expect: Expect::RefuseSomehow,
        kinds: 1,
    };
    // Both issuers' tokens come to be known.
    calm.run(subject.address)?;
    let (mut ratios, mut tails) = (Vec::new(), Vec::new());
    for round in 0..args.rounds() {
        let (without, with) = if round % 2 == 0 {
            let without = p99(&calm.run(subject.address)?)?;
            (without, p99(&beside(&calm, &flood, subject)?)?)
        } else {
            let with = p99(&beside(&calm, &flood, subject)?)?;
            (p99(&calm.run(subject.address)?)?, with)
        };
        ratios.push(with / without);
        tails.push([without, with]);
        subject.tidy()?;
    }
    let of = |which: usize| median(&tails.iter().filter_map(|pair| pair.get(which).copied()).collect::<Vec<_>>());
    let (without, with) = (of(0).unwrap_or(f64::NAN), of(1).unwrap_or(f64::NAN));
    Ok(Row::new(case, "<= 2 x without", 2.0, "x without", &ratios)
        .made_of(format!("{} against {} us; {HONEST} honest, {FORGED} forged calls/s", short(with), short(without)))
        .detail(json!({"p99_us_without_and_with": tails, "honest_a_second": HONEST, "forged_a_second": FORGED})))
}

/// Honest calls while the flood runs.
fn beside(calm: &Pace, flood: &Pace, subject: &Subject) -> Outcome<Vec<f64>> {
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| flood.run(subject.address));
        std::thread::sleep(Duration::from_millis(200));
        let took = calm.run(subject.address)?;
        flooding.join().map_err(|_| "the flood broke off")??;
        Ok(took)
    })
}

fn p99(took: &[f64]) -> Outcome<f64> {
    Ok(percentile(took, 0.99).ok_or("no calls")?)
}
