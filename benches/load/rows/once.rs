//! Tokens that may be used once: what spending one costs where ids are remembered in the process, and what they take.

use bytes::Bytes;
use serde_json::json;

use super::memory::settled;
use super::pair::{Pairs, once, round_and_round};
use super::shared;
use crate::Outcome;
use crate::args::Args;
use crate::closed::{Load, Until, Window};
use crate::judge::Expect;
use crate::mint::{Signer, tokens};
use crate::report::{Row, short};
use crate::request::Ask;
use crate::servers::Subject;
use crate::stats::median;
use crate::support::{eventually, now};
use crate::world::{AUDIENCE, HOST, World};

/// Where the same tokens are let in once; as long as the usual path.
const ONCE: &str = "/v1/single/8f14e45f?expand=items";
const GOAL: f64 = 1.2;
/// Tokens of a window.
const COUNT: usize = 24_000;
/// The ids that are to be remembered, and how many tokens are made at a time.
const MILLION: usize = 1_000_000;
const AT_A_TIME: usize = 50_000;
const SAMPLE: usize = 10_000;
/// Verifications that found the token in the memory.
const HITS: &str = r#"credence_token_verifications_total{issuer="plain",result="ok",cache="hit"}"#;
/// The tokens of all windows stay remembered: which of them go is not what these rows are about.
const ROOM: [&str; 2] = ["--token-memory", "512MiB"];
const ENTRIES: &str = "credence_replay_entries";

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let known = "used once, verified before, ES256";
    let fresh = "used once, never seen, ES256";
    let million = "memory, 1,000,000 used ids";
    let mut rows: Vec<_> = [(known, true), (fresh, false)]
        .into_iter()
        .map(|(case, seen)| Row::or_why(case, spending(args, case, seen)))
        .collect();
    rows.extend(shared::rows(args));
    rows.push(if args.full {
        Row::or_why(million, remembered(args, million))
    } else {
        Row::unmeasured(million, "only with --full")
    });
    Ok(rows)
}

/// A credence at which the same tokens are let in as often as they come, or once, by the path.
pub(super) fn subject(world: &World, args: &Args) -> Outcome<Subject> {
    let subject = Subject::start(&world.table, args)?;
    // It takes no token of the second of its start.
    let begun = now();
    eventually("the next second", || (now() > begun).then_some(()));
    Ok(subject)
}

/// What is asked with these tokens where each is let in once.
pub(super) fn asked_once(tokens: &[String]) -> Vec<Bytes> {
    Ask::get(HOST, ONCE).frames(tokens)
}

/// Tokens with other ids than those of every call before.
pub(super) struct Mint<'s> {
    pub(super) signer: &'s Signer,
    pub(super) made: usize,
}

impl Mint<'_> {
    pub(super) fn tokens(&mut self, count: usize) -> Vec<String> {
        let tokens = tokens(std::slice::from_ref(self.signer), AUDIENCE, self.made, count);
        self.made += count;
        tokens
    }
}

/// A use that is spent against one that is not, at one process and in one state: every token was verified before at the
/// usual path, and both windows show the same ones; or nobody has seen any, and each window has its own.
fn spending(args: &Args, case: &str, seen: bool) -> Outcome<Row> {
    let world = World::of_one_use();
    let subject = subject(&world, &args.also_serving(&ROOM))?;
    let mut mint = Mint { signer: &world.es, made: 0 };
    let count = if args.quick { COUNT / 4 } else { COUNT };
    let (mut pairs, mut last) = (Vec::new(), None);
    for _ in 0..args.rounds() {
        let mut halves = Vec::new();
        // Whoever comes second finds a warmer machine: so each comes second once.
        for plain_first in [true, false] {
            let ours = mint.tokens(count);
            let theirs = if seen { ours.clone() } else { mint.tokens(count) };
            let often = each_once(args, World::ask().frames(&theirs));
            let spent = each_once(args, asked_once(&ours));
            if seen {
                subject.load(&once(&often))?;
            }
            let order = if plain_first { [&often, &spent] } else { [&spent, &often] };
            let [first, second] = order.map(|load| window(&subject, load, seen));
            halves.push(if plain_first { (first?, second?) } else { (second?, first?) });
            last = Some(spent);
        }
        pairs.extend(halves.into_iter().reduce(|one, two| (together(one.0, &two.0), together(one.1, &two.1))));
    }
    // Every one of them was spent, or something else was measured.
    let again = Load { expect: Expect::Refuse("replayed"), ..once(&last.ok_or("no rounds")?) };
    subject.load(&again)?;
    let pairs = Pairs(pairs);
    let ratio = median(&pairs.ratios()).unwrap_or(f64::NAN);
    Ok(Row::new(case, "<= 1.2 x used often", GOAL, "x used often", &pairs.ratios())
        .made_of(pairs.in_words())
        .bar(ratio, GOAL)
        .detail(json!({"rounds": pairs.json(), "tokens_of_a_window": count})))
}

/// No message twice, an eighth of them to warm up.
fn each_once(args: &Args, frames: Vec<Bytes>) -> Load {
    let warm = frames.len() / 8;
    let (warm, window) = (Until::Count(warm), Until::Count(frames.len() - warm));
    Load { warm, window, ..round_and_round(args, frames, Expect::Allow) }
}

/// Two windows as one.
fn together(mut one: Window, two: &Window) -> Window {
    one.answers += two.answers;
    one.cpu.iter_mut().zip(&two.cpu).for_each(|(sum, cpu)| *sum += cpu);
    one.wall += two.wall;
    one.generator += two.generator;
    one.sizes = (one.sizes.0.min(two.sizes.0), one.sizes.1.max(two.sizes.1));
    one
}

/// A window in which every token was known, or none.
fn window(subject: &Subject, load: &Load, seen: bool) -> Outcome<Window> {
    let hits = || subject.credence().metric(HITS).unwrap_or(0.0);
    let before = hits();
    let window = subject.load(load)?;
    let (shown, known) = (load.frames.len() as f64, hits() - before);
    let wanted = if seen { shown } else { 0.0 };
    if (known - wanted).abs() > shown / 100.0 {
        return Err(format!("of {shown} tokens {known} had been verified before, not {wanted}").into());
    }
    Ok(window)
}

/// Growth from a process that has answered to one that has let a million different tokens in once; it remembers nothing
/// else of them, and has the usual room. The metrics have to count them all, and a sample is refused.
fn remembered(args: &Args, case: &str) -> Outcome<Row> {
    let world = World::of_one_use();
    let subject = subject(&world, &args.also_serving(&["--token-memory", "0"]))?;
    let mut mint = Mint { signer: &world.es, made: 0 };
    // The same traffic first, where nothing is spent, so that the growth is that of the ids alone.
    subject.load(&round_and_round(args, World::ask().frames(&mint.tokens(1)), Expect::Allow))?;
    let before = settled(&subject)?;
    let mut sample = Vec::new();
    for _ in 0..MILLION / AT_A_TIME {
        let some = mint.tokens(AT_A_TIME);
        subject.load(&once(&round_and_round(args, asked_once(&some), Expect::Allow)))?;
        sample.extend(some.into_iter().step_by(MILLION / SAMPLE));
    }
    let after = settled(&subject)?;
    let entries = subject.credence().metric(ENTRIES).unwrap_or(0.0);
    if entries < MILLION as f64 {
        return Err(format!("of {MILLION} ids only {entries} are remembered").into());
    }
    let again = round_and_round(args, asked_once(&sample), Expect::Refuse("replayed"));
    subject.load(&once(&again))?;
    let words = format!(
        "{} MiB became {} MiB; {entries} remembered, {} of {} refused when shown again",
        short(before),
        short(after),
        sample.len(),
        sample.len()
    );
    Ok(Row::new(case, "<= 200 MiB more", 200.0, "MiB", &[after - before])
        .made_of(words)
        .detail(json!({"before_mib": before, "after_mib": after, "entries": entries})))
}
