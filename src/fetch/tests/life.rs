//! The life of sources: the last good set, recovery, reloads.

use std::time::Duration;

use tokio::runtime::Handle;

use super::super::Keeper;
use super::super::testing::{Answer, Server, answer, ok};
use super::*;
use crate::clock::{Clock, Time};
use crate::keys::testing::{Signer, rules};
use crate::keys::{KeyMiss, KeyRules, LiveKeys};
use crate::name::{Algorithm, IssuerName};
use crate::observe::FetchTimes;
use crate::table::KeyNeed;

fn keeper(timing: Timing) -> Keeper {
    keeper_at(timing, Clock::manual(Time::from_seconds(1000.0)))
}

pub(super) fn keeper_at(timing: Timing, clock: Clock) -> Keeper {
    Keeper::with(Handle::current(), clock, timing, Arc::new(System), FetchTimes::default())
}

fn bind(keeper: &Keeper, name: &str, origin: &KeyOrigin) -> Arc<LiveKeys> {
    bind_as(keeper, name, origin, &[Algorithm::RS256])
}

fn bind_as(keeper: &Keeper, name: &str, origin: &KeyOrigin, algorithms: &[Algorithm]) -> Arc<LiveKeys> {
    bind_until(keeper, name, origin, &rules(algorithms), None)
}

pub(super) fn bind_until(
    keeper: &Keeper,
    name: &str,
    origin: &KeyOrigin,
    rules: &KeyRules,
    until: Option<Time>,
) -> Arc<LiveKeys> {
    let issuer = Issuer::new(format!("https://{name}.test"));
    keeper.bind(&KeyNeed { name: &IssuerName::new(name), issuer: &issuer, origin, rules, until })
}

/// Waits for a try of every source that began after this call.
pub(super) async fn tried_again(keeper: &Keeper) {
    for mut tries in keeper.tries() {
        let now = *tries.borrow();
        tries.wait_for(|count| *count >= now + 2).await.unwrap();
    }
}

pub(super) fn has(keys: &LiveKeys, kid: &str) -> bool {
    keys.ring().find(Some(kid), Algorithm::RS256).is_ok()
}

#[tokio::test]
async fn before_the_first_fetch_there_are_no_keys_and_nobody_waits() {
    let server = Server::start().await;
    server.set("/keys", Answer::Hang);
    let keeper = keeper(Timing::default());
    let keys = bind(&keeper, "a", &jwks(server.url("/keys")));
    assert_eq!(keys.ring().find(Some("k"), Algorithm::RS256).unwrap_err(), KeyMiss::Unavailable);
}

#[tokio::test]
async fn an_empty_or_broken_answer_keeps_the_last_good_set() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper(quick());
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    for bad in [
        ok(r#"{"keys":[]}"#),
        ok(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#),
        ok("<html>"),
        answer("500 Oops", "", ""),
        Answer::Reset(Vec::new()),
        answer("302 Found", "location: http://127.0.0.1:1/\r\n", ""),
    ] {
        server.set("/keys", bad);
        tried_again(&keeper).await;
        assert!(live.status().last_error.is_some());
        assert!(has(&live, "k"));
    }
}

#[tokio::test]
async fn a_source_that_heals_is_used_again() {
    let server = Server::start().await;
    let keeper = keeper(quick());
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    let status = live.status();
    assert!(!live.is_ready() && status.last_error.unwrap().contains("404"));
    assert_eq!(status.last_success, None);
    server.set("/keys", ok(&keys("k")));
    tried_again(&keeper).await;
    let status = live.status();
    assert!(has(&live, "k"));
    assert_eq!((status.last_error, status.last_success), (None, Some(Time::from_seconds(1000.0))));
    assert!(status.next_refresh.unwrap() > Time::from_seconds(1000.0));
    assert!(status.fetches.iter().any(|(result, count)| *result == FetchResult::Status && *count > 0));
}

#[tokio::test]
async fn a_rotated_key_comes_and_a_withdrawn_one_goes() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("old")));
    let keeper = keeper(quick());
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    assert!(has(&live, "old"));
    server.set("/keys", ok(&keys("new")));
    tried_again(&keeper).await;
    assert!(has(&live, "new") && !has(&live, "old"));
}

#[tokio::test]
async fn keys_past_their_time_are_no_longer_used() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper(Timing { max_stale: Duration::from_millis(50), ..quick() });
    let origin = jwks(server.url("/keys"));
    let live = bind(&keeper, "a", &origin);
    keeper.tried().await;
    server.set("/keys", answer("500 Oops", "", ""));
    let mut tries = keeper.tries().remove(0);
    while live.is_ready() {
        tries.changed().await.unwrap();
    }
    assert_eq!(live.ring().find(Some("k"), Algorithm::RS256).unwrap_err(), KeyMiss::Unavailable);
    assert!(!bind_as(&keeper, "a", &origin, &[Algorithm::PS256]).is_ready());
    server.set("/keys", ok(&keys("k")));
    tried_again(&keeper).await;
    assert!(tries.has_changed().is_ok(), "the task goes on");
}

#[tokio::test]
async fn a_wall_clock_that_jumps_makes_no_key_older_or_younger() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let clock = Clock::manual(Time::from_seconds(1_000_000.0));
    let timing = Timing { max_stale: Duration::from_secs(3600), ..quick() };
    let keeper = Keeper::with(Handle::current(), clock.clone(), timing, Arc::new(System), FetchTimes::default());
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    server.set("/keys", answer("500 Oops", "", ""));
    for seconds in [1_000_000.0 + 7200.0, 1_000_000.0 - 7200.0] {
        clock.set(Time::from_seconds(seconds));
        tried_again(&keeper).await;
        assert!(has(&live, "k"), "at {seconds}");
    }
    server.set("/keys", ok(&keys("next")));
    tried_again(&keeper).await;
    assert!(has(&live, "next"));
}

/// A resolver with a fault of its own, once.
struct Faulty(std::sync::atomic::AtomicBool);

impl Resolve for Faulty {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let spent = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
        assert!(spent, "the fault of this test");
        System.resolve(name)
    }
}

#[tokio::test]
async fn a_fault_of_our_own_does_not_end_the_refresh() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper =
        Keeper::with(Handle::current(), Clock::System, quick(), Arc::new(Faulty(false.into())), FetchTimes::default());
    let live = bind(&keeper, "a", &jwks(format!("http://localhost:{}/keys", server.port())));
    keeper.tried().await;
    assert!(has(&live, "k"));
}

#[tokio::test]
async fn a_hanging_issuer_does_not_hold_up_another() {
    let (slow, fast) = (Server::start().await, Server::start().await);
    slow.set("/keys", Answer::Hang);
    fast.set("/keys", ok(&keys("k")));
    let keeper = keeper(Timing { exchange: Duration::from_secs(3600), ..Timing::default() });
    let hanging: Vec<_> = (0..50).map(|n| bind(&keeper, &format!("slow-{n}"), &jwks(slow.url("/keys")))).collect();
    let before = keeper.tries().len();
    let live = bind(&keeper, "fast", &jwks(fast.url("/keys")));
    assert_eq!(keeper.tries().len(), before + 1);
    // Only the fast one can ever report; whichever does, ends the wait.
    let mut waits = tokio::task::JoinSet::new();
    for mut tries in keeper.tries() {
        waits.spawn(async move { tries.wait_for(|count| *count >= 1).await.is_ok() });
    }
    waits.join_next().await;
    assert!(has(&live, "k"));
    assert!(hanging.iter().all(|keys| !keys.is_ready()));
}

#[tokio::test]
async fn a_reload_that_leaves_the_source_alone_fetches_nothing() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper(Timing::default());
    let origin = jwks(server.url("/keys"));
    let live = bind(&keeper, "a", &origin);
    keeper.tried().await;
    let same = bind(&keeper, "a", &origin);
    assert!(Arc::ptr_eq(&live, &same));
    let other_rules = bind_as(&keeper, "a", &origin, &[Algorithm::PS256]);
    assert!(other_rules.ring().find(Some("k"), Algorithm::PS256).is_ok());
    assert!(has(&live, "k"), "the table in force keeps its own rules until it is replaced");
    keeper.retain(std::slice::from_ref(&other_rules));
    assert!(Arc::ptr_eq(&other_rules, &bind_as(&keeper, "a", &origin, &[Algorithm::PS256])));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn two_entries_never_share_keys_though_their_source_is_one() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper(Timing::default());
    let (a, b) = (bind(&keeper, "a", &jwks(server.url("/keys"))), bind(&keeper, "b", &jwks(server.url("/keys"))));
    keeper.tried().await;
    assert!(!Arc::ptr_eq(&a, &b));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_source_that_nobody_holds_is_no_longer_fetched() {
    let server = Server::start().await;
    server.set("/old", ok(&keys("old")));
    server.set("/new", ok(&keys("new")));
    let keeper = keeper(quick());
    let old = bind(&keeper, "a", &jwks(server.url("/old")));
    keeper.tried().await;
    let mut tries = keeper.tries().remove(0);
    let new = bind(&keeper, "a", &jwks(server.url("/new")));
    keeper.retain(std::slice::from_ref(&new));
    // The task is gone when its counter is.
    while tries.changed().await.is_ok() {}
    tried_again(&keeper).await;
    assert!(has(&new, "new"));
    assert!(has(&old, "old"), "a walk under the old table still reads what it held");
    keeper.retain(&[]);
    assert!(keeper.tries().is_empty());
}

#[tokio::test]
async fn keys_written_in_the_table_need_no_task() {
    let keeper = keeper(Timing::default());
    let inline = |kid| {
        let set = KeySet::parse(keys(kid).as_bytes()).unwrap();
        KeyOrigin::plain(KeySource::Inline(Arc::new(set)))
    };
    let live = bind(&keeper, "a", &inline("k"));
    assert!(has(&live, "k"));
    assert!(Arc::ptr_eq(&live, &bind(&keeper, "a", &inline("k"))));
    assert!(has(&bind(&keeper, "a", &inline("other")), "other"));
    assert!(keeper.tries().is_empty());
}

#[tokio::test]
async fn a_file_is_read_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let keeper = keeper(quick());
    let live = bind(&keeper, "a", &KeyOrigin::plain(KeySource::File(path.clone())));
    keeper.tried().await;
    assert!(!live.is_ready());
    std::fs::write(&path, keys("one")).unwrap();
    tried_again(&keeper).await;
    assert!(has(&live, "one"));
    for bad in ["", "{", r#"{"keys":[]}"#, "<html>"] {
        std::fs::write(&path, bad).unwrap();
        tried_again(&keeper).await;
        assert!(has(&live, "one"), "{bad:?}");
    }
    std::fs::remove_file(&path).unwrap();
    tried_again(&keeper).await;
    assert!(has(&live, "one") && live.status().last_error.is_some());
    std::fs::write(&path, keys("two")).unwrap();
    tried_again(&keeper).await;
    assert!(has(&live, "two") && !has(&live, "one"));
}

#[tokio::test]
async fn a_source_under_other_rules_counts_what_it_leaves_out() {
    let server = Server::start().await;
    server
        .set("/keys", ok(&document(&[RSA[0].named("k"), Signer::ed().named("e"), serde_json::json!({"kty": "oct"})])));
    let keeper = keeper(Timing::default());
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    let status = live.status();
    assert_eq!((status.usable, status.ignored, status.not_pinned), (1, 2, 0));
    assert_eq!(status.fetches, [(FetchResult::Ok, 1)]);
}

#[tokio::test]
async fn the_same_trouble_is_told_once_and_its_end_too() {
    let told = Told::default();
    let writer = told.clone();
    // While there is one subscriber only, tracing asks the thread that meets a log line first whether anybody listens;
    // that may be another test's. A second subscriber makes it ask all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let keeper = keeper(quick());
    let live = bind(&keeper, "told-once", &jwks(server.url("/keys")));
    keeper.tried().await;
    tried_again(&keeper).await;
    tried_again(&keeper).await;
    assert_eq!(told.count("keys not fetched"), 1, "{told:?}");
    assert_eq!(told.count(&server.url("/keys")), 1, "{told:?}");
    server.set("/keys", ok(&keys("k")));
    tried_again(&keeper).await;
    tried_again(&keeper).await;
    assert!(live.is_ready());
    assert_eq!(told.count("keys are fetched, after failures"), 1, "{told:?}");
    assert_eq!(told.count("a new key set is in force"), 1, "{told:?}");
    assert_eq!(told.count("told-once"), 3, "{told:?}");
}

#[tokio::test]
async fn a_set_of_which_no_key_counts_is_told_as_an_error() {
    let told = Told::default();
    let writer = told.clone();
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let keeper = keeper(Timing::default());
    let set = KeySet::parse(keys("k").as_bytes()).unwrap();
    let origin = KeyOrigin::plain(KeySource::Inline(Arc::new(set)));
    assert!(bind(&keeper, "some-count", &origin).is_ready());
    assert_eq!(told.count("ERROR"), 0, "{told:?}");
    assert!(!bind_as(&keeper, "none-counts", &origin, &[Algorithm::ES256]).is_ready());
    assert_eq!(told.count("ERROR"), 1, "{told:?}");
    assert_eq!(told.count("none-counts"), 1, "{told:?}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Told(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.lock().unwrap()))
    }
}

impl Told {
    fn count(&self, words: &str) -> usize {
        let told = self.0.lock().unwrap();
        String::from_utf8_lossy(&told).lines().filter(|line| line.contains(words)).count()
    }
}

impl std::io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn keys_written_in_the_table_do_not_age_though_their_rules_change_late() {
    let keeper = keeper(Timing::default());
    let set = KeySet::parse(keys("k").as_bytes()).unwrap();
    let origin = KeyOrigin::plain(KeySource::Inline(Arc::new(set)));
    assert!(has(&bind(&keeper, "a", &origin), "k"));
    tokio::time::advance(Duration::from_secs(25 * 3600)).await;
    let later = bind_as(&keeper, "a", &origin, &[Algorithm::RS256, Algorithm::PS256]);
    assert!(has(&later, "k"), "a reload a day later must not lose them");
}

#[tokio::test]
async fn nobody_waits_for_more_keys_than_the_table_says() {
    let keeper = keeper(Timing::default());
    let set = KeySet::parse(keys("k").as_bytes()).unwrap();
    let live = bind(&keeper, "a", &KeyOrigin::plain(KeySource::Inline(Arc::new(set))));
    assert!(live.more(Some("unknown")).is_none(), "nothing is on its way, and nothing can be");
    assert!(live.more(Some("unknown")).is_none());
}

#[tokio::test]
async fn keys_go_past_their_time_though_a_fetch_hangs() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper =
        keeper(Timing { max_stale: Duration::from_millis(200), exchange: Duration::from_secs(3600), ..quick() });
    let live = bind(&keeper, "a", &jwks(server.url("/keys")));
    keeper.tried().await;
    assert!(has(&live, "k"));
    server.set("/keys", Answer::Hang);
    let gone = async {
        while live.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("what a fetch takes is no reason to believe old keys");
}

#[tokio::test]
async fn a_shorter_time_for_old_keys_brings_the_next_fetch_nearer() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper(Timing { refresh: Duration::from_secs(3600), ..Timing::default() });
    let origin = jwks(server.url("/keys"));
    let _long = bind(&keeper, "a", &origin);
    keeper.tried().await;
    let short = KeyRules { max_stale: Some(Duration::from_secs(1)), ..rules(&[Algorithm::RS256]) };
    let _short = bind_until(&keeper, "a", &origin, &short, None);
    let mut tries = keeper.tries().remove(0);
    let again = tries.wait_for(|count| *count >= 2);
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("it is asked again in time").unwrap();
}
