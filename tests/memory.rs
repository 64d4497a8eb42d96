//! Remembering a token changes what a decision costs, and nothing else: whatever becomes of tables, keys and time, the
//! walk with a memory ends as the walk without.

#![cfg(test)]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use credence::clock::Time;
use credence::keys::{KeySet, LiveKeys, Signed};
use credence::memory::Memory;
use credence::path::{Outcome, Rules, Walk, walk};
use credence::request::{AuthzRequest, Headers};
use credence::table::{Permissions, Snapshot, SourceFile, Sources, compile};
use credence::trail::Strict;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use support::key::Key;
use support::now;
use support::table::document;
use support::token::Token;

const API: &str = "https://api.acme.test";
const ISSUERS: [&str; 4] = ["one", "two", "left", "right"];
/// Two clusters say the same of themselves.
const SHARED: &str = "https://clusters.test";

/// Keys by the name of the entry that publishes them; what is not named here has none at the moment.
type Published = BTreeMap<&'static str, Vec<Arc<Key>>>;

struct World {
    /// Of the issuer `one`.
    key: Arc<Key>,
    tokens: Vec<String>,
    tables: Vec<Snapshot>,
}

fn iss(name: &str) -> String {
    if matches!(name, "left" | "right") { SHARED.to_owned() } else { format!("https://{name}.test") }
}

fn snapshot(yaml: &str, published: &Published) -> Snapshot {
    let sources = Sources::from_files([SourceFile::new("trust.yaml", document(yaml))]);
    let compiled = compile(&sources, &Permissions::default(), seconds_from_now(0), |need| {
        let Some(keys) = published.get(need.name.as_str()) else { return Arc::new(LiveKeys::unfetched(need.rules)) };
        let set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()});
        let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
        Arc::new(LiveKeys::fixed(Arc::new(set), need.rules))
    });
    compiled.snapshot.unwrap_or_else(|| panic!("{yaml}\n{}", compiled.report.render(false)))
}

/// A table in which `more` stands in every issuer's entry and `grant` in every grant.
fn table(more: &str, grant: &str) -> String {
    let mut yaml = String::from("issuers:\n");
    for name in ISSUERS {
        let realm = if iss(name) == SHARED { format!(", realm: {name}") } else { String::new() };
        yaml += &format!(
            "  {name}: {{issuer: \"{}\", jwksUri: \"https://keys.test/{name}\"{realm}, owner: a@b.test, reviewBy: 2099-01-01{more}}}\n",
            iss(name)
        );
    }
    yaml += &format!("resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n");
    for name in ISSUERS {
        yaml += &format!("  {name}: {{issuer: {name}, resource: api, methods: [GET], paths: any, {grant}}}\n");
    }
    yaml
}

impl World {
    fn new() -> Self {
        // One name of a key for all: it means something only in the ring of one issuer.
        let keys: BTreeMap<_, _> =
            ISSUERS.into_iter().chain(["new"]).map(|name| (name, Arc::new(Key::generate("k", "ES256")))).collect();
        let own: Published = ISSUERS.into_iter().map(|name| (name, vec![keys[name].clone()])).collect();
        let with = |change: &dyn Fn(&mut Published)| {
            let mut published = own.clone();
            change(&mut published);
            published
        };
        let usual = || table("", "subject: robot, forwardClaims: {team: team}");
        let pin = "pin: {claims: {tenant: acme}}";
        let tables = vec![
            snapshot(&usual(), &own),
            // Rotated under the same name, by an own key and by another issuer's.
            snapshot(&usual(), &with(&|keys| drop(keys.insert("one", vec![world_key(&own, "two")])))),
            snapshot(&usual(), &with(&|published| drop(published.insert("one", vec![keys["new"].clone()])))),
            // Withdrawn, and emptied.
            snapshot(&usual(), &with(&|published| drop(published.remove("one")))),
            snapshot(&usual(), &with(&|published| drop(published.insert("two", vec![])))),
            // A key of two clusters speaks for neither.
            snapshot(&usual(), &with(&|keys| drop(keys.insert("left", vec![world_key(&own, "right")])))),
            snapshot(&usual(), &with(&|published| drop(published.remove("left")))),
            // Other rules for issuers.
            snapshot(&table(", tokenTypes: [JWT]", "subject: robot"), &own),
            snapshot(&table(", signingAlgs: [RS256]", "subject: robot"), &own),
            snapshot(&table(", maxTokenAge: 2m", "subject: robot"), &own),
            snapshot(&table(&format!(", expires: {}", seconds_from_now(-60).to_rfc3339()), "subject: robot"), &own),
            snapshot(&table(&format!(", {pin}"), "subject: robot"), &own),
            // Other rules for grants, about claims that another table does not ask for.
            snapshot(&table("", "claims: {team: payments}"), &own),
            snapshot(&table("", "claims: {team: {absent: true}, tenant: {present: true}}"), &own),
            snapshot(&table("", "subject: robot, claims: {/deep/er: [1, 2]}, mode: shadow"), &own),
            // Nobody is left.
            snapshot(&format!("resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\n"), &own),
        ];
        Self { key: keys["one"].clone(), tokens: tokens(&keys), tables }
    }

    /// All that a walk under this table tells, and whether the token was remembered.
    fn walk(&self, table: usize, token: usize, later: i64, trail: &mut Strict<'_>) -> (String, bool) {
        let credential = format!("Bearer {}", self.tokens[token]);
        let headers = Headers::new(vec![("authorization", credential.as_bytes())], false);
        let request =
            AuthzRequest { method: "GET", target: "/x", host: "api.acme.test", headers, ..AuthzRequest::default() };
        let walk = walk(Rules::without_blocks(&self.tables[table]), &request, seconds_from_now(later), trail);
        (told(&walk), walk.facts.remembered)
    }
}

fn world_key(published: &Published, name: &str) -> Arc<Key> {
    published[name][0].clone()
}

/// From when the test began.
fn seconds_from_now(seconds: i64) -> Time {
    static START: LazyLock<i64> = LazyLock::new(|| i64::try_from(now()).unwrap());
    Time::from_seconds((*START + seconds) as f64)
}

fn tokens(keys: &BTreeMap<&'static str, Arc<Key>>) -> Vec<String> {
    let of = |name: &str, key: &str| Token::new(&keys[key], &iss(name), "robot", API);
    let mut tokens = Vec::new();
    for name in ISSUERS {
        tokens.push(of(name, name).claim("team", "payments").mint());
        tokens.push(of(name, name).claim("tenant", "acme").claim("deep", json!({"er": 2})).mint());
        tokens.push(of(name, "new").mint());
    }
    let one = || of("one", "one");
    tokens.extend([
        of("one", "two").mint(),
        of("two", "one").mint(),
        of("left", "right").mint(),
        one().header("typ", "JWT").mint(),
        one().without_header("kid").mint(),
        one().without_header("typ").mint(),
        one().header("kid", "other").mint(),
        one().claim("iat", now() - 200).mint(),
        one().claim("sub", "someone").mint(),
        one().claim("aud", json!([])).mint(),
        one().claim("aud", json!(["x", API])).mint(),
        one().claim("cnf", json!({"jkt": "x"})).mint(),
        one().claim("act", json!({"sub": "agent"})).mint(),
        one().claim("events", json!({})).mint(),
        one().without("sub").mint(),
        one().without("iss").mint(),
        one().claim("exp", now() - 1000).mint(),
        of("stranger", "new").mint(),
        "no.token.here".to_owned(),
    ]);
    // The same claims under a signature that is nearly the one.
    let good = one().mint();
    let (start, _) = good.rsplit_once('.').unwrap();
    tokens.extend([format!("{start}."), format!("{start}.AAAA"), good.clone(), format!("{good}=")]);
    tokens
}

/// All that a walk tells, in words.
fn told(walk: &Walk<'_, Signed>) -> String {
    let Walk { outcome, facts } = walk;
    let allowed = match outcome {
        Outcome::Allowed(permit) => {
            let names: Vec<_> = permit.grants().collect();
            let token = permit.token();
            format!("{names:?} {:?} {:?} {:?} {token:?}", permit.scopes(), permit.forwarded(), permit.audience())
        }
        Outcome::Open(_) | Outcome::Observed(_) | Outcome::Refused(_) => String::new(),
    };
    let near: Vec<_> = facts.near_misses.iter().map(|miss| format!("{}: {:?}", miss.grant.name, miss.failed)).collect();
    let caller = facts.verified.as_ref().map(|principal| format!("{:?} {:?}", principal.pair(), principal.realm()));
    let issuer = facts.issuer.map(|issuer| &issuer.name);
    let candidates: Vec<_> = facts.candidates.iter().map(|issuer| &issuer.name).collect();
    format!(
        "{} {issuer:?} {caller:?} {:?} {:?} {:?} {candidates:?} {near:?} {} {allowed}",
        outcome.code(),
        facts.token(),
        facts.claimed,
        facts.key_id,
        facts.shadow.len(),
    )
}

#[test]
fn a_memory_changes_no_decision_whatever_becomes_of_tables_keys_and_time() {
    let world = World::new();
    let (remembered, codes) = (Cell::new(0), RefCell::new(BTreeSet::new()));
    let moments = prop::sample::select(vec![0, 0, 0, 100, 400, -100]);
    let steps = prop::collection::vec((0..world.tables.len(), 0..world.tokens.len(), moments), 400);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(steps, prop::sample::select(vec![1 << 20, 8192])), |(steps, bytes)| {
        let memory = Memory::new(bytes);
        for (table, token, later) in steps {
            // What was learnt under one table is asked for under another, and again.
            for table in [table, 0, table] {
                let (with, known) = world.walk(table, token, later, &mut Strict::with(&memory));
                let (without, _) = world.walk(table, token, later, &mut Strict::default());
                prop_assert_eq!(&with, &without, "table {}, token {}, {} s", table, token, later);
                remembered.set(remembered.get() + u32::from(known));
                codes.borrow_mut().insert(with.split(' ').next().unwrap().to_owned());
            }
        }
        Ok(())
    });
    result.unwrap();
    assert!(remembered.get() > 1000, "only {} walks found their token remembered", remembered.get());
    for code in ["ok", "expired", "key_unknown", "keys_unavailable", "signature_invalid", "grant_none", "pin_mismatch"]
    {
        assert!(codes.borrow().contains(code), "no walk ended in {code}: {codes:?}");
    }
}

#[test]
fn a_refused_token_never_enters_the_memory() {
    let world = World::new();
    let memory = Memory::new(1 << 20);
    for token in 0..world.tokens.len() {
        let (told, _) = world.walk(0, token, 0, &mut Strict::with(&memory));
        let (_, remembered) = world.walk(0, token, 0, &mut Strict::with(&memory));
        let reason = told.split(' ').next().unwrap();
        // Of tokens that are what they say, some have no grant here: that is judged each time.
        let in_order = ["ok", "grant_none", "audience_mismatch", "actor_not_allowed"].contains(&reason);
        assert_eq!(remembered, in_order, "token {token}: {told}");
    }
    assert!(!memory.is_empty());
}

#[test]
fn a_flood_of_tokens_keeps_the_memory_within_its_bytes() {
    let mut world = World::new();
    let key = world.key.clone();
    world.tokens = (0..300).map(|n| Token::new(&key, &iss("one"), "robot", API).claim("team", n).mint()).collect();
    let memory = Memory::new(16 << 10);
    for token in 0..300 {
        assert!(world.walk(0, token, 0, &mut Strict::with(&memory)).0.starts_with("ok "));
    }
    assert!((1..100).contains(&memory.len()), "{memory:?}");
}

#[test]
fn without_memory_nothing_is_remembered() {
    let world = World::new();
    let memory = Memory::new(0);
    for _ in 0..2 {
        let (told, remembered) = world.walk(0, 0, 0, &mut Strict::with(&memory));
        assert!(told.starts_with("ok ") && !remembered);
    }
    assert!(memory.is_empty() && !memory.is_on());
}
