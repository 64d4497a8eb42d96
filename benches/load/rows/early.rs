//! Refusals for which no signature has to be looked at.

use super::pair::against_null;
use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::{in_parallel, tokens};
use crate::report::Row;
use crate::request::Ask;
use crate::servers::{Null, Subject};
use crate::support::now;
use crate::world::{AUDIENCE, PATH, World, plain};

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    let world = World::new();
    let (null, subject) = (Null::start()?, Subject::start(&world.table, args)?);
    let (count, ask) = (args.distinct(), World::ask());
    let by = |signer: &crate::mint::Signer| tokens(std::slice::from_ref(signer), AUDIENCE, 0, count);
    let stranger = plain("https://nobody.bench.test", "build-1");
    let past = now() - 7200;
    let expired =
        in_parallel(count, |n| world.es.token(n, AUDIENCE).claim("iat", past).claim("exp", past + 3600).mint());
    let elsewhere = Ask::get("elsewhere.bench.test", PATH);
    let cases = [
        ("no token", "no_token", vec![ask.frame(None)]),
        ("unknown issuer", "issuer_unknown", ask.frames(&by(&stranger))),
        ("expired", "expired", ask.frames(&expired)),
        ("unknown resource", "resource_unknown", elsewhere.frames(&by(&world.es))),
    ];
    let row = |(name, reason, frames)| {
        let case = format!("refused early, {name}");
        let row = against_null(args, &case, 0.85, (&null, &subject), (frames, Expect::Refuse(reason)));
        Row::or_why(&case, row)
    };
    Ok(cases.into_iter().map(row).collect())
}
