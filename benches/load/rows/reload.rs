//! A table of 10,000 issuers, replaced again and again while calls come in at a moderate rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::Outcome;
use crate::args::Args;
use crate::judge::Expect;
use crate::mint::in_parallel;
use crate::open::Pace;
use crate::report::{Row, short};
use crate::servers::Subject;
use crate::stats::{median, percentile};
use crate::support::eventually;
use crate::world::issuers;

/// Calls a second.
const RATE: f64 = 500.0;
/// Microseconds that no check may take longer because of a reload.
const GOAL: f64 = 10_000.0;

pub(super) fn rows(args: &Args) -> Outcome<Vec<Row>> {
    Ok(measure(args).unwrap_or_else(|error| vec![Row::unmeasured("reload of 10,000 issuers", error.to_string())]))
}

/// Calls of one stretch, and how many reloads there were in it.
struct Stretch {
    took: Vec<f64>,
    reloads: usize,
}

impl Stretch {
    fn slowest(&self) -> f64 {
        percentile(&self.took, 1.0).unwrap_or(f64::NAN)
    }

    /// Slow calls beyond those of a calm stretch, for each reload.
    fn more_slow_than(&self, calm: &Self) -> f64 {
        (self.slow() as f64 - calm.slow() as f64) / self.reloads.max(1) as f64
    }

    fn slow(&self) -> usize {
        self.took.iter().filter(|took| **took > GOAL).count()
    }
}

fn measure(args: &Args) -> Outcome<Vec<Row>> {
    let world = issuers(10_000, 1);
    let table = world.table.concat();
    let tables = [table.replace("build-1,", "[build-1, build-2],"), table];
    let subject = Subject::start(&world.table, args)?;
    let call = |n: usize| {
        let caller = world.callers.get(n)?;
        Some(caller.ask.frame(Some(&caller.signer.token(n, &caller.audience).mint())))
    };
    let frames: Vec<Bytes> = in_parallel(1000, call).into_iter().flatten().collect();
    let pace = Pace {
        frames: Arc::new(frames),
        rate: RATE,
        time: (args.window() * 2).max(Duration::from_secs(3)),
        expect: Expect::Allow,
        kinds: 1,
    };
    pace.run(subject.address)?;
    let (mut calm, mut busy) = (Vec::new(), Vec::new());
    for round in 0..args.rounds() {
        if round % 2 == 0 {
            calm.push(Stretch { took: pace.run(subject.address)?, reloads: 0 });
        }
        busy.push(reloading(&pace, &subject, &tables)?);
        if round % 2 == 1 {
            calm.push(Stretch { took: pace.run(subject.address)?, reloads: 0 });
        }
        subject.tidy()?;
    }
    let worse: Vec<f64> =
        calm.iter().zip(&busy).map(|(calm, busy)| (busy.slowest() - calm.slowest()) / 1000.0).collect();
    let of = |all: &[Stretch]| {
        let slowest = median(&all.iter().map(Stretch::slowest).collect::<Vec<_>>()).unwrap_or(f64::NAN) / 1000.0;
        (slowest, all.iter().map(Stretch::slow).sum::<usize>(), all.iter().map(|one| one.took.len()).sum::<usize>())
    };
    let ((with, slow, calls), (without, slow_calm, calls_calm)) = (of(&busy), of(&calm));
    let reloads: usize = busy.iter().map(|stretch| stretch.reloads).sum();
    let told = |all: &[Stretch]| -> Vec<_> {
        all.iter()
            .map(|one| {
                json!({"slowest_us": one.slowest(), "over_10_ms": one.slow(), "calls": one.took.len(),
            "p99_us": percentile(&one.took, 0.99), "reloads": one.reloads})
            })
            .collect()
    };
    let slower = Row::new("reload of 10,000 issuers, slowest check", "<= 10 ms slower", GOAL / 1000.0, "ms", &worse)
        .made_of(format!("{} ms against {} without; {reloads} reloads", short(with), short(without)))
        .detail(json!({"calls_a_second": RATE, "with": told(&busy), "without": told(&calm)}));
    // The slowest of all is often the machine's doing; a reload that stops the world shows in the number.
    let more: Vec<f64> = calm.iter().zip(&busy).map(|(calm, busy)| busy.more_slow_than(calm)).collect();
    let many = Row::new("reload of 10,000 issuers, checks > 10 ms", "< 1 more a reload", 0.99, "a reload", &more)
        .made_of(format!("{slow} of {calls} against {slow_calm} of {calls_calm} without"));
    Ok(vec![slower, many])
}

/// The same calls while one table after the other comes into force.
fn reloading(pace: &Pace, subject: &Subject, tables: &[String; 2]) -> Outcome<Stretch> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let reloader = scope.spawn(move || {
            let mut reloads = 0;
            for table in tables.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let before = taken(subject);
                subject.table().replace(table);
                subject.credence().signal("HUP");
                eventually("a reload", || (taken(subject) > before).then_some(()));
                reloads += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            reloads
        });
        let took = pace.run(subject.address);
        done.store(true, Ordering::Relaxed);
        let reloads = reloader.join().map_err(|_| "a reload was not taken")?;
        Ok(Stretch { took: took?, reloads })
    })
}

/// How many tables came into force so far, by credence's own log.
pub(super) fn taken(subject: &Subject) -> usize {
    subject.credence().stderr().lines().filter(|line| line.contains("trust table is in force")).count()
}
