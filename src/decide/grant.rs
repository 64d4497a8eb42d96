//! One entry of the table under `grants:`, and the index of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use crate::claims::{ClaimKey, ClaimRule, Glob};
use crate::clock::Time;
use crate::name::{Audience, GrantName, Scope, Site};
use crate::resource::{Methods, PathPattern, ResourceId};
use crate::trust::IssuerId;

/// The relation: these issuers, this subject, these claims, this resource, these scopes.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its name in the table.
    pub name: GrantName,
    /// Where it is written.
    pub site: Site,
    /// The issuers at each of which it holds, under each one's own pins.
    pub issuers: Vec<IssuerId>,
    /// The resource.
    pub resource: ResourceId,
    /// Who; `None` where `claims` say it.
    pub subject: Option<SubjectRule>,
    /// What the token must say besides.
    pub claims: Vec<ClaimRule>,
    /// HTTP methods.
    pub methods: Methods,
    /// Paths, within those of the resource; never empty.
    pub paths: Vec<PathPattern>,
    /// Handed to the upstream.
    pub scopes: Vec<Scope>,
    /// What must be among the audiences: the grant's own, else the resource's.
    pub audience: Audience,
    /// Which claim is read as the audience.
    pub audience_from: AudienceFrom,
    /// When it holds.
    pub times: GrantTimes,
    /// Whether it allows or only watches.
    pub mode: Mode,
    /// What leaves credence: name → claim.
    pub forward_claims: Vec<(String, ClaimKey)>,
}

impl Grant {
    /// The claims that it is about, or hands on.
    pub fn asked(&self) -> Vec<ClaimKey> {
        let client = (self.audience_from == AudienceFrom::ClientId).then(|| CLIENT_ID.clone());
        let conditions = self.claims.iter().map(|rule| rule.key.clone());
        conditions.chain(self.forward_claims.iter().map(|(_, key)| key.clone())).chain(client).collect()
    }
}

/// `client_id` (RFC 9068 §2.2)
pub(super) static CLIENT_ID: LazyLock<ClaimKey> = LazyLock::new(|| ClaimKey::named("client_id"));

/// `subject:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectRule {
    /// One of these, exactly.
    Exact(Vec<String>),
    /// Of this form.
    Glob(Glob),
    /// Any subject of the issuer; the table says why.
    Any,
}

impl SubjectRule {
    /// Whether this subject is meant.
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(subjects) => subjects.iter().any(|one| one == subject),
            Self::Glob(glob) => glob.matches(subject),
            Self::Any => true,
        }
    }
}

impl fmt::Display for SubjectRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(subjects) => {
                let quoted: Vec<_> = subjects.iter().map(|subject| format!("{subject:?}")).collect();
                f.write_str(&quoted.join(" or "))
            }
            Self::Glob(glob) => write!(f, "like {:?}", glob.as_str()),
            Self::Any => f.write_str("any"),
        }
    }
}

/// `audienceFrom:`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceFrom {
    /// `aud` (RFC 7519 §4.1.3).
    Audience,
    /// `client_id`, for issuers whose access tokens have no `aud` (Cognito).
    ClientId,
}

/// When a grant holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GrantTimes {
    /// Not before.
    pub starts: Option<Time>,
    /// Not from here on.
    pub expires: Option<Time>,
    /// A narrower `maxTokenAge` than the issuer's; needs `iat`.
    pub max_token_age: Option<Duration>,
}

/// `mode:`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Allows.
    Enforce,
    /// Is evaluated, logged and counted, and never allows.
    Shadow,
}

/// All grants of a snapshot, by issuer and resource.
#[derive(Debug, Default)]
pub struct GrantIndex {
    by_pair: HashMap<(IssuerId, ResourceId), Vec<Grant>>,
    count: usize,
}

impl GrantIndex {
    /// Builds the index; within a pair grants are in the order of their names, so that the order of the table has no say.
    pub fn build(mut grants: Vec<Grant>) -> Self {
        grants.sort_by(|one, two| one.name.cmp(&two.name));
        let mut index = Self { count: grants.len(), ..Self::default() };
        for grant in grants {
            for issuer in grant.issuers.clone() {
                index.by_pair.entry((issuer, grant.resource)).or_default().push(grant.clone());
            }
        }
        index
    }

    /// The grants of this issuer for this resource.
    pub fn of(&self, issuer: IssuerId, resource: ResourceId) -> &[Grant] {
        self.by_pair.get(&(issuer, resource)).map_or(&[], Vec::as_slice)
    }

    /// How many grants the table has.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether the table has none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every grant, once for each of its issuers, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.by_pair.values().flatten()
    }
}
