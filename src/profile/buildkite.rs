//! Buildkite: one issuer for every organisation. Ids are in a token only where the job asked for them.

use super::ClaimType::{Number, String as Text};
use super::{Hint, Identity, Profile, Reusable, Sign, Tenancy, UNKNOWING, said, star};
use crate::name::Algorithm;

pub(super) static BUILDKITE: Profile = Profile {
    name: "buildkite",
    summary: "Buildkite jobs",
    documentation: "https://buildkite.com/docs/agent/cli/reference/oidc",
    checked: "2026-11-22",
    issuers: &["https://agent.buildkite.com"],
    starter: include_str!("../../examples/profiles/buildkite/trust.yaml"),
    identity: Identity::Fixed("https://agent.buildkite.com"),
    issuer,
    tenant_ids: &["organization_id", "pipeline_id"],
    tenant_hint: "it is in the organisation's settings; jobs must ask for it with `buildkite-agent oidc request-token --claim organization_id`",
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("agent_id", Text),
        ("build_branch", Text),
        ("build_commit", Text),
        ("build_id", Text),
        ("build_number", Number),
        ("build_source", Text),
        ("build_tag", Text),
        ("cluster_id", Text),
        ("cluster_name", Text),
        ("job_id", Text),
        ("organization_id", Text),
        ("organization_slug", Text),
        ("pipeline_id", Text),
        ("pipeline_slug", Text),
        ("queue_id", Text),
        ("queue_key", Text),
        ("runner_environment", Text),
        ("step_key", Text),
    ],
    complete: true,
    families: &[("agent_tag:", Some(Text)), ("https://aws.amazon.com/tags", None)],
    glob,
    subject,
    says,
    value,
    hints: &[Hint {
        when: &[Sign::Subject],
        unless: &[],
        danger: "a job may choose what its `sub` is (`--subject-claim`), and by default it is made of names and the commit",
        help: "match `pipeline_id` and `build_branch` instead, and request tokens with `--claim pipeline_id`",
    }],
    reusable: &[
        Reusable {
            claim: "organization_slug",
            stable: &["organization_id", "pipeline_id"],
            danger: "an organisation that is renamed or deleted leaves its slug to anyone on Buildkite",
        },
        Reusable {
            claim: "pipeline_slug",
            stable: &["pipeline_id"],
            danger: "a pipeline that is deleted or renamed leaves its slug to whoever makes one so called",
        },
        Reusable {
            claim: "cluster_name",
            stable: &["cluster_id"],
            danger: "the name of a cluster can be changed, and taken by another",
        },
        Reusable {
            claim: "queue_key",
            stable: &["queue_id", "cluster_id"],
            danger: "each cluster can have a queue of that key",
        },
    ],
    default_audiences: &["https://buildkite.com/*", "sts.amazonaws.com", "api://AzureADTokenExchange"],
    run_claims: &["build_branch", "build_tag"],
    identify: &["pipeline_slug", "pipeline_id", "build_branch", "build_tag", "step_key"],
    subject_forms: &[
        "organization:SLUG:pipeline:SLUG:ref:REF:commit:SHA:step:KEY",
        "the value of one id claim, where the job asked for it with `--subject-claim`",
    ],
    dangers: &[
        "Every organisation on Buildkite gets valid tokens, for any audience that the job asks for.",
        "`organization_id` and `pipeline_id` are there only where the job asked for them with `--claim`.",
        "The job chooses the claim that `sub` is; by default it holds the commit, so that it is another one for each.",
        "`build_number` is a number; `step_key` is null for a step without a key, and null never matches.",
        "`agent_tag:…` is what whoever started the agent wrote.",
    ],
    ..UNKNOWING
};

fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "the issuer of Buildkite is `https://agent.buildkite.com`, without a last `/`";
    if iss == "https://agent.buildkite.com" { Ok(Tenancy::Shared) } else { Err(FORM) }
}

/// The form of the default, or a UUID.
fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str =
        "a `sub` of Buildkite is `organization:SLUG:pipeline:SLUG:ref:REF:commit:SHA:step:KEY`, or one id";
    let parts: Vec<_> = sub.split(':').collect();
    let default = matches!(parts.as_slice(), ["organization", organisation, "pipeline", pipeline, "ref", ..]
        if !organisation.is_empty() && !pipeline.is_empty());
    if default || crate::name::is_guid(sub) { Ok(()) } else { Err(FORM) }
}

/// What the default `sub` is made of.
fn says(sub: &str) -> Vec<(&'static str, String)> {
    const STATED: &[(&str, &str)] = &[
        ("commit", "build_commit"),
        ("organization", "organization_slug"),
        ("pipeline", "pipeline_slug"),
        ("ref", "build_branch"),
        ("step", "step_key"),
    ];
    let bare = |(claim, value): (&'static str, String)| match (claim, value.strip_prefix("refs/tags/")) {
        ("build_branch", Some(tag)) => ("build_tag", tag.to_owned()),
        _ => (claim, value.strip_prefix("refs/heads/").map_or_else(|| value.clone(), str::to_owned)),
    };
    said::pairs(sub, ':', STATED, &[]).into_iter().map(bare).collect()
}

/// Judges an exact value.
fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    match claim {
        "build_branch" | "build_tag" if text.starts_with("refs/") => Err("it is the bare name: `main`"),
        "build_source" if !matches!(text, "ui" | "api" | "webhook" | "trigger_job" | "schedule") => {
            Err("it is `ui`, `api`, `webhook`, `trigger_job` or `schedule`")
        }
        _ => Ok(()),
    }
}

fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let name = match claim {
        "sub" => text.split(':').nth(1),
        "organization_slug" | "cluster_name" => Some(text),
        _ if claim.ends_with("_id") => Some(text),
        _ => None,
    };
    star::none_on(name, "anyone can take a name that fits: organisations and ids are written out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_issuer_and_it_is_shared() {
        assert_eq!(issuer("https://agent.buildkite.com"), Ok(Tenancy::Shared));
        assert!(issuer("https://agent.buildkite.com/").is_err() && issuer("https://buildkite.com").is_err());
    }

    #[test]
    fn a_subject_has_the_default_form_or_is_an_id() {
        for good in [
            "organization:acme:pipeline:web:ref:refs/heads/main:commit:9f31:step:build",
            "0184990a-477b-4fa8-9968-496074483c77",
        ] {
            assert_eq!(subject(good), Ok(()), "{good}");
        }
        for bad in ["acme/web", "organization:acme", "organization::pipeline:web:ref:x"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_never_stands_on_an_organisation_or_an_id() {
        for (claim, text) in
            [("organization_slug", "acme-*"), ("sub", "organization:acme-*:pipeline:web:**"), ("pipeline_id", "0-*")]
        {
            assert!(glob(claim, text).is_err(), "{claim}");
        }
        assert!(glob("build_branch", "release/*").is_ok() && glob("pipeline_slug", "web-*").is_ok());
    }
}
