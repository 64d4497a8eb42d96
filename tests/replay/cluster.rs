//! A cluster: what befalls a node closes what that node had and nothing else, and no token passes twice.

use crate::support::cluster::Cluster;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::redis::Redis;
use crate::support::tls::replace;
use crate::support::{root, scratch};
use crate::world::{World, is_up, logged, reason, settled, sixteen_uses, told};

const UNAVAILABLE: &str = "replay_unavailable";
/// A slot in which a part of the ids lies, at the first master, and what the keys there begin with.
const SLOT: u16 = 512;
const PART: &str = "credence:replay:{04s}:";

fn world() -> World<Cluster> {
    World::of(Cluster::start())
}

/// It does not pass, and the reason comes to be this one: on a busy machine an answer may come too late now and then.
fn refused(credence: &Credence, token: &str, why: &str) {
    eventually(why, || {
        let reason = reason(credence, "once", token);
        assert_ne!(reason, "ok");
        (reason == why).then_some(())
    });
}

/// The ids at a node that begin so.
fn ids(world: &World<Cluster>, node: usize, begin: &str) -> Vec<String> {
    let id = |key: &String| key.starts_with(begin) && !key.contains(":epoch:");
    world.redis.node(node).keys().into_iter().filter(id).collect()
}

/// A token that was used, and whose id lies so; and its key.
fn used_at(world: &World<Cluster>, credence: &Credence, node: usize, begin: &str) -> (String, String) {
    eventually("a token that falls there", || {
        let before = ids(world, node, begin);
        let token = world.token();
        let passed = reason(credence, "once", &token) == "ok";
        let new = ids(world, node, begin).into_iter().find(|id| !before.contains(id));
        new.filter(|_| passed).map(|id| (token, id))
    })
}

#[test]
fn of_sixteen_parallel_uses_at_two_replicas_of_a_cluster_exactly_one_is_allowed() {
    let world = world();
    let replicas = [world.credence(), world.credence()];
    let mut clean = 0;
    while clean < 20 {
        let token = world.token();
        let reasons = sixteen_uses(&replicas, &token);
        let count = |wanted: &str| reasons.iter().filter(|reason| *reason == wanted).count();
        assert!(count("ok") <= 1, "{reasons:?}");
        // Where an answer came too late, nobody may have passed.
        let late = count(UNAVAILABLE) > 0;
        assert!(late || (count("ok"), count("replayed")) == (1, 15), "{reasons:?}");
        clean += usize::from(!late);
    }
    // A marker and its time for each of the sixteen parts.
    let markers = |node: usize| world.redis.node(node).keys().iter().filter(|key| key.contains(":epoch:")).count();
    assert_eq!([0, 1, 2].map(markers), [10, 12, 10]);
    assert_eq!(logged(&replicas[0], "knows every use since"), 1, "{}", replicas[0].stderr());
}

#[test]
fn a_master_that_is_killed_closes_what_it_had_and_takes_no_older_token_when_it_is_back() {
    let mut world = world();
    let credence = world.credence();
    let unused: Vec<_> = (0..40).map(|_| world.token()).collect();
    let (here, _) = used_at(&world, &credence, 1, "credence:replay:");
    let (elsewhere, _) = used_at(&world, &credence, 0, "credence:replay:");
    world.redis.node_mut(1).kill();
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("parts refuse"), "{}", told(&credence, "trouble"));
    refused(&credence, &here, UNAVAILABLE);
    refused(&credence, &elsewhere, "replayed");
    assert_eq!(reason(&credence, "often", &here), "ok", "who does not ask is not held up");
    // Others go on.
    used_at(&world, &credence, 0, "credence:replay:");
    used_at(&world, &credence, 2, "credence:replay:");

    world.redis.node_mut(1).start_again();
    settled(&credence);
    refused(&credence, &here, UNAVAILABLE);
    refused(&credence, &elsewhere, "replayed");
    assert!(unused.iter().any(|token| reason(&credence, "once", token) == "ok"), "what fell to the others");
    let (again, _) = used_at(&world, &credence, 1, "credence:replay:");
    refused(&credence, &again, "replayed");
}

#[test]
fn a_replica_that_takes_over_without_the_last_writes_takes_no_token_of_before() {
    let mut world = world();
    let replica = world.redis.add_replica_of(0);
    let credences = [world.credence(), world.credence()];
    // Cut off from its master, it gets nothing of what is written from here on.
    world.redis.node(replica).signal("STOP");
    assert_ne!(world.redis.node(0).ask("CLIENT KILL TYPE replica"), ":0");
    let (used, _) = used_at(&world, &credences[0], 0, "credence:replay:");
    world.redis.node_mut(0).kill();
    world.redis.node(replica).signal("CONT");
    is_up(&credences[0], false);
    for credence in &credences {
        settled(credence);
        refused(credence, &used, UNAVAILABLE);
    }
    assert!(ids(&world, replica, "credence:replay:").is_empty(), "the use is lost, or this shows nothing");
    let (again, _) = used_at(&world, &credences[0], replica, "credence:replay:");
    refused(&credences[1], &again, "replayed");
}

#[test]
fn a_slot_that_is_moved_away_and_back_brings_no_epoch_with_it() {
    let world = world();
    let credence = world.credence();
    let (used, id) = used_at(&world, &credence, 0, PART);
    let (elsewhere, _) = used_at(&world, &credence, 1, "credence:replay:");

    world.redis.begin_to_move(SLOT, 0, 2);
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("another node"), "{}", told(&credence, "trouble"));
    refused(&credence, &used, UNAVAILABLE);
    refused(&credence, &elsewhere, "replayed");
    world.redis.end_of_move(SLOT, 0, 2);
    settled(&credence);
    refused(&credence, &used, UNAVAILABLE);
    let (there, _) = used_at(&world, &credence, 2, PART);

    // Where the slot is now, a failover loses the use; the markers of before are still among its keys.
    let seen = |key: &String| key.contains(":epoch:");
    assert!(world.redis.keys_in(SLOT, 2).iter().filter(|key| seen(key)).count() >= 3);
    assert_eq!(world.redis.node(2).ask(&format!("DEL {id}")), ":1");
    world.redis.begin_to_move(SLOT, 2, 0);
    is_up(&credence, false);
    world.redis.end_of_move(SLOT, 2, 0);
    settled(&credence);
    refused(&credence, &used, UNAVAILABLE);
    refused(&credence, &there, UNAVAILABLE);
    refused(&credence, &elsewhere, "replayed");
    let (again, _) = used_at(&world, &credence, 0, PART);
    refused(&credence, &again, "replayed");
}

#[test]
fn a_move_that_is_called_off_brings_back_no_token_whose_id_went_ahead() {
    let world = world();
    let credence = world.credence();
    let (used, id) = used_at(&world, &credence, 0, PART);
    world.redis.begin_to_move(SLOT, 0, 2);
    world.redis.move_key(&id, 0, 2);
    is_up(&credence, false);
    world.redis.call_off(SLOT, [0, 2]);
    settled(&credence);
    assert!(ids(&world, 0, PART).is_empty(), "the use is lost, or this shows nothing");
    refused(&credence, &used, UNAVAILABLE);
    let (again, _) = used_at(&world, &credence, 0, PART);
    refused(&credence, &again, "replayed");
}

#[test]
fn a_node_that_hangs_holds_up_nobody_and_its_tokens_pass_once_at_most() {
    let world = world();
    let credence = world.credence();
    let tokens: Vec<_> = (0..20).map(|_| world.token()).collect();
    let (here, _) = used_at(&world, &credence, 1, "credence:replay:");
    world.redis.node(1).signal("STOP");
    let pass = || tokens.iter().map(|token| reason(&credence, "once", token) == "ok").collect::<Vec<_>>();
    let meanwhile = pass();
    is_up(&credence, false);
    assert_eq!(reason(&credence, "often", &here), "ok");
    refused(&credence, &here, UNAVAILABLE);
    used_at(&world, &credence, 2, "credence:replay:");
    world.redis.node(1).signal("CONT");
    is_up(&credence, true);
    refused(&credence, &here, "replayed");
    // Of those that did not pass some may have been spent all the same.
    let later = pass();
    assert!(meanwhile.iter().zip(&later).all(|(one, two)| !(*one && *two)));
    tokens.iter().for_each(|token| refused(&credence, token, "replayed"));
}

#[test]
fn a_node_that_is_flushed_takes_no_token_of_before() {
    let world = world();
    let credence = world.credence();
    let (here, _) = used_at(&world, &credence, 1, "credence:replay:");
    let (elsewhere, _) = used_at(&world, &credence, 2, "credence:replay:");
    assert_eq!(world.redis.node(1).ask("FLUSHALL"), "+OK");
    assert_eq!(reason(&credence, "once", &here), UNAVAILABLE, "at once");
    settled(&credence);
    assert_eq!(reason(&credence, "once", &here), UNAVAILABLE, "and after it");
    refused(&credence, &elsewhere, "replayed");
    assert_eq!(logged(&credence, "was flushed, restarted"), 1, "{}", credence.stderr());
}

#[test]
fn the_wrong_kind_of_address_says_which_is_right() {
    let world = world();
    let node = world.redis.node(0).port();
    let single = Redis::start();
    for (address, advice) in [
        (format!("redis://127.0.0.1:{node}"), "redis+cluster://"),
        (format!("redis+cluster://127.0.0.1:{}", single.port()), "is no cluster: write redis://"),
    ] {
        let credence = world.serve_at(&address).start();
        eventually("the trouble", || told(&credence, "trouble").contains(advice).then_some(()));
        assert_eq!(reason(&credence, "once", &world.token()), UNAVAILABLE);
    }
}

#[test]
fn a_user_needs_no_more_in_a_cluster_than_the_guide_says() {
    let guide = std::fs::read_to_string(root().join("docs/replay.md")).unwrap();
    let user = guide.lines().find_map(|line| line.strip_prefix("user credence ")).unwrap();
    let world = world();
    for node in 0..3 {
        let command = format!("ACL SETUSER credence {} +cluster|info", user.replace("PASSWORD", "horse"));
        assert_eq!(world.redis.node(node).ask(&command), "+OK");
    }
    assert!(guide.contains("`+cluster|info`"));
    let file = scratch();
    let password = file.path().join("password");
    replace(&password, "horse");
    // One node is enough to find the others by.
    let address = format!("redis+cluster://credence@localhost:{}", world.redis.node(2).port());
    let credence = world.serve_at(&address).arg("--replay-password-file").arg(&password.display().to_string()).start();
    settled(&credence);
    let (used, _) = used_at(&world, &credence, 0, "credence:replay:");
    refused(&credence, &used, "replayed");
}
