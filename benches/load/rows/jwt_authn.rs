//! Envoy's own jwt_authn beside Envoy with credence: two ways to have a token verified, and CPU time of all that takes
//! part. No goal: a filter inside Envoy needs no second process, and no second process can be cheaper than its cache.

use serde_json::json;

use super::peers::Fresh;
use super::turns::{Measure, Turns};
use crate::Outcome;
use crate::args::Args;
use crate::closed::Until;
use crate::contestant::Contestant;
use crate::envoy::Filter;
use crate::mint::{Signer, tokens};
use crate::peers::{Belief, Proofs};
use crate::report::{Row, short};
use crate::stats::median;
use crate::world::{AUDIENCE, World};

/// Tokens that the cached one may remember: more than are shown.
const CACHED: u32 = 20_000;
/// Names of the last two places.
const WAYS: [&str; 2] = ["jwt_authn", "jwt_authn with its cache"];

pub(super) fn rows(args: &Args, world: &World, belief: &Belief, proofs: &Proofs) -> Outcome<Vec<Row>> {
    let filter = |cached| Filter::JwtAuthn {
        issuer: belief.issuer.clone(),
        audience: belief.audience.clone(),
        jwks: belief.jwks.clone(),
        cached,
    };
    let bare = Contestant::envoy(&Filter::None)?;
    let with_credence = || Contestant::credence_behind_envoy(world, args);
    let (plain, caching) = (Contestant::envoy(&filter(0))?, Contestant::envoy(&filter(CACHED))?);
    for one in [&with_credence()?, &plain, &caching] {
        proofs.hold(one)?;
    }
    let mut rows = Vec::new();
    eprintln!("  jwt_authn …");
    for (name, signer) in [("ES256", &world.es), ("RS256", &world.rs)] {
        let all = tokens(std::slice::from_ref(signer), AUDIENCE, 0, args.distinct());
        for shown in [all.get(..1).unwrap_or_default(), &all] {
            let credence = with_credence()?;
            credence.prime(args, shown)?;
            caching.prime(args, shown)?;
            let (warm, window) = (Until::Time(args.window() / 5), Until::Time(args.window()));
            let measure = |one| -> Measure<'_> { Box::new(move || Contestant::show(one, args, shown, warm, window)) };
            let turns = Turns::take(args.rounds(), &mut [&bare, &credence, &plain, &caching].map(measure));
            let many = if shown.len() == 1 { "one token".to_owned() } else { format!("{} tokens", shown.len()) };
            for (place, way) in (2..).zip(WAYS) {
                let case = format!("Envoy + credence beside {way}, verified before, {name}, {many}");
                rows.push(Row::or_why(&case, beside(&case, &turns, place)));
            }
        }
        let case = format!("Envoy + credence beside {}, never seen, {name}", WAYS[0]);
        rows.push(Row::or_why(&case, never(args, &case, signer, (&bare, &plain), with_credence)));
    }
    Ok(rows)
}

fn never(
    args: &Args,
    case: &str,
    signer: &Signer,
    (bare, plain): (&Contestant, &Contestant),
    with_credence: impl Fn() -> Outcome<Contestant>,
) -> Outcome<Row> {
    let count = match (signer.key.alg.as_str(), args.quick) {
        ("RS256", false) => 8_000,
        ("RS256", true) => 2_000,
        (_, false) => 16_000,
        (_, true) => 4_000,
    };
    let fresh = &Fresh::new(args, signer, count);
    let standing = |one| -> Measure<'_> { Box::new(move || fresh.show(args, one)) };
    let new = Box::new(|| fresh.show_new(args, &with_credence()?));
    beside(case, &Turns::take(args.rounds(), &mut [standing(bare), new, standing(plain)]), 2)
}

/// Envoy with credence as a multiple of the one at `place`. Place 0 is Envoy without any filter.
fn beside(case: &str, turns: &Turns, place: usize) -> Outcome<Row> {
    let (pairs, of_bare) = (turns.pairs(place, 1)?, turns.pairs(0, 1)?);
    let part = |which: usize| {
        let costs: Vec<f64> = pairs.0.iter().map(|(_, subject)| subject.cost_of(which)).collect();
        short(median(&costs).unwrap_or(f64::NAN))
    };
    let (theirs, _) = pairs.costs();
    let bare = of_bare.costs().0;
    let words =
        format!("Envoy {} + credence {} against {} us; bare Envoy {}", part(0), part(1), short(theirs), short(bare));
    Ok(Row::told(case, "x jwt_authn", &pairs.ratios())
        .made_of(words)
        .detail(json!({"rounds": pairs.json(), "bare_envoy_us": bare})))
}
