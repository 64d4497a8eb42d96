//! Decision logs, read back: what was decided, about whom, and what another table would have said.
//!
//! In: the lines that `observe` wrote, from wherever they were kept, and tables to hold them against. Out: a [`Record`]
//! a line, and what follows from many of them. It must never know who asks: a log is a stranger's file, and what it
//! does not say is told as such, not guessed.

mod backtest;
mod read;
mod record;
mod rejudge;
mod tally;
mod twins;

pub use backtest::{Backtest, Changes, Summary, Unsettled};
pub use read::{Counts, read};
pub use record::{ActorSaid, Http, Miss, Names, Pair, Record, TableSaid, TokenSaid, Who};
pub use rejudge::{Kind, Origins, Table, Told, Verdict};
pub use twins::{Twin, Twins, Use};
