//! `reach`: the blast radius of an issuer, a key, a subject or a token.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::can::unknown_issuer;
use super::output::{Output, escaped, escaped_json, result, trouble, value};
use super::token::{payload, read};
use super::trust::Trust;
use super::who_can::line_tree;
use super::{NO, YES};
use crate::clock::Time;
use crate::inquiry::{Asked, Holding, Reach, State, Whose, iss, reach};
use crate::name::Thumbprint;

/// A file with a token is read up to this many bytes.
const MAX_TOKEN: u64 = 64 * 1024;

/// Tell what can be reached: by whoever can make an issuer sign, by whoever has a key, by a subject, by a token's holder.
///
/// With `--issuer` or `--key` it is assumed that tokens can be made which say anything: pins of the issuer must be kept,
/// and nothing else stands in the way. With `--subject` the other claims may be anything; with `--token-file` they are the
/// token's own, NOT VERIFIED.
///
/// Exit code: 0 something can be reached, 1 nothing can, 2 could not run.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("whose").required(true).multiple(true).args(["issuer", "key", "subject", "token_file"]),
    after_help = "Example: credence reach --trust trust.yaml --issuer github-acme"
)]
pub(super) struct ReachArgs {
    #[command(flatten)]
    trust: Trust,
    /// The issuer, by its name in the table.
    #[arg(long, env = "CREDENCE_ISSUER", value_name = "NAME", conflicts_with_all = ["key", "token_file"])]
    issuer: Option<String>,
    /// The RFC 7638 thumbprint of a key, sha256:….
    #[arg(long, env = "CREDENCE_KEY", value_name = "THUMBPRINT", conflicts_with_all = ["subject", "token_file"])]
    key: Option<String>,
    /// The exact `sub`, of any issuer or of the one that `--issuer` names.
    #[arg(long, env = "CREDENCE_SUBJECT", value_name = "SUB", conflicts_with = "token_file")]
    subject: Option<String>,
    /// The file with a token, `-` for standard input. Nothing of it is verified.
    #[arg(long, env = "CREDENCE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(args: &ReachArgs) -> u8 {
    match try_run(args) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(args: &ReachArgs) -> Result<u8, String> {
    let claims = match &args.token_file {
        Some(file) => {
            let text = read(file, MAX_TOKEN)?;
            Some(payload(text.trim()).ok_or("the token cannot be read: `credence explain` tells why")?)
        }
        None => None,
    };
    let key = args.key.as_deref().map(|text| {
        Thumbprint::parse(text)
            .ok_or_else(|| format!("{text:?} is no thumbprint: expected sha256:… as `credence issuer probe` prints it"))
    });
    let key = key.transpose()?;
    let whose = match (&claims, key, &args.subject, &args.issuer) {
        (Some(claims), ..) => Whose::Token(claims),
        (None, Some(key), ..) => Whose::Key(key),
        (None, None, Some(subject), issuer) => Whose::Subject(subject, issuer.as_deref()),
        (None, None, None, issuer) => Whose::Issuer(issuer.as_deref().unwrap_or_default()),
    };
    let loaded = args.trust.load()?;
    loaded.note_blocks();
    if let Some(name) = &args.issuer
        && !loaded.snapshot.issuers.iter().any(|issuer| issuer.name.as_str() == name)
    {
        return Err(unknown_issuer(&loaded.snapshot, name));
    }
    let root = std::path::Path::new("");
    let found = reach(Asked { snapshot: &loaded.snapshot, origins: &loaded.origins, root }, &whose);
    let now = args.trust.now();
    let lines: Vec<_> = found.lines.iter().map(|line| (line.state(now), line)).collect();
    result(&match args.output {
        Output::Text => escaped(&text(&whose, &found, &lines, now)),
        Output::Json => escaped_json(&tree(&whose, &found, &lines)),
    });
    Ok(if lines.iter().any(|(state, _)| *state == State::InForce) { YES } else { NO })
}

/// What is taken for granted, in one sentence.
fn assumption(whose: &Whose<'_>) -> &'static str {
    match whose {
        Whose::Issuer(_) => "assumed: whoever can make it sign says anything that its pins allow",
        Whose::Key(_) => "assumed: whoever has the private key says anything that the pins of these issuers allow",
        Whose::Subject(..) => "assumed: the issuer says this sub, and with it whatever else the grants ask for",
        Whose::Token(_) => "NOT VERIFIED: what the token says is taken for true",
    }
}

fn text(whose: &Whose<'_>, found: &Reach<'_>, lines: &[(State, &crate::inquiry::Line<'_>)], now: Time) -> String {
    let mut out = format!("{}\n", assumption(whose));
    for (number, issuer) in found.issuers.iter().enumerate() {
        let how = found.holdings.get(number).map_or("", |holding| match holding {
            Holding::Pinned => ", pins the key",
            Holding::Written => ", has the key in the table",
        });
        out += &format!("issuer {} {}{how}  [{}]\n", issuer.name, value(iss(issuer)), value(&issuer.site));
        for pin in &issuer.pins {
            out += &format!("  pin {}\n", value(format!("{} {}", pin.key, pin.matcher)));
        }
    }
    if found.unpinned > 0 {
        out += &format!(
            "{} pin no key: if one of them publishes this one, it counts there too\n",
            counted(found.unpinned, "issuer")
        );
    }
    let allowing = lines.iter().filter(|(state, _)| *state == State::InForce).count();
    out += &format!(
        "{} now\n",
        if allowing == 0 {
            "nothing can be reached".to_owned()
        } else {
            format!("{} can be used", counted(allowing, "grant"))
        }
    );
    for (state, line) in lines {
        let mark = if *state == State::InForce {
            String::new()
        } else {
            format!("  ({}: allows nothing now)", state.as_str())
        };
        out += &format!("\n{} {} {}{mark}\n", line.resource.name, value(line.methods()), value(line.paths()));
        out += &format!(
            "  at     {}\n  grant  {} of {}  [{}]\n",
            value(line.place()),
            line.grant.name,
            line.issuer.name,
            value(&line.grant.site)
        );
        out += &format!(
            "  who    {}
  if     {}
",
            value(line.who()),
            value(line.conditions().join(", "))
        );
        if let Some(observe) = line.resource.observing(now) {
            out += &format!(
                "  note   refusals there are only observed until {}: anyone gets through
",
                observe.until
            );
        }
        if !line.grant.scopes.is_empty() {
            out += &format!("  gets   {}\n", line.scopes());
        }
    }
    out
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn tree(whose: &Whose<'_>, found: &Reach<'_>, lines: &[(State, &crate::inquiry::Line<'_>)]) -> Value {
    let issuers = found.issuers.iter().enumerate().map(|(number, issuer)| {
        let holding = found.holdings.get(number).map(|holding| match holding {
            Holding::Pinned => "pinned",
            Holding::Written => "in_table",
        });
        json!({
            "name": issuer.name.as_str(),
            "iss": issuer.issuer.as_str(),
            "realm": issuer.realm.as_ref().map(|realm| realm.as_str()),
            "key": holding,
            "pins": issuer.pins.iter().map(|pin| format!("{} {}", pin.key, pin.matcher)).collect::<Vec<_>>(),
        })
    });
    json!({
        "assumed": assumption(whose),
        "issuers": issuers.collect::<Vec<_>>(),
        "issuers_without_pinned_keys": matches!(whose, Whose::Key(_)).then_some(found.unpinned),
        "reaches": lines.iter().map(|(state, line)| line_tree(line, *state)).collect::<Vec<_>>(),
    })
}
