//! The answer to Envoy, member by member: one call for every reason there is, and every kind of allow.
//!
//! One world serves all tests ([`world`]). What is expected is written down here ([`expected`]), not taken from the
//! program, so that a change there is noticed here.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod allow;
mod detail;
mod expected;
mod open;
mod order;
mod refusals;
mod removals;
mod unavailable;
mod world;
