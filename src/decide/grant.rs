//! One entry of the table under `grants:`.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use super::actor::ActorRule;
use crate::claims::{ClaimKey, ClaimRule, Glob};
use crate::clock::Time;
use crate::name::{Audience, GrantName, Scope, Site};
use crate::resource::{Methods, PathPattern, ResourceId};
use crate::trust::IssuerId;

/// Number of a grant within one snapshot: its position in the order of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GrantId(pub u32);

/// The relation: these issuers, this subject, these claims, this resource, these scopes.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its number, given by [`GrantIndex::build`](super::GrantIndex::build).
    pub id: GrantId,
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
    /// Who acts for the subject; `None`: nobody may.
    pub actor: Option<ActorRule>,
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
    /// How often one token may be used.
    pub replay: Replay,
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

/// `replay:`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// As often as the token is valid.
    Allow,
    /// Once: the first allow through this grant spends its `jti` at the issuer that vouched.
    Once,
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
