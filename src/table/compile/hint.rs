//! Rules that a profile has of its own (CR206): a grant that lets in more than it seems to, an issuer that is doubtful.

use super::super::Code;
use super::super::draft::{ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::issuer::IssuerPlan;
use super::resource::ResourcePlan;
use super::tenancy::shown;
use crate::decide::AudienceFrom;
use crate::profile::{Profile, Sign};
use crate::resource::Methods;

/// Methods that change nothing (RFC 9110 §9.2.1).
pub(super) const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

impl Bench<'_> {
    /// Conditions without which more gets in than it seems.
    pub(super) fn hinted(
        &mut self,
        owner: &str,
        grant: &GrantDraft,
        plan: &IssuerPlan<'_>,
        resource: Option<&ResourcePlan<'_>>,
    ) {
        let Some(profile) = plan.profile else { return };
        // Of a grant that was not understood nothing is said besides.
        let torn = grant.claims_torn || plan.draft.pins_torn;
        let judged = !torn
            && (grant.claims.is_absent() || grant.claims.given().is_some())
            && (grant.subject.is_absent() || grant.subject.given().is_some());
        let seen = Seen { grant, plan, resource };
        self.foreign_audience(owner, &seen, profile);
        for hint in profile.hints.iter().filter(|_| judged) {
            if !hint.when.iter().all(|sign| seen.shows(*sign)) || hint.unless.iter().any(|sign| seen.shows(*sign)) {
                continue;
            }
            let message = match hint.missing() {
                Some(claims) => format!("{owner} does not look at {claims} of issuer \"{}\"", plan.name),
                None => format!("{owner} rests on something weak at issuer \"{}\"", plan.name),
            };
            let entries = [&grant.common, &plan.draft.common];
            self.warn_either(entries, Code::CR206, &grant.name.place, message, hint.danger, hint.help);
        }
    }

    /// An audience that tokens of an issuer never have.
    fn foreign_audience(&mut self, owner: &str, seen: &Seen<'_, '_>, profile: &Profile) {
        let Seen { grant, plan, resource } = seen;
        let own = grant.audience.given();
        let Some(audience) = own.or_else(|| resource.and_then(|plan| plan.draft.audience.given())) else { return };
        // Where an entry stands for several, they are alike.
        let Some(exact) = plan.exact.first() else { return };
        let Err(form) = (profile.audience)(exact.issuer.as_str(), &audience.value) else { return };
        let message = format!("tokens of issuer \"{}\" do not have the audience of {owner}", plan.name);
        let place = own.map_or(&grant.name.place, |at| &at.place);
        let label = format!("{:?} will probably never match", audience.value);
        self.warn_either([&grant.common, &plan.draft.common], Code::CR206, place, message, label, form);
    }

    /// An `iss` that can be right and had better be another.
    pub(super) fn doubtful(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let Some(profile) = plan.profile else { return };
        let Some(why) = plan.exact.iter().find_map(|exact| (profile.doubt)(exact.issuer.as_str()).err()) else {
            return;
        };
        let draft = plan.draft;
        let place = draft.issuer.given().map(|at| &at.place).or(draft.with.given().map(|at| &at.place));
        let message = format!("the `iss` of {owner} is a doubtful one for `{}`", profile.name);
        let label = "is it what its tokens say, and will it stay so?";
        self.warn(&draft.common, Code::CR206, place.unwrap_or(&draft.name.place), message, label, why);
    }
}

/// What a rule can look at.
struct Seen<'s, 'a> {
    grant: &'s GrantDraft,
    plan: &'s IssuerPlan<'a>,
    resource: Option<&'s ResourcePlan<'a>>,
}

impl Seen<'_, '_> {
    fn shows(&self, sign: Sign) -> bool {
        let Self { grant, plan, .. } = self;
        let named = |claims: &[ClaimDraft], name: &str| claims.iter().any(|claim| shown(&claim.rule.key) == name);
        match sign {
            Sign::Claim(names) => {
                names.iter().any(|name| named(grant.claims.items(), name) || named(plan.draft.pin_claims.items(), name))
            }
            Sign::Subject => matches!(grant.subject.value(), Some(Subject::Exact(_) | Subject::Glob(_))),
            Sign::ExactSubject => matches!(grant.subject.value(), Some(Subject::Exact(_))),
            Sign::Writes => grant.methods.value().is_some_and(|methods| match methods {
                Methods::Any => true,
                Methods::These(methods) => methods.iter().any(|method| !SAFE.contains(&method.as_str())),
            }),
            Sign::PlainAudience => self.audience().is_some_and(|audience| !audience.contains("://")),
            Sign::AudienceFromClientId => grant.audience_from.value() == Some(&AudienceFrom::ClientId),
            Sign::PinnedKeys => !plan.draft.pin_keys.is_absent() || !plan.draft.keys.jwks.is_absent(),
        }
    }

    fn audience(&self) -> Option<&str> {
        let own = self.grant.audience.value();
        own.or_else(|| self.resource?.draft.audience.value()).map(String::as_str)
    }
}
