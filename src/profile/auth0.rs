//! Auth0: one issuer a tenant, which always ends in `/`.

use super::ClaimType::{String as Text, Strings};
use super::{Hint, PERSONAL, Profile, Reusable, Sign, Tenancy, UNKNOWING, web};
use crate::name::Algorithm;

pub(super) static AUTH0: Profile = Profile {
    name: "auth0",
    summary: "access tokens of an Auth0 tenant, under its own name or a custom domain",
    documentation: "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles",
    checked: "2026-11-22",
    issuers: &["https://TENANT.REGION.auth0.com/", "https://CUSTOM-DOMAIN/"],
    starter: include_str!("../../examples/profiles/auth0/trust.yaml"),
    issuer,
    algorithms: &[Algorithm::RS256, Algorithm::PS256],
    token_types: &["jwt", "at+jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("azp", Text),
        ("client_id", Text),
        ("gty", Text),
        ("org_id", Text),
        ("org_name", Text),
        ("permissions", Strings),
        ("scope", Text),
    ],
    glob: |claim, _| match claim {
        "azp" | "client_id" | "org_id" | "org_name" | "sub" => {
            Err("ids of Auth0 have no common beginning that means anything")
        }
        _ => Ok(()),
    },
    subject,
    hints: &[Hint {
        when: &[Sign::Claim(&["azp", "client_id"])],
        unless: &[Sign::Claim(&["gty"]), Sign::ExactSubject],
        danger: "a user who signed in to that application has its id in this claim as well",
        help: "where the application itself is meant, write `subject: CLIENT-ID@clients`, or add `gty: client-credentials`",
    }],
    reusable: &[Reusable {
        claim: "org_name",
        stable: &["org_id"],
        danger: "the name of an organisation can be changed, and taken by another",
    }],
    mutable: PERSONAL,
    default_audiences: &["{iss}userinfo", "{iss}api/v2/"],
    identify: &["sub", "azp", "gty"],
    subject_forms: &[
        "CONNECTION|USER-ID, such as `auth0|5f7c8ec7c33c6c004bbafe82`",
        "CLIENT-ID@clients, of an application that acts for itself",
    ],
    dangers: &[
        "The last `/` belongs to the `iss`; without it no token matches.",
        "`aud` also holds the tenant's `/userinfo` where a user signed in: that is no audience of yours.",
        "A user who signed in to an application has its id in `azp` too.",
        "`email`, `name` and `nickname` can be changed; custom claims say what an Action of the tenant wrote.",
    ],
    ..UNKNOWING
};

/// `https://HOST/`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str =
        "an Auth0 issuer is `https://TENANT.REGION.auth0.com/` or `https://CUSTOM-DOMAIN/`, always with its last `/`";
    let bare = iss.strip_suffix('/').ok_or(FORM)?;
    if matches!(web::plain(bare), Some((_, ""))) { Ok(Tenancy::Private) } else { Err(FORM) }
}

fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str = "a `sub` of Auth0 is `CONNECTION|USER-ID`, or `CLIENT-ID@clients` of an application";
    let user = sub.split_once('|').is_some_and(|(connection, user)| !connection.is_empty() && !user.is_empty());
    let client = sub.strip_suffix("@clients").is_some_and(|client| !client.is_empty());
    if user || client { Ok(()) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slash_belongs_to_the_issuer() {
        for good in ["https://acme.eu.auth0.com/", "https://login.acme.test/"] {
            assert_eq!(issuer(good), Ok(Tenancy::Private), "{good}");
        }
        for bad in ["https://acme.eu.auth0.com", "https://acme.eu.auth0.com/x/", "https:///", "http://acme.test/"] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subject_is_a_user_of_a_connection_or_a_client() {
        for good in ["auth0|5f7c8ec7c33c6c004bbafe82", "google-oauth2|1137", "samlp|acme|jane", "AbC@clients"] {
            assert_eq!(subject(good), Ok(()), "{good}");
        }
        for bad in ["jane@acme.test", "|x", "auth0|", "@clients", "AbC"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }
}
