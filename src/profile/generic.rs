//! Any issuer: nothing is known, so everything that matters must be written.

use super::{Identity, Profile, Tenancy};
use crate::name::Algorithm;

pub(super) static GENERIC: Profile = Profile {
    name: "generic",
    summary: "any OpenID Connect or OAuth 2.0 issuer of JWT access tokens",
    documentation: "https://www.rfc-editor.org/rfc/rfc9068",
    checked: "2026-11-21",
    identity: Identity::Written,
    parameters: &[],
    issuer: |_| Ok(Tenancy::Private),
    implied: |_| Vec::new(),
    discovery: |_| Ok(()),
    key_hosts: &[],
    in_cluster: false,
    tenant_ids: &[],
    tenant_hint: "",
    algorithms: &[Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA],
    token_types: &["", "jwt", "at+jwt"],
    max_token_age: 24 * 3600,
    claims: &[],
    glob: |_, _| Ok(()),
    subject: |_| Ok(()),
    hints: &[],
};
