//! Microsoft Entra ID: each tenant has its own exact issuer, and all tenants share keys.
//!
//! What keeps tenants apart is the `issuer` that each key names and the `tid` that must be the one in `iss`. Whether an
//! application gets v1 or v2 tokens is a setting of that application, and v1 is its default.

use super::ClaimType::{String as Text, Strings};
use super::{Hint, Identity, Parameter, Parameters, Profile, Sign, Tenancy, UNKNOWING};
use crate::name::{Algorithm, is_guid};

/// The tenant of all personal Microsoft accounts: `consumers`.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

pub(super) static ENTRA: Profile = Profile {
    name: "entra",
    aliases: &["azure", "azuread", "azure-ad", "aad", "microsoft", "msft", "entra-id"],
    summary: "access tokens of Microsoft Entra ID tenants",
    documentation: "https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens",
    checked: "2026-11-22",
    issuers: &["https://login.microsoftonline.com/TENANT-ID/v2.0", "https://sts.windows.net/TENANT-ID/"],
    key_place: "by discovery, one document a tenant; v1 and v2 have different ones, and a key that names an `issuer` speaks for that one only",
    starter: include_str!("../../examples/profiles/entra/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[
        Parameter { name: "tenants", list: true, optional: false, form: tenant },
        Parameter { name: "version", list: false, optional: true, form: version },
    ],
    issuer,
    implied: |iss| tenant_of(iss).map(|tenant| ("tid", tenant.to_owned())).into_iter().collect(),
    key_hosts: &["login.microsoftonline.com", "login.windows.net"],
    tenant_ids: &["tid"],
    algorithms: &[Algorithm::RS256],
    token_types: &["jwt"],
    max_token_age: 25 * 3600,
    claims: &[
        ("appid", Text),
        ("appidacr", Text),
        ("azp", Text),
        ("azpacr", Text),
        ("groups", Strings),
        ("idtyp", Text),
        ("oid", Text),
        ("roles", Strings),
        ("scp", Text),
        ("tid", Text),
        ("ver", Text),
        ("wids", Strings),
    ],
    glob: |claim, _| match claim {
        "appid" | "azp" | "oid" | "sub" | "tid" => Err("ids of Entra have no common beginning that means anything"),
        _ => Ok(()),
    },
    value: |claim, text| match claim {
        "appid" | "azp" | "oid" | "tid" if !is_guid(text) => Err("it is an id, a GUID in lower case, never a name"),
        "idtyp" if !matches!(text, "app" | "user" | "device") => Err("it is `app`, `user` or `device`"),
        "ver" if !matches!(text, "1.0" | "2.0") => Err("it is `\"1.0\"` or `\"2.0\"`"),
        _ => Ok(()),
    },
    carries,
    audience,
    hints: &[Hint {
        when: &[Sign::Claim(&["appid", "azp"])],
        unless: &[Sign::Claim(&["idtyp"])],
        danger: "a user who signed in to that application has its id in `azp` or `appid` as well",
        help: "add `idtyp: app` where the application itself is meant (an optional claim of its registration)",
    }],
    mutable: &["email", "name", "preferred_username", "unique_name", "upn", "verified_primary_email"],
    default_audiences: &[
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "api://AzureADTokenExchange",
    ],
    identify: &["azp", "appid", "idtyp", "oid", "roles"],
    subject_forms: &["an opaque text, another one for each application that a user signs in to"],
    dangers: &[
        "All tenants share keys: only `tid` and the `issuer` of a key tell one from another.",
        "A user who signed in to an application has its id in `azp` (v2) or `appid` (v1) too: `idtyp: app` is the application itself.",
        "An application gets v1 tokens (`https://sts.windows.net/…`) unless its registration asks for v2.",
        "`aud` is the GUID of the API in v2, and may be its `api://` URI in v1.",
        "`sub` is another one for each application; a person is `tid` and `oid` together.",
        "`email`, `upn`, `preferred_username`, `unique_name` and `name` can be changed, or handed to someone else.",
    ],
    ..UNKNOWING
};

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let tenants = with.list("tenants").iter();
    Ok(match with.one("version") {
        "v1" => tenants.map(|tenant| format!("https://sts.windows.net/{tenant}/")).collect(),
        _ => tenants.map(|tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0")).collect(),
    })
}

/// The tenant in an `iss` of either version.
fn tenant_of(iss: &str) -> Option<&str> {
    let v2 = iss.strip_prefix("https://login.microsoftonline.com/").and_then(|rest| rest.strip_suffix("/v2.0"));
    let v1 = || iss.strip_prefix("https://sts.windows.net/").and_then(|rest| rest.strip_suffix('/'));
    v2.or_else(v1)
}

/// Whether it is the issuer of v1 tokens.
fn is_v1(iss: &str) -> bool {
    iss.starts_with("https://sts.windows.net/")
}

/// The same thing has another name in v1 and v2.
fn carries(iss: &str, claim: &str) -> Result<(), &'static str> {
    match (claim, is_v1(iss)) {
        ("appid", false) => Err("v2 tokens have it as `azp`; if yours are v1, write `version: v1` in `with`"),
        ("appidacr", false) => Err("v2 tokens have it as `azpacr`; if yours are v1, write `version: v1` in `with`"),
        ("azp", true) => Err("v1 tokens have it as `appid`; if yours are v2, leave `version` out of `with`"),
        ("azpacr", true) => Err("v1 tokens have it as `appidacr`; if yours are v2, leave `version` out of `with`"),
        _ => Ok(()),
    }
}

/// What was asked for as `api://…` comes as the id of the API in v2.
fn audience(iss: &str, audience: &str) -> Result<(), &'static str> {
    const FORM: &str = "in v2 tokens `aud` is the id of the API, a GUID (`Application (client) ID` of its registration), \
                        also where `api://…` was asked for; if yours are v1, write `version: v1` in `with`";
    if is_v1(iss) || is_guid(audience) || !audience.contains("://") { Ok(()) } else { Err(FORM) }
}

fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "an Entra issuer is `https://login.microsoftonline.com/TENANT-ID/v2.0` or, for v1 tokens, \
                        `https://sts.windows.net/TENANT-ID/`; better write `with: {tenants: [TENANT-ID]}`";
    tenant(tenant_of(iss).ok_or(FORM)?).map(|()| Tenancy::Private)
}

fn tenant(text: &str) -> Result<(), &'static str> {
    match text {
        "common" | "organizations" | "consumers" | PERSONAL => {
            Err("that admits every tenant or person there is: list the ids of the tenants that are meant")
        }
        _ if is_guid(text) => Ok(()),
        _ => Err("a tenant is its id, a GUID in lower case: `az account show --query tenantId` prints it"),
    }
}

fn version(text: &str) -> Result<(), &'static str> {
    if matches!(text, "v1" | "v2") { Ok(()) } else { Err("write `v1` or `v2`: `ver` of a token says which it is") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";

    #[test]
    fn what_a_claim_and_an_audience_are_called_depends_on_the_version() {
        let (v1, v2) =
            (format!("https://sts.windows.net/{TENANT}/"), format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
        assert!(carries(&v1, "appid").is_ok() && carries(&v1, "azp").is_err());
        assert!(carries(&v2, "azp").is_ok() && carries(&v2, "appid").is_err() && carries(&v2, "oid").is_ok());
        assert!(audience(&v1, "api://orders").is_ok() && audience(&v2, "api://orders").is_err());
        assert!(audience(&v2, TENANT).is_ok());
    }

    #[test]
    fn only_exact_tenants_have_an_issuer() {
        assert_eq!(tenant_of(&format!("https://login.microsoftonline.com/{TENANT}/v2.0")), Some(TENANT));
        assert!(issuer(&format!("https://sts.windows.net/{TENANT}/")).is_ok());
        for bad in ["common", "organizations", "consumers", PERSONAL, "acme.onmicrosoft.com", &TENANT.to_uppercase()] {
            assert!(tenant(bad).is_err(), "{bad}");
            assert!(issuer(&format!("https://login.microsoftonline.com/{bad}/v2.0")).is_err(), "{bad}");
        }
        for bad in ["/v2.0/", "/v1.0", "", "/"] {
            assert!(issuer(&format!("https://login.microsoftonline.com/{TENANT}{bad}")).is_err(), "{bad}");
        }
        assert!(issuer(&format!("https://sts.windows.net/{TENANT}")).is_err());
    }
}
