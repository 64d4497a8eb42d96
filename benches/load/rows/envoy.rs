//! Through a real Envoy: CPU time of Envoy and its authorizer together, credence against the null server. A third one
//! takes part as a control: the null server with credence's answer, which shows how much of the difference is Envoy's
//! own work on that answer (headers set and removed, metadata kept).

use serde_json::json;

use super::pair::Pairs;
use super::turns::{Measure, Turns};
use crate::Outcome;
use crate::args::Args;
use crate::closed::Until;
use crate::contestant::Contestant;
use crate::mint::{Signer, tokens};
use crate::report::{Row, short};
use crate::servers::{Null, Subject};
use crate::stats::median;
use crate::wire;
use crate::world::{AUDIENCE, World};

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let null = Contestant::null_behind_envoy(Null::start()?, false)?;
    let credence = Contestant::credence_behind_envoy(&world, args)?;
    let rows = [("ES256", &world.es), ("RS256", &world.rs)].into_iter().map(|(name, signer)| {
        let case = format!("through Envoy, verified before, {name}");
        let tokens = tokens(std::slice::from_ref(signer), AUDIENCE, 0, args.distinct());
        let measured = control(&world, args, signer).and_then(|control| {
            credence.prime(args, &tokens)?;
            measure(args, &case, &tokens, [&null, &credence, &control])
        });
        measured.unwrap_or_else(|error| vec![Row::unmeasured(case, error.to_string())])
    });
    Ok(rows.collect::<Vec<_>>().concat())
}

/// Envoy in front of a server that sends what credence said about a token of this signer.
fn control(world: &World, args: &Args, signer: &Signer) -> Outcome<Contestant> {
    let credence = Subject::start(&world.table, args)?;
    let question = World::ask().frame(Some(&signer.token(0, AUDIENCE).mint()));
    // The second answer is the one about a token that was verified before.
    wire::ask(credence.address, question.clone())?;
    let answer = wire::ask(credence.address, question)?;
    let (_, message) = answer.split_first_chunk::<5>().ok_or("an answer without a message")?;
    Contestant::null_behind_envoy(Null::replaying(message)?, true)
}

fn measure(args: &Args, case: &str, tokens: &[String], all: [&Contestant; 3]) -> Outcome<Vec<Row>> {
    let (warm, window) = (Until::Time(args.window()), Until::Time(args.window()));
    let measure = |one| -> Measure<'_> { Box::new(move || Contestant::show(one, args, tokens, warm, window)) };
    let turns = Turns::take(args.rounds(), &mut all.map(measure));
    let (pairs, applied, same) = (turns.pairs(0, 1)?, turns.pairs(0, 2)?, turns.pairs(2, 1)?);
    let detail = |pairs: &Pairs| json!({"rounds": pairs.json()});
    Ok(vec![
        Row::new(case, "<= 1.0 x Envoy with null", 1.0, "x with null", &pairs.ratios())
            .made_of(parts(&pairs))
            .bar(median(&pairs.ratios()).unwrap_or(f64::NAN), 1.0)
            .detail(detail(&pairs)),
        Row::told("... Envoy + null with credence's answer", "x with null", &applied.ratios())
            .made_of(parts(&applied))
            .detail(detail(&applied)),
        Row::told("... credence against that", "x the control", &same.ratios())
            .made_of(parts(&same))
            .detail(detail(&same)),
    ])
}

/// The costs of Envoy and of what stands behind it.
fn parts(pairs: &Pairs) -> String {
    let part = |yardstick: bool, which: usize| {
        let one = pairs.0.iter().map(|pair| if yardstick { &pair.0 } else { &pair.1 });
        short(median(&one.map(|window| window.cost_of(which)).collect::<Vec<_>>()).unwrap_or(f64::NAN))
    };
    let both = |yardstick| format!("Envoy {} + {}", part(yardstick, 0), part(yardstick, 1));
    format!("{}: {} against {}", pairs.in_words(), both(false), both(true))
}
