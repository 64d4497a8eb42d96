//! What kind of issuer a token is of, by what it says.

use std::collections::BTreeSet;

use crate::claims::{ClaimKey, trust_domain};
use crate::json::Json;
use crate::profile::{Profile, Tenancy, known_issuer};

/// A profile, and by what it was found.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// `generic` where nothing was found.
    pub profile: &'static Profile,
    /// By what.
    pub by: By,
    /// Whether the issuer signs for many customers.
    pub tenancy: Tenancy,
}

/// By what a profile was found, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The entry of the table says it.
    Entry,
    /// The host of `iss` belongs to it.
    Host,
    /// `iss` and the claims have its form.
    Form,
    /// Nothing speaks for any.
    Nothing,
}

/// How many claims of its own a token must have to be taken for one of a profile. One that several profiles have counts
/// for as many parts.
const ENOUGH: f64 = 1.0;

pub(super) fn of(payload: &Json, entry: Option<&'static Profile>) -> Kind {
    let iss = payload.get("iss").and_then(Json::as_str);
    let known = iss.and_then(known_issuer);
    let found = |profile: &'static Profile, by| {
        let listed = known.filter(|known| known.profile.is_none()).map(|known| known.tenancy);
        let tenancy = iss.and_then(|iss| (profile.issuer)(iss).ok()).or(listed).unwrap_or(Tenancy::Private);
        Kind { profile, by, tenancy: if listed == Some(Tenancy::Shared) { Tenancy::Shared } else { tenancy } }
    };
    if let Some(profile) = entry {
        return found(profile, By::Entry);
    }
    if let Some(profile) = known.and_then(|known| known.profile).and_then(Profile::find) {
        return found(profile, By::Host);
    }
    let subject = payload.get("sub").and_then(Json::as_str);
    // Also with an `iss`, as SPIRE writes one where it is told to.
    let spiffe = Profile::find("spiffe").filter(|_| subject.and_then(trust_domain).is_some());
    if let Some(profile) = spiffe {
        return found(profile, By::Form);
    }
    let generic = Profile::generic();
    let fits = |profile: &&&'static Profile| iss.is_some_and(|iss| (profile.issuer)(iss).is_ok());
    let others = Profile::ALL.iter().filter(|profile| !std::ptr::eq(**profile, generic)).filter(fits);
    let best = others.map(|profile| (*profile, score(profile, payload))).max_by(|one, two| one.1.total_cmp(&two.1));
    match best.filter(|(_, score)| *score >= ENOUGH) {
        Some((profile, _)) => found(profile, By::Form),
        None => found(generic, By::Nothing),
    }
}

/// How much the claims speak for a profile.
fn score(profile: &Profile, payload: &Json) -> f64 {
    let there = |claim: &str| ClaimKey::parse(claim).is_some_and(|key| key.find(payload).is_some());
    // Profiles of one family, such as those of Kubernetes, have one list and count as one: no claim tells them apart.
    let shared = |claim: &str| {
        let having = Profile::ALL.iter().filter(|other| other.claims.iter().any(|(name, _)| *name == claim));
        let families: BTreeSet<Vec<&str>> =
            having.map(|other| other.claims.iter().map(|(name, _)| *name).collect()).collect();
        u32::try_from(families.len()).unwrap_or(u32::MAX)
    };
    profile
        .claims
        .iter()
        .filter(|(claim, _)| there(claim))
        .map(|(claim, _)| 1.0 / f64::from(shared(claim).max(1)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(payload: &str) -> (&'static str, By) {
        let kind = of(&Json::parse(payload.as_bytes(), 16).unwrap(), None);
        (kind.profile.name, kind.by)
    }

    #[test]
    fn a_token_is_told_by_its_issuer_and_then_by_its_claims() {
        for (payload, expected) in [
            (r#"{"iss":"https://token.actions.githubusercontent.com"}"#, ("github-actions", By::Host)),
            (r#"{"sub":"spiffe://prod.acme.test/web"}"#, ("spiffe", By::Form)),
            (r#"{"iss":"https://spire.acme.test","sub":"spiffe://prod.acme.test/web"}"#, ("spiffe", By::Form)),
            (r#"{"iss":"https://accounts.google.com","sub":"spiffe://prod.acme.test/web"}"#, ("google", By::Host)),
            (
                r#"{"iss":"https://k8s.acme.test","kubernetes.io":{"namespace":"a","pod":{"name":"p","uid":"u"},"serviceaccount":{"name":"s","uid":"v"}}}"#,
                ("kubernetes", By::Form),
            ),
            (
                r#"{"iss":"https://k8s.acme.test","kubernetes.io":{"namespace":"a","serviceaccount":{"name":"s","uid":"v"}}}"#,
                ("kubernetes", By::Form),
            ),
            (
                r#"{"iss":"https://idp.acme.test/realms/b2b","azp":"bot","realm_access":{"roles":["a"]},"allowed-origins":["x"],"sid":"1"}"#,
                ("keycloak", By::Form),
            ),
            (r#"{"iss":"https://idp.acme.test","azp":"bot","scope":"a"}"#, ("generic", By::Nothing)),
            (r#"{"sub":"somebody"}"#, ("generic", By::Nothing)),
        ] {
            assert_eq!(kind(payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_shared_issuer_without_a_profile_is_known_as_one() {
        let payload = Json::parse(br#"{"iss":"https://oidc.vercel.com/acme"}"#, 16).unwrap();
        let kind = of(&payload, None);
        assert_eq!((kind.profile.name, kind.tenancy), ("generic", Tenancy::Shared));
    }
}
