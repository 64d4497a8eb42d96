//! The command line, verb by verb: exit codes, what goes to which stream, and what may never be printed.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod agree;
mod backtest;
mod blocks;
mod check;
mod check_paths;
mod colliding;
mod diff;
mod documented;
mod explain;
mod explain_change;
mod explain_keys;
mod explain_refusals;
mod explain_uses;
mod hostile;
mod incident;
mod inspect;
mod inspect_hostile;
mod inspect_profiles;
mod logs;
mod observed;
mod probe;
mod probe_check;
mod profiles;
mod questions;
mod realms;
mod streams;
mod test_verb;
mod verbs;
mod why;
mod world;
