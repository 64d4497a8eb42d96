//! What the caller presents: found, split, and not believed.
//!
//! In: a request and the place where its resource wants the credential. Out: an [`Unverified`] token, read strictly
//! enough that there is only one way to read it. It must know neither keys nor the trust table: nothing that is
//! said here is true yet.

mod locate;
mod unverified;

pub use locate::locate;
pub use unverified::{Claimed, ClaimedIssuer, Envelope, Header, MAX_TOKEN, Parts, TokenFault, Unverified};
