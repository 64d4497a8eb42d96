//! credence behind a real Envoy.

#[path = "../support/mod.rs"]
mod support;

mod assumptions;
