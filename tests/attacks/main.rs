//! What attackers send, each test named after the attack, against the real program.
//!
//! Every test first shows that the clean form is allowed, so that a refusal proves the attack's effect and nothing else.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod audience;
mod blocks;
mod delegation;
mod fetching;
mod flood;
mod issuer_and_subject;
mod jose;
mod key_sets;
mod observed;
mod realms_and_trust_domains;
mod replay;
mod request;
mod signature;
mod times;
mod world;
