//! The compiled trust table: immutable, indexed, swapped as a whole.

use std::collections::HashMap;

use crate::clock::Time;
use crate::decide::GrantIndex;
use crate::name::Issuer;
use crate::reason::Reason;
use crate::resource::ResourceIndex;
use crate::trust::{IssuerId, TrustedIssuer};

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
    /// Every NAME that some grant can forward as `x-credence-claim-NAME`, sorted.
    pub forwardable: Vec<String>,
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

/// The issuers of a snapshot, found by exact `iss`.
#[derive(Debug, Default)]
pub struct Issuers {
    list: Vec<TrustedIssuer>,
    by_iss: HashMap<Issuer, IssuerId>,
}

impl Issuers {
    /// Takes the issuers, whose `id` is their position in the list.
    ///
    /// # Errors
    /// The first pair with one and the same `iss` (CR104).
    pub fn build(list: Vec<TrustedIssuer>) -> Result<Self, (IssuerId, IssuerId)> {
        let mut by_iss = HashMap::with_capacity(list.len());
        for issuer in &list {
            if let Some(first) = by_iss.insert(issuer.issuer.clone(), issuer.id) {
                return Err((first, issuer.id));
            }
        }
        Ok(Self { list, by_iss })
    }

    /// The one issuer whose `iss` equals this byte for byte.
    ///
    /// # Errors
    /// [`Reason::IssuerUnknown`], also where the token names none.
    pub fn find(&self, claimed: Option<&str>) -> Result<&TrustedIssuer, Reason> {
        let id = claimed.and_then(|iss| self.by_iss.get(iss)).ok_or(Reason::IssuerUnknown)?;
        self.get(*id).ok_or(Reason::IssuerUnknown)
    }

    /// The issuer with this number.
    pub fn get(&self, id: IssuerId) -> Option<&TrustedIssuer> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// Every issuer, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
