//! The writer of key rings: one background task per source of keys.
//!
//! In: what the table says about where an issuer's keys are, and the secrets and proxies of the operator. Out: key
//! sets, published to the [`LiveKeys`](crate::keys::LiveKeys) that readers hold, and a sentence for people when that
//! fails. It must never know a token or a request: of what a caller sends only the name of a missing key comes here,
//! and all that it can cause is one fetch of the configured URL, within a [`Budget`].

mod address;
mod cache;
mod discovery;
mod document;
mod doorbell;
mod error;
mod feed;
mod file;
mod http;
mod keeper;
mod load;
mod memory;
mod probe;
mod proxy;
mod refresh;
mod replica;
mod surroundings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timing;
mod tls;
mod trouble;
mod url;
mod visit;
mod workload;

pub use doorbell::Budget;
pub use error::FetchError;
pub use keeper::Keeper;
pub use load::{once, once_and_keep};
pub use probe::{Bundle, Document, Exchange, Probe, Published, PublishedKey, probe};
pub use replica::readiness;
pub use surroundings::Surroundings;
pub use timing::Timing;
