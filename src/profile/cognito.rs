//! Amazon Cognito: one issuer a user pool. Access tokens have no `aud`; ID tokens do, and look much the same.

use super::ClaimType::{Bool, Number, String as Text, Strings};
use super::{Hint, Profile, Reusable, Sign, Tenancy, UNKNOWING, web};
use crate::name::Algorithm;

pub(super) static COGNITO: Profile = Profile {
    name: "cognito",
    aliases: &["aws", "amazon"],
    summary: "access tokens of an Amazon Cognito user pool",
    documentation: "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html",
    checked: "2026-11-22",
    issuers: &["https://cognito-idp.REGION.amazonaws.com/POOL-ID"],
    starter: include_str!("../../examples/profiles/cognito/trust.yaml"),
    issuer,
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("auth_time", Number),
        ("client_id", Text),
        ("cognito:groups", Strings),
        ("cognito:username", Text),
        ("email", Text),
        ("email_verified", Bool),
        ("event_id", Text),
        ("origin_jti", Text),
        ("scope", Text),
        ("token_use", Text),
        ("username", Text),
        ("version", Number),
    ],
    families: &[("custom:", None), ("cognito:", None), ("dev:", None)],
    glob: |claim, _| match claim {
        "client_id" | "cognito:username" | "sub" | "username" => Err("whoever may sign up could take a name that fits"),
        _ => Ok(()),
    },
    value: |claim, text| match claim {
        "token_use" if !matches!(text, "access" | "id") => Err("it is `access` or `id`"),
        _ => Ok(()),
    },
    hints: &[
        Hint {
            when: &[],
            unless: &[Sign::Claim(&["token_use"])],
            danger: "ID tokens (`token_use: id`) are signed by the same keys",
            help: "add `token_use: access` to `pin.claims` of the issuer, or to `claims` of the grant",
        },
        Hint {
            when: &[],
            unless: &[Sign::AudienceFromClientId],
            danger: "access tokens of Cognito have no `aud`: as it stands only ID tokens, or ones with a resource binding, can match",
            help: "write `audienceFrom: client_id`, and the client's id as the audience",
        },
    ],
    reusable: &[
        Reusable {
            claim: "username",
            stable: &["sub"],
            danger: "a user who is deleted leaves the name to whoever signs up with it next",
        },
        Reusable {
            claim: "cognito:username",
            stable: &["sub"],
            danger: "a user who is deleted leaves the name to whoever signs up with it next",
        },
    ],
    mutable: &["email", "name", "nickname", "phone_number", "preferred_username"],
    identify: &["sub", "client_id", "token_use"],
    subject_forms: &["the UUID of a user", "the id of a client that acts for itself, as in `client_id`"],
    dangers: &[
        "Access tokens have no `aud`, only `client_id`: a grant says `audienceFrom: client_id`.",
        "ID tokens have the client's id as `aud` and are signed by the same keys: `token_use` tells them apart.",
        "Where people may sign up by themselves, everyone has a token of the pool.",
        "Attributes such as `email` and `custom:…` can be changed by the user, where the client may write them.",
    ],
    ..UNKNOWING
};

/// `https://cognito-idp.REGION.amazonaws.com/REGION_POOL`, in China under `amazonaws.com.cn`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a Cognito issuer is `https://cognito-idp.REGION.amazonaws.com/POOL-ID`, whose pool begins with that region and `_`";
    let (host, pool) = iss.strip_prefix("https://cognito-idp.").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
    let (region, domain) = host.split_once('.').ok_or(FORM)?;
    let (own, id) = pool.split_once('_').ok_or(FORM)?;
    let id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let sound = web::region(region).is_ok() && domain == web::amazon(region) && own == region && id;
    if sound { Ok(Tenancy::Private) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_lies_in_the_region_of_the_host() {
        for good in [
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC",
        ] {
            assert_eq!(issuer(good), Ok(Tenancy::Private), "{good}");
        }
        for bad in [
            "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_AbCdEf123",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC/",
            "https://cognito-idp.eu-west-1.amazonaws.com",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_",
            "https://cognito-idp.eu-west-1.evil.test/eu-west-1_AbC",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
