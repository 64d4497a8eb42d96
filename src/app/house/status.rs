//! What the admin listener tells of the house.

use std::sync::Arc;

use super::House;
use crate::admin::{IssuerState, Readiness, ReplayStoreState, Status, TableState};
use crate::clock::Time;
use crate::observe::{Counts, Format, LogLevel};

impl Status for House {
    fn log_level(&self) -> Option<&Arc<LogLevel>> {
        self.log_level.as_ref()
    }

    fn readiness(&self) -> Readiness {
        let now = self.clock.now();
        let published = self.live.load();
        let table = published.as_ref().map(|published| TableState {
            generation: published.generation,
            sha256: published.snapshot.digest.clone(),
            loaded_at: published.since.to_rfc3339(),
        });
        let (blocks, last_blocks_error) = self.blocks.state();
        let mut issuers: Vec<_> = published
            .iter()
            .flat_map(|published| published.snapshot.issuers.iter())
            .map(|issuer| {
                let status = issuer.keys.status();
                IssuerState {
                    name: issuer.name.to_string(),
                    iss: issuer.issuer.to_string(),
                    realm: issuer.realm.as_ref().map(ToString::to_string),
                    required: issuer.required,
                    ended: !issuer.is_in_force(now),
                    keys: status.usable,
                    ignored: status.ignored,
                    not_pinned: status.not_pinned,
                    fetched_at: status.last_success.map(Time::to_rfc3339),
                    age_seconds: status.last_success.map(|fetched| now.since(fetched).max(0.0).floor()),
                    last_error: status.last_error,
                    next_refresh: status.next_refresh.map(Time::to_rfc3339),
                }
            })
            .collect();
        issuers.sort_by(|one, two| (&one.name, &one.iss).cmp(&(&two.name, &two.iss)));
        let awaited = self.awaited_issuers(published.as_deref());
        let ready = table.is_some() && awaited.is_empty();
        let shared_keys = published.as_deref().map_or_else(Vec::new, |published| self.shared_keys(published));
        let replay_store = self.spent.state().map(|state| ReplayStoreState {
            up: state.up,
            trouble: state.trouble,
            warning: state.warning,
            since: state.since.map(Time::to_rfc3339),
        });
        Readiness {
            ready,
            awaited,
            shared_keys,
            table,
            last_reload_error: self.reload_error().clone(),
            blocks,
            last_blocks_error,
            replay_store,
            issuers,
        }
    }

    fn metrics(&self, format: Format) -> Vec<u8> {
        let (published, now) = (self.live.load(), self.clock.now());
        let counts = Counts {
            dropped: self.log.dropped(),
            spent: self.spent.entries(now),
            store_up: self.spent.state().map(|state| state.up),
        };
        self.metrics.expose(published.as_deref().map(|published| &published.snapshot), counts, now, format)
    }
}
