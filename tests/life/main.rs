//! The life of the real program: how it starts, takes new tables and keys, writes its log, and ends.
//!
//! Each test starts a credence of its own on free ports, asks it as a proxy would, and looks at it as an operator
//! would: standard error, `/readyz`, `/metrics`, the decision log, the exit code.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod blocks;
mod decision_log;
mod ended;
mod ending;
mod faults;
mod flood;
mod handshakes;
mod hostile;
mod http2;
mod keys;
mod listening;
mod series;
mod log_level;
mod reload;
mod reload_bad;
mod reload_traffic;
mod replay;
mod rotation;
mod sources;
mod start;
mod tls;
mod tls_files;
mod traces;
mod traces_faults;
mod traces_ways;
#[cfg(target_os = "linux")]
mod workers;
mod world;
