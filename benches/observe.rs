//! What one decision costs after its verdict: its id, its line in the log, its counters. Processor time of the whole
//! process, the log's writer included, at a pace of about fifty thousand decisions a second.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use credence::clock::{Clock, Time};
use credence::keys::{KeySet, LiveKeys, Signed};
use credence::observe::{Call, DecisionId, DecisionLog, Made, Metrics, Sink, Table, line};
use credence::path::{Outcome, Rules, Walk, walk};
use credence::request::{AuthzRequest, Headers};
use credence::table::{Permissions, Published, Report, Snapshot, SourceFile, Sources, compile};
use credence::trace_context::{SpanId, TraceId};
use credence::trail::Strict;
use uuid::Uuid;

#[allow(dead_code, unreachable_pub, reason = "the benchmark needs the half of it")]
#[path = "../tests/support/key.rs"]
mod key;

use key::{Key, b64};

const TABLE: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable
issuers:
  ci: {issuer: https://ci.example.test}
resources:
  orders: {audience: https://orders.example.test, hosts: [orders.example.test]}
grants:
  deploy: {issuer: ci, resource: orders, subject: 'repo:acme/shop:ref:refs/heads/main', methods: any, paths: any, scopes: [orders.read, orders.write]}
";

/// Decisions that are made at once, the pause after them, and how often.
const BURST: u64 = 400;
const PAUSE: Duration = Duration::from_millis(10);
const ROUNDS: u64 = 250;

struct World {
    key: Key,
    published: Published,
    now: Time,
}

impl World {
    fn new() -> Self {
        let (now, key) = (Clock::System.now(), Key::generate("key-2026-11", "ES256"));
        let set = serde_json::json!({ "keys": [key.jwk()] }).to_string();
        let set = Arc::new(KeySet::parse(set.as_bytes()).unwrap());
        let files = vec![SourceFile::new("trust.yaml".to_owned(), TABLE.to_owned())];
        let compiled = compile(&Sources::from_files(files), &Permissions::default(), now, |need| {
            Arc::new(LiveKeys::fixed(Arc::clone(&set), need.rules))
        });
        let snapshot: Snapshot = compiled.snapshot.unwrap();
        Self { key, published: Published { generation: 1, since: now, snapshot }, now }
    }

    fn token(&self, good: bool) -> String {
        let now = self.now.seconds().floor();
        let claims = serde_json::json!({
            "iss": "https://ci.example.test", "sub": "repo:acme/shop:ref:refs/heads/main", "jti": Uuid::now_v7().to_string(),
            "aud": "https://orders.example.test", "iat": now, "exp": now + 300.0,
        });
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"at+jwt"}}"#, self.key.kid);
        let input = format!("{}.{}", b64(header), b64(claims.to_string()));
        let signature = if good { self.key.sign("ES256", input.as_bytes()) } else { vec![7; 64] };
        format!("Bearer {input}.{}", b64(signature))
    }

    fn call<'a>(&'a self, time: Time, decision_id: &'a str, request: &'a AuthzRequest<'a>) -> Call<'a> {
        let table = Some(Table { generation: 1, sha256: &self.published.snapshot.digest });
        let span = Some((TraceId([7; 16]), SpanId([7; 8])));
        Call { time, decision_id, duration_us: 17, status: 200, request: Some(request), table, span }
    }

    fn walk(&self, request: &AuthzRequest<'_>) -> Walk<'_, Signed> {
        walk(Rules::without_blocks(&self.published.snapshot), request, self.now, &mut Strict::default())
    }
}

fn request(credential: &str) -> AuthzRequest<'_> {
    AuthzRequest {
        method: "GET",
        target: "/v1/orders/4711?expand=items",
        host: "orders.example.test",
        request_id: Some("5f1c2a8e-7f0e-4a4e-9d0f-1f6f6c1f2f11"),
        source_address: Some("10.42.7.19"),
        source_principal: Some("spiffe://cluster.local/ns/shop/sa/web"),
        proxy_peer: Some("spiffe://cluster.local/ns/ingress/sa/envoy"),
        headers: Headers::new(
            vec![
                ("authorization", credential.as_bytes()),
                ("user-agent", b"curl/8.5.0"),
                ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ],
            false,
        ),
        ..AuthzRequest::default()
    }
}

/// Nanoseconds of processor time that the process has used, all threads together.
fn cpu() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let spent = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
    spent.map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Nanoseconds of processor time for each call of `work`.
fn measure(name: &str, mut work: impl FnMut()) {
    let mut figures: Vec<_> = (0..5)
        .map(|_| {
            let before = cpu();
            for _ in 0..ROUNDS {
                (0..BURST).for_each(|_| work());
                // Lets the writer write, and the processor time be booked.
                std::thread::sleep(PAUSE);
            }
            cpu().saturating_sub(before) / (BURST * ROUNDS)
        })
        .collect();
    figures.sort_unstable();
    println!("{name:56} {:6} ns ({}..{})", figures[2], figures[0], figures[4]);
}

fn main() {
    let world = World::new();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = scratch.path().join("decisions.jsonl");
    let sinks =
        [("off", Sink::Off), ("/dev/null", Sink::File("/dev/null".into())), ("a file", Sink::File(path.clone()))];
    let id = || DecisionId::new(Clock::System.now());
    // What the pauses cost: it is in every other figure.
    measure("nothing", || {});
    measure("SHA-256 of a jti", || {
        black_box(digest(&SHA256, black_box(b"019aab1e-7f0e-7a4e-9d0f-1f6f6c1f2f11")));
    });
    measure("clock", || {
        black_box(Clock::System.now());
    });
    measure("clock and decision id", || {
        black_box(id());
    });
    for (name, good) in [("allowed", true), ("bad signature", false)] {
        let credential = world.token(good);
        let request = request(&credential);
        let walk = world.walk(&request);
        assert_eq!(matches!(walk.outcome, Outcome::Allowed(_)), good);
        let metrics = Metrics::default();
        metrics.published(&world.published, &Report::default());
        let at = Clock::System.now();
        let made = Made { id: DecisionId::new(at), at, took: Duration::from_micros(17), span: None };
        let count = || metrics.decided(Some(1), &walk, &made);
        let write = |log: &DecisionLog, time: Time, id: &str| {
            let _ = log.take(|to| line(to, &walk, world.call(time, id, &request)));
        };
        measure(&format!("{name}: counters"), count);
        let mut text = Vec::new();
        let (now, same) = (Clock::System.now(), id());
        measure(&format!("{name}: text of the line"), || {
            text.clear();
            line(&mut text, &walk, world.call(now, same.as_str(), &request));
            black_box(&text);
        });
        for (to, sink) in &sinks {
            let log = DecisionLog::open(sink).unwrap();
            measure(&format!("{name}: line to {to}"), || write(&log, now, same.as_str()));
            assert_eq!(log.dropped(), 0);
            // What is written is not to be kept.
            fs::File::create(&path).unwrap();
        }
        let log = DecisionLog::open(&Sink::File(path.clone())).unwrap();
        measure(&format!("{name}: clock, id, line to a file, counters"), || {
            let time = Clock::System.now();
            write(&log, time, DecisionId::new(time).as_str());
            count();
        });
        assert_eq!(log.dropped(), 0);
    }
}
