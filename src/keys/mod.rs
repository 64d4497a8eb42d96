//! The public keys of one issuer, ready to verify with.
//!
//! In: the bytes of a JWK Set and what the table says about an issuer's keys. Out: a [`KeyRing`] that answers which
//! key a `kid` and an algorithm name, and [`Signed`], the proof that a signature stood. It must never know a token,
//! a request, a socket or the time: `fetch` writes, this room is read.

mod address;
mod bundle;
mod jwk;
mod live;
mod ring;
mod set;
mod source;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod verify;
mod weak;

pub use address::is_refused_address;
pub use bundle::SpiffeBundle;
pub use jwk::Jwk;
pub use live::{Landing, LiveKeys, Supply};
pub use ring::{KeyMiss, KeyRing, KeyRules, Quarantined};
pub use set::{IgnoredKey, KeySet, KeySetError};
pub use source::{Access, ClientCertificate, KeyFormat, KeyOrigin, KeySource, ServerIdentity};
pub use status::{FetchLog, FetchResult, Status};
pub use verify::{SignatureInvalid, Signed, VerifyKey};
