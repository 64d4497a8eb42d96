//! The chart `helm/credence`, by the real helm: what it renders, what it refuses, and whether Kubernetes takes it.
//!
//! Each row of the table in docs/helm.md names one of these tests. They need what `make test-helm` brings, so a plain
//! `cargo test` leaves them out.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/yaml.rs"]
mod yaml;

#[path = "../interop/kubernetes/cluster.rs"]
#[allow(dead_code, reason = "the other tests with a real API server use the rest")]
mod cluster;
#[path = "../interop/system.rs"]
#[allow(dead_code, reason = "the tests with other systems use the rest")]
mod system;
#[path = "../interop/web.rs"]
#[allow(dead_code, reason = "the tests with other systems use the rest")]
mod web;

mod alert_cases;
mod alerts;
mod containerfile;
mod dashboard;
mod extras;
mod firing;
mod helm;
mod install;
mod modes;
mod network;
mod notes;
mod objects;
mod paper;
mod plain_rules;
mod pods;
mod prometheus;
mod refused;
mod rolling;
mod running;
mod schemas;
mod table;
mod tls;
mod traces;
mod valid;
mod values;
