//! One issuer: which `iss`, by which profile, with which keys.

use std::sync::Arc;
use std::time::Duration;

use super::super::draft::{At, IssuerDraft, nearest};
use super::super::{Code, Place};
use super::exact::{ExactIssuer, Named, implied};
use super::url::{UrlFault, judge};
use super::{Bench, KeyNeed};
use crate::claims::{Asked, MAX_ID};
use crate::keys::{KeyRules, LiveKeys};
use crate::name::{Issuer, IssuerName, NonEmpty, Realm, TrustDomain};
use crate::profile::{KnownIssuer, Profile, Tenancy, known_issuer};
use crate::trust::{IssuerId, MaxTokenAge, NamedBy, TokenType, TrustedIssuer};

/// An issuer as far as it could be judged.
#[derive(Debug)]
pub(super) struct IssuerPlan<'a> {
    pub(super) draft: &'a IssuerDraft,
    pub(super) name: IssuerName,
    /// `None` where the entry names one that does not exist; reported.
    pub(super) profile: Option<&'static Profile>,
    /// The exact issuers that it stands for; none where something of them was refused.
    pub(super) exact: Vec<ExactIssuer>,
    /// Whether it signs for many customers.
    pub(super) tenancy: Tenancy,
    pub(super) known: Option<KnownIssuer>,
    pub(super) rules: Option<KeyRules>,
}

impl<'a> Bench<'a> {
    pub(super) fn issuer(&mut self, draft: &'a IssuerDraft) -> IssuerPlan<'a> {
        let owner = format!("issuer \"{}\"", draft.name.value);
        self.ended(&owner, &draft.common);
        let profile = self.profile(&owner, draft);
        let mut plan = IssuerPlan {
            draft,
            name: IssuerName::new(draft.name.value.as_str()),
            profile,
            exact: Vec::new(),
            tenancy: Tenancy::Private,
            known: None,
            rules: rules(draft, profile),
        };
        match profile.and_then(|profile| self.named(&owner, draft, profile)) {
            None if profile.is_none() => {
                // What can be said of a written `iss` without its profile.
                if let Some(iss) = draft.issuer.given() {
                    self.sound(&owner, &mut plan, &iss.value, &iss.place);
                }
            }
            None => {}
            Some(Named::Issuers(issuers, place)) => self.exact_issuers(&owner, &mut plan, &issuers, place),
            Some(Named::TrustDomain(domain, carried)) => self.exact_domain(&owner, &mut plan, domain, carried),
        }
        self.claim_types(&owner, profile, draft.pin_claims.items());
        self.tenant(&owner, &plan);
        self.never_pinned(&owner, &plan);
        self.placeholder(&owner, &plan);
        self.looks_wrong(&owner, &plan);
        self.nowhere(&owner, &plan);
        self.lone_pin(&owner, &plan);
        self.doubtful(&owner, &plan);
        self.lint_issuer(&owner, &plan);
        plan
    }

    fn exact_issuers(&mut self, owner: &str, plan: &mut IssuerPlan<'a>, issuers: &[String], place: &Place) {
        let sound = issuers.iter().all(|iss| self.sound(owner, plan, iss, place));
        let Some(profile) = plan.profile else { return };
        let keys = self.key_plan(owner, plan.draft, profile, None);
        // What is wrong with one is wrong with all, and told once.
        let mut told = keys.is_none();
        plan.exact.reserve_exact(issuers.len());
        for iss in issuers {
            let origin = keys.as_ref().filter(|_| !told);
            let origin = origin.and_then(|keys| self.origin(owner, keys, profile, iss, place, sound));
            told |= origin.is_none();
            if sound {
                plan.exact.push(ExactIssuer {
                    id: IssuerId(0),
                    issuer: Issuer::new(iss.as_str()),
                    named_by: NamedBy::Issuer,
                    implied: implied(profile, iss, &plan.draft.name.place.site()),
                    origin,
                });
            }
        }
        let one_document = plan.draft.keys.discovery_url.given().filter(|_| issuers.len() > 1);
        if let Some(url) = one_document {
            let message =
                format!("`discoveryUrl` of {owner} is one document, and the entry stands for several issuers");
            let help = "remove it: each issuer's own document is found by its `iss`; or make an entry for each";
            self.report(Code::CR002, &url.place, message, "it can only be of one `iss`", help);
        }
    }

    fn exact_domain(
        &mut self,
        owner: &str,
        plan: &mut IssuerPlan<'a>,
        domain: TrustDomain,
        carried: Option<&'a At<String>>,
    ) {
        if carried.is_some_and(|iss| !self.sound(owner, plan, &iss.value, &iss.place)) {
            return;
        }
        let Some(profile) = plan.profile else { return };
        let issuer = Issuer::new(format!("spiffe://{domain}"));
        let keys = self.key_plan(owner, plan.draft, profile, Some(&domain));
        let place = &plan.draft.name.place;
        let origin = keys.and_then(|keys| self.origin(owner, &keys, profile, issuer.as_str(), place, true));
        let carried = carried.map(|iss| Issuer::new(iss.value.as_str()));
        plan.exact.push(ExactIssuer {
            id: IssuerId(0),
            issuer,
            named_by: NamedBy::TrustDomain { domain, carried },
            implied: Vec::new(),
            origin,
        });
    }

    /// Whether some token can have this `iss`, and the entry may stand for it.
    fn sound(&mut self, owner: &str, plan: &mut IssuerPlan<'_>, iss: &str, place: &Place) -> bool {
        plan.known = known_issuer(iss);
        self.iss_form(owner, iss, place)
            && self.own_profile(owner, plan, place)
            && self.iss_grammar(owner, plan, iss, place)
    }

    fn profile(&mut self, owner: &str, draft: &IssuerDraft) -> Option<&'static Profile> {
        let Some(At { value, place }) = draft.profile.given() else {
            return draft.profile.is_absent().then(Profile::generic);
        };
        let found = Profile::find(value);
        if found.is_none() {
            let names = || Profile::ALL.iter().map(|profile| profile.name);
            let called: Vec<_> = Profile::also_called(value).map(|profile| format!("`{}`", profile.name)).collect();
            let help = match nearest(value, names()) {
                _ if !called.is_empty() => format!("did you mean {}?", called.join(" or ")),
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
        // A scheme has no case (RFC 3986 §3.1), so `HTTP:` is no way around what `http:` may not be.
        let (scheme, rest) = iss.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let url = matches!(scheme.as_str(), "http" | "https");
        let judged = if url { judge(&format!("{scheme}://{rest}")) } else { judge(iss) };
        let fault = match judged {
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
        let help = format!("write `profile: {wanted}`");
        let label = if plan.draft.profile.is_absent() { "no profile is named" } else { "another profile is named" };
        self.report(Code::CR108, place, message, label, help);
        false
    }

    /// The grammar of the profile (CR103), which also says whether the issuer is shared.
    fn iss_grammar(&mut self, owner: &str, plan: &mut IssuerPlan<'_>, iss: &str, place: &Place) -> bool {
        let Some(profile) = plan.profile else { return false };
        match (profile.issuer)(iss) {
            Ok(tenancy) => {
                // What the profile says counts; the list of hosts speaks for those that no profile describes.
                let listed = plan.known.filter(|known| known.profile.is_none()).map(|known| known.tenancy);
                if tenancy == Tenancy::Shared || listed == Some(Tenancy::Shared) {
                    plan.tenancy = Tenancy::Shared;
                }
                true
            }
            Err(form) => {
                let message = format!("no token of {} can have the `iss` of {owner}", profile.name);
                self.report(Code::CR103, place, message, "can never match", form);
                false
            }
        }
    }
}

fn rules(draft: &IssuerDraft, profile: Option<&Profile>) -> Option<KeyRules> {
    let written: Vec<_> = draft.signing_algs.items().iter().map(|at| at.value).collect();
    let algorithms = NonEmpty::new(written).or_else(|| NonEmpty::new(profile?.algorithms.to_vec()))?;
    let mut pins: Vec<_> = draft.pin_keys.items().iter().map(|at| at.value).collect();
    pins.sort();
    pins.dedup();
    Some(KeyRules { algorithms, pins: NonEmpty::new(pins), max_stale: draft.keys.max_stale.value().copied() })
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

    /// What tells it apart from another entry of the same name.
    pub(super) fn realm(&self) -> Option<Realm> {
        self.draft.realm.value().map(|realm| Realm::new(realm.as_str()))
    }

    /// Its exact issuers in force; `None` if something of them was refused.
    pub(super) fn trusted(&self, keys: &mut dyn FnMut(KeyNeed<'_>) -> Arc<LiveKeys>) -> Option<Vec<TrustedIssuer>> {
        if self.exact.is_empty() {
            return None;
        }
        self.exact.iter().map(|exact| self.in_force(exact, keys)).collect()
    }

    fn in_force(
        &self,
        exact: &ExactIssuer,
        keys: &mut dyn FnMut(KeyNeed<'_>) -> Arc<LiveKeys>,
    ) -> Option<TrustedIssuer> {
        let (issuer, origin, rules) = (&exact.issuer, exact.origin.as_ref()?, self.rules.as_ref()?);
        let written = self.draft.pin_claims.items().iter().map(|claim| &claim.rule);
        let (realm, expires) = (self.realm(), self.draft.common.expires.value().copied());
        let until = expires.filter(|_| realm.is_none());
        Some(TrustedIssuer {
            id: exact.id,
            name: self.name.clone(),
            site: self.draft.name.place.site(),
            issuer: issuer.clone(),
            named_by: exact.named_by.clone(),
            realm,
            keys: keys(KeyNeed { name: &self.name, issuer, origin, rules, until }),
            algorithms: rules.algorithms.clone(),
            token_types: self.token_types()?,
            max_token_age: self.max_token_age()?,
            clock_skew: self.clock_skew(),
            pins: exact.implied.iter().chain(written).cloned().collect(),
            asked: Asked::default(),
            expires,
            required: self.draft.required.value().copied().unwrap_or(false),
        })
    }
}
