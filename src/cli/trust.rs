//! The table that a question is about.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::open::{Open, given};
use super::output::{colours, diagnostic};
use crate::block::Blocks;
use crate::clock::{Clock, Time};
use crate::keys::{KeyOrigin, LiveKeys};
use crate::name::{Issuer, IssuerName};
use crate::path::Rules;
use crate::table::{Compiled, CompiledBlocks, Snapshot, Sources, compile, compile_blocks};

/// What every verb that asks something of a table takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Trust {
    /// The trust table: a YAML file, or a directory of them.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH")]
    trust: PathBuf,
    #[command(flatten)]
    blocks: Blocked,
    #[command(flatten)]
    pub(super) open: Open,
    /// Judge as if it were this instant (RFC 3339), or the first second of this date, in UTC.
    #[arg(long, env = "CREDENCE_AT", value_name = "TIME", value_parser = instant)]
    at: Option<Time>,
}

/// The blocks that stand beside the table.
#[derive(Debug, Clone, Args)]
pub(super) struct Blocked {
    /// Who is refused whatever the table grants (`kind: TrustBlocks`): a YAML file, or a directory of them.
    #[arg(long, env = "CREDENCE_BLOCKS", value_name = "PATH")]
    blocks: Option<PathBuf>,
}

impl Blocked {
    /// The blocks; none where no path was given. Their problems are told where they do not load.
    ///
    /// # Errors
    /// One sentence, for whoever asked.
    pub(super) fn load(&self, now: Time) -> Result<Blocks, String> {
        Ok(self.load_given(now)?.unwrap_or_default())
    }

    /// The same; `None` where no path was given.
    ///
    /// # Errors
    /// One sentence, for whoever asked.
    pub(super) fn load_given(&self, now: Time) -> Result<Option<Blocks>, String> {
        let Some(path) = given(self.blocks.as_ref()) else { return Ok(None) };
        let CompiledBlocks { blocks, report, .. } = compile_blocks(&Sources::read(&path), now, None);
        if blocks.is_none() {
            diagnostic(&report.render(colours()));
        }
        let failed = || format!("{}: the blocks do not load, so nothing can be told by them", path.display());
        blocks.ok_or_else(failed).map(Some)
    }
}

/// An instant, or the first second of a date in UTC.
pub(super) fn instant(text: &str) -> Result<Time, String> {
    let date = || Time::from_rfc3339(&format!("{text}T00:00:00Z")).filter(|_| text.len() == "2026-11-21".len());
    Time::from_rfc3339(text).or_else(date).ok_or_else(|| {
        "expected an RFC 3339 instant with a zone, such as 2026-11-21T12:00:00Z, or a date, such as 2026-11-21"
            .to_owned()
    })
}

/// A compiled table, the blocks beside it, and where the keys of each of its exact issuers come from.
pub(super) struct Loaded {
    pub(super) snapshot: Snapshot,
    pub(super) blocks: Blocks,
    pub(super) origins: HashMap<(IssuerName, Issuer), KeyOrigin>,
}

impl Loaded {
    /// What a server with this table and these blocks would judge by.
    pub(super) const fn rules(&self) -> Rules<'_> {
        Rules { table: &self.snapshot, blocks: &self.blocks }
    }

    /// For answers that are about what is granted: says that the blocks were not taken off.
    pub(super) fn note_blocks(&self) {
        if !self.blocks.is_empty() {
            let count = self.blocks.len();
            let note =
                "this is what the table grants. Whoever is blocked is refused all the same: ask `can` or `explain`";
            diagnostic(&format!("note: {count} blocks are not taken off here; {note}"));
        }
    }
}

impl Trust {
    /// The instant that is meant.
    pub(super) fn now(&self) -> Time {
        self.at.unwrap_or_else(|| Clock::System.now())
    }

    /// What is written, for whoever proposes to change it.
    pub(super) fn sources(&self) -> Sources {
        Sources::read(&self.trust)
    }

    /// The table, its keys at rest, and the blocks. Their problems are told where they do not load.
    ///
    /// # Errors
    /// One sentence, for whoever asked.
    pub(super) fn load(&self) -> Result<Loaded, String> {
        let loaded = load(&self.trust, &self.open, self.now())?;
        Ok(Loaded { blocks: self.blocks.load(self.now())?, ..loaded })
    }
}

/// Reads and compiles the table at a path, without blocks; nothing is fetched.
///
/// # Errors
/// One sentence; the problems themselves are told on standard error.
pub(super) fn load(path: &Path, open: &Open, now: Time) -> Result<Loaded, String> {
    let mut origins = HashMap::new();
    let Compiled { snapshot, report } = compile(&Sources::read(path), &open.permissions(), now, |need| {
        origins.insert((need.name.clone(), need.issuer.clone()), need.origin.clone());
        Arc::new(LiveKeys::at_rest(need.issuer, need.origin, need.rules))
    });
    if snapshot.is_none() {
        diagnostic(&report.render(colours()));
    }
    let failed = || format!("{}: the trust table does not load, so nothing can be told by it", path.display());
    Ok(Loaded { snapshot: snapshot.ok_or_else(failed)?, blocks: Blocks::default(), origins })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_second_in_utc() {
        let midnight = Time::from_rfc3339("2026-11-21T00:00:00Z").unwrap();
        assert_eq!(instant("2026-11-21"), Ok(midnight));
        assert_eq!(instant("2026-11-21T01:00:00+01:00"), Ok(midnight));
        for bad in ["2026-11-31", "2026-11", "21.11.2026", "2026-11-21T12:00:00", "2026-11-21 ", ""] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }
}
