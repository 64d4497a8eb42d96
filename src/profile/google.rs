//! Google: ID tokens of accounts and service accounts, of everyone who has one.
//!
//! No claim names a customer in a way that holds for service accounts too, so each grant names exact subjects.

use super::ClaimType::{Bool, Number, String as Text, Strings};
use super::{Alarm, Identity, PERSONAL, Profile, Tenancy, UNKNOWING};
use crate::name::Algorithm;

pub(super) static GOOGLE: Profile = Profile {
    name: "google",
    aliases: &["gcp", "google-cloud"],
    summary: "ID tokens of Google accounts and Google Cloud service accounts",
    documentation: "https://cloud.google.com/docs/authentication/token-types#id",
    checked: "2026-11-22",
    issuers: &["https://accounts.google.com"],
    starter: include_str!("../../examples/profiles/google/trust.yaml"),
    identity: Identity::Fixed("https://accounts.google.com"),
    issuer,
    key_hosts: &["www.googleapis.com"],
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 3600 + 300,
    claims: &[
        ("amr", Strings),
        ("at_hash", Text),
        ("azp", Text),
        ("email", Text),
        ("email_verified", Bool),
        ("family_name", Text),
        ("given_name", Text),
        ("/google/compute_engine/instance_creation_timestamp", Number),
        ("/google/compute_engine/instance_id", Text),
        ("/google/compute_engine/instance_name", Text),
        ("/google/compute_engine/license_id", Strings),
        ("/google/compute_engine/project_id", Text),
        ("/google/compute_engine/project_number", Number),
        ("/google/compute_engine/zone", Text),
        ("hd", Text),
        ("locale", Text),
        ("name", Text),
        ("nonce", Text),
        ("picture", Text),
        ("profile", Text),
    ],
    complete: true,
    families: &[("/google/", None)],
    glob: |claim, _| match claim {
        "azp" | "email" | "hd" | "name" | "sub" => Err("whoever makes an account could take a name that fits"),
        _ => Ok(()),
    },
    subject,
    mutable: PERSONAL,
    alarms: &[Alarm {
        claim: "email_verified",
        values: &["false"],
        such_as: &[],
        danger: "means that nobody checked whose address `email` is",
        instead: "leave it out, and write `subject:` with the exact `sub`",
    }],
    default_audiences: &["32555940559.apps.googleusercontent.com", "https://www.googleapis.com/oauth2/v4/token"],
    subject_forms: &["a number of up to 255 digits, as a string: the unique id of the account or service account"],
    dangers: &[
        "Every Google account and every service account of anyone can ask for your audience.",
        "`email` can be changed or given to another; `sub` stays and is never given again.",
        "`hd` names the Workspace domain of a person; tokens of service accounts have none, so it keeps no tenant out by itself.",
        "Tokens of `gcloud auth print-identity-token` may hold little more than `aud`, `azp` and `sub`.",
    ],
    ..UNKNOWING
};

fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "the issuer of Google is `https://accounts.google.com`, without a last `/`";
    if iss == "https://accounts.google.com" { Ok(Tenancy::Shared) } else { Err(FORM) }
}

/// Digits only.
fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str = "a `sub` of Google is a number, never an address: \
                        `gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'` prints it";
    let sound = !sub.is_empty() && sub.len() <= 255 && sub.bytes().all(|byte| byte.is_ascii_digit());
    if sound { Ok(()) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_issuer_and_it_is_shared() {
        assert_eq!(issuer("https://accounts.google.com"), Ok(Tenancy::Shared));
        for bad in ["accounts.google.com", "https://accounts.google.com/", "https://google.com"] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_no_subject() {
        assert!(subject("113774264463038321964").is_ok());
        for bad in ["deployer@acme.iam.gserviceaccount.com", "", "12a"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }
}
