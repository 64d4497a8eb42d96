//! Whether an issuer is believed: its own keys, its own rules, and only its own.
//!
//! In: a [`Token`](crate::memory::Token) and the entry of the table that its `iss` names; where
//! entries share one `iss`, a key tells whose the token is ([`Found`]).
//! Out: a [`Verified`] caller, whose [`Principal`] is the pair (issuer, subject); nothing else makes either. It must
//! know neither requests nor resources: who someone is does not depend on where they go.

mod actor;
mod choose;
mod issuer;
mod principal;
mod times;

pub use actor::Acting;
pub use choose::{Found, Unsettled};
pub use issuer::{MaxTokenAge, NamedBy, TokenType, TrustedIssuer};
pub use principal::{Authentic, Principal, Verified};

/// Number of an issuer within one snapshot: its position in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerId(pub u32);
