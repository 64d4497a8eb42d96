//! The blocks in force, apart from the table: neither waits for the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admin::BlocksState;
use crate::block::{Blocks, InForce};
use crate::clock::Time;
use crate::table::{Live, Snapshot, unknown_issuers};

/// Which blocks stand, and why the last change of them was not taken.
#[derive(Debug, Default)]
pub(super) struct Standing {
    live: Live<InForce>,
    error: Mutex<Option<String>>,
}

impl Standing {
    /// Those in force; `None` where none were ever named.
    pub(super) fn load(&self) -> Option<Arc<InForce>> {
        self.live.load()
    }

    /// Puts blocks in force; what was in force comes back.
    pub(super) fn publish(&self, blocks: Blocks, since: Time) -> (u64, Option<Arc<InForce>>) {
        let before = self.live.load();
        let generation = self.live.publish(|generation| InForce { generation, since, blocks });
        *self.error() = None;
        (generation, before)
    }

    /// A change was not taken.
    pub(super) fn keep(&self, error: String) {
        *self.error() = Some(error);
    }

    /// For `/readyz`: what is in force, and the last error.
    pub(super) fn state(&self) -> (Option<BlocksState>, Option<String>) {
        let state = self.live.load().map(|in_force| BlocksState {
            generation: in_force.generation,
            sha256: in_force.blocks.digest().to_owned(),
            loaded_at: in_force.since.to_rfc3339(),
            entries: in_force.blocks.len(),
        });
        (state, self.error().clone())
    }

    /// Tells of blocks whose issuer the table does not have: that may be meant, or a slip by which they stop nobody.
    pub(super) fn tell_idle(&self, table: &Snapshot) {
        let Some(in_force) = self.live.load() else { return };
        let unknown = unknown_issuers(&in_force.blocks, table);
        let Some(first) = unknown.first() else { return };
        let more = match unknown.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        tracing::warn!("blocks that stop nobody: {first}{more}");
    }

    fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
