//! The corridor: one request, walked once, through every room.
//!
//! In: a table snapshot and the blocks, a request and the time. Out: a [`Walk`], the outcome and what was learnt on the
//! way. Server, `explain` and every offline command walk this one function; it does no I/O and reads no clock.

mod observed;
mod walk;

pub use observed::Observed;
pub use walk::{Facts, Outcome, Rules, Walk, walk};
