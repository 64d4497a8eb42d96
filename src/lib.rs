//! # credence
//!
//! Should this issuer be believed about this subject for this resource?
//!
//! The rooms of the house, in order: a room knows only rooms above it. `ARCHITECTURE.md` tells the walk.

pub mod clock;
pub mod json;
pub mod name;
pub mod proto;
pub mod reason;
pub mod request;

pub mod wire;

pub mod grpc;

pub mod admin;
