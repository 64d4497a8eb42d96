//! What the cases of a table do not show.

use std::collections::BTreeSet;

use crate::decide::{Grant, Mode};
use crate::reason::{Accepted, Reason};
use crate::table::Snapshot;
use crate::trust::NamedBy;

/// What no case shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Uncovered {
    /// Enforcing grants that no case is allowed by.
    pub(super) grants: Vec<String>,
    /// Reasons that lines of this very table can cause, and that no case ends with.
    pub(super) reasons: Vec<&'static str>,
}

impl Uncovered {
    /// Of a table, by the grants that allowed a case and the reasons that cases ended with.
    pub(super) fn of(snapshot: &Snapshot, grants: &BTreeSet<String>, reasons: &BTreeSet<&'static str>) -> Self {
        let enforced = snapshot.grants.iter().filter(|grant| grant.mode == Mode::Enforce);
        let names: BTreeSet<_> = enforced.map(|grant| grant.name.as_str()).collect();
        Self {
            grants: names.into_iter().filter(|name| !grants.contains(*name)).map(str::to_owned).collect(),
            reasons: possible(snapshot).into_iter().filter(|reason| !reasons.contains(reason)).collect(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.reasons.is_empty()
    }
}

/// The reasons that depend on what this table says. Those that are the same by every table (a malformed token, an expired
/// one, an unclear path) are not worth a case of each; and a test knows no keys.
fn possible(snapshot: &Snapshot) -> Vec<&'static str> {
    let enforced = || snapshot.grants.iter().filter(|grant| grant.mode == Mode::Enforce);
    let timed = |grant: &Grant| {
        let times = grant.times;
        let ends = snapshot.resources.get(grant.resource).is_some_and(|resource| resource.expires.is_some());
        ends || times.starts.is_some() || times.expires.is_some() || times.max_token_age.is_some()
    };
    let narrow = |grant: &Grant| grant.subject.is_some() || !grant.claims.is_empty();
    let open = snapshot.resources.iter().any(|(_, resource)| !resource.anonymous.is_empty());
    let observes = snapshot.resources.iter().any(|(_, resource)| resource.observe.is_some());
    let pinned = snapshot.issuers.iter().any(|issuer| {
        !issuer.pins.is_empty() || matches!(issuer.named_by, NamedBy::TrustDomain { carried: Some(_), .. })
    });
    let ends = snapshot.issuers.iter().any(|issuer| issuer.expires.is_some());
    let any = enforced().next().is_some();
    [
        (open, Accepted::Anonymous.code()),
        (observes, Accepted::Observed.code()),
        (snapshot.resources.iter().next().is_some(), Reason::ResourceUnknown.code()),
        (any, Reason::NoToken.code()),
        (any, Reason::IssuerUnknown.code()),
        (ends, Reason::IssuerExpired.code()),
        (pinned, Reason::PinMismatch.code()),
        (any, Reason::AudienceMismatch.code()),
        (enforced().any(timed), Reason::GrantExpired.code()),
        (enforced().any(narrow), Reason::GrantNone.code()),
    ]
    .into_iter()
    .filter_map(|(possible, code)| possible.then_some(code))
    .collect()
}
