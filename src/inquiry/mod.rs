//! Questions that people ask of a trust table: who may do what, what reaches where, what another table would change.
//!
//! In: compiled tables and what is asked. Out: findings as data, for the command line to print. It must never decide
//! for a caller: nothing that it says can be answered to Envoy.

mod can;
mod collisions;
mod diff;
mod line;
mod list;
mod overlaps;
mod reach;
mod who_can;

use std::collections::HashMap;
use std::path::Path;

pub use can::{Claimant, Verdict, can};
pub use collisions::{Collision, Collisions, Identity, Shared, collisions};
pub use diff::{Change, Detail, Entry, Kind, diff};
pub use line::{Line, State, iss};
pub use list::{Due, Filter, expiring, list};
pub use overlaps::Overlap;
pub use reach::{Holding, Reach, Whose, reach};
pub use who_can::{WhoCan, who_can};

use crate::keys::KeyOrigin;
use crate::name::{Issuer, IssuerName};
use crate::table::Snapshot;

/// A table that is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'t> {
    /// What it means.
    pub snapshot: &'t Snapshot,
    /// Where the keys of each of its exact issuers come from.
    pub origins: &'t HashMap<(IssuerName, Issuer), KeyOrigin>,
    /// The directory that it lies in: files that it names are told relative to it.
    pub root: &'t Path,
}
