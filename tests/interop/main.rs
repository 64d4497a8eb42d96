//! Real issuers on loopback, none of them ours, and what credence makes of their tokens and keys.
//!
//! Each file starts one system out of `.tools`, where a script of `scripts/` has put it, and has its tokens minted by
//! that system's own interface. What cannot be set up in a minute or two is marked `ignored` with the command that sets
//! it up and runs it; there nothing may be missing.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod dex;
mod keycloak;
mod kubernetes;
mod oidc_provider;
mod otelcol;
mod spire;
mod system;
mod token;
mod web;
