//! What the documentation promises about issuers and their keys, held against the program from outside: names of keys,
//! realms, trust domains, discovery, and endpoints that speak HTTP badly.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod discovery;
mod ended;
mod endpoint;

mod http_faults;
mod kids;
mod places;
mod realms;
mod spiffe;
mod world;
