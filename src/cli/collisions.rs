//! `collisions`: one name, several people.

use clap::Args;
use serde_json::{Value, json};

use super::output::{Output, escaped, escaped_json, result, trouble};
use super::trust::Trust;
use super::{NO, YES};
use crate::inquiry::{Collisions, Shared, collisions};

/// Tell which subjects several issuers use, and which grants fit the same callers.
///
/// A `sub` means something at its issuer only: where two issuers use one text, they are two principals, and a log or an
/// application that reads the subject alone takes them for one. Each is told as the pair that it is.
///
/// Exit code: 0 nothing collides, 1 something does, 2 could not run.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence collisions --trust trust.yaml")]
pub(super) struct CollisionsArgs {
    #[command(flatten)]
    trust: Trust,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(args: &CollisionsArgs) -> u8 {
    let loaded = match args.trust.load() {
        Ok(loaded) => loaded,
        Err(error) => return trouble(error),
    };
    loaded.note_blocks();
    let found = collisions(&loaded.snapshot);
    result(&match args.output {
        Output::Text => escaped(&text(&found)),
        Output::Json => escaped_json(&tree(&found)),
    });
    if found.names.is_empty() && found.overlaps.is_empty() { YES } else { NO }
}

fn text(found: &Collisions) -> String {
    let mut out = String::new();
    for collision in &found.names {
        out += &match &collision.shared {
            Shared::Subject(subject) => format!("sub {subject:?} is {} principals\n", collision.identities.len()),
            Shared::Form(form) => {
                format!("subjects like {form:?} may be {} principals each\n", collision.identities.len())
            }
            Shared::Claims(claims) => {
                format!("callers with {claims} come from {} issuers\n", collision.identities.len())
            }
        };
        for identity in &collision.identities {
            let grants: Vec<_> = identity.grants.iter().map(|grant| grant.as_str()).collect();
            let pair = match &collision.shared {
                Shared::Subject(subject) => format!("{}#{subject}", identity.iss),
                Shared::Form(_) | Shared::Claims(_) => identity.iss.clone(),
            };
            out += &format!("  {pair}\n    issuer {}, grants {}\n", identity.issuer, grants.join(" "));
        }
        out.push('\n');
    }
    for overlap in &found.overlaps {
        let scopes: Vec<_> = overlap.scopes.iter().map(|scope| scope.as_str()).collect();
        let together = if scopes.is_empty() { "no scopes".to_owned() } else { scopes.join(" ") };
        out += &format!(
            "grants {} and {} may fit one call: issuer {}, resource {}; together {together}\n",
            overlap.grants.0, overlap.grants.1, overlap.issuer, overlap.resource
        );
    }
    if out.is_empty() { "nothing collides\n".to_owned() } else { format!("{}\n", out.trim_end()) }
}

fn tree(found: &Collisions) -> Value {
    let names = found.names.iter().map(|collision| {
        let (kind, text) = match &collision.shared {
            Shared::Subject(text) => ("subject", text),
            Shared::Form(text) => ("form", text),
            Shared::Claims(text) => ("claims", text),
        };
        let identities = collision.identities.iter().map(|identity| {
            json!({
                "issuer_name": identity.issuer.as_str(),
                "iss": identity.iss,
                "grants": identity.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
            })
        });
        json!({"shared": kind, "text": text, "identities": identities.collect::<Vec<_>>()})
    });
    let overlaps = found.overlaps.iter().map(|overlap| {
        json!({
            "issuer_name": overlap.issuer.as_str(),
            "resource": overlap.resource.as_str(),
            "grants": [overlap.grants.0.as_str(), overlap.grants.1.as_str()],
            "scopes": overlap.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        })
    });
    json!({"collisions": names.collect::<Vec<_>>(), "overlaps": overlaps.collect::<Vec<_>>()})
}
