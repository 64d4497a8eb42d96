//! Real gateways that were built from source, with a real credence: the examples' own manifests, and what `render` prints.
//!
//! They need what `make test-gateways` brings, so a plain `cargo test` leaves them out.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../interop/kubernetes/cluster.rs"]
#[allow(dead_code, reason = "the tests with other systems use the rest")]
mod cluster;
#[path = "../interop/system.rs"]
#[allow(dead_code, reason = "the tests with other systems use the rest")]
mod system;
#[path = "../interop/web.rs"]
#[allow(dead_code, reason = "the tests with other systems use the rest")]
mod web;
#[path = "../support/yaml.rs"]
mod yaml;

mod envoy_gateway;
mod istio;
mod kubernetes;
mod manifests;
mod partner;
mod render;
mod scene;
mod tls;
mod traces;
mod traps;
