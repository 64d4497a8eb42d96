//! `profiles`: what is known about kinds of issuers.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::nearest::unknown;
use super::output::{Output, result, trouble};
use crate::profile::{Profile, Tenancy};

/// List the kinds of issuers that are known, or print everything known about one.
///
/// A profile fills in what an entry of the table leaves out, refuses what can never be right, and warns of what looks right and is
/// not. What is printed last is a table to start from: put your own ids, hosts and paths in.
///
/// Exit code: 0 printed, 2 there is no such profile.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence profiles github-actions")]
pub(super) struct Profiles {
    /// The profile; without it all are listed.
    name: Option<String>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(profiles: &Profiles) -> u8 {
    let Some(name) = &profiles.name else {
        return result(&match profiles.output {
            Output::Text => list(),
            Output::Json => format!("{:#}\n", Value::from_iter(Profile::ALL.map(summary))),
        });
    };
    let Some(profile) = Profile::find(name) else {
        let names = Profile::ALL.map(|profile| profile.name);
        return trouble(format!("{}: the profiles are {}", unknown("profile", name, names), names.join(" ")));
    };
    result(&match profiles.output {
        Output::Text => page(profile),
        Output::Json => format!("{:#}\n", whole(profile)),
    })
}

/// A line each.
fn list() -> String {
    let rows = Profile::ALL.map(|profile| [profile.name, tenancy(profile), profile.summary].map(str::to_owned));
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let mut text = String::new();
    for (profile, [name, tenancy, summary]) in Profile::ALL.iter().zip(&rows) {
        let with: Vec<_> = profile.parameters.iter().map(parameter).collect();
        let line = format!("{name:first$}  {tenancy:second$}  {summary:third$}  {}", with.join(" "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push_str("\nshared: one issuer signs for every customer of its operator, so a tenant must be pinned.\n");
    text.push_str(
        "Last what `with` takes, in brackets what it can do without. `credence profiles NAME` prints all about one.\n",
    );
    text
}

fn parameter(parameter: &crate::profile::Parameter) -> String {
    if parameter.optional { format!("[{}]", parameter.name) } else { parameter.name.to_owned() }
}

fn page(profile: &Profile) -> String {
    let mut text = format!("{}: {}\n", profile.name, profile.summary);
    for section in profile.sections() {
        let _ = write!(text, "\n{}\n", section.title);
        for line in section.lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push_str("\nTo start from\n");
    for line in profile.starter.lines() {
        let _ = writeln!(text, "{}", format!("  {line}").trim_end());
    }
    let _ = write!(text, "\nDocumentation: {}\nChecked: {}\n", profile.documentation, profile.checked);
    text
}

const fn tenancy_of(tenancy: Option<Tenancy>) -> &'static str {
    match tenancy {
        Some(Tenancy::Shared) => "shared",
        Some(Tenancy::Private) => "private",
        None => "unknown",
    }
}

fn tenancy(profile: &Profile) -> &'static str {
    tenancy_of(profile.tenancy())
}

fn summary(profile: &'static Profile) -> Value {
    let with = profile.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "list": parameter.list,
            "optional": parameter.optional,
            "form": (parameter.form)("").err(),
        })
    });
    json!({
        "name": profile.name,
        "tenancy": tenancy(profile),
        "summary": profile.summary,
        "issuers": profile.issuers,
        "with": Value::from_iter(with),
        "documentation": profile.documentation,
        "checked": profile.checked,
    })
}

fn whole(profile: &'static Profile) -> Value {
    let mut value = summary(profile);
    let claims = profile.claims.iter().map(|(name, kind)| ((*name).to_owned(), json!(kind.as_str())));
    let reusable =
        profile.reusable.iter().map(|name| json!({"claim": name.claim, "stable": name.stable, "danger": name.danger}));
    let rules = profile.hints.iter().map(|hint| {
        let signs = |signs: &[crate::profile::Sign]| signs.iter().map(|sign| sign.sentence()).collect::<Vec<_>>();
        json!({"code": "CR206", "when": signs(hint.when), "unless": signs(hint.unless), "danger": hint.danger, "help": hint.help})
    });
    let rest = json!({
        "keys": {"place": profile.key_place, "hosts": profile.key_hosts, "in_cluster": profile.in_cluster},
        "defaults": {
            "signingAlgs": profile.algorithms.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "tokenTypes": profile.token_types,
            "maxTokenAge_seconds": profile.max_token_age,
        },
        "tenant_ids": profile.tenant_ids,
        "claims": Value::from_iter(claims),
        "claims_complete": profile.complete,
        "claim_families": profile.families.iter().map(|(start, _)| start).collect::<Vec<_>>(),
        "reusable": Value::from_iter(reusable),
        "must_not_authorise": profile.mutable,
        "default_audiences": profile.default_audiences,
        "run_claims": profile.run_claims,
        "subject_forms": profile.subject_forms,
        "dangers": profile.dangers,
        "alarms": profile.alarms.iter().map(|one| json!({"claim": one.claim, "values": one.values, "danger": one.danger})).collect::<Vec<_>>(),
        "rules": Value::from_iter(rules),
        "starter": profile.starter,
    });
    if let (Some(value), Value::Object(rest)) = (value.as_object_mut(), rest) {
        value.extend(rest);
    }
    value
}
