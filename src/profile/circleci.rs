//! CircleCI: one issuer an organisation, or with `--root-issuer` one for all of them.
//!
//! `sub` names the user who started the job, so that it is another one from run to run: match the id claims.

use super::ClaimType::{Bool, String as Text, Strings};
use super::{Alarm, Hint, Identity, Parameter, Parameters, Profile, Reusable, Sign, Tenancy, UNKNOWING, said};
use crate::name::{Algorithm, is_guid};

const ROOT: &str = "https://oidc.circleci.com";

pub(super) static CIRCLECI: Profile = Profile {
    name: "circleci",
    summary: "CircleCI jobs, of one organisation or by the root issuer",
    documentation: "https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/",
    checked: "2026-11-22",
    issuers: &["https://oidc.circleci.com/org/ORG-ID", "https://oidc.circleci.com"],
    starter: include_str!("../../examples/profiles/circleci/trust.yaml"),
    identity: Identity::Expanded(|with| Ok(expand(with))),
    parameters: &[Parameter::one("org", organisation)],
    issuer,
    tenant_ids: &["oidc.circleci.com/org-id", "oidc.circleci.com/project-id"],
    tenant_hint: "it is in the organisation's settings; or write `with: {org: ID}` for its own issuer",
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 3600 + 300,
    claims: &[
        ("oidc.circleci.com/context-ids", Strings),
        ("oidc.circleci.com/job-id", Text),
        ("oidc.circleci.com/org-id", Text),
        ("oidc.circleci.com/pipeline-definition-id", Text),
        ("oidc.circleci.com/pipeline-id", Text),
        ("oidc.circleci.com/project-id", Text),
        ("oidc.circleci.com/ssh-rerun", Bool),
        ("oidc.circleci.com/user-id", Text),
        ("oidc.circleci.com/vcs-origin", Text),
        ("oidc.circleci.com/vcs-ref", Text),
        ("oidc.circleci.com/workflow-id", Text),
    ],
    complete: true,
    glob,
    subject,
    says: |sub| said::pairs(sub, '/', STATED, &["vcs-origin", "vcs-ref"]),
    value,
    hints: &[
        Hint {
            when: &[Sign::ExactSubject],
            unless: &[],
            danger: "`sub` ends in the user who started the job, so that it fits the runs of that person alone",
            help: "match `oidc.circleci.com/project-id` and `oidc.circleci.com/vcs-ref` instead",
        },
        Hint {
            when: &[],
            unless: &[Sign::Claim(&["oidc.circleci.com/ssh-rerun"])],
            danger: "whoever reruns the job with SSH has its token in a shell of their own",
            help: "add `oidc.circleci.com/ssh-rerun: false` (a boolean)",
        },
    ],
    reusable: &[Reusable {
        claim: "oidc.circleci.com/vcs-origin",
        stable: &["oidc.circleci.com/project-id"],
        danger: "a repository that is deleted, renamed or moved leaves its name to whoever makes one so called",
    }],
    alarms: &[
        Alarm {
            claim: "oidc.circleci.com/ssh-rerun",
            values: &["true"],
            such_as: &[],
            danger: "means that somebody reran the job with SSH and has this token in a shell of their own",
            instead: "write `oidc.circleci.com/ssh-rerun: false` (a boolean)",
        },
        Alarm {
            claim: "oidc.circleci.com/vcs-ref",
            values: &["refs/pull/*"],
            such_as: &["refs/pull/1/merge", "refs/pull/1/head"],
            danger: "is what somebody proposes and nobody has merged: a grant for it lets in code that was not reviewed",
            instead: "name the branch, such as `oidc.circleci.com/vcs-ref: refs/heads/main`",
        },
    ],
    broad: |iss, audience| is_guid(audience) && (iss == ROOT || iss.rsplit('/').next() == Some(audience)),
    default_audiences: &["sts.amazonaws.com"],
    run_claims: &["oidc.circleci.com/vcs-ref", "oidc.circleci.com/context-ids"],
    identify: &[
        "oidc.circleci.com/vcs-origin",
        "oidc.circleci.com/project-id",
        "oidc.circleci.com/vcs-ref",
        "oidc.circleci.com/ssh-rerun",
    ],
    subject_forms: &[
        "org/ORG-ID/project/PROJECT-ID/user/USER-ID",
        "…/vcs-origin/ORIGIN/vcs-ref/REF after that, in tokens of version 2",
    ],
    dangers: &[
        "The root issuer signs for every organisation on CircleCI.",
        "`sub` holds the user who started the job, and differs between the two versions of tokens.",
        "Jobs of forks get tokens of the project where it passes secrets to them: match `oidc.circleci.com/vcs-origin` too.",
        "A rerun with SSH has a token as well: `oidc.circleci.com/ssh-rerun` says so, as a boolean.",
        "Without an audience of its own a token has the organisation's id as `aud`, for whatever service.",
    ],
    ..UNKNOWING
};

/// `https://oidc.circleci.com/org/ORG-ID`, private to it, or the root that signs for all.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a CircleCI issuer is `https://oidc.circleci.com/org/ORG-ID`, or `https://oidc.circleci.com`, without a last `/`";
    if iss == ROOT {
        return Ok(Tenancy::Shared);
    }
    match iss.strip_prefix("https://oidc.circleci.com/org/") {
        Some(org) if is_guid(org) => Ok(Tenancy::Private),
        _ => Err(FORM),
    }
}

fn expand(with: &Parameters) -> Vec<String> {
    vec![format!("{ROOT}/org/{}", with.one("org"))]
}

fn organisation(text: &str) -> Result<(), &'static str> {
    if is_guid(text) {
        Ok(())
    } else {
        Err("an organisation is its id, a UUID in lower case: it is in the organisation's settings")
    }
}

/// What `sub` is made of.
const STATED: &[(&str, &str)] = &[
    ("org", "oidc.circleci.com/org-id"),
    ("project", "oidc.circleci.com/project-id"),
    ("user", "oidc.circleci.com/user-id"),
    ("vcs-origin", "oidc.circleci.com/vcs-origin"),
    ("vcs-ref", "oidc.circleci.com/vcs-ref"),
];

/// Judges an exact value.
fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    match claim {
        "oidc.circleci.com/org-id" | "oidc.circleci.com/project-id" | "oidc.circleci.com/user-id" if !is_guid(text) => {
            Err("it is an id, a UUID in lower case, never a name")
        }
        "oidc.circleci.com/vcs-ref" if !text.starts_with("refs/") => {
            Err("it is written in full: `refs/heads/BRANCH` or `refs/tags/TAG`")
        }
        "oidc.circleci.com/vcs-origin" if text.contains("://") => {
            Err("it is written without a scheme: `github.com/OWNER/REPO`")
        }
        _ => Ok(()),
    }
}

fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str = "a `sub` of CircleCI is `org/ORG-ID/project/PROJECT-ID/user/USER-ID`, with `/vcs-origin/…/vcs-ref/…` in version 2";
    let parts: Vec<_> = sub.split('/').collect();
    match parts.as_slice() {
        ["org", org, "project", project, "user", user, ..] if [org, project, user].iter().all(|id| is_guid(id)) => {
            Ok(())
        }
        _ => Err(FORM),
    }
}

/// In `sub` the star may stand for the user, never for the organisation or the project.
fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let open = match claim {
        "sub" => text.split('/').take(4).any(|part| part.contains('*')),
        "oidc.circleci.com/vcs-origin" => text.split('/').take(2).any(|part| part.contains('*')),
        _ => claim.ends_with("-id") && text.contains('*'),
    };
    if open { Err("anyone can take a name that fits: organisations, projects and ids are written out") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "a74579f1-2e7d-451e-b009-5c082ad2729e";

    #[test]
    fn an_organisation_has_its_own_issuer_and_the_root_is_shared() {
        assert_eq!(issuer(ROOT), Ok(Tenancy::Shared));
        assert_eq!(issuer(&format!("{ROOT}/org/{ID}")), Ok(Tenancy::Private));
        for bad in [format!("{ROOT}/"), format!("{ROOT}/org/acme"), format!("{ROOT}/org/{ID}/"), format!("{ROOT}/{ID}")]
        {
            assert!(issuer(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subject_has_one_of_two_forms() {
        let v1 = format!("org/{ID}/project/{ID}/user/{ID}");
        assert_eq!(subject(&v1), Ok(()));
        assert_eq!(subject(&format!("{v1}/vcs-origin/github.com/acme/web/vcs-ref/refs/heads/main")), Ok(()));
        assert!(subject(&format!("org/{ID}/project/{ID}")).is_err() && subject("acme/web").is_err());
    }

    #[test]
    fn a_star_may_stand_for_the_user_alone() {
        assert!(glob("sub", &format!("org/{ID}/project/{ID}/user/*")).is_ok());
        assert!(glob("sub", &format!("org/{ID}/project/*/user/{ID}")).is_err());
        assert!(glob("oidc.circleci.com/vcs-origin", "github.com/*/web").is_err());
        assert!(glob("oidc.circleci.com/vcs-ref", "refs/heads/release-*").is_ok());
    }
}
