//! The command line, verb by verb: exit codes, what goes to which stream, and what may never be printed.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod agree;
mod check;
mod explain;
mod explain_keys;
mod inspect;
mod probe;
mod probe_check;
mod profiles;
mod realms;
mod verbs;
mod world;
