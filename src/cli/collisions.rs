//! `collisions`: one name, several people.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::log::Logs;
use super::open::Open;
use super::output::{Output, escaped, escaped_json, result, trouble, value};
use super::trust::{instant, load};
use super::{NO, YES};
use crate::clock::{Clock, Time};
use crate::inquiry::{Collisions, Shared, collisions};
use crate::logbook::{Twin, Twins};

/// Tell which subjects several issuers use, and which grants fit the same callers.
///
/// A `sub` means something at its issuer only: where two issuers use one text, they are two principals, and a log or an
/// application that reads the subject alone takes them for one. Each is told as the pair that it is. With `--trust` it
/// says what the table lets happen; with `--log`, what happened: who used the name, at which issuer, by which grants,
/// and when last. What unverified tokens said of themselves is listed as claimed, and is no collision.
///
/// Exit code: 0 nothing collides, 1 something does, 2 could not run, or there is no decision in these logs.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence collisions --trust trust.yaml --log decisions.jsonl")]
pub(super) struct CollisionsArgs {
    /// The trust table: a YAML file, or a directory of them. May be left out where only logs are asked.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH", required_unless_present = "logs")]
    trust: Option<PathBuf>,
    /// A decision log, one JSON object a line; `-` for standard input. May be given several times.
    #[arg(long = "log", id = "logs", env = "CREDENCE_LOG", value_name = "FILE")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    open: Open,
    /// Judge as if it were this instant (RFC 3339), or the first second of this date, in UTC.
    #[arg(long, env = "CREDENCE_AT", value_name = "TIME", value_parser = instant)]
    at: Option<Time>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a table and what logs tell, each where it was asked.
struct Found {
    table: Option<Collisions>,
    logs: Option<Logged>,
}

/// What logs tell.
struct Logged {
    decisions: u64,
    twins: Vec<Twin>,
    left_out: u64,
}

pub(super) fn run(args: &CollisionsArgs) -> u8 {
    let found = match find(args) {
        Ok(found) => found,
        Err(error) => return trouble(error),
    };
    result(&match args.output {
        Output::Text => escaped(&found.text()),
        Output::Json => escaped_json(&found.json()),
    });
    if found.collides() { NO } else { YES }
}

fn find(args: &CollisionsArgs) -> Result<Found, String> {
    let now = args.at.unwrap_or_else(|| Clock::System.now());
    let loaded = args.trust.as_ref().map(|path| load(path, &args.open, now)).transpose()?;
    let table = loaded.map(|loaded| collisions(&loaded.snapshot));
    let logs = if args.logs.is_empty() { None } else { Some(Logged::read(&Logs::at(args.logs.clone()))?) };
    Ok(Found { table, logs })
}

impl Logged {
    fn read(logs: &Logs) -> Result<Self, String> {
        let mut twins = Twins::default();
        let counts = logs.read(&mut |record| {
            twins.take(&record);
            ControlFlow::Continue(())
        })?;
        if counts.decisions == 0 {
            return Err("there is no decision in these logs, so nothing can be said about who used a name".to_owned());
        }
        Ok(Self { decisions: counts.decisions, left_out: twins.left_out(), twins: twins.finish() })
    }

    fn text(&self) -> String {
        let mut out: String = self.twins.iter().map(|twin| format!("{}\n", twin.text())).collect();
        if self.left_out > 0 {
            out += &format!("{} decisions were left out: there are too many callers in these logs\n", self.left_out);
        }
        out
    }

    fn json(&self) -> Value {
        let twins: Vec<_> = self.twins.iter().map(Twin::json).collect();
        json!({"decisions": self.decisions, "twins": twins, "left_out": self.left_out})
    }
}

impl Found {
    fn collides(&self) -> bool {
        let table = self
            .table
            .as_ref()
            .is_some_and(|found| found.cut || !(found.names.is_empty() && found.overlaps.is_empty()));
        table || self.logs.as_ref().is_some_and(|logs| logs.twins.iter().any(|twin| twin.verified))
    }

    fn text(&self) -> String {
        let parts = [self.table.as_ref().map(text), self.logs.as_ref().map(Logged::text)];
        let told: Vec<_> = parts.iter().flatten().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect();
        if told.is_empty() { "nothing collides\n".to_owned() } else { format!("{}\n", told.join("\n\n")) }
    }

    fn json(&self) -> Value {
        json!({
            "collisions": self.table.as_ref().map(names),
            "overlaps": self.table.as_ref().map(overlaps),
            "cut": self.table.as_ref().map(|found| found.cut),
            "log": self.logs.as_ref().map(Logged::json),
        })
    }
}

fn text(found: &Collisions) -> String {
    let mut out = String::new();
    for collision in &found.names {
        out += &match &collision.shared {
            Shared::Subject(subject) => format!("sub {subject:?} is {} principals\n", collision.identities.len()),
            Shared::Form(form) => {
                format!("subjects like {form:?} may be {} principals each\n", collision.identities.len())
            }
            Shared::Any(open) => {
                let open: Vec<_> = open.iter().map(|issuer| issuer.as_str()).collect();
                let count = collision.identities.len();
                format!("any sub may be {count} principals: grants of {} ask nothing of it\n", open.join(" "))
            }
            Shared::Domain(domain) => format!(
                "subjects of spiffe://{} may be {} principals each\n",
                value(domain),
                collision.identities.len()
            ),
            Shared::Claims(claims) => {
                format!("callers with {} come from {} issuers\n", value(claims), collision.identities.len())
            }
        };
        for identity in &collision.identities {
            let grants: Vec<_> = identity.grants.iter().map(|grant| grant.as_str()).collect();
            let pair = match &collision.shared {
                Shared::Subject(subject) => format!("{}#{subject}", identity.iss),
                Shared::Form(_) | Shared::Any(_) | Shared::Domain(_) | Shared::Claims(_) => identity.iss.clone(),
            };
            let pair = value(pair);
            let more = if identity.more > 0 { format!(" and {} more", identity.more) } else { String::new() };
            out += &format!("  {pair}\n    issuer {}, grants {}{more}\n", identity.issuer, grants.join(" "));
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
    if found.cut {
        out += "the search was cut: there are too many grants to hold all against each other, so more may collide\n";
    }
    out
}

fn names(found: &Collisions) -> Vec<Value> {
    let any = "any".to_owned();
    let names = found.names.iter().map(|collision| {
        let (kind, text) = match &collision.shared {
            Shared::Subject(text) => ("subject", text),
            Shared::Form(text) => ("form", text),
            Shared::Any(_) => ("any", &any),
            Shared::Domain(text) => ("trust_domain", text),
            Shared::Claims(text) => ("claims", text),
        };
        let identities = collision.identities.iter().map(|identity| {
            json!({
                "issuer_name": identity.issuer.as_str(),
                "iss": identity.iss,
                "grants": identity.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
                "more_grants": identity.more,
            })
        });
        json!({"shared": kind, "text": text, "identities": identities.collect::<Vec<_>>()})
    });
    names.collect()
}

fn overlaps(found: &Collisions) -> Vec<Value> {
    let overlaps = found.overlaps.iter().map(|overlap| {
        json!({
            "issuer_name": overlap.issuer.as_str(),
            "resource": overlap.resource.as_str(),
            "grants": [overlap.grants.0.as_str(), overlap.grants.1.as_str()],
            "scopes": overlap.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        })
    });
    overlaps.collect()
}
