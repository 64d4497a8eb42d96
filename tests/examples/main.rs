//! The examples, as a user finds them and behind a real Envoy.
//!
//! [`files`] runs `credence check` and `credence test` on each; [`traps`] sends what their cases say, with tokens that
//! are really signed, through Envoy ([`world`]). Both read the same `trust_test.yaml`.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod clusters;
mod delegation;
mod duplicate;
mod files;
mod federation;
mod formats;
mod gate;
mod governed;
mod onboarding;
mod once;
mod pairs;
mod partner;
mod pinned;
mod shadow;
mod signers;
mod stolen;
mod traps;
mod world;
