//! From files to a table in force, at the start and whenever they change.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{House, Settings, StartError};
use crate::fetch::Keeper;
use crate::keys::LiveKeys;
use crate::table::{Compiled, Pace, Permissions, Published, Report, Snapshot, Sources, Watcher, compile};

/// How long a reload waits for calls to let go of the table before it, which they hold for microseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Watches the table and puts each good one in force; a bad one changes nothing.
#[derive(Debug)]
pub struct Reloader {
    watcher: Watcher,
}

impl Reloader {
    /// Takes the table at `--trust` now, and every good one after it.
    ///
    /// # Errors
    /// The first table must be good; its whole report is the error.
    pub(super) fn start(settings: &Settings, house: Arc<House>, keeper: Arc<Keeper>) -> Result<Self, StartError> {
        let path = settings.trust.as_path();
        let permissions = Permissions { secrets_dir: settings.surroundings.secrets_dir.clone() };
        let sources = Sources::read(path);
        let Compiled { snapshot, report } = load(&sources, &permissions, &house, &keeper);
        let Some(snapshot) = snapshot else { return Err(StartError::Table(report.render(false))) };
        tell(&report);
        take(snapshot, &report, &house, &keeper);
        let mut retired = Retired::default();
        let changed = move |sources: Sources| {
            let reloaded =
                catch_unwind(AssertUnwindSafe(|| reload(&sources, &permissions, &house, &keeper, &mut retired)));
            if reloaded.is_err() {
                tracing::error!(
                    "a fault of credence kept the changed trust table from being taken, the old one serves on"
                );
                house.keep_old("a fault of credence: see its log".to_owned());
            }
        };
        let watcher = Watcher::spawn(path.to_owned(), Pace::default(), &sources, changed)
            .map_err(|error| StartError::Watch("--trust", error))?;
        Ok(Self { watcher })
    }

    /// Reads now, changed or not.
    pub fn poke(&self) {
        self.watcher.poke();
    }
}

fn load(sources: &Sources, permissions: &Permissions, house: &House, keeper: &Keeper) -> Compiled {
    compile(sources, permissions, house.now(), |need| keeper.bind(&need))
}

/// The old generation's keys that nobody needs any more are no longer fetched.
fn take(snapshot: Snapshot, findings: &Report, house: &House, keeper: &Keeper) -> (u64, Option<Arc<Published>>) {
    let held: Vec<Arc<LiveKeys>> = snapshot.issuers.iter().map(|issuer| Arc::clone(&issuer.keys)).collect();
    let published = house.publish(snapshot, findings);
    house.tell_idle_blocks();
    keeper.retain(&held);
    published
}

fn reload(
    sources: &Sources,
    permissions: &Permissions,
    house: &House,
    keeper: &Keeper,
    retired: &mut Retired<Published>,
) {
    let Compiled { snapshot, report } = load(sources, permissions, house, keeper);
    match snapshot {
        Some(snapshot) => {
            tell(&report);
            let digest = snapshot.digest.clone();
            let (generation, before) = take(snapshot, &report, house, keeper);
            tracing::info!(generation, sha256 = digest, "a new trust table is in force");
            retired.add(before, PATIENCE);
        }
        None => {
            let (generation, since) =
                house.in_force().map_or((0, String::new()), |(number, since)| (number, since.to_string()));
            let text = report.render(false);
            tracing::error!(generation, %since, "the changed trust table was not taken, the old one serves on:\n{text}");
            house.keep_old(report.brief());
        }
    }
}

/// What is no longer in force, until no call holds it.
///
/// A table of ten thousand issuers takes long to free. The last call that held it would do so, and every other call of
/// its worker would wait; so it is kept here until nobody else has it, and freed on the thread that reloads.
pub(super) struct Retired<T>(Vec<Arc<T>>);

impl<T> Default for Retired<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Retired<T> {
    /// Takes one in, and frees what it can within `patience`; the rest when the next one comes.
    pub(super) fn add(&mut self, one: Option<Arc<T>>, patience: Duration) {
        self.0.extend(one);
        let end = Instant::now() + patience;
        loop {
            // Nobody gets hold of it any more: a count that is down to ours stays there.
            self.0.retain(|one| Arc::strong_count(one) > 1);
            if self.0.is_empty() || Instant::now() >= end {
                return;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Warnings of a table that was taken.
fn tell(report: &Report) {
    if !report.is_empty() {
        tracing::warn!("the trust table is in force, with findings:\n{}", report.render(false));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::ThreadId;

    use super::*;

    /// Tells on which thread it is freed.
    struct Table(mpsc::Sender<ThreadId>);

    impl Drop for Table {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[test]
    fn an_old_table_is_freed_by_the_reloader_however_long_a_call_holds_it() {
        let (tell, told) = mpsc::channel();
        let table = Arc::new(Table(tell));
        let call = Arc::clone(&table);
        let reloader = thread::spawn(move || Retired::default().add(Some(table), Duration::from_secs(60)));
        assert!(told.try_recv().is_err());
        drop(call);
        assert_eq!(told.recv().unwrap(), reloader.thread().id());
        reloader.join().unwrap();
    }

    #[test]
    fn a_table_that_is_never_let_go_does_not_hold_up_reloads_and_goes_with_a_later_one() {
        let (tell, told) = mpsc::channel();
        let mut retired = Retired::default();
        let (stuck, next) = (Arc::new(Table(tell.clone())), Arc::new(Table(tell)));
        let call = Arc::clone(&stuck);
        retired.add(Some(stuck), Duration::ZERO);
        retired.add(Some(next), Duration::ZERO);
        assert_eq!((told.try_iter().count(), retired.0.len()), (1, 1));
        drop(call);
        assert_eq!(told.try_iter().count(), 0, "the call does not free it");
        retired.add(None, Duration::ZERO);
        assert_eq!((told.try_iter().count(), retired.0.len()), (1, 0));
    }
}
