//! Who looks after an entry, why it is there, and until when: for people, never for a decision.

use std::collections::BTreeMap;

use super::Code;
use crate::clock::Time;
use crate::name::{GrantName, IssuerName, ResourceName};

/// What an entry says of itself besides its meaning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steward {
    /// `owner`: someone to call.
    pub owner: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `reason`, of a grant or a resource.
    pub reason: Option<String>,
    /// `reviewBy`: when to look again.
    pub review_by: Option<Time>,
    /// `expires`: when it ends by itself.
    pub expires: Option<Time>,
    /// `labels`, sorted.
    pub labels: Vec<(String, String)>,
    /// Warnings that were looked at and are wanted.
    pub accepts: Vec<Acceptance>,
}

/// One item of `accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The rule, one that warns.
    pub code: Code,
    /// Why it is wanted.
    pub reason: String,
}

/// The stewards of all entries that say anything of the kind.
#[derive(Debug, Default)]
pub struct Stewards {
    pub(super) issuers: BTreeMap<IssuerName, Steward>,
    pub(super) resources: BTreeMap<ResourceName, Steward>,
    pub(super) grants: BTreeMap<GrantName, Steward>,
}

/// Of whoever says nothing.
static NOBODY: Steward = Steward {
    owner: None,
    description: None,
    reason: None,
    review_by: None,
    expires: None,
    labels: Vec::new(),
    accepts: Vec::new(),
};

impl Stewards {
    /// Of an issuer.
    pub fn of_issuer(&self, name: &IssuerName) -> &Steward {
        self.issuers.get(name).unwrap_or(&NOBODY)
    }

    /// Of a resource.
    pub fn of_resource(&self, name: &ResourceName) -> &Steward {
        self.resources.get(name).unwrap_or(&NOBODY)
    }

    /// Of a grant.
    pub fn of_grant(&self, name: &GrantName) -> &Steward {
        self.grants.get(name).unwrap_or(&NOBODY)
    }
}
