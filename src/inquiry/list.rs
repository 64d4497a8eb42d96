//! The relation as a table, and what of it ends soon.

use std::time::Duration;

use super::line::{Line, lines};
use crate::clock::Time;
use crate::name::Site;
use crate::table::{Snapshot, Steward};

/// Which lines are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The name of an issuer.
    pub issuer: Option<String>,
    /// The name of a resource.
    pub resource: Option<String>,
    /// The owner of the grant, of its issuer or of its resource.
    pub owner: Option<String>,
}

/// Every line that is wanted, by grant, then by issuer.
pub fn list<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Line<'s>> {
    let owned = |line: &Line<'_>, owner: &String| {
        let stewards = [
            snapshot.stewards.of_grant(&line.grant.name),
            snapshot.stewards.of_issuer(&line.issuer.name),
            snapshot.stewards.of_resource(&line.resource.name),
        ];
        stewards.iter().any(|steward| steward.owner.as_ref() == Some(owner))
    };
    let wanted = |line: &Line<'_>| {
        filter.issuer.as_ref().is_none_or(|name| line.issuer.name.as_str() == name)
            && filter.resource.as_ref().is_none_or(|name| line.resource.name.as_str() == name)
            && filter.owner.as_ref().is_none_or(|owner| owned(line, owner))
    };
    lines(snapshot).filter(wanted).collect()
}

/// An entry that ends, or is due for a review.
#[derive(Debug, Clone)]
pub struct Due<'s> {
    /// When.
    pub at: Time,
    /// `expires`, `reviewBy`, or `observe`: from then on refusals count.
    pub what: &'static str,
    /// `issuer`, `resource` or `grant`.
    pub entry: &'static str,
    /// Its name.
    pub name: String,
    /// Who looks after it.
    pub steward: &'s Steward,
    /// Where it is written.
    pub site: Site,
}

/// Everything that ends or is due for a review within a time from now, or was already; soonest first.
pub fn expiring<'s>(snapshot: &'s Snapshot, filter: &Filter, now: Time, within: Duration) -> Vec<Due<'s>> {
    let until = now.after(within);
    let mut due = Vec::new();
    let mut look = |entry: &'static str, name: &str, steward: &'s Steward, site: &Site| {
        let owned = filter.owner.as_ref().is_none_or(|owner| steward.owner.as_ref() == Some(owner));
        for (what, at) in [("expires", steward.expires), ("reviewBy", steward.review_by)] {
            if let Some(at) = at.filter(|at| owned && *at <= until) {
                due.push(Due { at, what, entry, name: name.to_owned(), steward, site: site.clone() });
            }
        }
    };
    let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let mut observed = Vec::new();
    let mut seen = None;
    for issuer in
        snapshot.issuers.iter().filter(|issuer| filter.resource.is_none() && is(&filter.issuer, issuer.name.as_str()))
    {
        // An entry may stand for several exact issuers.
        if seen.replace(&issuer.name) != Some(&issuer.name) {
            look("issuer", issuer.name.as_str(), snapshot.stewards.of_issuer(&issuer.name), &issuer.site);
        }
    }
    for (_, resource) in snapshot.resources.iter() {
        if filter.issuer.is_none() && is(&filter.resource, resource.name.as_str()) {
            if let Some(observe) = resource.observe.as_ref().filter(|observe| observe.until <= until) {
                let steward = snapshot.stewards.of_resource(&resource.name);
                observed.extend(filter.owner.as_ref().is_none_or(|owner| steward.owner.as_ref() == Some(owner)).then(
                    || Due {
                        at: observe.until,
                        what: "observe",
                        entry: "resource",
                        name: resource.name.to_string(),
                        steward,
                        site: observe.site.clone(),
                    },
                ));
            }
            look("resource", resource.name.as_str(), snapshot.stewards.of_resource(&resource.name), &resource.site);
        }
    }
    for grant in snapshot.grants.iter() {
        let resource = snapshot.resources.get(grant.resource).map_or("", |resource| resource.name.as_str());
        let issuers = grant.issuers.iter().filter_map(|id| snapshot.issuers.get(*id));
        if is(&filter.resource, resource) && issuers.into_iter().any(|issuer| is(&filter.issuer, issuer.name.as_str()))
        {
            look("grant", grant.name.as_str(), snapshot.stewards.of_grant(&grant.name), &grant.site);
        }
    }
    due.extend(observed);
    due.sort_by(|one, two| one.at.seconds().total_cmp(&two.at.seconds()).then_with(|| one.name.cmp(&two.name)));
    due
}
