//! The compiled trust table: immutable, indexed, swapped as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{ClaimHeader, Stewards};
use crate::claims::Asked;
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::decide::GrantIndex;
use crate::memory::Token;
use crate::name::{Issuer, IssuerName, Realm, ResourceName, Thumbprint, TrustDomain};
use crate::profile::Profile;
use crate::reason::Reason;
use crate::resource::ResourceIndex;
use crate::trail::Trail;
use crate::trust::{Found, IssuerId, NamedBy, TrustedIssuer};

/// One state of the trust table. A call sees exactly one.
#[derive(Debug)]
pub struct Snapshot {
    /// SHA-256 of the table's meaning, in hexadecimal: the same for the same relations in another order or file.
    pub digest: String,
    /// Who may vouch.
    pub issuers: Issuers,
    /// What is protected.
    pub resources: ResourceIndex,
    /// The relation between them.
    pub grants: GrantIndex,
    /// The claims that some condition is about, or that some grant hands on: of a token no other is kept.
    pub asked: Asked,
    /// Every claim that some grant can forward, sorted by its NAME.
    pub forwardable: Vec<ClaimHeader>,
    /// What kind of issuer each entry is.
    pub profiles: BTreeMap<IssuerName, &'static Profile>,
    /// Who looks after each entry.
    pub stewards: Stewards,
    /// `resources` of issuers that have a ceiling: what their grants may be for. Judged when the table is compiled.
    pub ceilings: BTreeMap<IssuerName, BTreeSet<ResourceName>>,
}

/// A snapshot in force: which one it is, and since when.
#[derive(Debug)]
pub struct Published {
    /// 1 for the first table this process took, and one more for each after it.
    pub generation: u64,
    /// When it came into force.
    pub since: Time,
    /// The table.
    pub snapshot: Snapshot,
}

/// The issuers of a snapshot, found by exact `iss`, or by exact trust domain where a token has no `iss`.
#[derive(Debug, Default)]
pub struct Issuers {
    list: Vec<TrustedIssuer>,
    by_iss: HashMap<Issuer, Vec<IssuerId>>,
    by_trust_domain: HashMap<TrustDomain, Vec<IssuerId>>,
}

impl Issuers {
    /// Takes the issuers, whose `id` is their position in the list.
    ///
    /// # Errors
    /// The first pair of one and the same name that no realm tells apart (CR104).
    pub fn build(list: Vec<TrustedIssuer>) -> Result<Self, (IssuerId, IssuerId)> {
        let mut by_iss: HashMap<Issuer, Vec<IssuerId>> = HashMap::with_capacity(list.len());
        let mut by_trust_domain: HashMap<TrustDomain, Vec<IssuerId>> = HashMap::new();
        for issuer in &list {
            match &issuer.named_by {
                NamedBy::Issuer => by_iss.entry(issuer.issuer.clone()).or_default().push(issuer.id),
                NamedBy::TrustDomain { domain, carried } => {
                    by_trust_domain.entry(domain.clone()).or_default().push(issuer.id);
                    if let Some(carried) = carried {
                        by_iss.entry(carried.clone()).or_default().push(issuer.id);
                    }
                }
            }
        }
        let issuers = Self { list, by_iss, by_trust_domain };
        match issuers.by_iss.values().chain(issuers.by_trust_domain.values()).find_map(|ids| issuers.alike(ids)) {
            Some(pair) => Err(pair),
            None => Ok(issuers),
        }
    }

    /// Two of these that have no realm, or the same.
    fn alike(&self, ids: &[IssuerId]) -> Option<(IssuerId, IssuerId)> {
        let mut realms: HashMap<Option<&Realm>, IssuerId> = HashMap::new();
        let several = ids.len() > 1;
        ids.iter().filter_map(|id| self.get(*id)).find_map(|issuer| {
            let realm = issuer.realm.as_ref();
            let earlier = realms.insert(realm, issuer.id);
            let nameless = ids.iter().find(|id| **id != issuer.id).filter(|_| several && realm.is_none());
            earlier.or(nameless.copied()).map(|other| (other, issuer.id))
        })
    }

    /// Every issuer that a token which says this of itself may be of: more than one only where realms tell them apart.
    pub fn named(&self, claimed: ClaimedIssuer<'_>) -> impl Iterator<Item = &TrustedIssuer> {
        let ids = match claimed {
            ClaimedIssuer::Issuer(issuer) => self.by_iss.get(issuer),
            ClaimedIssuer::TrustDomain(domain) => self.by_trust_domain.get(domain),
        };
        ids.into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// The issuer that a token names byte for byte; where realms share the name, the one whose key it names.
    ///
    /// # Errors
    /// [`Reason::IssuerUnknown`], also where the token names none.
    pub fn find<T: Trail>(&self, token: Token<'_>, now: Time, trail: &T) -> Result<Found<'_>, Reason> {
        let mut named = token.claimed_issuer().into_iter().flat_map(|claimed| self.named(claimed));
        let found = match (trail.assumed_signer(), named.next(), named.next()) {
            (Some(signer), first, second) => {
                Found::assumed(first.into_iter().chain(second).chain(named).collect(), signer)
            }
            (None, Some(only), None) => Some(Found::only(only)),
            (None, first, second) => {
                Found::among(first.into_iter().chain(second).chain(named).collect(), token, now, trail)
            }
        };
        found.ok_or(Reason::IssuerUnknown)
    }

    /// Keys that several entries of one name publish, and that speak for none of them therefore; a sentence for each.
    pub fn shared_keys(&self) -> Vec<String> {
        let groups = self.by_iss.values().chain(self.by_trust_domain.values()).filter(|ids| ids.len() > 1);
        let mut found = Vec::new();
        for ids in groups {
            let mut owners: BTreeMap<Thumbprint, Vec<&TrustedIssuer>> = BTreeMap::new();
            for issuer in ids.iter().filter_map(|id| self.get(*id)) {
                for key in issuer.keys.ring().keys() {
                    let known = owners.entry(key.thumbprint()).or_default();
                    if known.last().is_none_or(|last| last.id != issuer.id) {
                        known.push(issuer);
                    }
                }
            }
            for (thumbprint, issuers) in owners.into_iter().filter(|(_, issuers)| issuers.len() > 1) {
                let names = issuers.iter().map(|issuer| issuer.name.as_str()).collect::<Vec<_>>().join(", ");
                found.push(format!("key {thumbprint} is published by issuers {names}, so it speaks for none of them"));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// The issuer with this number.
    pub fn get(&self, id: IssuerId) -> Option<&TrustedIssuer> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// Every issuer, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.list.iter()
    }

    /// How many entries of the table they come from: one may stand for several exact issuers.
    pub fn entries(&self) -> usize {
        self.list.iter().map(|issuer| &issuer.name).collect::<HashSet<_>>().len()
    }

    /// How many exact issuers there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
