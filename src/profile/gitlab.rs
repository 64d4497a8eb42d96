//! GitLab CI: gitlab.com signs for every group there is; a self-managed instance signs for its own.
//!
//! Paths of groups and projects are names that can be given up and taken; `namespace_id` and `project_id` stay.

use super::ClaimType::{Number, String as Text, Strings};
use super::{
    Alarm, Hint, Identity, Parameter, Parameters, Profile, Reusable, Sign, Tenancy, UNKNOWING, said, star, web,
};
use crate::name::Algorithm;

pub(super) static GITLAB: Profile = Profile {
    name: "gitlab",
    summary: "ID tokens of GitLab CI jobs: GitLab.com, or an instance of your own",
    documentation: "https://docs.gitlab.com/ci/secrets/id_token_authentication/",
    checked: "2026-11-22",
    issuers: &["https://gitlab.com", "https://HOST"],
    starter: include_str!("../../examples/profiles/gitlab/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[Parameter::maybe("hostname", web::host)],
    issuer,
    tenant_ids: &["namespace_id", "project_id"],
    tenant_hint: "`glab api groups/GROUP` prints it as `id`; so does the page of the group",
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("ci_config_ref_uri", Text),
        ("ci_config_sha", Text),
        ("deployment_tier", Text),
        ("environment", Text),
        ("environment_action", Text),
        ("environment_protected", Text),
        ("groups_direct", Strings),
        ("job_id", Text),
        ("job_namespace_id", Text),
        ("job_namespace_path", Text),
        ("job_policy_ref_sha", Text),
        ("job_policy_ref_uri", Text),
        ("job_project_id", Text),
        ("job_project_path", Text),
        ("job_source", Text),
        ("namespace_id", Text),
        ("namespace_path", Text),
        ("pipeline_id", Text),
        ("pipeline_source", Text),
        ("project_id", Text),
        ("project_path", Text),
        ("project_visibility", Text),
        ("ref", Text),
        ("ref_path", Text),
        ("ref_protected", Text),
        ("ref_type", Text),
        ("runner_environment", Text),
        ("runner_id", Number),
        ("sha", Text),
        ("user_access_level", Text),
        ("user_email", Text),
        ("user_id", Text),
        ("user_login", Text),
    ],
    complete: true,
    families: &[("user_identities", None)],
    glob,
    subject,
    states,
    says: |sub| said::pairs(sub, ':', STATED, &[]),
    value,
    hints: &[
        Hint {
            when: &[Sign::Claim(&["ref"])],
            unless: &[Sign::Claim(&["ref_type", "ref_path"])],
            danger: "`ref: main` is also a tag named main, which whoever may push tags can make",
            help: "add `ref_type: branch`, or match `ref_path: refs/heads/main` instead",
        },
        Hint {
            when: &[Sign::Writes],
            unless: &[Sign::Claim(&["ref_protected", "environment_protected"])],
            danger: "every member who may push to that ref may do this, and change what the job does",
            help: "add `ref_protected: \"true\"` (a string), and protect the branch or tag in the project",
        },
    ],
    reusable: &[
        Reusable {
            claim: "project_path",
            stable: &["project_id"],
            danger: "a project that is deleted, renamed or moved leaves its path to whoever makes one so called",
        },
        Reusable {
            claim: "namespace_path",
            stable: &["namespace_id", "project_id"],
            danger: "a group that is renamed or deleted leaves its path to anyone on the instance",
        },
        Reusable {
            claim: "job_project_path",
            stable: &["job_project_id"],
            danger: "a project that is deleted, renamed or moved leaves its path to whoever makes one so called",
        },
        Reusable {
            claim: "job_namespace_path",
            stable: &["job_namespace_id", "job_project_id"],
            danger: "a group that is renamed or deleted leaves its path to anyone on the instance",
        },
        Reusable {
            claim: "user_login",
            stable: &["user_id"],
            danger: "a login that is given up can be taken by anyone on the instance",
        },
    ],
    mutable: &["user_email"],
    alarms: &[
        Alarm {
            claim: "ref_protected",
            values: &["false"],
            such_as: &[],
            danger: "means a branch or tag that every developer of the project can push to",
            instead: "write `ref_protected: \"true\"` (a string), and protect the branch or tag in the project",
        },
        Alarm {
            claim: "pipeline_source",
            values: &["merge_request_event", "external_pull_request_event"],
            such_as: &[],
            danger: "means what somebody proposes and nobody has merged: a grant for it lets in code that was not reviewed",
            instead: "name the pipelines that are meant, such as `pipeline_source: push`, and their protected branch",
        },
    ],
    default_audiences: &["https://gitlab.com", "sts.amazonaws.com"],
    run_claims: &["ref", "ref_path", "environment"],
    identify: &["project_path", "project_id", "ref", "ref_type", "ref_protected", "environment"],
    subject_forms: &[
        "project_path:GROUP/PROJECT:ref_type:branch:ref:NAME",
        "project_path:GROUP/PROJECT:ref_type:tag:ref:NAME",
        "claim:value:claim:value, as the project chose",
    ],
    dangers: &[
        "Everyone with an account on gitlab.com gets valid tokens, for any audience that the job asks for.",
        "`ref` is a bare name: `main` may be a branch or a tag.",
        "`ref_protected` and `environment_protected` are the strings `\"true\"` and `\"false\"`; `runner_id` is a number.",
        "In merge request pipelines of forks the `project_` claims name the fork and the `job_project_` claims the project that runs it.",
        "A job that asks for no audience gets the instance's own URL, as all others do.",
    ],
    ..UNKNOWING
};

/// Claims that may be part of a `sub`.
const STATED: &[(&str, &str)] = &[
    ("deployment_tier", "deployment_tier"),
    ("environment_protected", "environment_protected"),
    ("namespace_id", "namespace_id"),
    ("namespace_path", "namespace_path"),
    ("project_id", "project_id"),
    ("project_path", "project_path"),
    ("ref", "ref"),
    ("ref_path", "ref_path"),
    ("ref_protected", "ref_protected"),
    ("ref_type", "ref_type"),
];

/// What a `ref_path` says of `ref` and its type.
fn states(claim: &str, text: &str) -> Vec<(&'static str, String)> {
    let (kind, name) = match (claim, text.strip_prefix("refs/heads/"), text.strip_prefix("refs/tags/")) {
        ("ref_path", Some(name), _) => ("branch", name),
        ("ref_path", _, Some(name)) => ("tag", name),
        _ => return Vec::new(),
    };
    vec![("ref_type", kind.to_owned()), ("ref", name.to_owned())]
}

/// Judges an exact value.
fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    let digits = || !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match claim {
        "ref" if text.starts_with("refs/") => Err("`ref` is the bare name: `main`; in full it is in `ref_path`"),
        "ref_path" if !text.starts_with("refs/") => Err("a `ref_path` is written in full: `refs/heads/main`"),
        "ref_type" if !matches!(text, "branch" | "tag") => Err("a `ref_type` is `branch` or `tag`"),
        "ref_protected" | "environment_protected" if !matches!(text, "true" | "false") => {
            Err("it is the text `\"true\"` or `\"false\"`")
        }
        "namespace_id" | "project_id" | "job_namespace_id" | "job_project_id" | "user_id" if !digits() => {
            Err("an id is digits alone; the path is in the claim of the same name with `_path`")
        }
        _ => Ok(()),
    }
}

/// The URL of the instance, without a last `/`; only gitlab.com's is shared.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a GitLab issuer is the URL of the instance, such as `https://gitlab.com`, without a last `/`";
    let (host, _) = web::plain(iss).ok_or(FORM)?;
    match host {
        _ if iss == "https://gitlab.com" => Ok(Tenancy::Shared),
        "gitlab.com" => Err(FORM),
        _ => Ok(Tenancy::Private),
    }
}

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let host = if with.has("hostname") { with.one("hostname") } else { "gitlab.com" };
    Ok(vec![format!("https://{host}")])
}

/// Every form of `sub` is a list of `key:value`.
fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "a `sub` of GitLab is `project_path:GROUP/PROJECT:ref_type:TYPE:ref:NAME`, or a list of `claim:value`";
    let (key, rest) = sub.split_once(':').ok_or(FORM)?;
    let sound = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let path = key != "project_path" || rest.split(':').next().is_some_and(|path| path.contains('/'));
    if sound && path { Ok(()) } else { Err(FORM) }
}

/// The first part of a path is the group that owns all below it.
fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let owner = match claim {
        "sub" => text.split(':').nth(1).and_then(|path| path.split('/').next()),
        "project_path" | "namespace_path" | "job_project_path" | "job_namespace_path" => text.split('/').next(),
        "user_login" | "user_email" => Some(text),
        "ci_config_ref_uri" => text.split('/').nth(1),
        _ if claim.ends_with("_id") => Some(text),
        _ => None,
    };
    star::none_on(owner, "anyone can take a name that fits: groups and ids are written out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gitlab_com_is_shared() {
        assert_eq!(issuer("https://gitlab.com"), Ok(Tenancy::Shared));
        for private in ["https://gitlab.acme.test", "https://acme.test/gitlab", "https://gitlab.acme.test:8443"] {
            assert_eq!(issuer(private), Ok(Tenancy::Private), "{private}");
        }
        for bad in [
            "https://gitlab.com/",
            "https://gitlab.com/acme",
            "https://gitlab.acme.test/",
            "gitlab.com",
            "http://gitlab.com",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ref_path_states_the_name_and_the_type() {
        let stated = [("ref_type", "tag".to_owned()), ("ref", "v1".to_owned())];
        assert_eq!(states("ref_path", "refs/tags/v1"), stated);
        assert_eq!((states("ref_path", "refs/merge-requests/1/head"), states("ref", "main")), (vec![], vec![]));
    }

    #[test]
    fn a_subject_is_a_list_of_claims() {
        for good in ["project_path:acme/payments:ref_type:branch:ref:main", "project_id:20:ref:main"] {
            assert_eq!(subject(good), Ok(()), "{good}");
        }
        for bad in ["acme/payments", "project_path:acme:ref:main", ":x", "repo"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_never_stands_on_a_group_or_an_id() {
        for (claim, text) in [
            ("sub", "project_path:*/payments:**"),
            ("project_path", "acme-*/payments"),
            ("namespace_path", "acme-*"),
            ("user_login", "deploy-*"),
            ("project_id", "2-*"),
        ] {
            assert!(glob(claim, text).is_err(), "{claim} {text}");
        }
        for (claim, text) in [("project_path", "acme/*"), ("ref", "release-*"), ("ref_path", "refs/heads/release-*")] {
            assert_eq!(glob(claim, text), Ok(()), "{claim} {text}");
        }
    }
}
