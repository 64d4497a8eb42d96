//! The token by the other table: whose it is, and whether that issuer's entry takes it.

use super::possible::{Outcome, Possible};
use super::{Rejudged, Table};
use crate::claims::{ClaimRule, trust_domain};
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::name::Algorithm;
use crate::reason::Reason;
use crate::resource::Place;
use crate::trust::{NamedBy, TrustedIssuer};

use super::super::record::Who;

/// What an unverified token said may have been cut from this length on: at 256 bytes, and there at a character.
const MAYBE_CUT: usize = 253;

/// How one judgement comes out.
enum Stage {
    Passes,
    Fails(Reason),
    /// One of these, or it passes.
    Open(&'static [Reason], &'static str),
}

impl<'s> Rejudged<'s, '_> {
    /// From the token to the grants.
    pub(super) fn token(&self, place: &Place<'s, '_>, mut possible: Possible) -> Possible {
        let Some(found) = self.entries(self.table) else {
            possible.anything_of_a_token("whose token it was, in full");
            return possible;
        };
        let entry = match found.as_slice() {
            [] => {
                possible.refuse(Reason::IssuerUnknown);
                return possible;
            }
            [only] => only,
            several => match self.settled(several) {
                Some(entry) => entry,
                None => {
                    possible.anything_of_a_token("which of the entries that share this `iss` has the key");
                    return possible;
                }
            },
        };
        let then = self.entry_then();
        for stage in [
            self.in_force(entry),
            self.algorithm(entry, then),
            self.kind(entry, then),
            self.shape(entry, then),
            self.times(entry, then),
            self.age(entry, then),
            self.signature(entry, then),
            self.blocks(entry),
            self.pins(entry, then),
            self.confirmation(),
        ] {
            match stage {
                Stage::Passes => {}
                Stage::Fails(reason) => {
                    possible.refuse(reason);
                    return possible;
                }
                Stage::Open(reasons, gap) => {
                    possible.outcomes.extend(reasons.iter().copied().map(Outcome::Refused));
                    possible.gap(gap);
                }
            }
        }
        self.grants(place, entry, possible)
    }

    /// The entries of a table that the token may be of; `None` where the log does not tell what it said.
    fn entries(&self, table: Table<'s>) -> Option<Vec<&'s TrustedIssuer>> {
        let named = |claimed| table.snapshot.issuers.named(claimed).collect::<Vec<_>>();
        match &self.record.who {
            Who::Nobody => None,
            Who::Claimed(names) => {
                let whole = |text: &String| text.len() < MAYBE_CUT;
                match (&names.iss, &names.sub) {
                    (Some(iss), _) if whole(iss) => Some(named(ClaimedIssuer::Issuer(iss))),
                    (Some(_), _) => None,
                    (None, Some(sub)) if whole(sub) => Some(
                        trust_domain(sub).map_or_else(Vec::new, |domain| named(ClaimedIssuer::TrustDomain(domain))),
                    ),
                    (None, Some(_)) => None,
                    (None, None) => Some(Vec::new()),
                }
            }
            Who::Principal(pair) | Who::Verified(pair) => match self.entry_then().map(|then| &then.named_by) {
                Some(NamedBy::Issuer) => Some(named(ClaimedIssuer::Issuer(&pair.iss))),
                Some(NamedBy::TrustDomain { domain, carried }) => {
                    let by_domain = named(ClaimedIssuer::TrustDomain(domain.as_str()));
                    let Some(carried) = carried else { return Some(by_domain) };
                    // The token carried the `iss`, or none: that was not kept.
                    let by_iss = named(ClaimedIssuer::Issuer(carried.as_str()));
                    let ids = |found: &[&TrustedIssuer]| found.iter().map(|issuer| issuer.id).collect::<Vec<_>>();
                    (ids(&by_domain) == ids(&by_iss)).then_some(by_domain)
                }
                // Without the table of then: a trust domain's tokens may carry any `iss`.
                None if pair.iss.starts_with("spiffe://") => None,
                None => Some(named(ClaimedIssuer::Issuer(&pair.iss))),
            },
        }
    }

    /// The entry of the table of its time: the one that vouched, or the only one that the token may have been of.
    pub(super) fn entry_then(&self) -> Option<&'s TrustedIssuer> {
        let base = self.base?;
        if let Some(pair) = self.record.pair() {
            let realm = self.record.realm.as_deref();
            return base.snapshot.issuers.iter().find(|issuer| {
                Some(issuer.name.as_str()) == self.record.issuer_name.as_deref()
                    && issuer.issuer.as_str() == pair.iss
                    && issuer.realm.as_ref().map(|realm| realm.as_str()) == realm
            });
        }
        match self.entries(base)?.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Of several entries that share one name, the one whose key it was, where the same ones shared it then.
    fn settled(&self, now: &[&'s TrustedIssuer]) -> Option<&'s TrustedIssuer> {
        let base = self.base?;
        let vouched = self.record.pair().and(self.entry_then())?;
        let told = |table: Table<'s>, entries: &[&'s TrustedIssuer]| {
            let mut told: Vec<_> = entries
                .iter()
                .map(|entry| (entry.name.clone(), format!("{:?}", (&entry.realm, keys(table, entry)))))
                .collect();
            told.sort();
            told
        };
        let same = told(base, &self.entries(base)?) == told(self.table, now);
        now.iter().find(|entry| same && entry.name == vouched.name).copied()
    }

    fn in_force(&self, entry: &TrustedIssuer) -> Stage {
        match self.at(|now| entry.expires.is_none_or(|end| now < end)) {
            Some(true) => Stage::Passes,
            Some(false) => Stage::Fails(Reason::IssuerExpired),
            None => Stage::Open(&[Reason::IssuerExpired], "the instant to less than a millisecond"),
        }
    }

    fn algorithm(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        let said = self.record.token.as_ref().and_then(|token| token.alg.as_deref());
        if let Some(said) = said.filter(|said| said.len() < MAYBE_CUT) {
            let allowed = Algorithm::parse(said).is_some_and(|said| entry.algorithms.iter().any(|one| *one == said));
            return if allowed { Stage::Passes } else { Stage::Fails(Reason::AlgNotAllowed) };
        }
        let same = then.is_some_and(|then| then.algorithms.as_slice() == entry.algorithms.as_slice());
        self.stays(same, &[Reason::AlgNotAllowed], "the algorithm of the token")
    }

    fn kind(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        if let (Some(_), Some(token)) = (self.record.pair(), &self.record.token) {
            let allowed = entry.token_types.iter().any(|kind| kind.is(token.typ.as_deref()));
            return if allowed { Stage::Passes } else { Stage::Fails(Reason::TypeNotAllowed) };
        }
        let same = then.is_some_and(|then| then.token_types.as_slice() == entry.token_types.as_slice());
        self.stays(same, &[Reason::TypeNotAllowed], "the type of the token")
    }

    fn shape(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        const REASONS: &[Reason] = &[Reason::SubjectMissing, Reason::ClaimsMalformed];
        let requires = entry.max_token_age.requires_issued_at;
        let required = then.map(|then| then.max_token_age.requires_issued_at);
        // What else makes a claim malformed is the same by every table.
        if self.passed(Reason::ClaimsMalformed) && !requires {
            return Stage::Passes;
        }
        if let (Some(_), Some(token)) = (self.record.pair(), &self.record.token) {
            let fine = !requires || token.iat.is_some();
            return if fine { Stage::Passes } else { Stage::Fails(Reason::ClaimsMalformed) };
        }
        if self.ended_with(Reason::SubjectMissing) {
            return Stage::Fails(Reason::SubjectMissing);
        }
        self.stays(required == Some(requires), REASONS, "the registered claims")
    }

    fn times(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        const REASONS: &[Reason] = &[Reason::Expired, Reason::NotYetValid];
        let same = then.is_some_and(|then| then.clock_skew == entry.clock_skew);
        let Some((expires, issued)) = self.times_said().filter(|_| !same) else {
            return self.stays(same, REASONS, "the times of the token");
        };
        let skew = entry.clock_skew.as_secs_f64();
        let judged = self.at(|now| {
            let now = now.seconds();
            match (now >= expires + skew, issued.is_some_and(|issued| issued > now + skew)) {
                (true, _) => Err(Reason::Expired),
                (false, true) => Err(Reason::NotYetValid),
                (false, false) => Ok(()),
            }
        });
        match judged {
            Some(Err(reason)) => Stage::Fails(reason),
            // `nbf` is not kept: it was good with the skew of then.
            Some(Ok(())) if then.is_some_and(|then| then.clock_skew <= entry.clock_skew) => Stage::Passes,
            Some(Ok(())) => Stage::Open(&[Reason::NotYetValid], "the `nbf` of the token"),
            None => Stage::Open(REASONS, "the instant to less than a millisecond"),
        }
    }

    fn age(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        const REASONS: &[Reason] = &[Reason::TooOld];
        let told = |entry: &TrustedIssuer| (entry.max_token_age.bound, entry.clock_skew);
        let same = then.is_some_and(|then| told(then) == told(entry));
        let Some((expires, issued)) = self.times_said().filter(|_| !same) else {
            return self.stays(same, REASONS, "the times of the token");
        };
        let (bound, skew) = (entry.max_token_age.bound.as_secs_f64(), entry.clock_skew.as_secs_f64());
        let young = self.at(|now| {
            let now = now.seconds();
            match issued {
                Some(issued) => expires - issued <= bound && now - issued <= bound + skew,
                None => expires - now <= bound + skew,
            }
        });
        match young {
            Some(true) => Stage::Passes,
            Some(false) => Stage::Fails(Reason::TooOld),
            None => Stage::Open(REASONS, "the instant to less than a millisecond"),
        }
    }

    /// `exp` and `iat`, of a token whose signature stood.
    pub(super) fn times_said(&self) -> Option<(f64, Option<f64>)> {
        let token = self.record.pair().and(self.record.token.as_ref())?;
        Some((token.exp?, token.iat))
    }

    fn signature(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        const REASONS: &[Reason] =
            &[Reason::KeysUnavailable, Reason::KeyUnknown, Reason::KeyNotPinned, Reason::SignatureInvalid];
        let same = match (self.base, then) {
            (Some(base), Some(then)) => keys(base, then) == keys(self.table, entry),
            _ => false,
        };
        self.stays(same, REASONS, "whether the key that signed is one of those that count here")
    }

    /// Blocks are no part of a table, and count as unchanged; but one may name the entry that vouched.
    fn blocks(&self, entry: &TrustedIssuer) -> Stage {
        const REASONS: &[Reason] = &[Reason::Blocked];
        if self.ended_with(Reason::Blocked) && self.record.issuer_name.as_deref() != Some(entry.name.as_str()) {
            return Stage::Open(REASONS, "whether the block stands against the entry by its new name");
        }
        self.stays(true, REASONS, "whether a block stood")
    }

    fn pins(&self, entry: &TrustedIssuer, then: Option<&TrustedIssuer>) -> Stage {
        const REASONS: &[Reason] = &[Reason::PinMismatch];
        let outside = match (&entry.named_by, self.subject()) {
            (NamedBy::Issuer, _) => Some(false),
            (NamedBy::TrustDomain { domain, .. }, Some(sub)) => Some(trust_domain(sub) != Some(domain.as_str())),
            (NamedBy::TrustDomain { .. }, None) => None,
        };
        let known = self.known();
        let pins: Vec<_> = entry.pins.iter().map(|pin| known.holds(pin)).collect();
        if outside == Some(true) || pins.contains(&Some(false)) {
            return Stage::Fails(Reason::PinMismatch);
        }
        if outside == Some(false) && !pins.contains(&None) {
            return Stage::Passes;
        }
        let same = then.is_some_and(|then| then.named_by == entry.named_by && rules(&then.pins) == rules(&entry.pins));
        self.stays(same, REASONS, "the claims that this table pins")
    }

    fn confirmation(&self) -> Stage {
        self.stays(true, &[Reason::ConfirmationRequired], "whether the token was bound to a key")
    }

    /// A judgement that comes out as it did then where what it depends on is the `same`, and the walk came so far.
    fn stays(&self, same: bool, reasons: &'static [Reason], gap: &'static str) -> Stage {
        let ended = reasons.iter().copied().find(|reason| self.ended_with(*reason));
        match (same, ended, reasons.last()) {
            (true, Some(reason), _) => Stage::Fails(reason),
            (true, None, Some(last)) if self.passed(*last) => Stage::Passes,
            _ => Stage::Open(reasons, gap),
        }
    }

    /// `sub`, whole.
    pub(super) fn subject(&self) -> Option<&str> {
        match &self.record.who {
            Who::Principal(pair) | Who::Verified(pair) => Some(&pair.sub),
            Who::Claimed(names) => names.sub.as_deref().filter(|sub| sub.len() < MAYBE_CUT),
            Who::Nobody => None,
        }
    }

    /// Whether it is before this instant of the table.
    pub(super) fn before(&self, end: Option<Time>) -> Option<bool> {
        self.at(|now| end.is_none_or(|end| now < end))
    }
}

/// What decides which keys count: where they come from, and under which rules.
fn keys<'s>(
    table: Table<'s>,
    entry: &'s TrustedIssuer,
) -> Option<(&'s crate::keys::KeyOrigin, &'s crate::keys::KeyRules)> {
    let origin = table.origins.get(&(entry.name.clone(), entry.issuer.clone()))?;
    Some((origin, entry.keys.rules()))
}

/// Conditions without their places, in one order.
pub(super) fn rules(rules: &[ClaimRule]) -> Vec<String> {
    let mut told: Vec<_> = rules.iter().map(|rule| format!("{:?}", (rule.key.path(), &rule.matcher))).collect();
    told.sort_unstable();
    told
}
