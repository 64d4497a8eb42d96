//! Tokens that were verified before: one, and thousands in turn.

use super::pair::against_null;
use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::tokens;
use crate::report::Row;
use crate::servers::{Null, Subject};
use crate::world::{AUDIENCE, World};

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let (null, subject) = (Null::start()?, Subject::start(&world.table, args)?);
    let mut rows = Vec::new();
    for (name, signer) in [("ES256", &world.es), ("RS256", &world.rs)] {
        let all = World::ask().frames(&tokens(std::slice::from_ref(signer), AUDIENCE, 0, args.distinct()));
        for frames in [all.iter().take(1).cloned().collect(), all] {
            let case = format!("verified before, {name}, {}", told(frames.len()));
            let row = against_null(args, &case, 0.85, (&null, &subject), (frames, Expect::Allow));
            rows.push(Row::or_why(&case, row));
        }
    }
    Ok(rows)
}

fn told(tokens: usize) -> String {
    if tokens == 1 { "one token".into() } else { format!("{tokens} tokens") }
}
