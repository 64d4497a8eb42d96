//! From files of blocks to blocks in force, at the start and whenever they change; apart from the table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::reload::{PATIENCE, Retired};
use super::{House, StartError};
use crate::block::InForce;
use crate::table::{CompiledBlocks, Pace, Report, Sources, Watcher, compile_blocks, lifted_by_absence};

/// Blocks are in force within a second also where the file system tells of no change.
const POLL: Duration = Duration::from_millis(500);

/// Watches the blocks and puts each good state of them in force; a bad one lifts nothing.
#[derive(Debug)]
pub(super) struct BlocksReloader {
    watcher: Watcher,
}

impl BlocksReloader {
    /// Takes the blocks at `path` now, and every good state of them after it.
    ///
    /// # Errors
    /// The first state must be good; its whole report is the error.
    pub(super) fn start(path: &Path, house: Arc<House>) -> Result<Self, StartError> {
        let sources = Sources::read(path);
        let CompiledBlocks { blocks, report, .. } = compile_blocks(&sources, house.now(), None);
        let Some(blocks) = blocks else { return Err(StartError::Blocks(report.render(false))) };
        tell(&report);
        house.publish_blocks(blocks);
        let mut retired = Retired::default();
        let changed = move |sources: Sources| {
            let reloaded = catch_unwind(AssertUnwindSafe(|| reload(&sources, &house, &mut retired)));
            if reloaded.is_err() {
                tracing::error!("a fault of credence kept the changed blocks from being taken, the old ones stand");
                house.keep_old_blocks("a fault of credence: see its log".to_owned());
            }
        };
        let pace = Pace { poll: POLL, ..Pace::default() };
        let watcher = Watcher::spawn(path.to_owned(), pace, &sources, changed);
        Ok(Self { watcher: watcher.map_err(|error| StartError::Watch("--blocks", error))? })
    }

    /// Reads now, changed or not.
    pub(super) fn poke(&self) {
        self.watcher.poke();
    }
}

fn reload(sources: &Sources, house: &House, retired: &mut Retired<InForce>) {
    let CompiledBlocks { blocks, files, report } = compile_blocks(sources, house.now(), None);
    let Some(blocks) = blocks else { return keep_old(house, &report) };
    if let Some(in_force) = house.blocks() {
        let lifted = lifted_by_absence(&in_force.blocks, &blocks, &files, house.now());
        if lifted.refuses() {
            return keep_old(house, &lifted);
        }
    }
    tell(&report);
    let (digest, entries) = (blocks.digest().to_owned(), blocks.len());
    let (generation, before) = house.publish_blocks(blocks);
    tracing::info!(generation, entries, sha256 = digest, "new blocks are in force");
    house.tell_idle_blocks();
    retired.add(before, PATIENCE);
}

fn keep_old(house: &House, report: &Report) {
    let (generation, since) =
        house.blocks().map_or((0, String::new()), |in_force| (in_force.generation, in_force.since.to_string()));
    let text = report.render(false);
    tracing::error!(generation, %since, "the changed blocks were not taken, those before them stand:\n{text}");
    house.keep_old_blocks(report.brief());
}

/// Warnings of blocks that were taken.
fn tell(report: &Report) {
    if !report.is_empty() {
        tracing::warn!("the blocks are in force, with findings:\n{}", report.render(false));
    }
}
