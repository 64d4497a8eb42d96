//! GitHub Actions: one issuer signs for every account on GitHub.
//!
//! The text of `sub` is made of names that can be given up and taken by someone else, repositories may choose its
//! form, and since 2026-07-15 new ones have `repo:OWNER@OWNER-ID/REPO@REPO-ID:…`: match the id claims instead.

use super::ClaimType::String as Text;
use super::{
    Alarm, Identity, Parameter, Parameters, Profile, Reusable, Tenancy, UNKNOWING, github_reach, github_values, star,
    web,
};
use crate::name::Algorithm;

pub(super) static GITHUB_ACTIONS: Profile = Profile {
    name: "github-actions",
    aliases: &["gha", "ghes"],
    summary: "GitHub Actions jobs: GitHub.com, an enterprise's own issuer, data residency, Enterprise Server",
    documentation: "https://docs.github.com/en/actions/reference/security/oidc",
    checked: "2026-11-22",
    issuers: &[
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/ENTERPRISE",
        "https://token.actions.SUBDOMAIN.ghe.com",
        "https://HOST/_services/token",
    ],
    starter: include_str!("../../examples/profiles/github-actions/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[Parameter::maybe("enterprise", web::slug), Parameter::maybe("hostname", web::host)],
    issuer,
    tenant_ids: &["repository_owner_id", "enterprise_id", "repository_id"],
    tenant_hint: "`gh api users/OWNER --jq .id` prints it; `credence explain` shows it for a token you have",
    algorithms: &[Algorithm::RS256],
    token_types: &["jwt"],
    max_token_age: 3600,
    claims: &[
        ("actor", Text),
        ("actor_id", Text),
        ("base_ref", Text),
        ("check_run_id", Text),
        ("enterprise", Text),
        ("enterprise_id", Text),
        ("environment", Text),
        ("environment_node_id", Text),
        ("event_name", Text),
        ("head_ref", Text),
        ("job_workflow_ref", Text),
        ("job_workflow_sha", Text),
        ("ref", Text),
        ("ref_protected", Text),
        ("ref_type", Text),
        ("repository", Text),
        ("repository_id", Text),
        ("repository_owner", Text),
        ("repository_owner_id", Text),
        ("repository_visibility", Text),
        ("run_attempt", Text),
        ("run_id", Text),
        ("run_number", Text),
        ("runner_environment", Text),
        ("sha", Text),
        ("workflow", Text),
        ("workflow_ref", Text),
        ("workflow_sha", Text),
    ],
    glob,
    reach: github_reach::reach,
    subject,
    states: github_values::states,
    says: github_values::says,
    value: github_values::value,
    complete: true,
    families: &[("repo_property_", Some(Text))],
    reusable: &[
        Reusable {
            claim: "repository",
            stable: &["repository_id"],
            danger: "a repository that is deleted, renamed or moved leaves its name to whoever makes one so called",
        },
        Reusable {
            claim: "repository_owner",
            stable: &["repository_owner_id", "repository_id"],
            danger: "an account that is renamed or deleted leaves its name to anyone on GitHub",
        },
        Reusable {
            claim: "actor",
            stable: &["actor_id"],
            danger: "a login that is given up can be taken by anyone on GitHub",
        },
        Reusable {
            claim: "enterprise",
            stable: &["enterprise_id"],
            danger: "the slug of an enterprise can be changed, and taken by another",
        },
    ],
    mutable: &["actor", "workflow"],
    alarms: &[
        Alarm {
            claim: "event_name",
            values: &["pull_request*", "issue_comment", "workflow_run"],
            such_as: &["pull_request", "pull_request_target", "pull_request_review"],
            danger: "starts jobs for people who need not be able to push: what they wrote may run with this token",
            instead: "name the event of the runs that are meant, such as `event_name: push`",
        },
        Alarm {
            claim: "ref",
            values: &["refs/pull/*"],
            such_as: &["refs/pull/1/merge", "refs/pull/1/head"],
            danger: "is what somebody proposes and nobody has merged: a grant for it lets in code that was not reviewed",
            instead: "name the branch, such as `ref: refs/heads/main`; `refs/heads/**` is every branch and no pull request",
        },
    ],
    default_audiences: &["https://github.com/*", "sts.amazonaws.com", "api://AzureADTokenExchange"],
    run_claims: &["ref", "environment"],
    identify: &["repository", "repository_id", "ref", "environment"],
    besides: &["event_name"],
    consider: &[
        (
            "event_name",
            "is what started this job: a run of the same branch that something else starts, such as a schedule, needs its own",
        ),
        (
            "job_workflow_ref",
            "is the workflow that ran: matched too, it keeps out every other workflow of the repository, and those to come",
        ),
        (
            "runner_environment",
            "is whose machine ran it: on `self-hosted` ones other jobs may have been before, and may be still",
        ),
    ],
    subject_forms: &[
        "repo:OWNER@OWNER-ID/REPO@REPO-ID:ref:refs/heads/BRANCH (repositories made, renamed or moved since 2026-07-15)",
        "repo:OWNER/REPO:ref:refs/heads/BRANCH (older ones, and every Enterprise Server)",
        "…:environment:NAME instead of the ref, where the job has an environment",
        "…:pull_request instead of the ref, where a pull request started the job",
        "claim:value:claim:value, as the repository or its organisation chose; `:` in a value is `%3A`",
    ],
    dangers: &[
        "Every repository on GitHub gets valid tokens of the common issuer, for any audience that it asks for.",
        "`sub` is what the repository or its organisation chose it to be, and mostly made of names.",
        "With an environment the ref is no longer in `sub`, so that any branch fits that the environment lets in.",
        "Every value is a string: ids, run numbers, and custom properties that look like booleans.",
        "Without an audience of its own a token is for `https://github.com/OWNER`, as all others are.",
        "`workflow` is a line in a file that whoever may push can change; `actor` is whoever pressed the button.",
    ],
    ..UNKNOWING
};

/// Claims whose whole value is the name or the id of an owner, a person or an enterprise.
const NAMES: [&str; 9] = [
    "actor",
    "actor_id",
    "enterprise",
    "enterprise_id",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "workflow",
    "environment_node_id",
];

/// `OWNER/…` and `repo:OWNER/…`: the owner is written out.
fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let owner = match claim {
        "sub" => text.split(':').nth(1).and_then(|pair| pair.split('/').next()),
        "repository" | "job_workflow_ref" | "workflow_ref" => text.split('/').next(),
        _ if NAMES.contains(&claim) => Some(text),
        _ => None,
    };
    star::none_on(owner, "anyone can take a name that fits: owners and ids are written out")
}

/// `https://token.actions.githubusercontent.com[/ENTERPRISE]`, `https://token.actions.SUB.ghe.com`, or an Enterprise
/// Server's `https://HOST/_services/token`. Only the first, without an enterprise, is shared.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a GitHub Actions issuer is `https://token.actions.githubusercontent.com`, that and `/ENTERPRISE`, \
                        `https://token.actions.SUBDOMAIN.ghe.com`, or `https://HOST/_services/token`, without a last `/`";
    let rest = iss.strip_prefix("https://").ok_or(FORM)?;
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let slug = |text: &str| web::slug(text).is_ok();
    let residency = host.strip_prefix("token.actions.").and_then(|host| host.strip_suffix(".ghe.com"));
    match (host, path) {
        ("token.actions.githubusercontent.com", None) => Ok(Tenancy::Shared),
        ("token.actions.githubusercontent.com", Some(enterprise)) if slug(enterprise) => Ok(Tenancy::Private),
        (_, None) if residency.is_some_and(slug) => Ok(Tenancy::Private),
        (_, Some("_services/token")) if host.contains('.') && !host.ends_with("githubusercontent.com") => {
            Ok(Tenancy::Private)
        }
        _ => Err(FORM),
    }
}

/// The common issuer, an enterprise's own on the same host, or that of `SUBDOMAIN.ghe.com` or an Enterprise Server.
fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    const COMMON: &str = "https://token.actions.githubusercontent.com";
    let (enterprise, host) = (with.one("enterprise"), with.one("hostname"));
    Ok(vec![match (with.has("enterprise"), with.has("hostname")) {
        (true, true) => return Err("keep `enterprise` for github.com, or `hostname` for a host of its own"),
        (true, false) => format!("{COMMON}/{enterprise}"),
        (false, true) if host.ends_with(".ghe.com") => format!("https://token.actions.{host}"),
        (false, true) => format!("https://{host}/_services/token"),
        (false, false) => COMMON.to_owned(),
    }])
}

/// Every form of `sub`, customised ones too, is a list of `key:value`; those with `repo:` name an owner and a repository.
fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "a `sub` of GitHub Actions is `repo:OWNER/REPO:…` or `repo:OWNER@ID/REPO@ID:…`, or a list of `claim:value`";
    let (key, rest) = sub.split_once(':').ok_or(FORM)?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(FORM);
    }
    if key != "repo" {
        return Ok(());
    }
    let (owner, repository) = rest.split(':').next().and_then(|pair| pair.split_once('/')).ok_or(FORM)?;
    let name = |text: &str| !text.is_empty() && !text.contains('/');
    if name(owner) && name(repository) { Ok(()) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_forms_of_sub_are_known_and_others_can_never_match() {
        for good in [
            "repo:acme/payments:ref:refs/heads/main",
            "repo:acme@9919/payments@512345678:environment:production",
            "repo:acme/payments:pull_request",
            "repository_owner:acme:environment:production",
            "repo:acme/payments",
        ] {
            assert_eq!(subject(good), Ok(()), "{good}");
        }
        for bad in ["acme/payments", "repo:acme", "repo:/payments:x", "Repo:acme/payments:x", "repo:a/b/c:x", ":x"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_never_stands_on_an_owner() {
        for (claim, text) in [
            ("repository_owner", "acme-*"),
            ("repository", "acme-*/payments"),
            ("sub", "repo:acme-*/payments:**"),
            ("sub", "repo:*/payments:**"),
            ("repository_owner_id", "99-*"),
            ("sub", "repository_owner:acme-*"),
        ] {
            assert!(glob(claim, text).is_err(), "{claim} {text}");
        }
        for (claim, text) in
            [("repository", "acme/*"), ("ref", "refs/heads/release-*"), ("sub", "repo:acme/*:environment:production")]
        {
            assert_eq!(glob(claim, text), Ok(()), "{claim} {text}");
        }
    }

    #[test]
    fn only_the_common_issuer_is_shared() {
        assert_eq!(issuer("https://token.actions.githubusercontent.com"), Ok(Tenancy::Shared));
        for private in [
            "https://token.actions.githubusercontent.com/acme",
            "https://token.actions.acme.ghe.com",
            "https://ghes.acme.test/_services/token",
        ] {
            assert_eq!(issuer(private), Ok(Tenancy::Private), "{private}");
        }
        for bad in [
            "https://token.actions.githubusercontent.com/",
            "http://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/a/b",
            "https://token.actions.githubusercontent.com.evil.test",
            "https://github.com",
            "https://token.actions.githubusercontent.com/_services/token",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
