//! Tokens that are used once, by several replicas: credences that share a real redis-server, and all that befalls it.
//!
//! `make test` brings the server (`scripts/redis.sh`); without one these tests fail.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod cluster;
mod faults;
mod lies;
mod once;
mod world;
