//! What befalls a store: each time grants that need it refuse, no others do, and it heals by itself.

use crate::support::eventually;
use crate::world::{World, is_up, logged, reason, settled, told, until};

const UNAVAILABLE: &str = "replay_unavailable";

#[test]
fn a_store_that_is_gone_closes_what_needs_it_and_one_that_comes_back_empty_takes_no_older_token() {
    let mut world = World::new();
    let credence = world.credence();
    let (used, unused) = (world.token(), world.token());
    assert_eq!(reason(&credence, "once", &used), "ok");
    world.redis.kill();
    is_up(&credence, false);
    for token in [&used, &unused] {
        assert_eq!(reason(&credence, "once", token), UNAVAILABLE);
        assert_eq!(reason(&credence, "often", token), "ok", "who does not ask is not held up");
    }
    assert!(told(&credence, "trouble").contains("cannot be reached"), "{}", told(&credence, "trouble"));
    world.redis.start_again();
    settled(&credence);
    for token in [&used, &unused] {
        assert_eq!(reason(&credence, "once", token), UNAVAILABLE, "it cannot know which was used");
    }
    let fresh = world.token();
    assert_eq!(
        (reason(&credence, "once", &fresh), reason(&credence, "once", &fresh)),
        ("ok".into(), "replayed".into())
    );
    assert_eq!(logged(&credence, "cannot be reached"), 1, "told once:\n{}", credence.stderr());
    assert_eq!(told(&credence, "trouble"), "");
}

#[test]
fn a_store_that_comes_late_is_not_waited_for_at_the_start() {
    let mut world = World::new();
    world.redis.kill();
    let credence = world.serve_at(&world.redis.url()).start();
    assert_eq!(reason(&credence, "once", &world.token()), UNAVAILABLE);
    assert_eq!(reason(&credence, "often", &world.token()), "ok");
    world.redis.start_again();
    settled(&credence);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
}

#[test]
fn a_flushed_store_takes_no_token_of_before() {
    let world = World::new();
    let credence = world.credence();
    for flush in ["FLUSHALL", "FLUSHDB"] {
        let (used, unused) = (world.token(), world.token());
        assert_eq!(reason(&credence, "once", &used), "ok");
        let since = told(&credence, "since");
        assert_eq!(world.redis.ask(flush), "+OK");
        for token in [&used, &unused] {
            assert_eq!(reason(&credence, "once", token), UNAVAILABLE, "at once, {flush}");
        }
        eventually("another epoch", || (told(&credence, "since") > since).then_some(()));
        settled(&credence);
        for token in [&used, &unused] {
            assert_eq!(reason(&credence, "once", token), UNAVAILABLE, "and after it, {flush}");
        }
        assert_eq!(reason(&credence, "once", &world.token()), "ok");
    }
}

#[test]
fn a_flush_that_another_replica_noticed_first_is_one_for_all() {
    let world = World::new();
    let (one, other) = (world.credence(), world.credence());
    let used = world.token();
    assert_eq!(reason(&one, "once", &used), "ok");
    let since = told(&one, "since");
    world.redis.ask("FLUSHALL");
    for replica in [&one, &other] {
        eventually("another epoch", || (told(replica, "since") > since).then_some(()));
        assert_eq!(reason(replica, "once", &used), UNAVAILABLE);
    }
    assert_eq!(told(&one, "since"), told(&other, "since"));
}

#[test]
fn a_store_that_hangs_holds_up_no_call_and_the_token_passes_once_at_most() {
    let world = World::new();
    let credence = world.credence();
    let token = world.token();
    world.redis.signal("STOP");
    assert_eq!(reason(&credence, "once", &token), UNAVAILABLE);
    assert_eq!(reason(&credence, "often", &token), "ok");
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("does not answer in time"), "{}", told(&credence, "trouble"));
    assert_eq!(reason(&credence, "once", &token), UNAVAILABLE);
    world.redis.signal("CONT");
    is_up(&credence, true);
    // What was on its way may have been done.
    let passed = (0..3).filter(|_| reason(&credence, "once", &token) == "ok").count();
    assert!(passed <= 1);
    assert_eq!(reason(&credence, "once", &token), "replayed");
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
}

#[test]
fn a_connection_that_is_cut_costs_no_epoch() {
    let world = World::new();
    let credence = world.credence();
    let (used, unused, since) = (world.token(), world.token(), told(&credence, "since"));
    assert_eq!(reason(&credence, "once", &used), "ok");
    assert_ne!(world.redis.ask("CLIENT KILL TYPE normal SKIPME yes"), ":0");
    until(&credence, "once", &used, "replayed");
    until(&credence, "once", &unused, "ok");
    assert_eq!(told(&credence, "since"), since);
}

#[test]
fn a_full_store_refuses_and_forgets_nothing() {
    let world = World::new();
    let credence = world.credence();
    let (used, unused) = (world.token(), world.token());
    assert_eq!(reason(&credence, "once", &used), "ok");
    assert_eq!(world.redis.ask("CONFIG SET maxmemory 1"), "+OK");
    assert_eq!(reason(&credence, "once", &unused), UNAVAILABLE);
    assert_eq!(reason(&credence, "often", &unused), "ok");
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("is full"), "{}", told(&credence, "trouble"));
    assert_eq!(world.redis.ask("CONFIG SET maxmemory 0"), "+OK");
    is_up(&credence, true);
    assert_eq!(
        (reason(&credence, "once", &used), reason(&credence, "once", &unused)),
        ("replayed".into(), "ok".into())
    );
}

#[test]
fn a_store_that_evicts_is_warned_of_and_once_it_did_takes_no_token_of_before() {
    let world = World::new();
    let good = world.credence();
    assert_eq!((told(&good, "warning"), logged(&good, "maxmemory-policy")), (String::new(), 0));
    assert_eq!(world.redis.ask("CONFIG SET maxmemory-policy allkeys-random"), "+OK");
    let credence = world.credence();
    assert!(told(&credence, "warning").contains("allkeys-random"), "{}", told(&credence, "warning"));
    assert_eq!(logged(&credence, "Set maxmemory-policy noeviction"), 1);
    let (used, since) = (world.token(), told(&credence, "since"));
    assert_eq!(reason(&credence, "once", &used), "ok");
    world.redis.ask("CONFIG SET maxmemory 1");
    world.redis.ask("SET a b");
    world.redis.ask("CONFIG SET maxmemory 0");
    eventually("another epoch", || (told(&credence, "since") > since).then_some(()));
    assert_eq!(reason(&credence, "once", &used), UNAVAILABLE);
}

#[test]
fn statistics_that_are_reset_bring_back_no_token_whose_id_was_evicted() {
    let world = World::new();
    let credence = world.credence();
    let (used, since) = (world.token(), told(&credence, "since"));
    assert_eq!(reason(&credence, "once", &used), "ok");
    let id = world.redis.keys().into_iter().find(|key| !key.contains(":epoch:")).unwrap();
    // What ends first is evicted first: nothing of ours, so that its marker stands.
    world.redis.ask("SETRANGE large 2000000 x");
    assert_eq!(world.redis.ask("PEXPIRE large 100000"), ":1");
    assert_eq!(world.redis.ask("CONFIG SET maxmemory-policy volatile-ttl"), "+OK");
    let memory = world.redis.text("INFO memory");
    let taken: usize = memory.lines().find_map(|line| line.strip_prefix("used_memory:")?.parse().ok()).unwrap();
    assert_eq!(world.redis.ask(&format!("CONFIG SET maxmemory {}", taken - 1_000_000)), "+OK");
    eventually("another epoch", || (told(&credence, "since") > since).then_some(()));
    assert_eq!(world.redis.ask("EXISTS large"), ":0");
    // It could as well have been this one.
    assert_eq!(world.redis.ask(&format!("DEL {id}")), ":1");
    let since = told(&credence, "since");
    assert_eq!(world.redis.ask("CONFIG RESETSTAT"), "+OK");
    eventually("an epoch without what the count said", || (told(&credence, "since") != since).then_some(()));
    settled(&credence);
    assert!(told(&credence, "since") > since);
    assert_eq!(reason(&credence, "once", &used), UNAVAILABLE);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
}

#[test]
fn statistics_that_are_reset_where_nothing_was_evicted_change_nothing() {
    let world = World::new();
    let credence = world.credence();
    let (used, since) = (world.token(), told(&credence, "since"));
    assert_eq!(reason(&credence, "once", &used), "ok");
    assert_eq!(world.redis.ask("CONFIG RESETSTAT"), "+OK");
    let another = world.credence();
    assert_eq!(reason(&another, "once", &used), "replayed");
    assert_eq!((told(&credence, "since"), told(&another, "since")), (since.clone(), since));
}

#[test]
fn a_failover_begins_another_epoch() {
    let world = World::new();
    let credence = world.credence();
    let (used, unused) = (world.token(), world.token());
    assert_eq!(reason(&credence, "once", &used), "ok");
    // A replica of nobody that answers.
    assert_eq!(world.redis.ask("REPLICAOF 127.0.0.1 1"), "+OK");
    assert_eq!(reason(&credence, "once", &unused), UNAVAILABLE);
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("is a replica"), "{}", told(&credence, "trouble"));
    assert_eq!(world.redis.ask("REPLICAOF NO ONE"), "+OK");
    settled(&credence);
    for token in [&used, &unused] {
        assert_eq!(reason(&credence, "once", token), UNAVAILABLE, "the last writes of the one before may be lost");
    }
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
}
