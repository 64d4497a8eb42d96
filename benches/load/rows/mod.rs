//! The rows of the table, one file a group.

mod blocks;
mod check;
mod early;
mod envoy;
mod flood;
mod jwt_authn;
mod memory;
mod never;
mod once;
mod pair;
mod peers;
mod reload;
mod scale;
mod seen;
mod shared;
mod turns;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::args::{Args, Group};
use crate::report::Row;

/// Measures a group. What goes wrong in it makes a row without a figure, and the others go on.
pub(crate) fn run(group: Group, args: &Args) -> Vec<Row> {
    let measure = || match group {
        Group::Seen => seen::rows(args),
        Group::Never => never::rows(args),
        Group::Early => early::rows(args),
        Group::Flood => flood::rows(args),
        Group::Scale => scale::rows(args),
        Group::Replay => once::rows(args),
        Group::Blocks => blocks::rows(args),
        Group::Envoy => envoy::rows(args),
        Group::Memory => memory::rows(args),
        Group::Reload => reload::rows(args),
        Group::Check => check::rows(args),
        Group::Peers => peers::rows(args),
    };
    // The helpers that start processes panic when one does not start.
    let measured = catch_unwind(AssertUnwindSafe(measure)).unwrap_or_else(|_| Err("something did not start".into()));
    measured.unwrap_or_else(|error| vec![Row::unmeasured(format!("{group:?}"), error.to_string())])
}
