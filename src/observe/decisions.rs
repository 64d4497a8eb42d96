//! The counters of decisions. Each table in force has a [`Tally`], where a call finds its series by the numbers that the
//! table gave to issuers and resources; the names are looked up once, when a series is counted for the first time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwapOption;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::durations::Durations;
use super::exemplars::Made;
use super::metrics::lock;
use crate::decide::{Grant, Mode};
use crate::keys::Signed;
use crate::path::{Outcome, Walk};
use crate::reason::{Accepted, Reason};
use crate::table::Published;
use crate::trust::TrustedIssuer;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    decision: &'static str,
    reason: &'static str,
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtResource {
    resource: String,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByGrant {
    grant: String,
    mode: &'static str,
}

impl ByGrant {
    fn of(grant: &Grant) -> Self {
        Self { grant: grant.name.to_string(), mode: mode(grant) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verification {
    issuer: String,
    result: &'static str,
    cache: &'static str,
}

/// The label `decision`.
const DECISIONS: [&str; 2] = ["allow", "deny"];
/// Up to so many grants, each has its series from the start, at zero: which of them nobody uses can be asked then.
const GRANTS_AT_ZERO: usize = 2000;
/// The label `cache`: whether the token had been verified before.
const CACHE: [&str; 2] = ["miss", "hit"];

/// A series that is resolved with its first count, and mostly appears with it.
type Slot = OnceLock<Counter>;

/// Series that differ in the reason alone.
#[derive(Debug, Default)]
struct ByReason {
    /// `ok` where an issuer vouched, `anonymous` where none did.
    accepted: Slot,
    /// Refused, and let through because the resource only observes.
    observed: Slot,
    /// By the order of [`Reason::ALL`]; most issuers never need them.
    refused: OnceLock<Box<[Slot; Reason::ALL.len()]>>,
}

impl ByReason {
    /// Of a decision, as the label `reason` has it.
    fn of<P>(&self, outcome: &Outcome<'_, P>) -> Option<&Slot> {
        match outcome {
            Outcome::Observed(_) => Some(&self.observed),
            _ => self.slot(outcome.refusal()),
        }
    }

    fn slot(&self, refusal: Option<Reason>) -> Option<&Slot> {
        let Some(reason) = refusal else { return Some(&self.accepted) };
        self.refused.get_or_init(|| Box::new([const { Slot::new() }; Reason::ALL.len()])).get(reason as usize)
    }
}

#[derive(Debug, Default)]
struct OfIssuer {
    decisions: ByReason,
    /// In the order of [`CACHE`].
    verifications: [ByReason; CACHE.len()],
}

/// The series of one table, by its numbers.
#[derive(Debug)]
struct Tally {
    generation: u64,
    /// By `IssuerId`.
    issuers: Box<[OfIssuer]>,
    /// By `ResourceId`, then in the order of [`DECISIONS`].
    resources: Box<[[Slot; DECISIONS.len()]]>,
    /// By `GrantId`.
    grants: Box<[Slot]>,
}

impl Tally {
    fn of(published: &Published, matches: &Family<ByGrant, Counter>) -> Self {
        let snapshot = &published.snapshot;
        let from_the_start = snapshot.grants.len() <= GRANTS_AT_ZERO;
        let slot = |grant: &Grant| {
            let series = from_the_start.then(|| matches.get_or_create_owned(&ByGrant::of(grant)));
            series.map_or_else(Slot::new, Slot::from)
        };
        Self {
            generation: published.generation,
            issuers: snapshot.issuers.iter().map(|_| OfIssuer::default()).collect(),
            resources: snapshot.resources.iter().map(|_| Default::default()).collect(),
            grants: snapshot.grants.iter().map(slot).collect(),
        }
    }
}

/// The series of decisions.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    decisions: Family<Decision, Counter>,
    resource_decisions: Family<AtResource, Counter>,
    grant_matches: Family<ByGrant, Counter>,
    verifications: Family<Verification, Counter>,
    shed: Counter,
    /// In the order of [`DECISIONS`].
    durations: [Durations; DECISIONS.len()],
    unverified: ByReason,
    tally: ArcSwapOption<Tally>,
    /// Names of the published table and of those that went with the one before, to take their series away.
    names: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    known: Names,
    gone: Names,
}

#[derive(Debug, Default)]
struct Names {
    issuers: BTreeSet<String>,
    resources: BTreeSet<String>,
    grants: BTreeSet<(String, &'static str)>,
}

impl Names {
    fn without(&self, other: &Self) -> Self {
        Self {
            issuers: &self.issuers - &other.issuers,
            resources: &self.resources - &other.resources,
            grants: &self.grants - &other.grants,
        }
    }
}

impl Decisions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let made = Self::default();
        registry.register(
            "decisions",
            "Decisions; issuer is `unverified` before a signature stood",
            made.decisions.clone(),
        );
        registry.register("resource_decisions", "Decisions by resource", made.resource_decisions.clone());
        registry.register(
            "grant_matches",
            "Requests that a grant fitted, shadow grants too",
            made.grant_matches.clone(),
        );
        registry.register("token_verifications", "Tokens held against an issuer's entry", made.verifications.clone());
        registry.register(
            "calls_shed",
            "Calls refused as overloaded before anything of them was judged, whoever made them",
            made.shed.clone(),
        );
        made
    }

    /// Counts one decision of the table of this generation. Where another one is in force by now, or its tally is not
    /// there yet, the series are found by their names.
    pub(super) fn decided(&self, generation: Option<u64>, walk: &Walk<'_, Signed>, made: &Made) {
        let Walk { outcome, facts } = walk;
        let tally = self.tally.load();
        let tally = tally.as_deref().filter(|tally| Some(tally.generation) == generation);
        let slots = |issuer: &TrustedIssuer| tally.and_then(|tally| at(&tally.issuers, issuer.id.0));
        let denied = matches!(outcome, Outcome::Refused(_));
        let [allow, deny] = &self.durations;
        let (side, decision, durations) = if denied { (1, "deny", deny) } else { (0, "allow", allow) };

        durations.count(made);
        let vouching = facts.vouching_issuer();
        let reasons = vouching.map_or(Some(&self.unverified), |issuer| slots(issuer).map(|slots| &slots.decisions));
        count(reasons.and_then(|reasons| reasons.of(outcome)), &self.decisions, || Decision {
            decision,
            reason: outcome.code(),
            issuer: vouching.map_or("unverified", |issuer| issuer.name.as_str()).to_owned(),
        });
        // Where a resource was found, it was this caller's own flood that was held up.
        if facts.resource.is_none() && outcome.refusal() == Some(Reason::Overloaded) {
            self.shed.inc();
        }
        if let Some(resource) = facts.resource {
            let slot = tally.and_then(|tally| at(&tally.resources, resource.id.0)?.get(side));
            count(slot, &self.resource_decisions, || AtResource { resource: resource.name.to_string(), decision });
        }
        if let Some(issuer) = facts.issuer {
            let refusal = outcome.refusal().filter(|_| facts.verified.is_none());
            let [miss, hit] = CACHE;
            let slot = slots(issuer).and_then(|slots| {
                let [miss, hit] = &slots.verifications;
                if facts.remembered { hit } else { miss }.slot(refusal)
            });
            count(slot, &self.verifications, || Verification {
                issuer: issuer.name.to_string(),
                result: refusal.map_or(Accepted::Ok.code(), Reason::code),
                cache: if facts.remembered { hit } else { miss },
            });
        }
        let of_grant = |grant: &Grant| {
            let slot = tally.and_then(|tally| at(&tally.grants, grant.id.0));
            count(slot, &self.grant_matches, || ByGrant::of(grant));
        };
        if let Outcome::Allowed(permit) = outcome {
            permit.granted().iter().copied().for_each(of_grant);
        }
        facts.shadow.iter().copied().for_each(of_grant);
    }

    /// How long decisions took, the registry's families apart: it has no place for exemplars of a histogram that is not its own.
    pub(super) fn durations(&self) -> model::MetricFamily {
        let told = |(decision, durations): (&str, &Durations)| {
            let label = model::LabelPair { name: "decision".into(), value: decision.to_owned() };
            Some(model::Metric { label: vec![label], histogram: Some(durations.histogram()?), ..Default::default() })
        };
        model::MetricFamily {
            name: "credence_decision_duration_seconds".into(),
            help: "From the arrival of a call's headers to its verdict.".into(),
            r#type: model::MetricType::Histogram.into(),
            metric: DECISIONS.into_iter().zip(&self.durations).filter_map(told).collect(),
            ..Default::default()
        }
    }

    /// A table came into force: from now on its calls count by its numbers, and the series of removed entries go.
    pub(super) fn published(&self, published: &Published) {
        let snapshot = &published.snapshot;
        let now = Names {
            issuers: snapshot.issuers.iter().map(|issuer| issuer.name.to_string()).collect(),
            resources: snapshot.resources.iter().map(|(_, resource)| resource.name.to_string()).collect(),
            grants: snapshot.grants.iter().map(|grant| (grant.name.to_string(), mode(grant))).collect(),
        };
        {
            let mut names = lock(&self.names);
            names.gone = names.known.without(&now);
            names.known = now;
        }
        self.forget_the_gone();
        // Last, so that no series is taken away that the tally holds.
        self.tally.store(Some(Arc::new(Tally::of(published, &self.grant_matches))));
    }

    /// Takes away the series of entries that went with the last table, also those that a call in hand brought back.
    pub(super) fn forget_the_gone(&self) {
        let names = lock(&self.names);
        for issuer in &names.gone.issuers {
            self.forget_issuer(issuer);
        }
        for resource in &names.gone.resources {
            for decision in DECISIONS {
                self.resource_decisions.remove(&AtResource { resource: resource.clone(), decision });
            }
        }
        for (grant, mode) in &names.gone.grants {
            self.grant_matches.remove(&ByGrant { grant: grant.clone(), mode });
        }
    }

    fn forget_issuer(&self, issuer: &str) {
        let codes = Reason::ALL
            .iter()
            .map(|reason| ("deny", reason.code()))
            .chain(Accepted::ALL.map(|accepted| ("allow", accepted.code())));
        for (decision, reason) in codes {
            self.decisions.remove(&Decision { decision, reason, issuer: issuer.to_owned() });
            for cache in CACHE {
                self.verifications.remove(&Verification { issuer: issuer.to_owned(), result: reason, cache });
            }
        }
    }
}

fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

/// One more in the series that the slot holds; where it holds none yet, or there is no slot, in that of these labels.
fn count<L>(slot: Option<&Slot>, family: &Family<L, Counter>, labels: impl FnOnce() -> L)
where
    L: Clone + std::hash::Hash + Eq,
{
    let series = || family.get_or_create_owned(&labels());
    match slot {
        Some(slot) => slot.get_or_init(series).inc(),
        None => series().inc(),
    };
}

const fn mode(grant: &Grant) -> &'static str {
    match grant.mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
    }
}

#[cfg(test)]
mod tests;
