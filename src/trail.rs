//! How a walk is made: to decide, or to explain.
//!
//! In: the judgements of the rooms, one after another. Out: either the first that failed ([`Strict`]), or all of
//! them ([`Recorder`]), from one and the same code. A recorded walk goes on past a failure, so it can never end in
//! a proof: what it yields carries [`Assumed`], and the one door that says yes takes only [`Signed`].

use std::sync::Arc;

use crate::claims::Asked;
use crate::clock::Time;
use crate::credential::MAX_TOKEN;
use crate::flood::{Caller, Floodgate};
use crate::keys::Signed;
use crate::memory::{Fingerprint, Memory, Testimony, Token};
use crate::name::{Issuer, Site};
use crate::reason::Reason;
use crate::replay::{Claim, Round, Spent, Store, Use};

/// Stands where a proof would: nothing was proven. Offline commands work with it, the answer to Envoy does not.
#[derive(Debug, Clone, Copy)]
pub struct Assumed(());

/// What a judgement says about itself when someone asks.
#[derive(Debug, Clone)]
pub struct Note {
    /// One sentence: what was compared with what.
    pub text: String,
    /// The line of the table it comes from.
    pub site: Option<Site>,
}

impl Note {
    /// A sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), site: None }
    }

    /// A sentence and the line of the table it comes from.
    pub fn at(site: &Site, text: impl Into<String>) -> Self {
        Self { text: text.into(), site: Some(site.clone()) }
    }
}

/// One judgement of a recorded walk.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was judged, in a word or two.
    pub subject: &'static str,
    /// How it came out.
    pub outcome: Result<(), Reason>,
    /// What was compared with what.
    pub note: Note,
}

/// The two ways to walk. Sealed: a way that skipped a failure and still ended in a proof would be a hole.
pub trait Trail: sealed::Sealed {
    /// What stands behind the end of this walk.
    type Proof: std::fmt::Debug;

    /// What stands behind a use that a grant asks to be the first.
    type FirstUse: std::fmt::Debug;

    /// A judgement after which the walk could go on.
    ///
    /// # Errors
    /// The reason, if this walk stops at the first failure.
    fn check(
        &mut self,
        subject: &'static str,
        outcome: Result<(), Reason>,
        note: impl FnOnce() -> Note,
    ) -> Result<(), Reason>;

    /// A judgement whose result the rest of the walk needs.
    ///
    /// # Errors
    /// The reason: without the result no walk goes on.
    fn need<T>(
        &mut self,
        subject: &'static str,
        outcome: Result<T, Reason>,
        note: impl FnOnce(Option<&T>) -> Note,
    ) -> Result<T, Reason>;

    /// The entry of the table whose key is assumed to have signed, where entries share one `iss`. A walk that decides
    /// assumes nothing.
    fn assumed_signer(&self) -> Option<&str>;

    /// What this very token said, if it was verified before and that is remembered; `asked` is what must have been kept
    /// of it.
    fn recall(&mut self, token: &str, asked: &Asked) -> Option<Arc<Testimony>>;

    /// Remembers the token that was asked for last: its signature stood, and what its issuer's entry demands of every
    /// token.
    fn learn(&mut self, testimony: &Arc<Testimony>);

    /// Whether the signature of a token that names `issuer` is looked at.
    ///
    /// # Errors
    /// [`Reason::Overloaded`]: too many of this caller's were bad.
    fn may_verify(&self, token: Token<'_>, issuer: &Issuer) -> Result<(), Reason>;

    /// The signature was bad.
    fn bad_signature(&self, token: Token<'_>, issuer: &Issuer);

    /// The first judgement that failed so far, where the walk went on after it.
    fn passed_over(&self) -> Option<Reason>;

    /// Spends the token, where policy allows its use and a grant asks that it be the first.
    ///
    /// # Errors
    /// [`Reason::Replayed`]; [`Reason::ReplayUnavailable`] where nobody can know, or not yet.
    fn spend(&mut self, once: &Use<'_>) -> Result<Self::FirstUse, Reason>;

    /// The judgement on the signature.
    ///
    /// # Errors
    /// The reason, if this walk needs the proof.
    fn proof(&mut self, outcome: Result<Signed, Reason>, note: impl FnOnce() -> Note) -> Result<Self::Proof, Reason>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Strict<'_> {}
    impl Sealed for super::Recorder {}
}

/// Decides: the first failure ends the walk, and only a real signature carries it on.
#[derive(Debug, Default)]
pub struct Strict<'m> {
    memory: Option<&'m Memory>,
    token: Option<Fingerprint>,
    gate: Option<(&'m Floodgate, Option<&'m str>, Time)>,
    spent: Option<Till<'m>>,
}

/// Where a walk spends.
#[derive(Debug)]
enum Till<'m> {
    /// In this process, at once.
    Here(&'m Store),
    /// At a store of several processes, which is asked between two walks.
    Elsewhere(Round),
}

impl<'m> Strict<'m> {
    /// A walk that need not verify what is in `memory`.
    pub const fn with(memory: &'m Memory) -> Self {
        Self { memory: Some(memory), token: None, gate: None, spent: None }
    }

    /// The same, with bad signatures counted at `gate` for whoever calls from this address.
    #[must_use]
    pub const fn counted(self, gate: &'m Floodgate, address: Option<&'m str>, now: Time) -> Self {
        Self { gate: Some((gate, address, now)), ..self }
    }

    /// The same, on which tokens can be spent. On any other walk none can, so no grant that asks for it fits.
    #[must_use]
    pub fn spending(self, spent: &'m Store) -> Self {
        Self { spent: Some(Till::Here(spent)), ..self }
    }

    /// The same, on which tokens are spent at a store that is asked between two walks.
    #[must_use]
    pub fn spending_elsewhere(self, round: Round) -> Self {
        Self { spent: Some(Till::Elsewhere(round)), ..self }
    }

    /// The use that a store must be asked about before this walk can end well.
    pub(crate) fn asked(self) -> Option<Claim> {
        match self.spent? {
            Till::Here(_) => None,
            Till::Elsewhere(round) => round.asked(),
        }
    }

    /// For whom a bad signature of this token is counted; nobody, where it is remembered and need not be checked.
    fn caller(&self, token: Token<'_>) -> Option<Caller<'_>> {
        let (gate, address, now) = self.gate.filter(|_| matches!(token, Token::Read(_)))?;
        gate.caller(address, now)
    }
}

impl Trail for Strict<'_> {
    type Proof = Signed;
    type FirstUse = Spent;

    fn check(&mut self, _: &'static str, outcome: Result<(), Reason>, _: impl FnOnce() -> Note) -> Result<(), Reason> {
        outcome
    }

    fn need<T>(
        &mut self,
        _: &'static str,
        outcome: Result<T, Reason>,
        _: impl FnOnce(Option<&T>) -> Note,
    ) -> Result<T, Reason> {
        outcome
    }

    fn assumed_signer(&self) -> Option<&str> {
        None
    }

    fn recall(&mut self, token: &str, asked: &Asked) -> Option<Arc<Testimony>> {
        let memory = self.memory.filter(|memory| memory.is_on() && token.len() <= MAX_TOKEN)?;
        memory.recall(self.token.insert(Fingerprint::of(token)), asked)
    }

    fn learn(&mut self, testimony: &Arc<Testimony>) {
        if let (Some(memory), Some(token)) = (self.memory, self.token.take()) {
            memory.learn(token, testimony);
        }
    }

    fn may_verify(&self, token: Token<'_>, issuer: &Issuer) -> Result<(), Reason> {
        let open = self.caller(token).is_none_or(|caller| caller.may_try(issuer));
        if open { Ok(()) } else { Err(Reason::Overloaded) }
    }

    fn bad_signature(&self, token: Token<'_>, issuer: &Issuer) {
        if let Some(caller) = self.caller(token) {
            caller.failed(issuer);
        }
    }

    fn passed_over(&self) -> Option<Reason> {
        None
    }

    fn spend(&mut self, once: &Use<'_>) -> Result<Spent, Reason> {
        match self.spent.as_mut().ok_or(Reason::ReplayUnavailable)? {
            Till::Here(store) => store.spend(once),
            Till::Elsewhere(round) => round.spend(once),
        }
    }

    fn proof(&mut self, outcome: Result<Signed, Reason>, _: impl FnOnce() -> Note) -> Result<Signed, Reason> {
        outcome
    }
}

/// Explains: writes every judgement down and goes on.
#[derive(Debug, Default)]
pub struct Recorder {
    without_keys: bool,
    signer: Option<String>,
    signature: SignatureCheck,
    steps: Vec<Step>,
}

/// What became of the signature on a recorded walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureCheck {
    /// The walk ended before it.
    #[default]
    NotReached,
    /// No keys were at hand, and the walk was to go on without; or the algorithm is none that a key may be asked for.
    NotChecked,
    /// It was held against the issuer's keys, or there was none that fits.
    Checked,
}

impl Recorder {
    /// A walk on which a missing key ends in "not checked" instead of a refusal.
    pub fn without_keys() -> Self {
        Self { without_keys: true, ..Self::default() }
    }

    /// A walk without keys, on which this entry of the table is assumed to have signed.
    pub fn signed_by(signer: Option<&str>) -> Self {
        Self { signer: signer.map(str::to_owned), ..Self::without_keys() }
    }

    /// What became of the signature.
    pub const fn signature(&self) -> SignatureCheck {
        self.signature
    }

    /// Every judgement, in the order they were made.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The first failure: what a strict walk would have answered.
    pub fn first_failure(&self) -> Option<Reason> {
        self.steps.iter().find_map(|step| step.outcome.err())
    }

    fn push(&mut self, subject: &'static str, outcome: Result<(), Reason>, note: Note) {
        self.steps.push(Step { subject, outcome, note });
    }
}

impl Trail for Recorder {
    type Proof = Assumed;
    type FirstUse = Assumed;

    fn check(
        &mut self,
        subject: &'static str,
        outcome: Result<(), Reason>,
        note: impl FnOnce() -> Note,
    ) -> Result<(), Reason> {
        self.push(subject, outcome, note());
        Ok(())
    }

    fn need<T>(
        &mut self,
        subject: &'static str,
        outcome: Result<T, Reason>,
        note: impl FnOnce(Option<&T>) -> Note,
    ) -> Result<T, Reason> {
        self.push(subject, outcome.as_ref().map(|_| ()).map_err(|reason| *reason), note(outcome.as_ref().ok()));
        outcome
    }

    fn assumed_signer(&self) -> Option<&str> {
        self.signer.as_deref()
    }

    /// Everything is looked at anew.
    fn recall(&mut self, _: &str, _: &Asked) -> Option<Arc<Testimony>> {
        None
    }

    fn learn(&mut self, _: &Arc<Testimony>) {}

    fn may_verify(&self, _: Token<'_>, _: &Issuer) -> Result<(), Reason> {
        Ok(())
    }

    fn bad_signature(&self, _: Token<'_>, _: &Issuer) {}

    fn passed_over(&self) -> Option<Reason> {
        self.first_failure()
    }

    /// Nothing is spent, and nothing counts as spent before.
    fn spend(&mut self, _: &Use<'_>) -> Result<Assumed, Reason> {
        Ok(Assumed(()))
    }

    fn proof(&mut self, outcome: Result<Signed, Reason>, note: impl FnOnce() -> Note) -> Result<Assumed, Reason> {
        if self.without_keys && outcome.as_ref().err() == Some(&Reason::KeysUnavailable) {
            self.signature = SignatureCheck::NotChecked;
            self.push("signature", Ok(()), Note::new("signature not checked: no keys at hand"));
        } else {
            // Where the algorithm is not allowed no key was asked.
            let asked = outcome.as_ref().err() != Some(&Reason::AlgNotAllowed);
            self.signature = if asked { SignatureCheck::Checked } else { SignatureCheck::NotChecked };
            self.push("signature", outcome.map(|_| ()), note());
        }
        Ok(Assumed(()))
    }
}
