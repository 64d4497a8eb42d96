//! One issuer: which `iss`, by which profile, with which keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::draft::{At, IssuerDraft, nearest};
use super::super::{Code, Place};
use super::url::{UrlFault, judge};
use super::{Bench, KeyNeed};
use crate::claims::MAX_ID;
use crate::keys::{KeyOrigin, KeyRules, LiveKeys};
use crate::name::{Issuer, IssuerName, NonEmpty};
use crate::profile::{KnownIssuer, Profile, Tenancy, known_issuer};
use crate::trust::{IssuerId, MaxTokenAge, TokenType, TrustedIssuer};

/// Profiles that the table's language knows and this version does not have yet.
const LATER: [&str; 17] = [
    "gitlab",
    "kubernetes",
    "eks",
    "gke",
    "aks",
    "spiffe",
    "google",
    "entra",
    "okta",
    "auth0",
    "keycloak",
    "cognito",
    "vault",
    "buildkite",
    "circleci",
    "terraform",
    "bitbucket",
];

/// An issuer as far as it could be judged.
#[derive(Debug)]
pub(super) struct IssuerPlan<'a> {
    pub(super) id: IssuerId,
    pub(super) draft: &'a IssuerDraft,
    pub(super) name: IssuerName,
    /// `None` where the entry names one that does not exist; reported.
    pub(super) profile: Option<&'static Profile>,
    pub(super) issuer: Option<Issuer>,
    /// Whether it signs for many customers.
    pub(super) tenancy: Tenancy,
    pub(super) known: Option<KnownIssuer>,
    pub(super) origin: Option<KeyOrigin>,
    pub(super) rules: Option<KeyRules>,
}

impl<'a> Bench<'a> {
    pub(super) fn issuer(&mut self, id: IssuerId, draft: &'a IssuerDraft) -> IssuerPlan<'a> {
        let owner = format!("issuer \"{}\"", draft.name.value);
        self.ended(&owner, &draft.common.expires);
        let profile = self.profile(&owner, draft);
        let written = self.iss(&owner, draft, profile);
        let mut plan = IssuerPlan {
            id,
            draft,
            name: IssuerName::new(draft.name.value.as_str()),
            profile,
            issuer: None,
            tenancy: Tenancy::Private,
            known: None,
            origin: None,
            rules: rules(draft, profile),
        };
        if let Some((iss, place)) = written {
            plan.known = known_issuer(&iss);
            let sound = self.iss_form(&owner, &iss, place)
                && self.own_profile(&owner, &plan, place)
                && self.iss_grammar(&owner, &mut plan, &iss, place);
            plan.origin = self.key_origin(&owner, draft, &iss, place, sound);
            plan.issuer = sound.then(|| Issuer::new(iss));
        }
        self.claim_types(&owner, profile, draft.pin_claims.items());
        self.tenant(&owner, &plan);
        plan
    }

    fn profile(&mut self, owner: &str, draft: &IssuerDraft) -> Option<&'static Profile> {
        let Some(At { value, place }) = draft.profile.given() else {
            return draft.profile.is_absent().then(Profile::generic);
        };
        let found = Profile::find(value);
        if found.is_none() && LATER.contains(&value.as_str()) {
            let help = "its rules are not built in yet, and `generic` would not keep them: leave this issuer out";
            let message = format!("profile \"{value}\" of {owner} is not supported by this version yet");
            self.report(Code::CR002, place, message, "not supported yet", help);
        } else if found.is_none() {
            let names = || Profile::ALL.iter().map(|profile| profile.name);
            let help = match nearest(value, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the profiles are {}", names().collect::<Vec<_>>().join(" ")),
            };
            self.report(
                Code::CR002,
                place,
                format!("{owner} names a profile that does not exist"),
                "no such profile",
                help,
            );
        }
        found
    }

    /// The `iss` as written, or as the profile gives it (CR106).
    fn iss(&mut self, owner: &str, draft: &'a IssuerDraft, profile: Option<&Profile>) -> Option<(String, &'a Place)> {
        if let Some(iss) = draft.issuer.given() {
            return Some((iss.value.clone(), &iss.place));
        }
        let profile = profile.filter(|_| draft.issuer.is_absent())?;
        if let Some(iss) = profile.default_issuer {
            return Some((iss.to_owned(), &draft.name.place));
        }
        let help = "write `issuer:` with the exact `iss` of its tokens, and `profile:` if there is one for it";
        self.report(Code::CR106, &draft.name.place, format!("{owner} says no `issuer`"), "which `iss`?", help);
        None
    }

    /// What no `iss` may have, whatever the profile (CR102, CR103, CR105).
    fn iss_form(&mut self, owner: &str, iss: &str, place: &Place) -> bool {
        if iss.contains(['*', '{', '}']) {
            let help = "an issuer is one exact text: make an entry for each";
            self.report(
                Code::CR105,
                place,
                format!("the `iss` of {owner} is a pattern"),
                "never matched as a pattern",
                help,
            );
            return false;
        }
        let url = iss.starts_with("http://") || iss.starts_with("https://");
        let fault = match judge(iss) {
            Err(UrlFault::Plain) => {
                let help = "use the `https:` issuer; `http:` is for loopback hosts only";
                self.report(
                    Code::CR102,
                    place,
                    format!("the `iss` of {owner} is on plain `http:`"),
                    UrlFault::Plain.as_str(),
                    help,
                );
                return false;
            }
            Err(fault) if url => Some(fault.as_str()),
            _ if iss.contains(char::is_whitespace) => Some("it holds a blank"),
            _ if iss.contains(['#', ';']) => Some("it holds `#` or `;`, which would make the principal ambiguous"),
            _ if iss.contains('?') => Some("it holds a query"),
            _ if iss.len() > MAX_ID => Some("it is longer than 512 bytes"),
            _ => None,
        };
        if let Some(fault) = fault {
            let help = "copy `iss` from a token or from `issuer` of the discovery document, byte for byte";
            self.report(Code::CR103, place, format!("no token can have the `iss` of {owner}"), fault, help);
        }
        fault.is_none()
    }

    /// An `iss` that belongs to a profile must name it (CR108).
    fn own_profile(&mut self, owner: &str, plan: &IssuerPlan<'_>, place: &Place) -> bool {
        let (Some(known), Some(profile)) = (plan.known, plan.profile) else { return plan.profile.is_some() };
        let Some(wanted) = known.profile.filter(|wanted| *wanted != profile.name) else { return true };
        let message = format!("the `iss` of {owner} is {}, so it needs `profile: {wanted}`", known.operator);
        let help = if Profile::find(wanted).is_some() {
            format!("write `profile: {wanted}`")
        } else {
            format!(
                "profile `{wanted}` is not supported by this version yet, and `{}` would not keep its rules",
                profile.name
            )
        };
        let label = if plan.draft.profile.is_absent() { "no profile is named" } else { "another profile is named" };
        self.report(Code::CR108, place, message, label, help);
        false
    }

    /// The grammar of the profile (CR103), which also says whether the issuer is shared.
    fn iss_grammar(&mut self, owner: &str, plan: &mut IssuerPlan<'_>, iss: &str, place: &Place) -> bool {
        let Some(profile) = plan.profile else { return false };
        match (profile.issuer)(iss) {
            Ok(tenancy) => {
                let shared =
                    tenancy == Tenancy::Shared || plan.known.is_some_and(|known| known.tenancy == Tenancy::Shared);
                plan.tenancy = if shared { Tenancy::Shared } else { Tenancy::Private };
                true
            }
            Err(form) => {
                let message = format!("no token of {} can have the `iss` of {owner}", profile.name);
                self.report(Code::CR103, place, message, "can never match", form);
                false
            }
        }
    }

    /// Two entries with one `iss` (CR104).
    pub(super) fn same_issuer(&mut self, plans: &[IssuerPlan<'a>]) {
        let mut first: BTreeMap<&str, &IssuerPlan<'a>> = BTreeMap::new();
        for plan in plans {
            let Some(issuer) = &plan.issuer else { continue };
            let Some(earlier) = first.get(issuer.as_str()) else {
                first.insert(issuer.as_str(), plan);
                continue;
            };
            let message = format!(
                "issuer \"{}\" and issuer \"{}\" have one `iss`, so nobody could tell their tokens apart",
                earlier.name, plan.name
            );
            let place = plan.draft.issuer.given().map_or(&plan.draft.name.place, |at| &at.place);
            let help = "make one entry of the two; clusters need a `--service-account-issuer` of their own";
            self.report(Code::CR104, place, message, format!("first at {}", earlier.draft.name.place), help);
        }
    }
}

fn rules(draft: &IssuerDraft, profile: Option<&Profile>) -> Option<KeyRules> {
    let written: Vec<_> = draft.signing_algs.items().iter().map(|at| at.value).collect();
    let algorithms = NonEmpty::new(written).or_else(|| NonEmpty::new(profile?.algorithms.to_vec()))?;
    let mut pins: Vec<_> = draft.pin_keys.items().iter().map(|at| at.value).collect();
    pins.sort();
    pins.dedup();
    Some(KeyRules { algorithms, pins: NonEmpty::new(pins), max_stale: None })
}

impl IssuerPlan<'_> {
    pub(super) fn token_types(&self) -> Option<NonEmpty<TokenType>> {
        let written = self.draft.token_types.items().iter().map(|at| TokenType::new(&at.value));
        let mut types: Vec<_> = if self.draft.token_types.is_absent() {
            self.profile?.token_types.iter().map(|text| TokenType::new(text)).collect()
        } else {
            written.collect()
        };
        types.sort();
        types.dedup();
        NonEmpty::new(types)
    }

    pub(super) fn max_token_age(&self) -> Option<MaxTokenAge> {
        Some(match self.draft.max_token_age.value() {
            Some(bound) => MaxTokenAge { bound: *bound, requires_issued_at: true },
            None => MaxTokenAge { bound: Duration::from_secs(self.profile?.max_token_age), requires_issued_at: false },
        })
    }

    pub(super) fn clock_skew(&self) -> Duration {
        self.draft.clock_skew.value().copied().unwrap_or(Duration::from_secs(30))
    }

    /// The entry in force; `None` if something of it was refused.
    pub(super) fn trusted(&self, keys: &mut dyn FnMut(KeyNeed<'_>) -> Arc<LiveKeys>) -> Option<TrustedIssuer> {
        let (issuer, origin, rules) = (self.issuer.as_ref()?, self.origin.as_ref()?, self.rules.as_ref()?);
        Some(TrustedIssuer {
            id: self.id,
            name: self.name.clone(),
            site: self.draft.name.place.site(),
            issuer: issuer.clone(),
            keys: keys(KeyNeed { name: &self.name, issuer, origin, rules }),
            algorithms: rules.algorithms.clone(),
            token_types: self.token_types()?,
            max_token_age: self.max_token_age()?,
            clock_skew: self.clock_skew(),
            pins: self.draft.pin_claims.items().iter().map(|claim| claim.rule.clone()).collect(),
            expires: self.draft.common.expires.value().copied(),
        })
    }
}
