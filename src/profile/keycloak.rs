//! Keycloak: one issuer a realm. Access, ID and refresh tokens look alike but for the claim `typ` in the payload.

use super::ClaimType::{Bool, String as Text, Strings};
use super::{Hint, PERSONAL, Profile, Reusable, Sign, Tenancy, UNKNOWING};
use crate::name::Algorithm;

pub(super) static KEYCLOAK: Profile = Profile {
    name: "keycloak",
    aliases: &["rhbk", "red-hat-sso"],
    summary: "access tokens of a Keycloak realm",
    documentation: "https://www.keycloak.org/securing-apps/oidc-layers",
    checked: "2026-11-22",
    issuers: &["https://HOST/realms/REALM", "https://HOST/auth/realms/REALM"],
    starter: include_str!("../../examples/profiles/keycloak/trust.yaml"),
    issuer,
    algorithms: &[
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS384,
        Algorithm::PS512,
    ],
    token_types: &["jwt", "at+jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("acr", Text),
        ("allowed-origins", Strings),
        ("azp", Text),
        ("client_id", Text),
        ("email", Text),
        ("email_verified", Bool),
        ("preferred_username", Text),
        ("/realm_access/roles", Strings),
        ("scope", Text),
        ("sid", Text),
        ("typ", Text),
    ],
    glob: |claim, _| match claim {
        "azp" | "client_id" | "sub" => Err("whoever may register a client or a user could take a name that fits"),
        _ => Ok(()),
    },
    carries: |_, claim| match claim {
        _ if claim.starts_with("resource_access.") => {
            Err("it lies inside another: write a JSON Pointer, `/resource_access/CLIENT/roles`")
        }
        _ => Ok(()),
    },
    hints: &[Hint {
        when: &[Sign::PlainAudience],
        unless: &[Sign::Claim(&["typ"])],
        danger: "if it is a client id, that client's ID tokens (`typ: ID`) have the same audience and keys",
        help: "add `typ: Bearer` to `pin.claims` of the issuer, or to `claims` of the grant",
    }],
    reusable: &[Reusable {
        claim: "preferred_username",
        stable: &["sub"],
        danger: "a user who is deleted, or renamed, leaves the name to whoever registers it next",
    }],
    mutable: PERSONAL,
    default_audiences: &["account"],
    identify: &["sub", "azp", "typ"],
    subject_forms: &["the UUID of a user, or of a client's service account"],
    dangers: &[
        "`aud` is `account`, or not there at all, until an audience mapper adds the resource's.",
        "ID and refresh tokens are signed by the realm too, and differ in the claim `typ` alone; an ID token has the client's id as `aud`.",
        "`iss` follows the hostname settings: behind a proxy it can differ from one request to the next.",
        "The realm's name is in the `iss`: a realm that is made again under the same name has the same one, and other keys.",
    ],
    ..UNKNOWING
};

/// `https://HOST/…/realms/NAME`: before Keycloak 17 and behind some proxies something stands between.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a Keycloak issuer ends in `/realms/NAME`, without a last `/`";
    let (_, name) = iss.rsplit_once("/realms/").ok_or(FORM)?;
    if name.is_empty() || name.contains('/') { Err(FORM) } else { Ok(Tenancy::Private) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_ends_in_its_realm() {
        for good in ["https://id.acme.test/realms/b2b", "https://id.acme.test/auth/realms/b2b"] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "https://id.acme.test/realms/b2b/",
            "https://id.acme.test/realms/",
            "https://id.acme.test/b2b",
            "https://id.acme.test/realms/b2b/protocol/openid-connect",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
