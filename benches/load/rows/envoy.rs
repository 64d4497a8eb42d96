//! Through a real Envoy: CPU time of Envoy and its authorizer together, credence against the null server.

use std::sync::Arc;

use serde_json::json;

use super::pair::in_turn;
use crate::Outcome;
use crate::args::Args;
use crate::envoy::Envoy;
use crate::http1::{Clients, request};
use crate::mint::{Signer, tokens};
use crate::report::{Row, short};
use crate::servers::{Null, Subject};
use crate::stats::median;
use crate::world::{AUDIENCE, World};

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let (null, subject) = (Null::start()?, Subject::start(&world.table, args)?);
    let envoys = (Envoy::start(null.address)?, Envoy::start(subject.address)?);
    let row = |(name, signer): (&str, &Signer)| {
        let case = format!("through Envoy, verified before, {name}");
        Row::or_why(&case, measure(args, &case, signer, (&null, &subject), (&envoys.0, &envoys.1)))
    };
    Ok([("ES256", &world.es), ("RS256", &world.rs)].into_iter().map(row).collect())
}

fn measure(
    args: &Args,
    case: &str,
    signer: &Signer,
    (null, subject): (&Null, &Subject),
    (before_null, before_subject): (&Envoy, &Envoy),
) -> Outcome<Row> {
    let tokens = tokens(std::slice::from_ref(signer), AUDIENCE, 0, args.distinct());
    let requests = Arc::new(tokens.iter().map(|token| request(token)).collect());
    // One round of all tokens takes less than a second; the warming of the first window remembers most of them.
    let clients = |named| Clients {
        connections: args.connections * args.streams,
        requests: Arc::clone(&requests),
        warm: args.window(),
        window: args.window(),
        named,
    };
    let (plain, named) = (clients(false), clients(true));
    let pairs = in_turn(
        args.rounds(),
        || plain.run(before_null.address, &[before_null.pid(), null.pid()]),
        || {
            let window = named.run(before_subject.address, &[before_subject.pid(), subject.pid()])?;
            subject.tidy()?;
            Ok(window)
        },
    )?;
    let part = |windows: Vec<f64>| short(median(&windows).unwrap_or(f64::NAN));
    let subject = |which: usize| part(pairs.0.iter().map(|(_, subject)| subject.cost_of(which)).collect());
    let null = |which: usize| part(pairs.0.iter().map(|(null, _)| null.cost_of(which)).collect());
    let words =
        format!("{}: Envoy {} + {} against Envoy {} + {}", pairs.in_words(), subject(0), subject(1), null(0), null(1));
    Ok(Row::new(case, "<= 1.0 x Envoy with null", 1.0, "x with null", &pairs.ratios())
        .made_of(words)
        .bar(median(&pairs.ratios()).unwrap_or(f64::NAN), 1.0)
        .detail(json!({"rounds": pairs.json()})))
}
