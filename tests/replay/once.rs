//! What a shared store promises.

use std::sync::Arc;

use crate::support::credence::Credence;
use crate::support::key::Key;
use crate::support::small::{API, SUBJECT};
use crate::world::{World, call, reason, settled, sixteen_uses, until};

#[test]
fn of_sixteen_parallel_uses_at_two_replicas_exactly_one_is_allowed() {
    let world = World::new();
    let replicas = [world.credence(), world.credence()];
    for round in 0..20 {
        let token = world.token();
        let reasons = sixteen_uses(&replicas, &token);
        let count = |wanted: &str| reasons.iter().filter(|reason| *reason == wanted).count();
        assert_eq!((count("ok"), count("replayed")), (1, 15), "round {round}: {reasons:?}");
    }
    let times = "credence_replay_store_request_duration_seconds_count";
    let sum = |result: &str| {
        let of = |replica: &Credence| replica.metric(&format!("{times}{{result=\"{result}\"}}")).unwrap_or(0.0);
        replicas.iter().map(of).sum::<f64>()
    };
    assert_eq!((sum("spent"), sum("replayed")), (20.0, 300.0));
}

#[test]
fn a_replica_that_restarts_brings_no_used_token_back_and_goes_on_taking_the_unused() {
    let world = World::new();
    let first = world.credence();
    let (used, unused) = (world.token(), world.token());
    assert_eq!(reason(&first, "once", &used), "ok");
    drop(first);
    let second = world.serve_at(&world.redis.url()).start();
    until(&second, "once", &used, "replayed");
    assert_eq!(reason(&second, "once", &unused), "ok", "another process has no other epoch");
}

#[test]
fn only_an_allow_spends_and_what_is_kept_tells_nothing_of_the_token() {
    let world = World::new();
    let credence = world.credence();
    let before = world.redis.keys().len();
    let token = world.token();
    let mut wrong = call("once", &token).message();
    let http = wrong.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
    http.method = "DELETE".into();
    assert_eq!(credence.check_message(wrong).reason(), "grant_none");
    assert_eq!(reason(&credence, "often", &token), "ok");
    assert_eq!(world.redis.keys().len(), before, "neither a refusal nor a grant that does not ask");

    assert_eq!(reason(&credence, "once", &token), "ok");
    let keys = world.redis.keys();
    assert_eq!(keys.len(), before + 1);
    for key in &keys {
        let name = key.strip_prefix("credence:replay:").unwrap_or_else(|| panic!("{key}"));
        assert!(name.len() == 32 || name.starts_with("epoch:"), "a digest and nothing readable beside it: {key}");
        assert!([SUBJECT, world.ci.url()].iter().all(|readable| !key.contains(readable)), "{key}");
        let life = world.redis.ask(&format!("PTTL {key}")).trim_start_matches(':').parse::<i64>().unwrap();
        assert!(life > 360_000, "{key} lives for {life} ms");
    }
}

#[test]
fn two_addresses_of_one_database_are_one_store_and_another_database_is_another() {
    let world = World::new();
    let here = world.credence();
    let there = world.serve_at(&format!("valkey://localhost:{}/1", world.redis.port())).start();
    settled(&there);
    let token = world.token();
    assert_eq!((reason(&here, "once", &token), reason(&there, "once", &token)), ("ok".into(), "ok".into()));
    let same = world.serve_at(&format!("redis://localhost:{}/1", world.redis.port())).start();
    until(&same, "once", &token, "replayed");
}

#[test]
fn a_token_of_a_new_key_waits_for_the_key_and_is_then_spent_once() {
    let world = World::new();
    let replicas = [world.credence(), world.credence()];
    let key = Arc::new(Key::generate("next", "ES256"));
    world.ci.publish(&[world.ci.key(), Arc::clone(&key)]);
    let token = world.ci.token(SUBJECT, API).signed_by(&key).header("kid", "next").mint();
    // The fetch may take longer than a call waits.
    for (replica, expected) in replicas.iter().zip(["ok", "replayed"]) {
        until(replica, "once", &token, expected);
    }
}

/// Run it alone: `cargo test --test replay round_trip -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn the_store_is_waited_for_a_round_trip() {
    let world = World::new();
    let credence = world.credence();
    let tokens: Vec<_> = (0..2000).map(|_| world.token()).collect();
    assert!(tokens.iter().all(|token| reason(&credence, "once", token) == "ok"));
    let text = credence.admin("/metrics").text();
    let lines = text.lines().filter(|line| line.starts_with("credence_replay_store_request"));
    println!("{}", lines.collect::<Vec<_>>().join("\n"));
}
