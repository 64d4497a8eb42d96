//! HashiCorp Vault and OpenBao: identity tokens, one issuer a cluster and namespace.

use std::net::IpAddr;

use super::{PERSONAL, Profile, Tenancy, UNKNOWING, web};
use crate::name::Algorithm;

pub(super) static VAULT: Profile = Profile {
    name: "vault",
    aliases: &["hashicorp", "openbao"],
    summary: "identity tokens of HashiCorp Vault or OpenBao",
    documentation: "https://developer.hashicorp.com/vault/docs/secrets/identity/identity-token",
    checked: "2026-11-22",
    issuers: &[
        "https://HOST/v1/identity/oidc",
        "https://HOST/v1/NAMESPACE/identity/oidc",
        "https://HOST/v1/identity/oidc/provider/NAME",
    ],
    starter: include_str!("../../examples/profiles/vault/trust.yaml"),
    issuer,
    doubt,
    algorithms: &[
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::RS384,
        Algorithm::RS512,
    ],
    token_types: &["", "jwt"],
    max_token_age: 24 * 3600 + 300,
    claims: &[("namespace", super::ClaimType::String)],
    glob: |claim, _| match claim {
        "sub" | "namespace" => Err("ids have no common beginning that means anything"),
        _ => Ok(()),
    },
    subject,
    mutable: PERSONAL,
    subject_forms: &["the id of the entity, a UUID"],
    dangers: &[
        "Claims beside `sub`, `aud` and the times come from a role's template, often from metadata that others may write.",
        "A template without a value gives an empty string, which never matches.",
        "The `iss` is the address that Vault was told, or told itself: it may be an IP address, and changes with it.",
        "An entity that is deleted and made again has the same name and another id.",
        "`aud` is the id of the role that the token was made by: who may use the role may have the token.",
    ],
    ..UNKNOWING
};

/// `https://HOST/v1/[NAMESPACE/]identity/oidc`, or one of its providers.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a Vault issuer is `https://HOST/v1/identity/oidc`, with the namespace before `identity`, without a last `/`: \
                        `vault read identity/oidc/.well-known/openid-configuration` prints it";
    let (_, path) = web::plain(iss).ok_or(FORM)?;
    let own = match path.split_once("/identity/oidc/provider/") {
        Some((start, name)) => web::slug(name).is_ok().then_some(start),
        None => path.strip_suffix("/identity/oidc"),
    };
    let start = own.ok_or(FORM)?;
    let sound = (start.ends_with("/v1") || start.contains("/v1/")) && !start.contains("//") && !start.ends_with('/');
    if sound { Ok(Tenancy::Private) } else { Err(FORM) }
}

fn doubt(iss: &str) -> Result<(), &'static str> {
    const WHY: &str = "set `issuer` with `vault write identity/oidc/config` to a name that stays: an IP address passes to another machine";
    let host = web::plain(iss).map_or("", |(host, _)| host);
    let bare = host.strip_prefix('[').map_or_else(|| host.split(':').next(), |rest| rest.split(']').next());
    if bare.is_some_and(|host| host.parse::<IpAddr>().is_ok()) { Err(WHY) } else { Ok(()) }
}

fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "a `sub` of Vault is the id of an entity, a UUID: `vault read identity/entity/name/NAME` prints it";
    if crate::name::is_guid(sub) { Ok(()) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_ends_in_identity_oidc() {
        for good in [
            "https://vault.acme.test:8200/v1/identity/oidc",
            "https://vault.acme.test/v1/team/a/identity/oidc",
            "https://vault.acme.test/proxy/v1/identity/oidc",
            "https://vault.acme.test/v1/identity/oidc/provider/default",
            "https://10.0.0.7:8200/v1/identity/oidc",
        ] {
            assert_eq!(issuer(good), Ok(Tenancy::Private), "{good}");
        }
        for bad in [
            "https://vault.acme.test",
            "https://vault.acme.test/v1/identity/oidc/",
            "https://vault.acme.test/identity/oidc",
            "https://vault.acme.test/v1//identity/oidc",
            "https://vault.acme.test/v1/identity/oidc/provider/",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_doubtful() {
        for bad in ["https://10.0.0.7:8200/v1/identity/oidc", "https://[fd00::7]:8200/v1/identity/oidc"] {
            assert!(doubt(bad).is_err(), "{bad}");
        }
        assert!(doubt("https://vault.acme.test:8200/v1/identity/oidc").is_ok());
    }

    #[test]
    fn a_name_is_no_subject() {
        assert!(subject("0c8ec3a1-9f0e-4a6e-8f6a-6f1a3f6e7d21").is_ok());
        assert!(subject("settler").is_err());
    }
}
