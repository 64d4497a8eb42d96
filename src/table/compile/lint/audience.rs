//! Audiences that say little: one that many services share (CR210), or two resources of the table (CR211).

use std::collections::HashSet;

use super::super::super::draft::{At, Common, GrantDraft};
use super::super::super::{Code, Diagnostic};
use super::super::issuer::IssuerPlan;
use super::super::{Bench, Names};

impl<'a> Bench<'a> {
    /// Each audience at the issuers whose tokens are taken for it.
    pub(in super::super) fn shared_audiences(&mut self, names: &Names<'_, 'a>) {
        let mut judged: HashSet<(&str, &str)> = HashSet::new();
        let mut told: HashSet<&str> = HashSet::new();
        for grant in &self.draft.grants {
            let plans = grant.issuers.items().iter().filter_map(|at| names.issuers.get(at.value.as_str()));
            let own = grant.audience.given();
            let resource = grant.resource.value().and_then(|name| names.resources.get(name.as_str()));
            for plan in plans {
                if let Some(audience) = own {
                    let owner = format!("grant \"{}\"", grant.name.value);
                    self.shared_audience(&owner, &grant.common, audience, plan);
                    continue;
                }
                let Some(resource) = resource.map(|plan| plan.draft) else { continue };
                let Some(audience) = resource.audience.given().filter(|_| grant.audience.is_absent()) else { continue };
                let name = resource.name.value.as_str();
                if told.contains(name) || !judged.insert((name, plan.draft.name.value.as_str())) {
                    continue;
                }
                let owner = format!("resource \"{name}\"");
                if self.shared_audience(&owner, &resource.common, audience, plan) {
                    told.insert(name);
                }
            }
        }
    }

    /// Whether tokens of the issuer have this audience unasked.
    fn shared_audience(&mut self, owner: &str, entry: &Common, audience: &At<String>, plan: &IssuerPlan<'_>) -> bool {
        let Some(profile) = plan.profile else { return false };
        let mut issuers = plan.exact.iter().map(|exact| exact.issuer.as_str());
        if !issuers.any(|iss| profile.is_default_audience(iss, &audience.value)) {
            return false;
        }
        let message =
            format!("the audience of {owner} is one that tokens of issuer \"{}\" have for many services", plan.name);
        let label = "another service that is sent such a token can use it here";
        let help = "give the resource an audience of its own, such as its URL, and ask for tokens for that";
        self.warn(entry, Code::CR210, &audience.place, message, label, help);
        true
    }

    /// Two resources with one audience: a token for one is a token for the other.
    pub(in super::super) fn one_audience(&mut self, names: &Names<'_, 'a>) {
        let several = names.audiences.iter().filter(|(audience, group)| !audience.is_empty() && group.len() > 1);
        let mut groups: Vec<_> = several.map(|(_, group)| group).collect();
        groups.sort_by_key(|group| group.first().map(|resource| &resource.name.value));
        for resources in groups {
            let open: Vec<_> =
                resources.iter().filter(|resource| !self.accepted(&resource.common, Code::CR211)).collect();
            let Some((first, others)) = open.split_first() else { continue };
            for other in others {
                let Some(place) = other.audience.given().map(|at| &at.place) else { continue };
                let message = format!(
                    "resource \"{}\" and resource \"{}\" have one audience: a token for one is taken by the other",
                    first.name.value, other.name.value
                );
                let finding = Diagnostic::at(Code::CR211, place, message)
                    .label(format!("the same as of {}", first.name.place))
                    .help("give each its own audience; or accept it on one of them, if whoever calls one may be taken for a caller of the other");
                self.report.push(finding);
            }
        }
    }

    /// The grants of each resource that is open somewhere are looked at for what lies open, and each resource for whether
    /// it only observes (CR403).
    pub(in super::super) fn open_over_grants(&mut self, names: &Names<'_, 'a>) {
        for resource in &self.draft.resources {
            self.observing(resource);
        }
        let grants = self.draft.grants.iter();
        let of_open = grants.filter(|grant| {
            let resource = grant.resource.value().and_then(|name| names.resources.get(name.as_str()));
            resource.is_some_and(|plan| !plan.draft.anonymous.items().is_empty())
        });
        let mut by_resource: std::collections::BTreeMap<&str, Vec<&'a GrantDraft>> = std::collections::BTreeMap::new();
        for grant in of_open {
            by_resource.entry(grant.resource.value().map_or("", String::as_str)).or_default().push(grant);
        }
        for (name, grants) in by_resource {
            if let Some(plan) = names.resources.get(name) {
                self.open_places_of(plan.draft, &grants);
            }
        }
    }
}
