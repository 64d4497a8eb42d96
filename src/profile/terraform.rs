//! HCP Terraform and Terraform Enterprise: workload identity of runs.
//!
//! Names of organisations, projects and workspaces can be changed; so `sub`, which is made of them, says little.

use super::ClaimType::String as Text;
use super::{
    Alarm, Hint, Identity, Parameter, Parameters, Profile, Reusable, Sign, Tenancy, UNKNOWING, said, star, web,
};
use crate::name::Algorithm;

pub(super) static TERRAFORM: Profile = Profile {
    name: "terraform",
    aliases: &["hashicorp", "tfc", "hcp"],
    summary: "runs of HCP Terraform, or of a Terraform Enterprise of your own",
    documentation: "https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens",
    checked: "2026-11-22",
    issuers: &["https://app.terraform.io", "https://HOST"],
    starter: include_str!("../../examples/profiles/terraform/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[Parameter::maybe("hostname", web::host)],
    issuer,
    tenant_ids: &["terraform_organization_id", "terraform_project_id", "terraform_workspace_id"],
    tenant_hint: "it begins with `org-` and is in the organisation's general settings",
    algorithms: &[Algorithm::RS256],
    token_types: &["", "jwt"],
    max_token_age: 24 * 3600,
    claims: &[
        ("terraform_full_workspace", Text),
        ("terraform_organization_id", Text),
        ("terraform_organization_name", Text),
        ("terraform_project_id", Text),
        ("terraform_project_name", Text),
        ("terraform_run_id", Text),
        ("terraform_run_phase", Text),
        ("terraform_workspace_id", Text),
        ("terraform_workspace_name", Text),
    ],
    complete: true,
    families: &[("terraform_stack_", None), ("terraform_module_", None), ("terraform_operation", None)],
    glob,
    subject,
    says: |sub| said::pairs(sub, ':', STATED, &[]),
    value,
    hints: &[
        Hint {
            when: &[Sign::Writes],
            unless: &[Sign::Claim(&["terraform_run_phase"])],
            danger: "a plan may do this too, and plans run before anyone approved them",
            help: "add `terraform_run_phase: apply`",
        },
        Hint {
            when: &[Sign::Writes],
            unless: &[Sign::Claim(&["terraform_workspace_id"])],
            danger: "every workspace that fits the rest may do this, and module tests, which have no workspace",
            help: "add `terraform_workspace_id` with the id of the workspace, which begins with `ws-`",
        },
        Hint {
            when: &[Sign::Subject],
            unless: &[Sign::Claim(&["terraform_workspace_id", "terraform_project_id"])],
            danger: "`sub` is made of names, which can be changed and taken by another workspace",
            help: "match `terraform_workspace_id` instead, or besides",
        },
    ],
    reusable: &[
        Reusable {
            claim: "terraform_organization_name",
            stable: &["terraform_organization_id", "terraform_project_id", "terraform_workspace_id"],
            danger: "an organisation that is renamed or deleted leaves its name to anyone on HCP Terraform",
        },
        Reusable {
            claim: "terraform_project_name",
            stable: &["terraform_project_id", "terraform_workspace_id"],
            danger: "the name of a project can be changed, and taken by another",
        },
        Reusable {
            claim: "terraform_workspace_name",
            stable: &["terraform_workspace_id"],
            danger: "the name of a workspace can be changed, and taken by another",
        },
        Reusable {
            claim: "terraform_full_workspace",
            stable: &["terraform_workspace_id"],
            danger: "it is made of names, which can be changed and taken by another workspace",
        },
    ],
    alarms: &[Alarm {
        claim: "terraform_run_phase",
        values: &["plan"],
        such_as: &[],
        danger: "is what runs before anybody approves, also for changes that are only proposed",
        instead: "write `terraform_run_phase: apply`",
    }],
    default_audiences: &[
        "api://AzureADTokenExchange",
        "aws.workload.identity",
        "hcp.workload.identity",
        "kubernetes",
        "vault.workload.identity",
    ],
    identify: &["terraform_full_workspace", "terraform_workspace_id", "terraform_run_phase"],
    subject_forms: &[
        "organization:NAME:project:NAME:workspace:NAME:run_phase:PHASE, with blanks where the names have them",
        "organization:NAME:project:NAME:stack:NAME:deployment:NAME:operation:OPERATION, of stacks",
    ],
    dangers: &[
        "Every organisation on HCP Terraform gets valid tokens, for any audience that a workspace asks for.",
        "`sub` is made of names; matched by its beginning it fits workspaces that do not exist yet.",
        "A plan has a token as well as an apply: `terraform_run_phase` tells them apart.",
        "Tokens of module tests have no workspace, and always say that they are a plan.",
        "Tokens live as long as the phase of a run may last, which can be a day.",
    ],
    ..UNKNOWING
};

/// What `sub` is made of; a name may hold anything but `:`.
const STATED: &[(&str, &str)] = &[
    ("organization", "terraform_organization_name"),
    ("project", "terraform_project_name"),
    ("run_phase", "terraform_run_phase"),
    ("workspace", "terraform_workspace_name"),
];

/// Judges an exact value: ids say by their beginning what they are of.
fn value(claim: &str, text: &str) -> Result<(), &'static str> {
    let begins = |start: &str| text.strip_prefix(start).is_some_and(|rest| !rest.is_empty());
    match claim {
        "terraform_organization_id" if !begins("org-") => Err("the id of an organisation begins with `org-`"),
        "terraform_project_id" if !begins("prj-") => Err("the id of a project begins with `prj-`"),
        "terraform_workspace_id" if !begins("ws-") => Err("the id of a workspace begins with `ws-`"),
        "terraform_run_phase" if !matches!(text, "plan" | "apply") => Err("a run's phase is `plan` or `apply`"),
        _ => Ok(()),
    }
}

/// `https://app.terraform.io`, or the URL of a Terraform Enterprise.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "a Terraform issuer is `https://app.terraform.io`, or `https://HOST` of a Terraform Enterprise, without a last `/`";
    match web::plain(iss).ok_or(FORM)? {
        ("app.terraform.io", "") => Ok(Tenancy::Shared),
        (_, "") => Ok(Tenancy::Private),
        _ => Err(FORM),
    }
}

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let host = if with.has("hostname") { with.one("hostname") } else { "app.terraform.io" };
    Ok(vec![format!("https://{host}")])
}

fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str = "a `sub` of Terraform is `organization:NAME:project:NAME:workspace:NAME:run_phase:PHASE`";
    let name = sub.strip_prefix("organization:").and_then(|rest| rest.split_once(':'));
    if name.is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty()) { Ok(()) } else { Err(FORM) }
}

fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let name = match claim {
        "sub" | "terraform_full_workspace" => text.split(':').nth(1),
        "terraform_organization_name" => Some(text),
        _ if claim.ends_with("_id") => Some(text),
        _ => None,
    };
    star::none_on(name, "anyone can take a name that fits: organisations and ids are written out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_common_host_is_shared() {
        assert_eq!(issuer("https://app.terraform.io"), Ok(Tenancy::Shared));
        assert_eq!(issuer("https://tfe.acme.test"), Ok(Tenancy::Private));
        for bad in
            ["https://app.terraform.io/", "https://app.terraform.io/acme", "https://tfe.acme.test/", "app.terraform.io"]
        {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subject_begins_with_its_organisation_and_may_hold_blanks() {
        assert!(subject("organization:acme:project:Default Project:workspace:web:run_phase:apply").is_ok());
        assert!(subject("acme/web").is_err() && subject("organization::x").is_err());
    }

    #[test]
    fn a_star_never_stands_on_an_organisation_or_an_id() {
        assert!(glob("sub", "organization:acme-*:project:x:**").is_err());
        assert!(
            glob("terraform_workspace_id", "ws-*").is_err() && glob("terraform_organization_name", "acme-*").is_err()
        );
        assert!(glob("terraform_workspace_name", "web-*").is_ok());
    }
}
