//! From files to a table in force, at the start and whenever they change.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{House, Settings, StartError};
use crate::fetch::Keeper;
use crate::keys::LiveKeys;
use crate::table::{Compiled, Pace, Permissions, Report, Snapshot, Sources, Watcher, compile};

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
        take(snapshot, &house, &keeper);
        let changed = move |sources: Sources| {
            let reloaded = catch_unwind(AssertUnwindSafe(|| reload(&sources, &permissions, &house, &keeper)));
            if reloaded.is_err() {
                tracing::error!(
                    "a fault of credence kept the changed trust table from being taken, the old one serves on"
                );
                house.keep_old("a fault of credence: see its log".to_owned());
            }
        };
        let watcher = Watcher::spawn(path.to_owned(), Pace::default(), &sources, changed).map_err(StartError::Watch)?;
        Ok(Self { watcher })
    }

    /// Reads now, changed or not.
    pub fn poke(&self) {
        self.watcher.poke();
    }
}

fn load(sources: &Sources, permissions: &Permissions, house: &House, keeper: &Keeper) -> Compiled {
    compile(sources, permissions, house.now(), |need| keeper.bind(need.name, need.issuer, need.origin, need.rules))
}

/// The old generation's keys that nobody needs any more are no longer fetched.
fn take(snapshot: Snapshot, house: &House, keeper: &Keeper) -> u64 {
    let held: Vec<Arc<LiveKeys>> = snapshot.issuers.iter().map(|issuer| Arc::clone(&issuer.keys)).collect();
    let generation = house.publish(snapshot);
    keeper.retain(&held);
    generation
}

fn reload(sources: &Sources, permissions: &Permissions, house: &House, keeper: &Keeper) {
    let Compiled { snapshot, report } = load(sources, permissions, house, keeper);
    match snapshot {
        Some(snapshot) => {
            tell(&report);
            let digest = snapshot.digest.clone();
            let generation = take(snapshot, house, keeper);
            tracing::info!(generation, sha256 = digest, "a new trust table is in force");
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

/// Warnings of a table that was taken.
fn tell(report: &Report) {
    if !report.is_empty() {
        tracing::warn!("the trust table is in force, with findings:\n{}", report.render(false));
    }
}
