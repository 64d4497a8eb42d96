//! From files of blocks to blocks in force, at the start and whenever they change; apart from the table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::reload::{PATIENCE, Retired};
use super::{House, StartError};
use crate::block::{Block, Blocks, InForce};
use crate::name::BlockName;
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
    let CompiledBlocks { blocks, sound, files, report } = compile_blocks(sources, house.now(), None);
    let Some(blocks) = blocks else { return keep_old(house, sound, &report, retired) };
    if let Some(in_force) = house.blocks() {
        let lifted = lifted_by_absence(&in_force.blocks, &blocks, &files, house.now());
        if lifted.refuses() {
            return keep_old(house, blocks.iter().cloned().collect(), &lifted, retired);
        }
    }
    tell(&report);
    let (digest, entries) = (blocks.digest().to_owned(), blocks.len());
    let (generation, before) = house.publish_blocks(blocks);
    tracing::info!(generation, entries, sha256 = digest, "new blocks are in force");
    house.tell_idle_blocks();
    retired.add(before, PATIENCE);
}

/// Every block before stands as it was. Those of `sound` that have a new name come into force beside them: what is wrong
/// in one file must not hold back whoever writes another.
fn keep_old(house: &House, sound: Vec<Block>, report: &Report, retired: &mut Retired<InForce>) {
    let (generation, since) =
        house.blocks().map_or((0, String::new()), |in_force| (in_force.generation, in_force.since.to_string()));
    let text = report.render(false);
    tracing::error!(generation, %since, "the changed blocks were not taken, those before them stand:\n{text}");
    let mut brief = report.brief();
    let before = house.blocks();
    let there = |name: &BlockName| before.iter().any(|old| old.blocks.iter().any(|block| block.name == *name));
    let added: Vec<_> = sound.into_iter().filter(|block| !there(&block.name)).collect();
    if !added.is_empty() {
        let names = added.iter().map(|block| block.name.as_str()).collect::<Vec<_>>().join(", ");
        let old = before.iter().flat_map(|old| old.blocks.iter()).cloned();
        let (generation, before) = house.publish_blocks(Blocks::build(old.chain(added).collect()));
        tracing::warn!(generation, "of the files that load these blocks were added to those that stand: {names}");
        brief = format!("{brief} (added all the same: {names})");
        retired.add(before, PATIENCE);
    }
    house.keep_old_blocks(brief);
}

/// Warnings of blocks that were taken.
fn tell(report: &Report) {
    if !report.is_empty() {
        tracing::warn!("the blocks are in force, with findings:\n{}", report.render(false));
    }
}
