//! What a resource that only observes lets through, and what it never does.

use super::{Facts, Rules};
use crate::block::Suspect;
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::memory::Token;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::{CredentialPlace, Observe, Resource};

/// A refusal that does not count yet: the call goes on, and nobody is named to the upstream. It knows no caller, so no
/// answer made of it can carry an identity. Made only by the walk.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'s> {
    resource: &'s Resource,
    entry: &'s Observe,
    refusal: Reason,
}

impl<'s> Observed<'s> {
    /// Of a walk that ended, or would have ended, with this refusal. `None` where the refusal counts.
    pub(super) fn of(refusal: Reason, facts: &Facts<'s>, now: Time) -> Option<Self> {
        let resource = facts.resource?;
        let entry = resource.observing(now)?;
        let blocked = facts.block.is_some() || facts.may_be_blocked;
        (refusal.is_observable() && !blocked).then_some(Self { resource, entry, refusal })
    }

    /// Where the request goes.
    pub const fn resource(&self) -> &'s Resource {
        self.resource
    }

    /// What lets it through.
    pub const fn entry(&self) -> &'s Observe {
        self.entry
    }

    /// What it would be refused for.
    pub const fn refusal(&self) -> Reason {
        self.refusal
    }
}

/// Whether a block may stand against the caller of a token whose signature did not stand. Blocks are judged by proofs, and
/// here is none; but the upstream may see one in the same token, by looser rules, while all this is only observed.
pub(super) fn may_be_blocked(rules: Rules<'_>, token: Token<'_>, now: Time) -> bool {
    let Rules { table, blocks } = rules;
    if blocks.is_empty() {
        return false;
    }
    // Whose it is cannot be read: it may be anybody's.
    let Ok(claims) = token.claims(&table.asked) else { return blocks.any_in_force(now) };
    let Some(claimed) = token.claimed_issuer() else {
        let nobody = Suspect::claimed(&claims, &token, "", None);
        return blocks.may_stand_against(&nobody, now, &table.issuers);
    };
    let issuer = match claimed {
        ClaimedIssuer::Issuer(issuer) => issuer.to_owned(),
        ClaimedIssuer::TrustDomain(domain) => format!("spiffe://{domain}"),
    };
    let entries = table.issuers.named(claimed).map(Some).chain([None]);
    let mut suspects = entries.map(|entry| Suspect::claimed(&claims, &token, &issuer, entry));
    suspects.any(|suspect| blocks.may_stand_against(&suspect, now, &table.issuers))
}

/// The same of a text that is no token to us, but that a looser reader could take for one.
pub(super) fn unread_may_be_blocked(rules: Rules<'_>, text: &str, now: Time) -> bool {
    may_hold_a_token(text.as_bytes()) && rules.blocks.any_in_force(now)
}

/// The same of a call whose header is no credential to us: another scheme, or `Bearer` with a tab behind it.
pub(super) fn unfound_may_be_blocked(
    rules: Rules<'_>,
    request: &AuthzRequest<'_>,
    place: &CredentialPlace,
    now: Time,
) -> bool {
    let header = match place {
        CredentialPlace::Authorization => "authorization",
        CredentialPlace::Header(name) => name,
        // Cookies of other names are full of dots, and nobody's credential.
        CredentialPlace::Cookie(_) => return false,
    };
    request.headers.all(header).any(may_hold_a_token) && rules.blocks.any_in_force(now)
}

/// Three parts.
fn may_hold_a_token(text: &[u8]) -> bool {
    text.iter().filter(|byte| **byte == b'.').count() >= 2
}
