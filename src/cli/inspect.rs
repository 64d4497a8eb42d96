//! `inspect`: what a token says, and what a table would have to say to let it in.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::open::Open;
use super::output::{Output, escaped, escaped_json, result, trouble};
use super::token::TokenFile;
use super::trust::{instant, load};
use crate::advice::{Alternative, By, Destination, Inspection, Table, alternatives, document, inspect};
use crate::clock::{Clock, Time};
use crate::credential::{Parts, Unverified};
use crate::json::Json;
use crate::name::is_name;
use crate::profile::Tenancy;
use crate::request::split_url;
use crate::table::Sources;

/// Take a token apart, and propose the entries that would let it in, for review.
///
/// Nothing is verified, and nothing is fetched: whoever wrote the token may have written anything. With `--trust` it finds
/// the entry of the table that the token names, else the profile that it looks like; says what is dangerous about it;
/// and writes the tightest issuer, resource and grant that would fit: ids before names, one method, one path. With
/// METHOD and URL the grant is for just this call. With `--block` it writes blocks instead, narrowest first. The token itself
/// is never printed.
///
/// Exit code: 0, 2 where the token or the table cannot be read.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence inspect --trust trust.yaml --token-file token.jwt POST https://deploy.acme.test/v1/services/payments/web"
)]
pub(super) struct Inspect {
    /// The trust table: a YAML file, or a directory of them. Without it nothing is known of entries and resources.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    token: TokenFile,
    #[command(flatten)]
    open: Open,
    /// Print blocks for it instead (`kind: TrustBlocks`), under this name: one for just this token, and wider ones as remarks.
    /// The output is a file of blocks as it stands.
    #[arg(long, env = "CREDENCE_BLOCK", value_name = "NAME", value_parser = name, conflicts_with_all = ["method", "url"])]
    block: Option<String>,
    /// Judge its times as if it were this instant (RFC 3339), or the first second of this date, in UTC.
    #[arg(long, env = "CREDENCE_AT", value_name = "TIME", value_parser = instant)]
    at: Option<Time>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The HTTP method of the call that was refused.
    #[arg(requires = "url")]
    method: Option<String>,
    /// The URL as the client asked for it.
    url: Option<String>,
}

pub(super) fn run(verb: &Inspect) -> u8 {
    match try_run(verb) {
        Ok(text) => result(&text),
        Err(error) => trouble(escaped(&error)),
    }
}

fn try_run(verb: &Inspect) -> Result<String, String> {
    let now = verb.at.unwrap_or_else(|| Clock::System.now());
    let text = verb.token.read()?.ok_or("there is no token: give `--token-file FILE`, `-` for standard input")?;
    let mut parts = Parts::default();
    let token = Unverified::read(&text, &mut parts)
        .map_err(|fault| format!("this is no token that credence could read: {fault}"))?;
    let loaded = verb.trust.as_ref().map(|path| load(path, &verb.open, now)).transpose()?;
    let destination = match (&verb.method, &verb.url) {
        (Some(method), Some(url)) => {
            let (host, target) =
                split_url(url).ok_or_else(|| format!("{url:?} is no URL: expected https://HOST/PATH"))?;
            Some(Destination { method, host, target })
        }
        _ => None,
    };
    if let Some(name) = &verb.block {
        return blocks(verb, name, token, now);
    }
    let sources = verb.trust.as_deref().map(Sources::read);
    let permissions = verb.open.permissions();
    let table = loaded.as_ref().zip(sources.as_ref());
    let table = table.map(|(loaded, sources)| Table { snapshot: &loaded.snapshot, sources, permissions: &permissions });
    let found = inspect(&text, token, table, destination, now);
    Ok(match verb.output {
        Output::Text => escaped(&told(&found, verb.trust.is_some())),
        Output::Json => escaped_json(&written(&found)),
    })
}

fn name(text: &str) -> Result<String, String> {
    let help = "a name has lower-case letters, digits, `-` and `.`, begins and ends with a letter or digit, at most 63";
    if is_name(text) { Ok(text.to_owned()) } else { Err(help.to_owned()) }
}

/// Blocks to choose from; by a token that nobody verified.
fn blocks(verb: &Inspect, name: &str, token: Unverified<'_>, now: Time) -> Result<String, String> {
    let key_id = token.envelope().header.key_id().map(str::to_owned);
    let found = alternatives(&token.into_payload(), key_id.as_deref(), now);
    if found.is_empty() {
        return Err("the token names no issuer, so no table takes it and there is nothing to block".to_owned());
    }
    Ok(match verb.output {
        Output::Text => escaped(&document(name, &found)),
        Output::Json => {
            let one = |one: &Alternative| {
                let fields: Map<_, _> =
                    one.fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                json!({"stops": one.stops, "block": fields})
            };
            let all: Vec<_> = found.iter().map(one).collect();
            escaped_json(&json!({"verified": false, "name": name, "alternatives": all}))
        }
    })
}

fn told(found: &Inspection<'_>, with_table: bool) -> String {
    let mut out = String::from("NOT VERIFIED: this is what the token says; anybody could have written it.\n\n");
    let optional =
        |value: &Option<String>| value.as_ref().map_or_else(|| "absent".to_owned(), |text| format!("{text:?}"));
    out += &format!(
        "header  alg {:?}, typ {}, kid {}\n",
        found.algorithm,
        optional(&found.kind_of_token),
        optional(&found.key_id)
    );
    for (name, value) in found.payload.as_object().into_iter().flat_map(|members| members.iter()) {
        out += &format!("  {name:<28} {}\n", shown(name, value));
    }
    out += &format!("\nissuer  {}\n", issuer(found, with_table));
    if let Some(resource) = found.resource {
        out += &format!(
            "resource {} [{}], which takes the audience {}\n",
            resource.name,
            resource.site,
            resource.audience.as_str()
        );
    }
    out += "\nbefore you believe it\n";
    for remark in &found.remarks {
        out += &format!("  {}: {}\n", remark.about, remark.text);
    }
    if let Some(by) = &found.proposal.allowed_by {
        out += &format!("\nalready allowed by {by}, if the signature is good and no block stands against it\n");
        return out;
    }
    if found.proposal.yaml.is_empty() {
        out += "\nnothing is proposed: entries with what the token says and no more do not load, or do not let it in\n";
        found.proposal.faults.iter().for_each(|fault| out += &format!("  {fault}\n"));
        return out;
    }
    out += "\nto review, and then to add to the table\n\n";
    out += &found.proposal.yaml;
    out += "\nstill to be thought of\n";
    for missing in &found.proposal.missing {
        out += &format!("  {missing}\n");
    }
    out
}

/// A claim as it stands in the token; dates also as such.
fn shown(name: &str, value: &Json) -> String {
    let text = json!(value).to_string();
    match (name, value.as_number()) {
        ("exp" | "iat" | "nbf" | "auth_time", Some(seconds)) => format!("{text} ({})", Time::from_seconds(seconds)),
        _ => text,
    }
}

fn issuer(found: &Inspection<'_>, with_table: bool) -> String {
    let profile = found.kind.profile.name;
    let tenancy = match found.kind.tenancy {
        Tenancy::Shared => ", which signs for many customers",
        Tenancy::Private => "",
    };
    let entries: Vec<_> = found.entries.iter().map(|entry| format!("{} [{}]", entry.name, entry.site)).collect();
    match (found.kind.by, with_table) {
        (By::Entry, _) => format!("is entry {} of the table, profile {profile}{tenancy}", entries.join(" or ")),
        (By::Host, true) => format!("is not in the table; its host is that of profile {profile}{tenancy}"),
        (By::Form, true) => format!("is not in the table; it looks like profile {profile}{tenancy}"),
        (By::Nothing, true) => format!("is not in the table, and looks like no profile{tenancy}"),
        (By::Host, false) => format!("has the host of profile {profile}{tenancy}"),
        (By::Form, false) => format!("looks like profile {profile}{tenancy}"),
        (By::Nothing, false) => format!("looks like no profile{tenancy}"),
    }
}

fn written(found: &Inspection<'_>) -> Value {
    json!({
        "verified": false,
        "header": {"alg": found.algorithm, "typ": found.kind_of_token, "kid": found.key_id},
        "claims": found.payload,
        "entries": found.entries.iter().map(|entry| json!({"issuer_name": entry.name, "site": entry.site.to_string()})).collect::<Vec<_>>(),
        "profile": {
            "name": found.kind.profile.name,
            "by": match found.kind.by {
                By::Entry => "entry",
                By::Host => "host",
                By::Form => "form",
                By::Nothing => "nothing",
            },
            "shared": found.kind.tenancy == Tenancy::Shared,
        },
        "resource": found.resource.map(|resource| resource.name.as_str()),
        "remarks": found.remarks.iter().map(|one| json!({"about": one.about, "text": one.text})).collect::<Vec<_>>(),
        "proposal": {
            "yaml": found.proposal.yaml,
            "missing": found.proposal.missing,
            "faults": found.proposal.faults,
            "allowed_by": found.proposal.allowed_by,
        },
    })
}
