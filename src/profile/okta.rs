//! Okta: access tokens of a custom authorization server. Those of the organisation itself are for Okta alone.

use super::ClaimType::{Number, String as Text, Strings};
use super::{PERSONAL, Profile, Reusable, Tenancy, UNKNOWING, web};
use crate::name::Algorithm;

pub(super) static OKTA: Profile = Profile {
    name: "okta",
    summary: "access tokens of an Okta custom authorization server",
    documentation: "https://developer.okta.com/docs/guides/validate-access-tokens/",
    checked: "2026-11-22",
    issuers: &["https://DOMAIN/oauth2/SERVER-ID", "https://DOMAIN/oauth2/default"],
    starter: include_str!("../../examples/profiles/okta/trust.yaml"),
    issuer,
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt", "at+jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("auth_time", Number),
        ("cid", Text),
        ("groups", Strings),
        ("scp", Strings),
        ("uid", Text),
        ("ver", Number),
    ],
    glob: |claim, _| match claim {
        "cid" | "sub" | "uid" => Err("logins and ids have no common beginning that means anything"),
        _ => Ok(()),
    },
    // A login is an address; the id of a client, which is a `sub` as well, holds no `@`.
    says: |sub| if sub.contains('@') { vec![("sub", sub.to_owned())] } else { Vec::new() },
    reusable: &[Reusable {
        claim: "sub",
        stable: &["uid", "cid"],
        danger: "`sub` is a login, which can be changed and given to someone else",
    }],
    mutable: PERSONAL,
    default_audiences: &["api://default"],
    identify: &["sub", "cid", "uid"],
    subject_forms: &["the login of a user, often an address", "the id of a client that acts for itself, as in `cid`"],
    dangers: &[
        "Tokens of the organisation's own server (`https://DOMAIN`, without `/oauth2/`) are opaque, and for Okta alone.",
        "The audience `api://default` is every quick start's: give the authorization server one of your own.",
        "`sub` is a login that can pass to another; `uid` is the user, `cid` the client.",
        "`scp` and `groups` are arrays; a group is a name that its administrators can rename.",
    ],
    ..UNKNOWING
};

/// `https://DOMAIN/oauth2/SERVER`: the id of a custom authorization server, or `default`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const ORGANISATION: &str = "tokens of the organisation's own server are for Okta alone: make a custom authorization server, \
                                `https://DOMAIN/oauth2/SERVER-ID`";
    const FORM: &str =
        "an Okta issuer is `https://DOMAIN/oauth2/SERVER-ID` or `https://DOMAIN/oauth2/default`, without a last `/`";
    if !iss.contains("/oauth2/") {
        return Err(ORGANISATION);
    }
    let (_, path) = web::plain(iss).ok_or(FORM)?;
    match path.strip_prefix("/oauth2/") {
        Some(server) if web::slug(server).is_ok() => Ok(Tenancy::Private),
        _ => Err(FORM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_custom_authorization_server_has_tokens_for_others() {
        for good in ["https://acme.okta.com/oauth2/aus1a2b3c4d5e6f7g8h9", "https://login.acme.test/oauth2/default"] {
            assert_eq!(issuer(good), Ok(Tenancy::Private), "{good}");
        }
        for bad in [
            "https://acme.okta.com",
            "https://acme.okta.com/",
            "https://acme.okta.com/oauth2",
            "https://acme.okta.com/oauth2/",
            "https://acme.okta.com/oauth2/default/",
            "https://acme.okta.com/oauth2/default/v1/keys",
            "acme.okta.com/oauth2/default",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
        assert!(issuer("https://acme.okta.com").is_err_and(|why| why.contains("for Okta alone")));
    }
}
