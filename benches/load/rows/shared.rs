//! Tokens that may be used once, spent at a real redis-server: how much longer a caller waits, held against a round trip
//! of the same client library to the same server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::once::{Mint, asked_once, subject};
use super::pair::{once, round_and_round};
use crate::Outcome;
use crate::args::Args;
use crate::closed::PATIENCE;
use crate::judge::Expect;
use crate::open::{Pace, beats};
use crate::report::{Row, short};
use crate::stats::{median, percentile};
use crate::support::eventually;
use crate::support::redis::Redis;
use crate::world::World;

const CASE: &str = "used once at Redis, p99";
const ADDED: &str = "... median added";
/// Calls a second.
const RATE: f64 = 500.0;
/// What stands beside the key of a token: read within the same round trip.
const MARKER: (&str, &str) = ("bench:marker", "8Jd0vYb3T1iWqkz5n6mXcg");

pub(super) fn rows(args: &Args) -> Vec<Row> {
    measure(args).unwrap_or_else(|error| vec![Row::unmeasured(CASE, error.to_string())])
}

/// p50 and p99 of one stretch, in microseconds.
type Tail = [f64; 2];

fn measure(args: &Args) -> Outcome<Vec<Row>> {
    let redis = Redis::start();
    let world = World::of_one_use();
    let embedded = subject(&world, args)?;
    let shared = subject(&world, &args.also_serving(&["--replay-store", &redis.url()]))?;
    let up = || shared.credence().metric("credence_replay_store_up") == Some(1.0);
    eventually("the store", || up().then_some(()));
    let mut mint = Mint { signer: &world.es, made: 0 };
    // Ids of the second in which the store was first met are not taken.
    std::thread::sleep(Duration::from_secs(1));
    let time = args.window() * 4;
    let count = (time.as_secs_f64() * RATE) as usize + 8;
    let mut tails: [Vec<Tail>; 3] = Default::default();
    for round in 0..args.rounds() {
        let tokens = mint.tokens(count);
        let known = once(&round_and_round(args, World::ask().frames(&tokens), Expect::Allow));
        embedded.load(&known)?;
        shared.load(&known)?;
        let frames = Arc::new(asked_once(&tokens));
        let pace = Pace { frames, rate: RATE, time, expect: Expect::Allow, kinds: 1 };
        let stretch = |which: usize| match which {
            0 => trips(&redis, round, time),
            1 => pace.run(embedded.address),
            _ => pace.run(shared.address),
        };
        let order = if round % 2 == 0 { [0, 1, 2] } else { [2, 1, 0] };
        for which in order {
            let took = stretch(which)?;
            let tail = [0.5, 0.99].map(|share| percentile(&took, share).unwrap_or(f64::NAN));
            tails.get_mut(which).ok_or("no such place")?.push(tail);
        }
        embedded.tidy()?;
        shared.tidy()?;
    }
    let [trips, embedded, shared] = &tails;
    let rounds = || trips.iter().zip(embedded).zip(shared);
    // Tails of a busy machine swallow a round trip: so the sum is the goal, and the difference is told of the medians.
    let of_goal: Vec<f64> = rounds().map(|(([_, trip], [_, without]), [_, with])| with / (without + trip)).collect();
    let added: Vec<f64> = rounds().map(|(([trip, _], [without, _]), [with, _])| (with - without) / trip).collect();
    let words = |which: fn(&Tail) -> f64| {
        let of = |all: &[Tail]| short(median(&all.iter().map(which).collect::<Vec<_>>()).unwrap_or(f64::NAN));
        format!("{} us against {} and a round trip of {}", of(shared), of(embedded), of(trips))
    };
    let all = json!({"round_trip": trips, "embedded": embedded, "redis": shared});
    Ok(vec![
        Row::new(CASE, "<= embedded + a round trip", 1.0, "of goal", &of_goal)
            .made_of(format!("{}; {RATE} calls/s", words(|[_, tail]| *tail)))
            .detail(json!({"p50_and_p99_us": all, "calls_a_second": RATE})),
        Row::told(ADDED, "round trips", &added).made_of(words(|[middle, _]| *middle)),
    ])
}

/// What credence asks the server, asked by the same library on a runtime of the same kind at the same rate, and nothing
/// else; microseconds of each from sending to the answer.
fn trips(redis: &Redis, round: usize, time: Duration) -> Outcome<Vec<f64>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let client = ::redis::Client::open(redis.url())?;
        let connection = client.get_multiplexed_async_connection().await?;
        let (key, value) = MARKER;
        ::redis::cmd("SET").arg(key).arg(value).exec_async(&mut connection.clone()).await?;
        let took = Arc::new(Mutex::new(Vec::new()));
        let (mut beats, mut tasks) = (beats(RATE, time), tokio::task::JoinSet::new());
        for number in 0.. {
            if beats.recv().await.is_none() {
                break;
            }
            let (connection, took) = (connection.clone(), Arc::clone(&took));
            tasks.spawn(async move {
                let sent = Instant::now();
                trip(connection, &format!("credence:replay:bench-{round:08}-{number:016}")).await?;
                took.lock().unwrap_or_else(PoisonError::into_inner).push(sent.elapsed().as_nanos() as f64 / 1000.0);
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            });
        }
        let all = async {
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        tokio::time::timeout(PATIENCE, all).await.map_err(|_| "calls hang")??;
        let took = took.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(took)
    })
}

/// An error unless the key was new and the marker stands.
async fn trip(mut connection: ::redis::aio::MultiplexedConnection, key: &str) -> Outcome {
    let mut spending = ::redis::pipe();
    spending.cmd("SET").arg(key).arg("").arg("NX").arg("PX").arg(3_960_000);
    spending.cmd("GET").arg(MARKER.0);
    let said: (Option<String>, Option<String>) = spending.query_async(&mut connection).await?;
    match said {
        (Some(_), Some(marker)) if marker == MARKER.1 => Ok(()),
        other => Err(format!("the redis-server answered {other:?}").into()),
    }
}
