//! Any issuer: nothing is known, so everything that matters must be written.

use super::{PERSONAL, Profile, UNKNOWING};
use crate::name::Algorithm;

pub(super) static GENERIC: Profile = Profile {
    name: "generic",
    aliases: &["oidc", "oauth2", "jwt"],
    summary: "any OpenID Connect or OAuth 2.0 issuer of JWT access tokens",
    documentation: "https://www.rfc-editor.org/rfc/rfc9068",
    checked: "2026-11-22",
    starter: include_str!("../../examples/profiles/generic/trust.yaml"),
    algorithms: &[Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA],
    token_types: &["", "jwt", "at+jwt"],
    max_token_age: 24 * 3600,
    mutable: PERSONAL,
    identify: &["sub", "azp", "client_id"],
    subject_forms: &["whatever the issuer says: ask who owns a `sub`, and whether another can ever get it"],
    dangers: &[
        "Nothing is known: whether it signs for several customers, whether names are reused, which claims people can change.",
        "An ID token can look like an access token where the resource's audience is a client id.",
    ],
    ..UNKNOWING
};
