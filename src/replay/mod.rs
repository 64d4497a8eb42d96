//! Which tokens were used, where a grant lets each be used once.
//!
//! In: who issued a verified token, its `jti`, its times, and that policy allows its use. Out: exactly one yes for each
//! (realm, iss, jti), however many ask at once, for as long as the token could be used; where that cannot be promised, a
//! no. It must know neither grants nor requests nor signatures: a mirrored signature, another text, a remembered token
//! are the same token here. It never keeps an id itself, only a piece of its hash.

mod ledger;
mod shared;
mod store;

pub use shared::{Answered, Claim, Round};
pub use store::Store;

use crate::clock::Time;
use crate::name::{Issuer, Realm};
use crate::reason::Reason;

/// For so long after its `exp` a spent id is remembered, in seconds: no `clockSkew` is longer than five minutes, and no
/// call is judged for longer than the sixth.
pub const AFTER_EXPIRY: f64 = 360.0;

/// One use of a verified token.
#[derive(Debug, Clone, Copy)]
pub struct Use<'t> {
    issuer: &'t Issuer,
    realm: Option<&'t Realm>,
    /// SHA-256 of `jti`.
    id: &'t [u8; 32],
    /// `iat`
    issued_at: f64,
    /// `exp`
    expires: f64,
    now: Time,
}

/// That a token was spent for this use: what a grant with `replay: once` allows by. Only a store makes one, by
/// [`Store::spend`], or on the word of a store of several processes; it can neither be copied nor kept for another use.
///
/// ```compile_fail
/// let spent = credence::replay::Spent(());
/// ```
#[derive(Debug)]
pub struct Spent(());

/// What a token says that its use is told apart by.
#[derive(Debug, Clone, Copy)]
pub struct Ticket<'t> {
    /// SHA-256 of `jti`, if there is one and it is not empty.
    pub id: Option<&'t [u8; 32]>,
    /// `iat`
    pub issued_at: Option<f64>,
    /// `exp`
    pub expires: f64,
}

impl<'t> Use<'t> {
    /// The use of a token of this issuer (the first half of the principal, with its realm) at this time.
    ///
    /// # Errors
    /// [`Reason::JtiMissing`] without an id. [`Reason::ReplayUnavailable`] where no store could know whether it is the
    /// first one: without `iat` a token may be older than any memory; and one whose `iat` is still to come could, after a
    /// restart, be taken for one that was issued since.
    pub fn of(issuer: &'t Issuer, realm: Option<&'t Realm>, ticket: Ticket<'t>, now: Time) -> Result<Self, Reason> {
        let id = ticket.id.ok_or(Reason::JtiMissing)?;
        let issued_at = ticket.issued_at.filter(|issued| *issued <= now.seconds()).ok_or(Reason::ReplayUnavailable)?;
        Ok(Self { issuer, realm, id, issued_at, expires: ticket.expires, now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 32] = [7; 32];

    fn of(id: Option<&[u8; 32]>, issued_at: Option<f64>) -> Result<(), Reason> {
        let ticket = Ticket { id, issued_at, expires: 2000.0 };
        Use::of(&Issuer::new("https://a.test"), None, ticket, Time::from_seconds(1000.0)).map(|_| ())
    }

    #[test]
    fn what_no_store_could_know_is_refused_before_one_is_asked() {
        assert_eq!(of(None, Some(900.0)), Err(Reason::JtiMissing));
        assert_eq!(of(None, None), Err(Reason::JtiMissing), "what is missing is told first");
        assert_eq!(of(Some(&ID), None), Err(Reason::ReplayUnavailable));
        assert_eq!(of(Some(&ID), Some(1000.5)), Err(Reason::ReplayUnavailable), "issued in the future");
        assert_eq!(of(Some(&ID), Some(1000.0)), Ok(()));
    }
}
