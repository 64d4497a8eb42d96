//! Two things measured in turn: A B, B A, A B … Only windows of one round are compared.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::Args;
use crate::closed::{Load, PRIMING, Until, Window};
use crate::judge::Expect;
use crate::report::{Row, short};
use crate::servers::{Null, Subject};
use crate::stats::median;

/// Windows of rounds: the yardstick's and the subject's.
pub(super) struct Pairs(pub(super) Vec<(Window, Window)>);

/// Measures both in each round, the yardstick first in even ones.
pub(super) fn in_turn(
    rounds: usize,
    mut yardstick: impl FnMut() -> Outcome<Window>,
    mut subject: impl FnMut() -> Outcome<Window>,
) -> Outcome<Pairs> {
    let mut pairs = Vec::new();
    for round in 0..rounds {
        if round % 2 == 0 {
            let first = yardstick()?;
            pairs.push((first, subject()?));
        } else {
            let first = subject()?;
            pairs.push((yardstick()?, first));
        }
    }
    Ok(Pairs(pairs))
}

impl Pairs {
    /// The subject's cost as a multiple of the yardstick's, by round.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.0.iter().map(|(yardstick, subject)| subject.cost() / yardstick.cost()).collect()
    }

    /// Medians of the costs: yardstick, subject; in microseconds.
    pub(super) fn costs(&self) -> (f64, f64) {
        let costs = |which: fn(&(Window, Window)) -> &Window| -> Vec<f64> {
            self.0.iter().map(|pair| which(pair).cost()).collect()
        };
        let of = |values: &[f64]| median(values).unwrap_or(f64::NAN);
        (of(&costs(|pair| &pair.0)), of(&costs(|pair| &pair.1)))
    }

    /// The costs in words.
    pub(super) fn in_words(&self) -> String {
        let (yardstick, subject) = self.costs();
        let busiest = self.0.iter().flat_map(|(one, two)| [one, two]).map(Window::generator_share).fold(0.0, f64::max);
        let warning = if busiest > 0.9 {
            format!(", generator at {busiest:.2} of a core: it may be the limit")
        } else {
            String::new()
        };
        format!("{} against {} us{warning}", short(subject), short(yardstick))
    }

    /// Everything.
    pub(super) fn json(&self) -> Value {
        self.0
            .iter()
            .map(|(yardstick, subject)| json!({"yardstick": told(yardstick), "subject": told(subject)}))
            .collect()
    }
}

/// A window for the report.
pub(super) fn told(window: &Window) -> Value {
    let each: Vec<f64> = (0..window.cpu.len()).map(|which| window.cost_of(which)).collect();
    json!({
        "answers": window.answers, "cpu_us_each": each, "cpu_us": window.cost(), "seconds": window.wall.as_secs_f64(),
        "answers_a_second": window.answers as f64 / window.wall.as_secs_f64(), "generator_cores": window.generator_share(),
        "answer_bytes": [window.sizes.0, window.sizes.1],
    })
}

/// A load by time, that goes round the messages.
pub(super) fn round_and_round(args: &Args, frames: Vec<Bytes>, expect: Expect) -> Load {
    Load {
        connections: args.connections,
        streams: args.streams,
        frames: Arc::new(frames),
        warm: Until::Time(args.window() / 5),
        window: Until::Time(args.window()),
        expect,
    }
}

/// Each message once, no warming, and no figure of use: what can be remembered is remembered then.
pub(super) fn prime(load: &Load) -> Load {
    Load { warm: Until::Count(0), window: Until::First(load.frames.len(), PRIMING), ..load.clone() }
}

/// The same load with each message once and no warming.
pub(super) fn once(load: &Load) -> Load {
    Load { warm: Until::Count(0), window: Until::Count(load.frames.len()), ..load.clone() }
}

/// credence against the null server on the same messages; the goal is a multiple of the null server's cost.
pub(super) fn against_null(
    args: &Args,
    case: &str,
    limit: f64,
    (null, subject): (&Null, &Subject),
    (frames, expect): (Vec<Bytes>, Expect),
) -> Outcome<Row> {
    let load = round_and_round(args, frames, expect);
    let empty = Load { expect: Expect::Null, ..load.clone() };
    subject.load(&prime(&load))?;
    let lost = subject.lost();
    let pairs = in_turn(args.rounds(), || null.load(&empty), || subject.load(&load))?;
    let lost = subject.lost() - lost;
    let answers: u64 = pairs.0.iter().map(|(_, subject)| subject.answers).sum();
    let ratio = median(&pairs.ratios()).unwrap_or(f64::NAN);
    let mut words = pairs.in_words();
    if lost > 0.0 {
        words += &format!(", {:.1} % of the log's lines lost", 100.0 * lost / answers as f64);
    }
    Ok(Row::new(case, &format!("<= {limit} x null"), limit, "x null", &pairs.ratios())
        .made_of(words)
        .bar(ratio, limit)
        .detail(json!({"rounds": pairs.json(), "log_lines_lost": lost})))
}
