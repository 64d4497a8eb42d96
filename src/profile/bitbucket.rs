//! Bitbucket Pipelines: one issuer a workspace, made of its slug.
//!
//! `sub` holds the id of the step and is another one in every run: match the ids of repository and environment.

use super::ClaimType::String as Text;
use super::{Hint, Identity, Parameter, Parameters, Profile, Sign, Tenancy, UNKNOWING, web};
use crate::name::Algorithm;

pub(super) static BITBUCKET: Profile = Profile {
    name: "bitbucket",
    aliases: &["atlassian"],
    summary: "Bitbucket Pipelines of a workspace",
    documentation: "https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/",
    checked: "2026-11-22",
    issuers: &["https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc"],
    key_place: "by discovery, which is there once OpenID Connect is on and a pipeline has run",
    starter: include_str!("../../examples/profiles/bitbucket/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[Parameter::one("workspace", web::slug)],
    issuer,
    tenant_ids: &["workspaceUuid", "repositoryUuid"],
    tenant_hint: "it is in the repository's settings under OpenID Connect, with its braces",
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 2 * 3600,
    claims: &[
        ("branchName", Text),
        ("deploymentEnvironmentUuid", Text),
        ("pipelineUuid", Text),
        ("pullRequestId", Text),
        ("repositoryUuid", Text),
        ("stepUuid", Text),
        ("tagName", Text),
        ("workspaceUuid", Text),
    ],
    complete: true,
    glob: |claim, text| match claim {
        "sub" => Err("`sub` is made of ids, the last one of a single step: match `repositoryUuid`"),
        _ if claim.ends_with("Uuid") && text.contains('*') => Err("ids have no common beginning that means anything"),
        _ => Ok(()),
    },
    subject: |_| Err("`sub` ends in the id of one step of one run, so it never comes again: match `repositoryUuid`"),
    value,
    hints: &[Hint {
        when: &[],
        unless: &[Sign::Claim(&["workspaceUuid"])],
        danger: "the `iss` is made of the workspace's slug: whoever takes that over has the same `iss`",
        help: "add `workspaceUuid: \"{…}\"`, with its braces, to `pin.claims` of the issuer",
    }],
    default_audiences: &["ari:cloud:bitbucket::workspace/*"],
    run_claims: &["branchName", "deploymentEnvironmentUuid", "tagName"],
    identify: &["repositoryUuid", "workspaceUuid", "branchName", "tagName", "deploymentEnvironmentUuid"],
    subject_forms: &[
        "{REPOSITORY-UUID}:{STEP-UUID}",
        "{REPOSITORY-UUID}:{ENVIRONMENT-UUID}:{STEP-UUID}, in a deployment",
    ],
    dangers: &[
        "The `iss` is made of the workspace's slug, which can pass to another workspace.",
        "`sub` ends in the id of the step, so that an exact one never matches again.",
        "Ids are written with their braces.",
        "Without an audience of its own a token is for the workspace, as all others are.",
        "There is no discovery document until OpenID Connect is on and a pipeline has run.",
    ],
    ..UNKNOWING
};

/// Judges an exact value: ids keep their braces.
fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    let braced = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match claim {
        _ if claim.ends_with("Uuid") && !braced.is_some_and(crate::name::is_guid) => {
            Err("an id is a UUID in lower case with its braces: `\"{…}\"`")
        }
        "branchName" | "tagName" if text.starts_with("refs/") => Err("it is the bare name: `main`"),
        _ => Ok(()),
    }
}

/// `https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str =
        "a Bitbucket issuer is `https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc`";
    let workspace = iss
        .strip_prefix("https://api.bitbucket.org/2.0/workspaces/")
        .and_then(|rest| rest.strip_suffix("/pipelines-config/identity/oidc"))
        .ok_or(FORM)?;
    web::slug(workspace).map(|()| Tenancy::Private).map_err(|_| FORM)
}

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let workspace = with.one("workspace");
    Ok(vec![format!("https://api.bitbucket.org/2.0/workspaces/{workspace}/pipelines-config/identity/oidc")])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: &str = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";

    #[test]
    fn an_issuer_is_one_workspace() {
        assert_eq!(issuer(ACME), Ok(Tenancy::Private));
        for bad in [
            format!("{ACME}/"),
            ACME.replace("acme", ""),
            ACME.replace("acme", "a/b"),
            ACME.replace("api.", ""),
            "https://bitbucket.org".to_owned(),
        ] {
            assert!(issuer(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_keeps_its_braces() {
        assert!(value("repositoryUuid", "{9a8b3c11-0000-4000-8000-000000000001}").is_ok());
        assert!(value("repositoryUuid", "9a8b3c11-0000-4000-8000-000000000001").is_err());
        assert!(value("branchName", "main").is_ok() && value("branchName", "refs/heads/main").is_err());
    }

    #[test]
    fn no_subject_comes_twice() {
        let sub = "{9a8b3c11-0000-4000-8000-000000000001}:{0c1d2e3f-0000-4000-8000-000000000002}";
        assert!((BITBUCKET.subject)(sub).is_err() && (BITBUCKET.glob)("sub", sub).is_err());
        assert!((BITBUCKET.glob)("branchName", "release/*").is_ok());
        assert!((BITBUCKET.glob)("repositoryUuid", "{9a8b-*").is_err());
    }
}
