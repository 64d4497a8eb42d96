//! A use that a store of several processes is asked about: it answers later, and the walk cannot wait.
//!
//! The walk is made twice. The first one ends in [`Reason::ReplayUnavailable`] and leaves a [`Claim`] behind; whoever called
//! it puts the claim to the store, and makes the second walk with what came of it, an [`Answered`].

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{AFTER_EXPIRY, Spent, Use};
use crate::clock::Time;
use crate::reason::Reason;

/// A piece of the SHA-256 of (realm, iss, jti). For two tokens to share it on purpose takes 2^96 tries, and both would be of whoever tried.
type Id = [u8; 24];

/// The latest end that is kept, in seconds since 1970: in 2106. What lives longer is as good as without end, and a store
/// counts in milliseconds.
const LATEST: f64 = 4_294_967_295.0;

/// One use of a verified token that policy would allow, in a form that outlives the walk.
#[derive(Clone, PartialEq)]
pub struct Claim {
    id: Id,
    /// `iat`
    issued_at: f64,
    /// Until when a use must be remembered.
    until: f64,
    now: Time,
}

/// Nothing by which a token could be told.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim(…)")
    }
}

impl Claim {
    pub(super) fn of(once: &Use<'_>) -> Self {
        let mut context = Context::new(&SHA256);
        // Each piece says how long it is, so that no two triples make one text.
        for piece in [once.realm.map(|realm| realm.as_str().as_bytes()), Some(once.issuer.as_str().as_bytes())] {
            context.update(&[u8::from(piece.is_some())]);
            let piece = piece.unwrap_or_default();
            context.update(&(piece.len() as u64).to_le_bytes());
            context.update(piece);
        }
        context.update(once.id);
        let mut id = Id::default();
        id.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self { id, issued_at: once.issued_at, until: (once.expires + AFTER_EXPIRY).min(LATEST), now: once.now }
    }

    /// What the store keeps: 32 characters that tell neither the issuer nor the `jti`.
    pub(crate) fn key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    /// A number that falls to the token by its hash, all alike often.
    pub(crate) const fn lot(&self) -> u8 {
        let [lot, ..] = self.id;
        lot
    }

    /// For how long the store must keep it, in milliseconds, from now on.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and below 2^43")]
    pub(crate) fn milliseconds(&self) -> u64 {
        ((self.until - self.now.seconds()) * 1000.0).ceil().max(1.0) as u64
    }

    /// Whether a store could know an earlier use of the token: it was issued when the store knew of every use already
    /// (`since`, by the store's clock), and not in what is still the future there (`ahead`: for so many seconds at least the store's
    /// clock is before ours). By ours as well: a store whose clock is behind dates its beginning too early.
    pub(crate) fn is_known_since(&self, since: f64, ahead: f64) -> bool {
        since.max(since - ahead) <= self.issued_at && self.issued_at <= self.now.seconds() + ahead
    }

    /// Whether this is the first use, by the word of the store: only who holds a [`Claim`] can say so, and only for
    /// this one. `None`: the store did not say, or not in time.
    pub(crate) fn answered(self, first: Option<bool>) -> Answered {
        let outcome = match first {
            Some(true) => Ok(Spent(())),
            Some(false) => Err(Reason::Replayed),
            None => Err(Reason::ReplayUnavailable),
        };
        Answered { id: self.id, outcome }
    }
}

/// What came of a [`Claim`].
#[derive(Debug)]
pub struct Answered {
    id: Id,
    outcome: Result<Spent, Reason>,
}

/// The part of a walk in spending at a store of several processes.
#[derive(Debug, Default)]
pub struct Round {
    answered: Option<Answered>,
    asked: Option<Claim>,
}

impl Round {
    /// Of a first walk, or of a second one with what came of the claim of the first.
    pub const fn with(answered: Option<Answered>) -> Self {
        Self { answered, asked: None }
    }

    /// What the walk has asked and got no answer to.
    pub(crate) fn asked(self) -> Option<Claim> {
        self.asked
    }

    /// Spends the token, if that was done for this very use; else leaves it to be asked.
    ///
    /// # Errors
    /// [`Reason::Replayed`]; [`Reason::ReplayUnavailable`] where nothing was answered yet, or nobody knows.
    pub(crate) fn spend(&mut self, once: &Use<'_>) -> Result<Spent, Reason> {
        let claim = Claim::of(once);
        match self.answered.take() {
            Some(Answered { id, outcome }) if id == claim.id => outcome,
            _ => {
                self.asked = Some(claim);
                Err(Reason::ReplayUnavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ticket;
    use super::*;
    use crate::name::{Issuer, Realm};

    fn claim(iss: &str, realm: Option<&str>, id: u8) -> Claim {
        let (issuer, realm, id) = (Issuer::new(iss), realm.map(Realm::new), [id; 32]);
        let ticket = Ticket { id: Some(&id), issued_at: Some(900.0), expires: 1_100.0 };
        Claim::of(&Use::of(&issuer, realm.as_ref(), ticket, Time::from_seconds(1_000.0)).unwrap())
    }

    fn with_use<T>(id: u8, then: impl FnOnce(&Use<'_>) -> T) -> T {
        let (issuer, id) = (Issuer::new("https://a.test"), [id; 32]);
        let ticket = Ticket { id: Some(&id), issued_at: Some(900.0), expires: 1_100.0 };
        then(&Use::of(&issuer, None, ticket, Time::from_seconds(1_000.0)).unwrap())
    }

    #[test]
    fn no_two_of_realm_issuer_and_id_share_a_key() {
        let claims = [
            claim("https://a.test", None, 1),
            claim("https://a.test", None, 2),
            claim("https://b.test", None, 1),
            claim("https://a.test", Some("eu"), 1),
            claim("euhttps://a.test", Some(""), 1),
            claim("euhttps://a.test", None, 1),
            claim("https://a.teste", Some("u"), 1),
        ];
        let keys: std::collections::BTreeSet<_> = claims.iter().map(Claim::key).collect();
        assert_eq!(keys.len(), claims.len());
        assert!(keys.iter().all(|key| key.len() == 32));
        assert_eq!(claim("https://a.test", None, 1).key(), claims[0].key());
    }

    #[test]
    fn it_is_kept_until_six_minutes_after_the_token_has_ended_however_long_that_lives() {
        assert_eq!(claim("https://a.test", None, 1).milliseconds(), 460_000);
        let endless = Claim { until: 9e15_f64.min(LATEST), ..claim("https://a.test", None, 1) };
        assert_eq!(endless.milliseconds(), 4_294_966_295_000);
    }

    #[test]
    fn a_token_of_before_the_store_or_of_the_stores_future_may_have_been_used() {
        let claim = claim("https://a.test", None, 1);
        assert!(claim.is_known_since(900.0, 0.0));
        assert!(!claim.is_known_since(900.1, 0.0), "issued before");
        assert!(claim.is_known_since(850.0, -50.0));
        assert!(!claim.is_known_since(850.1, -50.0), "issued before, by our clock");
        assert!(claim.is_known_since(0.0, -100.0));
        assert!(!claim.is_known_since(0.0, -100.1), "the store's clock has not come so far");
    }

    #[test]
    fn a_round_spends_by_an_answer_to_its_very_claim_once() {
        let answer = |first| with_use(1, |once| Claim::of(once).answered(first));
        let mut first = Round::default();
        assert!(with_use(1, |once| first.spend(once)).is_err());
        let mut second = Round::with(first.asked().map(|claim| claim.answered(Some(true))));
        assert!(with_use(1, |once| second.spend(once)).is_ok());
        assert_eq!(with_use(1, |once| second.spend(once)).unwrap_err(), Reason::ReplayUnavailable, "it is used up");
        let told = |first, id| with_use(id, |once| Round::with(Some(answer(first))).spend(once)).unwrap_err();
        assert_eq!(told(Some(false), 1), Reason::Replayed);
        assert_eq!(told(None, 1), Reason::ReplayUnavailable);
        assert_eq!(told(Some(true), 2), Reason::ReplayUnavailable, "an answer about another token");
    }
}
