//! Rules that warn: the table loads, and somebody should look. Each reads the profile through its fields alone, so that a
//! new kind of issuer needs no new rule.

mod audience;
mod breadth;
mod danger;
mod hygiene;
mod identity;
mod mistyped;
mod open;
mod shadowed;
mod subject;

use super::super::draft::{ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::issuer::IssuerPlan;
use crate::claims::{ClaimKey, Matcher};
use crate::profile::Profile;

impl Bench<'_> {
    /// What is doubtful about an issuer by itself.
    pub(super) fn lint_issuer(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        self.reviewed(owner, &plan.draft.common, &plan.draft.name.place);
        self.owned(owner, &plan.draft.common, &plan.draft.name.place);
        self.pinned_names(owner, plan);
        self.dangerous_pins(owner, plan);
        self.blank_claims(owner, &plan.draft.common, plan.draft.pin_claims.items());
    }

    /// What is doubtful about a grant at one of its issuers.
    pub(super) fn lint_grant_at(&mut self, owner: &str, grant: &GrantDraft, plan: &IssuerPlan<'_>) {
        let Some(profile) = plan.profile else { return };
        let conditions = Conditions::of(grant, plan, profile);
        self.matched_names(owner, &conditions);
        if conditions.whole() {
            self.subject_of_names(owner, &conditions);
            let asked_for = self.dangerous(owner, &conditions);
            // Where it is known which runs get in, or that none does, it is not every run.
            if !self.reaching(owner, &conditions) && !asked_for {
                self.which_run(owner, &conditions);
            }
        }
    }
}

/// Everything that a token must say to get in by one grant at one of its issuers.
struct Conditions<'c, 'a> {
    grant: &'c GrantDraft,
    plan: &'c IssuerPlan<'a>,
    profile: &'static Profile,
    /// What each exact subject, or the pattern, says beside itself.
    said: Vec<Vec<(&'static str, String)>>,
}

impl<'c, 'a> Conditions<'c, 'a> {
    fn of(grant: &'c GrantDraft, plan: &'c IssuerPlan<'a>, profile: &'static Profile) -> Self {
        let said = match grant.subject.value() {
            Some(Subject::Exact(subjects)) => subjects.iter().map(|at| (profile.says)(&at.value)).collect(),
            Some(Subject::Glob(glob)) => vec![(profile.says)(glob.as_str())],
            Some(Subject::Any) | None => Vec::new(),
        };
        Self { grant, plan, profile, said }
    }

    /// Whether all of it could be read and its subjects can be met, so that what is missing is missing.
    fn whole(&self) -> bool {
        if self.grant.claims_torn || self.plan.draft.pins_torn {
            return false;
        }
        if let Some(Subject::Exact(subjects)) = self.grant.subject.value()
            && subjects.iter().any(|at| (self.profile.subject)(&at.value).is_err())
        {
            return false;
        }
        let read = |absent: bool, given: bool| absent || given;
        let (claims, pins) = (&self.grant.claims, &self.plan.draft.pin_claims);
        read(claims.is_absent(), claims.given().is_some())
            && read(pins.is_absent(), pins.given().is_some())
            && read(self.grant.subject.is_absent(), self.grant.subject.given().is_some())
    }

    /// Whether a claim must have one of certain values: by the grant, the issuer's pins, its `iss`, or each subject.
    fn settles(&self, claim: &str) -> bool {
        let exact = claim == "sub" && matches!(self.grant.subject.value(), Some(Subject::Exact(_)));
        exact || holds(self.grant.claims.items(), claim) || self.settled_by_issuer(claim) || self.all_say(claim)
    }

    fn settled_by_issuer(&self, claim: &str) -> bool {
        settled(self.plan, claim)
    }

    fn all_say(&self, claim: &str) -> bool {
        !self.said.is_empty() && self.said.iter().all(|said| says(said, claim))
    }
}

/// Whether a subject says something of a claim that tells it from others.
fn says(said: &[(&str, String)], claim: &str) -> bool {
    said.iter().any(|(name, value)| *name == claim && !value.starts_with('*'))
}

/// Whether every token of an issuer has one of certain values there.
fn settled(plan: &IssuerPlan<'_>, claim: &str) -> bool {
    let implied = |wanted: &str| {
        !plan.exact.is_empty() && plan.exact.iter().all(|exact| exact.implied.iter().any(|rule| is(wanted, &rule.key)))
    };
    holds(plan.draft.pin_claims.items(), claim) || implied(claim)
}

/// Whether a condition asks for a value of this claim.
fn holds(claims: &[ClaimDraft], claim: &str) -> bool {
    claims.iter().any(|one| is(claim, &one.rule.key) && asks_for_value(&one.rule.matcher))
}

/// Whether some value is meant, not just whether the claim is there.
const fn asks_for_value(matcher: &Matcher) -> bool {
    !matches!(matcher, Matcher::Present | Matcher::Absent)
}

/// Whether a claim as profiles name it, a name or a pointer, is the one of a condition.
pub(super) fn is(claim: &str, key: &ClaimKey) -> bool {
    match claim.strip_prefix('/') {
        Some(pointer) => pointer.split('/').eq(key.path().iter().map(String::as_str)),
        None => key.name() == claim,
    }
}
