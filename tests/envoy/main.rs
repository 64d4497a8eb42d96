//! credence behind a real Envoy.
//!
//! One Envoy and the credences it asks serve all tests here ([`world`]); another Envoy without credence shows what
//! Envoy itself does ([`assumptions`]).

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/yaml.rs"]
mod yaml;

mod allow;
mod assumptions;
mod callers;
mod deny;
mod example;
mod hostile;
mod paths;
mod reload;
mod render;
mod rollout;
mod tls;
mod traces;
mod world;
