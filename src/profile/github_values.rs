//! What the text of a GitHub `sub` says, and which values its claims can have at all.

/// The claims that a `sub` states beside itself, with their values as text; a part of a pattern keeps its stars.
///
/// `repo:OWNER@OWNER-ID/REPO@REPO-ID:…` states ids, `repo:OWNER/REPO:…` names alone; what follows is `claim:value`, until
/// something that is neither.
pub(super) fn says(sub: &str) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    let mut parts = sub.split(':');
    while let Some(key) = parts.next() {
        if key == "pull_request" {
            said.push(("event_name", key.to_owned()));
            continue;
        }
        let Some(value) = parts.next() else { break };
        if key == "repo" {
            repository(value, &mut said);
        } else if let Some(claim) = STATED.iter().find(|claim| **claim == key) {
            // `%3A` and its like are another spelling than the claim's.
            said.push((claim, value.to_owned()));
        } else {
            break;
        }
    }
    said.retain(|(_, value)| !value.is_empty() && !value.contains('%'));
    said
}

/// `OWNER/REPO`, each with its id or without.
fn repository(value: &str, said: &mut Vec<(&'static str, String)>) {
    let (owner, name) = value.split_once('/').unwrap_or((value, ""));
    let (owner, owner_id) = owner.split_once('@').unwrap_or((owner, ""));
    let (name, id) = name.split_once('@').unwrap_or((name, ""));
    let whole = if name.is_empty() { String::new() } else { format!("{owner}/{name}") };
    said.extend([
        ("repository", whole),
        ("repository_id", id.to_owned()),
        ("repository_owner", owner.to_owned()),
        ("repository_owner_id", owner_id.to_owned()),
    ]);
}

/// What a value says of other claims: which kind of ref it is, whose repository.
pub(super) fn states(claim: &str, text: &str) -> Vec<(&'static str, String)> {
    let stated = match claim {
        "ref" if text.starts_with("refs/heads/") => Some(("ref_type", "branch")),
        "ref" if text.starts_with("refs/tags/") => Some(("ref_type", "tag")),
        "repository" => text.split_once('/').map(|(owner, _)| ("repository_owner", owner)),
        _ => None,
    };
    stated.map(|(claim, value)| (claim, value.to_owned())).into_iter().collect()
}

/// Claims that may be part of a `sub`.
const STATED: [&str; 19] = [
    "actor",
    "actor_id",
    "base_ref",
    "enterprise",
    "enterprise_id",
    "environment",
    "event_name",
    "head_ref",
    "job_workflow_ref",
    "ref",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "runner_environment",
    "workflow",
];

/// Judges an exact value: the slips that everybody makes once.
pub(super) fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    let id = || !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match claim {
        "ref" if !text.starts_with("refs/") => {
            Err("a `ref` is written in full: `refs/heads/BRANCH`, `refs/tags/TAG` or `refs/pull/NUMBER/merge`")
        }
        "repository" if text.split('/').filter(|part| !part.is_empty()).count() != 2 => {
            Err("a `repository` is `OWNER/NAME`")
        }
        "repository_id" | "repository_owner_id" | "actor_id" | "enterprise_id" if !id() => {
            Err("an id is digits alone: `gh api repos/OWNER/REPO --jq '.id, .owner.id'` prints both")
        }
        "job_workflow_ref" | "workflow_ref" if !text.contains("/.github/workflows/") || !text.contains('@') => {
            Err("it is `OWNER/REPO/.github/workflows/FILE@REF`, the ref in full")
        }
        "ref_type" if !matches!(text, "branch" | "tag") => Err("a `ref_type` is `branch` or `tag`"),
        "ref_protected" if !matches!(text, "true" | "false") => Err("it is the text `\"true\"` or `\"false\"`"),
        "runner_environment" if !matches!(text, "github-hosted" | "self-hosted") => {
            Err("it is `github-hosted` or `self-hosted`")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sub: &str) -> String {
        says(sub).into_iter().map(|(claim, value)| format!("{claim}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn both_live_forms_say_whose_they_are() {
        assert_eq!(
            said("repo:acme@9919/payments@512345678:environment:production"),
            "repository=acme/payments repository_id=512345678 repository_owner=acme repository_owner_id=9919 \
             environment=production"
        );
        assert_eq!(
            said("repo:acme/payments:ref:refs/heads/main"),
            "repository=acme/payments repository_owner=acme ref=refs/heads/main"
        );
    }

    #[test]
    fn a_ref_states_its_type_and_a_repository_its_owner() {
        let states = |claim, text| states(claim, text).into_iter().next();
        assert_eq!(states("ref", "refs/heads/main"), Some(("ref_type", "branch".to_owned())));
        assert_eq!(states("ref", "refs/tags/v*"), Some(("ref_type", "tag".to_owned())));
        assert_eq!(states("repository", "acme/web"), Some(("repository_owner", "acme".to_owned())));
        assert_eq!((states("ref", "refs/pull/1/merge"), states("actor", "jane")), (None, None));
    }

    #[test]
    fn what_cannot_be_read_for_certain_says_nothing() {
        assert_eq!(said("repo:acme/*:pull_request"), "repository=acme/* repository_owner=acme event_name=pull_request");
        assert_eq!(
            said("repository_owner_id:9919:environment:a%3Ab:ref:refs/heads/x"),
            "repository_owner_id=9919 ref=refs/heads/x"
        );
        assert_eq!(said("repo_property_x:y:ref:refs/heads/main"), "");
        assert_eq!(said("repo:acme"), "repository_owner=acme");
    }

    #[test]
    fn values_that_no_token_has_are_told_apart() {
        for (claim, good, bad) in [
            ("ref", "refs/heads/main", "main"),
            ("repository", "acme/payments", "payments"),
            ("repository_owner_id", "9919", "acme"),
            ("job_workflow_ref", "acme/ci/.github/workflows/deploy.yml@refs/heads/main", "deploy.yml"),
            ("ref_type", "tag", "tags"),
            ("runner_environment", "self-hosted", "selfhosted"),
        ] {
            assert_eq!(value(claim, good), Ok(()), "{claim}");
            assert!(value(claim, bad).is_err(), "{claim}");
        }
    }
}
