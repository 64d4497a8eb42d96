//! # credence
//!
//! Should this issuer be believed about this subject for this resource?
//!
//! The rooms of the house, in order: a room knows only rooms above it. `ARCHITECTURE.md` tells the walk.

pub mod reason;
pub mod clock;
pub mod name;
pub mod json;
pub mod certificate;
pub mod proto;
pub mod request;
pub mod trace_context;
pub mod resource;
pub mod claims;
pub mod credential;
pub mod keys;
pub mod memory;
pub mod flood;
pub mod replay;
pub mod trail;
pub mod trust;
pub mod block;
pub mod decide;
pub mod relation;
pub mod profile;
pub mod table;
pub mod path;
pub mod advice;
pub mod inquiry;
pub mod logbook;
pub mod answer;
pub mod observe;
pub mod spans;
pub mod fetch;
pub mod redis_store;
pub mod wire;
pub mod grpc;
pub mod admin;
pub mod app;
pub mod cli;
