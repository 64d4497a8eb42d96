//! The table changes while requests go through Envoy.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::support::http::Request;
use crate::support::issuer::Issuer;
use crate::support::upstream::Echo;
use crate::support::{eventually, table::Table};
use crate::world::{SUBJECT, World, issuers, mark, world};

const HOST: &str = "moving.acme.test";
const AUDIENCE: &str = "https://moving.acme.test";

/// A table with a grant for `/always`, and one for `/sometimes` when `sometimes` says so.
pub(crate) fn table(ci: &Issuer, sometimes: bool) -> String {
    let grant = |name: &str| {
        format!(
            "  {name}: {{issuer: ci, resource: moving, subject: \"{SUBJECT}\", methods: [GET], paths: [/{name}/**]}}\n"
        )
    };
    format!(
        "{}resources:\n  moving: {{audience: {AUDIENCE}, hosts: [{HOST}]}}\ngrants:\n{}{}",
        issuers(&[("ci", ci)]),
        grant("always"),
        if sometimes { grant("sometimes") } else { String::new() },
    )
}

/// The tests here change one table, so they take turns. Each begins and ends with the wide one.
struct Turn<'a> {
    world: &'a World,
    _alone: MutexGuard<'static, ()>,
}

fn turn(world: &World) -> Turn<'_> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let turn = Turn { world, _alone };
    turn.put(true);
    turn
}

impl Turn<'_> {
    fn table(&self) -> &Table {
        &self.world.moving_table
    }

    /// Writes a table and waits until its verdict is seen through Envoy.
    fn put(&self, sometimes: bool) {
        self.table().replace(&table(&self.world.ci, sometimes));
        self.wait_for(sometimes);
    }

    fn wait_for(&self, sometimes: bool) {
        let expected = if sometimes { 200 } else { 403 };
        eventually("the table to be in force", || (self.ask("/sometimes/x").0 == expected).then_some(()));
    }

    /// The status for a path, and whether the upstream saw the request.
    fn ask(&self, path: &str) -> (u16, bool) {
        ask(self.world, self.world.envoy.address("moving"), path, &self.world.ci.token(SUBJECT, AUDIENCE).mint())
    }
}

fn ask(world: &World, address: SocketAddr, path: &str, token: &str) -> (u16, bool) {
    let mark = mark();
    let response = Request::get(path).host(HOST).header("x-test-mark", &mark).bearer(token).send(address);
    if response.status == 200 {
        assert_eq!(Echo::of(&response).one("x-credence-issuer"), world.ci.url());
    }
    (response.status, world.upstream.saw(&mark))
}

#[test]
fn a_grant_that_was_taken_away_stops_and_one_given_back_works_without_restart() {
    let world = world();
    let turn = turn(&world);
    assert_eq!(turn.ask("/sometimes/x"), (200, true));
    turn.put(false);
    assert_eq!(turn.ask("/sometimes/x"), (403, false));
    assert_eq!(turn.ask("/always/x"), (200, true));
    turn.put(true);
    assert_eq!(turn.ask("/sometimes/x"), (200, true));
}

#[test]
fn an_edit_in_place_and_a_sighup_are_taken_as_well() {
    let world = world();
    let turn = turn(&world);
    turn.table().edit_in_place(&table(&world.ci, false));
    turn.wait_for(false);
    turn.table().edit_in_place(&table(&world.ci, true));
    world.moving.signal("HUP");
    turn.wait_for(true);
}

#[test]
fn a_bad_table_changes_no_verdict_and_the_next_good_one_is_taken() {
    let world = world();
    let turn = turn(&world);
    let failed = |expected: f64| {
        eventually("the reload to be reported", || {
            let series = "credence_config_last_reload_successful{kind=\"table\"}";
            (world.moving.metric(series) == Some(expected)).then_some(())
        });
    };
    for bad in [
        "",
        "kind: [",
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\ngrants: {x: {issuer: nobody}}\n",
        "\0\0\0\n",
    ] {
        turn.table().replace_raw(bad.as_bytes());
        failed(0.0);
        assert_eq!(turn.ask("/sometimes/x"), (200, true), "{bad:?}");
        assert_eq!(turn.ask("/never/x"), (403, false), "{bad:?}");
        turn.put(true);
        failed(1.0);
    }
    turn.put(false);
    turn.put(true);
}

#[test]
fn no_verdict_is_wrong_while_the_table_is_replaced_again_and_again() {
    let world = world();
    let turn = turn(&world);
    let token = world.ci.token(SUBJECT, AUDIENCE).mint();
    let address = world.envoy.address("moving");
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    assert_eq!(ask(&world, address, "/always/x", &token), (200, true));
                    assert_eq!(ask(&world, address, "/never/x", &token), (403, false));
                    assert_eq!(ask(&world, address, "/always/x", "forged"), (401, false));
                    // This one may be either, but what it is has to be whole.
                    assert!(matches!(ask(&world, address, "/sometimes/x", &token), (200, true) | (403, false)));
                    asked.fetch_add(4, Ordering::SeqCst);
                }
            });
        }
        // However it ends, the askers have to be let go.
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for n in 0..60 {
                turn.table().replace(&table(&world.ci, n % 2 == 0));
                let before = asked.load(Ordering::SeqCst);
                eventually("traffic to go on", || (asked.load(Ordering::SeqCst) > before).then_some(()));
            }
        }));
        done.store(true, Ordering::SeqCst);
        replaced.unwrap();
    });
    turn.put(true);
}
