//! The writer of key rings: one background task per source of keys.
//!
//! In: what the table says about where an issuer's keys are. Out: key sets, published to the
//! [`LiveKeys`](crate::keys::LiveKeys) that readers hold, and a sentence for people when that fails. It must never
//! know a token or a request: of what a caller sends only the name of a missing key comes here, and all that it can
//! cause is one fetch of the configured URL, within a [`Budget`].

mod address;
mod discovery;
mod doorbell;
mod error;
mod feed;
mod http;
mod keeper;
mod load;
mod refresh;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timing;
mod url;

pub use doorbell::Budget;
pub use error::FetchError;
pub use keeper::Keeper;
pub use load::once;
pub use timing::Timing;
