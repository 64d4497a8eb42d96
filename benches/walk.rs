//! The walk by itself, in process: what a decision costs before and after the wire, by how much is known of the token, and
//! by how large the table is. `cargo bench --bench walk`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a benchmark, which needs half of the tests' support"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use credence::block::Blocks;
use credence::clock::{Clock, Time};
use credence::keys::{KeySet, LiveKeys, Signed};
use credence::memory::Memory;
use credence::path::{Outcome, Rules, Walk, walk};
use credence::replay::Store;
use credence::request::{AuthzRequest, Headers};
use credence::table::{Permissions, Snapshot, SourceFile, Sources, compile, compile_blocks};
use credence::trail::Strict;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::json;

#[path = "../tests/support/key.rs"]
mod key;

use key::{Key, b64};

const AUDIENCE: &str = "https://api.bench.test";
const BYTES: usize = 64 << 20;

/// A table and the key of its first issuer.
struct World {
    snapshot: Snapshot,
    blocks: Blocks,
    key: Arc<Key>,
    now: Time,
}

impl World {
    /// `issuers` issuers with a grant each, and `grants` more at the first one, which differ in their subject.
    fn new(alg: &str, issuers: usize, grants: usize) -> Self {
        Self::with(alg, issuers, grants, "")
    }

    /// The same, with one more field in each grant.
    fn with(alg: &str, issuers: usize, grants: usize, more: &str) -> Self {
        let (key, now) = (Arc::new(Key::generate("k1", alg)), Clock::System.now());
        let mut yaml = String::from("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n");
        for n in 0..issuers {
            writeln!(yaml, "  i-{n}: {{issuer: \"https://issuer-{n}.test\", signingAlgs: [{alg}]}}").unwrap();
        }
        writeln!(yaml, "resources:\n  api: {{audience: {AUDIENCE}, hosts: [api.bench.test]}}\ngrants:").unwrap();
        let grant = |name: &str, issuer: usize, subject: &str| {
            format!(
                "  {name}: {{issuer: i-{issuer}, resource: api, subject: {subject}, claims: {{env: production}}, methods: [GET], \
                 paths: [/v1/**], scopes: [read]{more}}}\n"
            )
        };
        (0..issuers).for_each(|n| yaml += &grant(&format!("g-{n}"), n, "build-1"));
        (1..grants).for_each(|n| yaml += &grant(&format!("more-{n}"), 0, &format!("other-{n}")));
        let set = json!({"keys": [key.jwk()]}).to_string();
        let set = Arc::new(KeySet::parse(set.as_bytes()).unwrap());
        let mut files = HashMap::new();
        files.insert("trust.yaml", yaml);
        let sources = Sources::from_files(files.into_iter().map(|(name, text)| SourceFile::new(name, text)));
        let compiled = compile(&sources, &Permissions::default(), now, |need| {
            Arc::new(LiveKeys::fixed(Arc::clone(&set), need.rules))
        });
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{}", compiled.report.render(false)));
        Self { snapshot, blocks: Blocks::default(), key, now }
    }

    /// The same, with so many blocks that are about others: subjects of the very issuer, tokens, keys and other issuers.
    fn with_blocks(self, many: usize) -> Self {
        let none = if many == 0 { " {}" } else { "" };
        let mut yaml = format!("apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:{none}\n");
        for n in 0..many {
            let about = match n % 4 {
                0 => format!("issuer: i-0, subject: other-{n}"),
                1 => format!("issuer: i-0, jti: other-{n}"),
                2 => format!("issuer: i-0, key: other-{n}"),
                _ => format!("issuer: https://other-{n}.test"),
            };
            writeln!(yaml, "  b-{n}: {{{about}, reason: bench}}").unwrap();
        }
        let compiled = compile_blocks(&Sources::from_files([SourceFile::new("blocks.yaml", yaml)]), self.now, None);
        Self { blocks: compiled.blocks.unwrap_or_else(|| panic!("{}", compiled.report.render(false))), ..self }
    }

    fn token(&self, issuer: usize, number: usize, lasts: f64) -> String {
        let header = json!({"alg": self.key.alg, "kid": self.key.kid, "typ": "at+jwt"});
        let now = self.now.seconds().floor();
        let claims = json!({
            "iss": format!("https://issuer-{issuer}.test"), "sub": "build-1", "aud": AUDIENCE, "iat": now - 100.0,
            "exp": now + lasts, "jti": format!("id-{number:08}"), "env": "production", "ref": "refs/heads/main",
            "repository": "acme/payments", "repository_id": "512345678", "run_id": "6150712354", "actor": "octocat",
        });
        let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        format!("Bearer {input}.{}", b64(self.key.sign(&self.key.alg, input.as_bytes())))
    }

    fn walk(&self, credential: Option<&str>, memory: Option<&Memory>) -> Walk<'_, Signed> {
        self.walk_on(credential, memory.map_or_else(Strict::default, Strict::with))
    }

    fn walk_on(&self, credential: Option<&str>, mut trail: Strict<'_>) -> Walk<'_, Signed> {
        let mut headers = vec![("accept", b"*/*".as_slice()), ("user-agent", b"curl/8"), ("x-request-id", b"7f3a")];
        headers.extend(credential.map(|credential| ("authorization", credential.as_bytes())));
        let request = AuthzRequest {
            method: "GET",
            target: "/v1/orders/8f14e45f?expand=items",
            host: "api.bench.test",
            headers: Headers::new(headers, false),
            ..AuthzRequest::default()
        };
        walk(Rules { table: &self.snapshot, blocks: &self.blocks }, &request, self.now, &mut trail)
    }

    fn code(&self, credential: Option<&str>, memory: Option<&Memory>) -> &'static str {
        let walk = self.walk(credential, memory);
        if let Outcome::Allowed(permit) = &walk.outcome {
            black_box(permit.principal());
        }
        walk.outcome.code()
    }
}

fn callers_who_are_not_blocked(c: &mut Criterion) {
    let mut group = c.benchmark_group("blocks");
    for many in [0, 10, 10_000] {
        let (world, memory) = (World::new("ES256", 1, 1).with_blocks(many), Memory::new(BYTES));
        let good = world.token(0, 0, 600.0);
        assert_eq!(world.code(Some(&good), Some(&memory)), "ok");
        group.bench_function(BenchmarkId::new("remembered", many), |b| {
            b.iter(|| world.code(Some(black_box(&good)), Some(&memory)));
        });
    }
}

fn token_known_or_not(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    for alg in ["ES256", "RS256"] {
        let (world, memory) = (World::new(alg, 1, 1), Memory::new(BYTES));
        let good = world.token(0, 0, 600.0);
        assert_eq!(world.code(Some(&good), Some(&memory)), "ok");
        assert!(world.walk(Some(&good), Some(&memory)).facts.remembered);
        group.bench_function(BenchmarkId::new("remembered", alg), |b| {
            b.iter(|| world.code(Some(black_box(&good)), Some(&memory)));
        });
        group
            .bench_function(BenchmarkId::new("verified", alg), |b| b.iter(|| world.code(Some(black_box(&good)), None)));
    }
    let (world, memory) = (World::new("ES256", 1, 1), Memory::new(BYTES));
    let cases = [
        ("no_token", None),
        ("malformed", Some("Bearer not.a.token".to_owned())),
        ("issuer_unknown", Some(world.token(7, 0, 600.0))),
        ("expired", Some(world.token(0, 0, -60.0))),
    ];
    for (code, credential) in cases {
        assert_eq!(world.code(credential.as_deref(), Some(&memory)), code);
        group.bench_function(BenchmarkId::new("refused", code), |b| {
            b.iter(|| world.code(black_box(credential.as_deref()), Some(&memory)));
        });
    }
    group.finish();
}

/// Each token is remembered as verified and used once; the same tokens by a table that lets them come again. The second
/// is the measure of the first: at most 1.2 times as much.
fn token_used_once_or_often(c: &mut Criterion) {
    const TOKENS: usize = 20_000;
    let mut group = c.benchmark_group("replay");
    for (what, more) in [("allow", ""), ("once", ", replay: once")] {
        let (world, memory) = (World::with("ES256", 1, 1, more), Memory::new(4 * BYTES));
        let tokens: Vec<_> = (0..TOKENS).map(|number| world.token(0, number, 600.0)).collect();
        let began = Time::from_seconds(world.now.seconds() - 1000.0);
        let mut spent = Store::new(BYTES, began);
        for token in &tokens {
            let walk = world.walk_on(Some(token), Strict::with(&memory).spending(&spent));
            assert_eq!(walk.outcome.code(), "ok");
        }
        let mut next = TOKENS;
        group.bench_function(BenchmarkId::new("remembered", what), |b| {
            b.iter(|| {
                if next == TOKENS {
                    (next, spent) = (0, Store::new(BYTES, began));
                }
                let walk = world.walk_on(Some(black_box(&tokens[next])), Strict::with(&memory).spending(&spent));
                next += 1;
                assert!(matches!(walk.outcome, Outcome::Allowed(_)));
            });
        });
    }
    group.finish();
}

fn table_large_or_small(c: &mut Criterion) {
    let mut group = c.benchmark_group("table");
    for (what, sizes) in [("issuers", [1, 100, 10_000]), ("grants of one issuer", [1, 100, 10_000])] {
        for size in sizes {
            let world = if what == "issuers" { World::new("ES256", size, 1) } else { World::new("ES256", 1, size) };
            let (good, memory) = (world.token(0, 0, 600.0), Memory::new(BYTES));
            assert_eq!(world.code(Some(&good), Some(&memory)), "ok");
            group.bench_function(BenchmarkId::new(what, size), |b| {
                b.iter(|| world.code(Some(black_box(&good)), Some(&memory)));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).without_plots();
    targets = token_known_or_not, callers_who_are_not_blocked, token_used_once_or_often, table_large_or_small
}
criterion_main!(benches);
