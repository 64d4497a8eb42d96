//! What a token says, read strictly, and the conditions a table may put on it.
//!
//! In: the JSON payload of a token. Out: [`Claims`], whose registered members have the types that RFC 7519 gives
//! them, and [`Matcher`]s that hold or do not hold. It knows neither issuers nor grants, and believes nothing:
//! whether the claims are true is the next room's business.

mod asked;
mod matcher;
mod pointer;
mod registered;
mod spiffe;

pub use asked::{Asked, Said};
pub use matcher::{ClaimRule, Glob, GlobFault, Matcher, Scalar};
pub use pointer::ClaimKey;
pub use registered::{Actor, BadClaim, Claims, MAX_ID, MAX_SUBJECT, token_id};
pub use spiffe::{is_trust_domain, trust_domain};
