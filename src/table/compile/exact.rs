//! Which exact issuers an entry stands for: the one that is written, the profile's own, or those that `with` expands to.

use std::collections::HashSet;

use super::super::draft::{At, IssuerDraft, nearest};
use super::super::{Code, Place};
use super::Bench;
use super::issuer::IssuerPlan;
use crate::claims::{ClaimKey, ClaimRule, Matcher, Scalar};
use crate::keys::KeyOrigin;
use crate::name::{Issuer, Site, TrustDomain};
use crate::profile::{Identity, Parameter, Parameters, Profile, Tenancy};
use crate::trust::{IssuerId, NamedBy};

/// One exact issuer that an entry stands for.
#[derive(Debug)]
pub(super) struct ExactIssuer {
    pub(super) id: IssuerId,
    pub(super) issuer: Issuer,
    pub(super) named_by: NamedBy,
    /// What its tokens must say because they are its own.
    pub(super) implied: Vec<ClaimRule>,
    /// `None` where it could not be said; reported.
    pub(super) origin: Option<KeyOrigin>,
}

impl ExactIssuer {
    /// What tokens can name it by; a trust domain is written as its SPIFFE ID.
    pub(super) fn names(&self) -> impl Iterator<Item = &Issuer> {
        let carried = match &self.named_by {
            NamedBy::Issuer => None,
            NamedBy::TrustDomain { carried, .. } => carried.as_ref(),
        };
        std::iter::once(&self.issuer).chain(carried)
    }

    /// The trust domain in which its subjects lie, if it has one.
    pub(super) const fn trust_domain(&self) -> Option<&TrustDomain> {
        match &self.named_by {
            NamedBy::Issuer => None,
            NamedBy::TrustDomain { domain, .. } => Some(domain),
        }
    }
}

/// Numbers all exact issuers in the order of the entries.
pub(super) fn number(plans: &mut [IssuerPlan<'_>]) {
    for (id, exact) in (0..).zip(plans.iter_mut().flat_map(|plan| &mut plan.exact)) {
        exact.id = IssuerId(id);
    }
}

/// What an entry says its tokens are named by, not judged yet.
#[derive(Debug)]
pub(super) enum Named<'a> {
    /// Exact issuers, and where they come from.
    Issuers(Vec<String>, &'a Place),
    /// A trust domain, and the `iss` that its tokens may carry.
    TrustDomain(TrustDomain, Option<&'a At<String>>),
}

/// What follows from the `iss`, as conditions on claims.
pub(super) fn implied(profile: &Profile, iss: &str, site: &Site) -> Vec<ClaimRule> {
    let rule = |(claim, value): (&str, String)| {
        let matcher = Matcher::Equals(Scalar::String(value));
        Some(ClaimRule { key: ClaimKey::parse(claim)?, matcher, site: site.clone() })
    };
    (profile.implied)(iss).into_iter().filter_map(rule).collect()
}

impl<'a> Bench<'a> {
    /// What the tokens are named by (CR106 where nothing says it); `None` where something of it was refused.
    pub(super) fn named(
        &mut self,
        owner: &str,
        draft: &'a IssuerDraft,
        profile: &'static Profile,
    ) -> Option<Named<'a>> {
        let with = self.with(owner, draft, profile);
        let written = draft.issuer.given();
        match profile.identity {
            Identity::TrustDomain => {
                let domain = with.filter(|with| with.has("trustDomain"))?;
                (draft.issuer.is_absent() || written.is_some())
                    .then(|| Named::TrustDomain(TrustDomain::new(domain.one("trustDomain")), written))
            }
            Identity::Expanded(expand) => match (written, draft.with.given()) {
                (Some(iss), Some(with)) => {
                    let message = format!("{owner} says twice which `iss` it stands for");
                    let label = format!("besides `issuer` at {}", iss.place);
                    self.report(Code::CR002, &with.place, message, label, "keep `with`, or the exact `issuer`");
                    None
                }
                (Some(iss), None) => Some(Named::Issuers(vec![iss.value.clone()], &iss.place)),
                (None, _) if draft.issuer.is_absent() => {
                    let place = draft.with.given().map_or(&draft.name.place, |at| &at.place);
                    match expand(&with?) {
                        Ok(issuers) => Some(Named::Issuers(issuers, place)),
                        Err(why) => {
                            let message = format!("`with` of {owner} says which `iss` it is in two ways");
                            self.report(Code::CR002, place, message, "they contradict one another", why);
                            None
                        }
                    }
                }
                (None, _) => None,
            },
            Identity::Written | Identity::Fixed(_) => match (written, profile.identity) {
                (Some(iss), _) => Some(Named::Issuers(vec![iss.value.clone()], &iss.place)),
                (None, Identity::Fixed(iss)) if draft.issuer.is_absent() => {
                    Some(Named::Issuers(vec![iss.to_owned()], &draft.name.place))
                }
                (None, _) => {
                    if draft.issuer.is_absent() {
                        let help =
                            "write `issuer:` with the exact `iss` of its tokens, and `profile:` if there is one for it";
                        let message = format!("{owner} says no `issuer`");
                        self.report(Code::CR106, &draft.name.place, message, "which `iss`?", help);
                    }
                    None
                }
            },
        }
    }

    /// The parameters; `None` where one is wrong, or missing where they alone say the issuer.
    fn with(&mut self, owner: &str, draft: &IssuerDraft, profile: &'static Profile) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        let mut sound = draft.with.is_absent() || draft.with.given().is_some();
        for written in draft.with.items() {
            let At { value: name, place } = &written.name;
            let Some(parameter) = profile.parameters.iter().find(|parameter| parameter.name == name) else {
                self.no_such_parameter(owner, &written.name, profile);
                sound = false;
                continue;
            };
            if !self.parameter(owner, parameter, &written.values) {
                sound = false;
                continue;
            }
            if written.list != parameter.list {
                let (message, help) = if parameter.list {
                    let values =
                        written.values.iter().map(|at| at.value.split_whitespace().collect::<Vec<_>>().join(", "));
                    let values = values.collect::<Vec<_>>().join(", ");
                    (format!("`{name}` of {owner} must be a list"), format!("write `{name}: [{values}]`"))
                } else {
                    (format!("`{name}` of {owner} must be one value"), format!("write `{name}: value`"))
                };
                self.report(Code::CR002, place, message, "", help);
                sound = false;
                continue;
            }
            parameters.put(parameter, written.values.iter().map(|at| at.value.clone()).collect());
        }
        let needed = match profile.identity {
            Identity::TrustDomain => true,
            Identity::Expanded(_) => draft.issuer.is_absent(),
            Identity::Written | Identity::Fixed(_) => false,
        };
        let missing: Vec<_> = profile
            .parameters
            .iter()
            .filter(|parameter| needed && sound && !parameter.optional && !parameters.has(parameter.name))
            .collect();
        if !missing.is_empty() {
            let place = draft.with.given().map_or(&draft.name.place, |at| &at.place);
            let message = format!("{owner} does not say which issuer of profile `{}` it is", profile.name);
            let example = |parameter: &&Parameter| {
                let value = if parameter.list { "[…]" } else { "…" };
                format!("{}: {value}", parameter.name)
            };
            let example = missing.iter().map(example).collect::<Vec<_>>().join(", ");
            let names = missing.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join("`, `");
            let label = format!("`{names}` is missing");
            let help = match (draft.with.given(), common_issuer(profile)) {
                (Some(_), _) => format!("add `{example}` inside this `with`"),
                (None, None) => format!("add `with: {{{example}}}`"),
                (None, Some(other)) => format!("add `with: {{{example}}}`; or {other}"),
            };
            self.report(Code::CR106, place, message, label, help);
        }
        (sound && missing.is_empty()).then_some(parameters)
    }

    fn no_such_parameter(&mut self, owner: &str, name: &At<String>, profile: &Profile) {
        let names = || profile.parameters.iter().map(|parameter| parameter.name);
        let help = match nearest(&name.value, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if profile.parameters.is_empty() => format!("profile `{}` has no parameters: remove it", profile.name),
            None => format!("the parameters of `{}` are {}", profile.name, names().collect::<Vec<_>>().join(" ")),
        };
        let message = format!("`with` of {owner} has a parameter \"{}\" that its profile does not know", name.value);
        self.report(Code::CR001, &name.place, message, "unknown parameter", help);
    }

    /// Whether every value has its form, and none stands twice.
    fn parameter(&mut self, owner: &str, parameter: &Parameter, values: &[At<String>]) -> bool {
        let before = self.report.errors();
        let mut seen = HashSet::new();
        for At { value, place } in values {
            let news = seen.insert(value.as_str());
            if let Err(form) = (parameter.form)(value) {
                let message = format!("{value:?} cannot be `{}` of {owner}", parameter.name);
                self.report(Code::CR002, place, message, "", form);
            } else if !news {
                let message = format!("`{}` of {owner} names {value:?} twice", parameter.name);
                self.report(Code::CR002, place, message, "", "remove one");
            }
        }
        self.report.errors() == before
    }
}

/// How to name the issuer that signs for all customers, where the profile has one besides those that `with` says.
fn common_issuer(profile: &Profile) -> Option<String> {
    let iss = profile.issuers.iter().find(|iss| (profile.issuer)(iss) == Ok(Tenancy::Shared))?;
    let pin = profile.tenant_ids.first()?;
    Some(format!("`issuer: {iss}`, which signs for every customer, with `pin: {{claims: {{{pin}: \"<id>\"}}}}`"))
}
