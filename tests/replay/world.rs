//! One issuer, one table, and credences that share a store.

use std::thread;

use crate::support::cluster::Cluster;
use crate::support::credence::{Credence, Serve};
use crate::support::issuer::Issuer;
use crate::support::redis::Redis;
pub(crate) use crate::support::small::{call, entry, reason, table_of, token, until};
use crate::support::table::Table;
use crate::support::{eventually, now};

pub(crate) const UP: &str = "credence_replay_store_up";

/// The issuer may GET below `/once/` with each token once, and below `/often/` as often as it likes.
pub(crate) struct World<Store = Redis> {
    pub(crate) ci: Issuer,
    pub(crate) redis: Store,
    table: Table,
}

/// Something that has an address.
pub(crate) trait Store {
    fn address(&self) -> String;
}

impl Store for Redis {
    fn address(&self) -> String {
        self.url()
    }
}

impl Store for Cluster {
    fn address(&self) -> String {
        self.url()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Redis::start())
    }
}

impl<S: Store> World<S> {
    pub(crate) fn of(redis: S) -> Self {
        let ci = Issuer::start();
        let table = table_of(&entry("ci", &ci, ""), &[("once", "ci"), ("often", "ci")])
            .replace("paths: [/once/**]", "paths: [/once/**], replay: once");
        Self { table: Table::new(&table), ci, redis }
    }

    /// A credence in the making that spends at this address.
    pub(crate) fn serve_at(&self, store: &str) -> Serve {
        Credence::serve(self.table.path()).arg("--replay-store").arg(store)
    }

    /// A credence that spends at the server, once it is up and tokens of now are of its time.
    pub(crate) fn credence(&self) -> Credence {
        let credence = self.serve_at(&self.redis.address()).start();
        settled(&credence);
        credence
    }

    /// Where the table is.
    pub(crate) fn path(&self) -> String {
        self.table.path().display().to_string()
    }

    pub(crate) fn token(&self) -> String {
        token(&self.ci)
    }
}

/// Waits until the store is up and the second in which its epoch began has passed.
pub(crate) fn settled(credence: &Credence) {
    is_up(credence, true);
    let begun = now();
    eventually("the next second", || (now() > begun).then_some(()));
}

pub(crate) fn is_up(credence: &Credence, up: bool) {
    eventually(if up { "the store" } else { "the end of the store" }, || {
        (credence.metric(UP) == Some(f64::from(u8::from(up)))).then_some(())
    });
}

/// What `/readyz` says of the store.
pub(crate) fn told(credence: &Credence, field: &str) -> String {
    let response = credence.admin("/readyz");
    assert_eq!(response.status, 200, "readiness does not hang on the store");
    response.json()["replay_store"][field].as_str().unwrap_or_default().to_owned()
}

/// How often this stands in standard error.
pub(crate) fn logged(credence: &Credence, text: &str) -> usize {
    credence.stderr().matches(text).count()
}

/// The reasons of sixteen uses of one token, all at once, half of them at either replica.
pub(crate) fn sixteen_uses(replicas: &[Credence; 2], token: &str) -> Vec<String> {
    thread::scope(|scope| {
        let uses: Vec<_> =
            (0..16).map(|number| scope.spawn(move || reason(&replicas[number % 2], "once", token))).collect();
        uses.into_iter().map(|one| one.join().unwrap()).collect()
    })
}
