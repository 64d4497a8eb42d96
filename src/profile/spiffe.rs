//! SPIFFE: JWT-SVIDs, whose issuer is a trust domain and whose subject is a SPIFFE ID.
//!
//! `iss` is optional and says nothing: the trust domain of `sub` chooses the keys, and only those that its bundle keeps
//! for `jwt-svid` count. There need be no `jti` and no `nbf`.

use super::{Identity, Parameter, Profile, UNKNOWING};
use crate::claims::{is_trust_domain, trust_domain};
use crate::name::Algorithm;

pub(super) static SPIFFE: Profile = Profile {
    name: "spiffe",
    aliases: &["spire"],
    summary: "JWT-SVIDs of a SPIFFE trust domain (SPIRE, Istio and others)",
    documentation: "https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md",
    checked: "2026-11-22",
    issuers: &["spiffe://TRUST-DOMAIN"],
    key_place: "`spiffeBundleUrl`, or a bundle as `jwks` or `jwksFile`; only keys with `use: jwt-svid` count",
    starter: include_str!("../../examples/profiles/spiffe/trust.yaml"),
    identity: Identity::TrustDomain,
    parameters: &[Parameter::one("trustDomain", form)],
    discovery: |_| Err("a trust domain does not say where its bundle is"),
    algorithms: &[
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::PS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS384,
        Algorithm::PS512,
    ],
    token_types: &["", "jwt", "jose"],
    max_token_age: 3600,
    subject,
    default_audiences: &["production", "staging", "spire-server", "sts.amazonaws.com", "vault"],
    broad: |_, audience| {
        audience.strip_prefix("spiffe://").is_some_and(|rest| is_trust_domain(rest.trim_end_matches('/')))
    },
    subject_forms: &["spiffe://TRUST-DOMAIN/PATH"],
    dangers: &[
        "A SPIFFE ID is a name: who gets it is what the registration entries of the trust domain say today.",
        "Whoever receives a token can use it wherever else its audience is taken: one audience for one resource.",
        "A bundle also holds X.509 authorities; only keys with `use: jwt-svid` may verify tokens.",
    ],
    ..UNKNOWING
};

fn form(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "a trust domain is written like `prod.acme.test`: lower case, without `spiffe://`, port or path";
    if is_trust_domain(text) { Ok(()) } else { Err(FORM) }
}

fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "a `sub` of SPIFFE is `spiffe://TRUST-DOMAIN/PATH`: lower-case domain, no empty segments, no escapes";
    if trust_domain(sub).is_some() { Ok(()) } else { Err(FORM) }
}
