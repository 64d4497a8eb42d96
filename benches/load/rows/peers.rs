//! Other authorizers beside credence: the same tokens, the same request, the same rounds.

use serde_json::json;

use super::jwt_authn;
use super::turns::{Measure, Turns};
use crate::Outcome;
use crate::args::Args;
use crate::closed::{Until, Window};
use crate::contestant::Contestant;
use crate::mint::{Signer, tokens};
use crate::peers::{ALL, Belief, Peer, Proofs};
use crate::report::{Goal, Row, short};
use crate::servers::Null;
use crate::stats::median;
use crate::world::{AUDIENCE, World};

/// How many times cheaper credence is to be.
const SEEN: f64 = 20.0;

/// Tokens that are shown once, and how many times cheaper credence is to be then. The signature is the larger part of
/// its cost, and nobody has a cheaper one.
const NEVER: [(&str, usize, f64); 2] = [("ES256", 24_000, 4.0), ("RS256", 8_000, 9.0)];

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::of_one_issuer();
    let (belief, proofs) = (Belief::of(&world), Proofs::new(&world)?);
    let mut field = Field { args, world: &world, null: Contestant::null(Null::start()?), peers: Vec::new() };
    let mut rows = Vec::new();
    proofs.hold(&Contestant::credence(&world, args)?)?;
    for peer in ALL {
        if peer.binary().is_none() {
            rows.push(Row::unmeasured(peer.name(), "left out: scripts/bench/peers.sh says why"));
            continue;
        }
        match peer.start(&belief, &proofs).and_then(|started| proofs.hold(&started).map(|()| started)) {
            Ok(started) => field.peers.push((peer, started)),
            Err(error) => rows.push(Row::unmeasured(peer.name(), error.to_string())),
        }
    }
    for (name, signer) in [("ES256", &world.es), ("RS256", &world.rs)] {
        let all = tokens(std::slice::from_ref(signer), AUDIENCE, 0, args.distinct());
        for shown in [all.get(..1).unwrap_or_default(), &all] {
            let many = if shown.len() == 1 { "one token".to_owned() } else { format!("{} tokens", shown.len()) };
            rows.extend(field.seen(&format!("verified before, {name}, {many}"), shown)?);
        }
    }
    for ((name, count, goal), signer) in NEVER.into_iter().zip([&world.es, &world.rs]) {
        let count = if args.quick { count / 4 } else { count };
        rows.extend(field.never(&format!("never seen, {name}"), signer, count, goal)?);
    }
    drop(field);
    // One peer's rows stand together, in the order in which they were measured.
    rows.sort_by_key(|row| ALL.iter().position(|peer| row.case.starts_with(peer.name())));
    rows.extend(jwt_authn::rows(args, &world, &belief, &proofs)?);
    Ok(rows)
}

/// Who is measured.
struct Field<'a> {
    args: &'a Args,
    world: &'a World,
    null: Contestant,
    peers: Vec<(Peer, Contestant)>,
}

/// Tokens that nobody has shown before.
pub(super) struct Fresh {
    pub(super) tokens: Vec<String>,
    /// What wakes up a process that has just started.
    pub(super) known: String,
    pub(super) warm: Until,
    pub(super) window: Until,
}

impl Fresh {
    pub(super) fn new(args: &Args, signer: &Signer, count: usize) -> Self {
        let mut minted = tokens(std::slice::from_ref(signer), AUDIENCE, 0, count / 8 + count + 1);
        let known = minted.pop().unwrap_or_default();
        let window = Until::First(count, args.window() * 2);
        Self { tokens: minted, known, warm: Until::Count(count / 8), window }
    }

    /// A window of one that has seen none of them.
    pub(super) fn show(&self, args: &Args, contestant: &Contestant) -> Outcome<Window> {
        contestant.show(args, &self.tokens, self.warm, self.window)
    }

    /// The same of one that remembers tokens and therefore has to be new in each round.
    pub(super) fn show_new(&self, args: &Args, contestant: &Contestant) -> Outcome<Window> {
        contestant.prime(args, &vec![self.known.clone(); 2_000])?;
        self.show(args, contestant)
    }
}

impl Field<'_> {
    /// Tokens that all have judged before.
    fn seen(&self, case: &str, shown: &[String]) -> Outcome<Vec<Row>> {
        eprintln!("  {case} …");
        let args = self.args;
        let credence = Contestant::credence(self.world, args)?;
        credence.prime(args, shown)?;
        let (warm, window) = (Until::Time(args.window() / 5), Until::Time(args.window()));
        let all = [&self.null, &credence].into_iter().chain(self.peers.iter().map(|(_, peer)| peer));
        let measure = |one| -> Measure<'_> { Box::new(move || Contestant::show(one, args, shown, warm, window)) };
        let turns = Turns::take(args.rounds(), &mut all.map(measure).collect::<Vec<_>>());
        Ok(self.judged(case, &turns, SEEN))
    }

    /// Tokens that none has judged before. The others remember none, so the same will do for them in each round.
    fn never(&self, case: &str, signer: &Signer, count: usize, goal: f64) -> Outcome<Vec<Row>> {
        eprintln!("  {case} …");
        let (args, fresh) = (self.args, &Fresh::new(self.args, signer, count));
        let standing = |one| -> Measure<'_> { Box::new(move || fresh.show(args, one)) };
        let new = || fresh.show_new(args, &Contestant::credence(self.world, args)?);
        let mut all: Vec<Measure<'_>> = vec![standing(&self.null), Box::new(new)];
        all.extend(self.peers.iter().map(|(_, peer)| standing(peer)));
        Ok(self.judged(case, &Turns::take(args.rounds(), &mut all), goal))
    }

    /// A row a peer.
    fn judged(&self, case: &str, turns: &Turns, goal: f64) -> Vec<Row> {
        let row = |(place, peer): (usize, &Peer)| {
            let case = format!("{}, {case}", peer.name());
            Row::or_why(&case, against(&case, *peer, turns, place + 2, goal))
        };
        self.peers.iter().map(|(peer, _)| peer).enumerate().map(row).collect()
    }
}

/// How many times dearer than credence the one at `place` is. Places 0 and 1 are the null server's and credence's.
fn against(case: &str, peer: Peer, turns: &Turns, place: usize, goal: f64) -> Outcome<Row> {
    let (pairs, of_null) = (turns.pairs(1, place)?, turns.pairs(0, place)?);
    let null = of_null.costs().0;
    let times = |cost: f64| short(cost / null);
    let (ours, theirs) = pairs.costs();
    let words = format!("{}; {} and {} x null", pairs.in_words(), times(theirs), times(ours));
    median(&pairs.ratios()).ok_or("no rounds")?;
    let detail = json!({"rounds": pairs.json(), "null_us": null, "version": peer.version()});
    Ok(Row::judged(case, &format!(">= {goal} x cheaper"), Goal::AtLeast(goal), "x cheaper", &pairs.ratios())
        .made_of(words)
        .detail(detail))
}
