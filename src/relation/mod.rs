//! What one thing of a table allows within another, and what two have in common: conditions, places, times, grants.
//!
//! In: the parts of a compiled table, never a token or a request. Out: yes or no. It errs in one direction only:
//! what is said to lie within something does, though not all that does is seen; what is said to have nothing in common
//! has nothing, though not all such is seen. It must never know a whole table, and decides about no caller.

mod glob;
mod grant;
mod matcher;
mod place;
#[cfg(test)]
mod tests;
mod times;
mod wider;

pub use glob::meet as globs_meet;
pub use grant::{admits, covers, hands_on, overlaps};
pub use grant::{rules_imply, subject_meets, subject_within};
pub use matcher::{implies, meet};
pub use place::{hosts_meet, methods_within, opens, overlap_of_paths, within_host, within_paths};
pub use times::{ends_within, times_meet, times_within};
pub use wider::Wider;
