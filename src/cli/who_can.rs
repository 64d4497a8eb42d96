//! `who-can`: everyone who may do this there.

use clap::Args;
use serde_json::json;

use super::asked::Wanted;
use super::output::{Output, escaped, escaped_json, result, trouble, value};
use super::trust::Trust;
use super::{NO, YES};
use crate::inquiry::{Line, State, WhoCan, who_can};

/// Tell who may do this at this URL: every issuer, whom it must vouch for, and what else must hold.
///
/// Places that are open to all are told as such, and those where refusals are only observed. Grants in shadow mode, not started or ended are marked: they allow
/// nothing now.
///
/// Exit code: 0 somebody may, 1 nobody may, 2 could not run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence who-can --trust trust.yaml POST https://deploy.acme.test/v1/services/payments/web"
)]
pub(super) struct WhoCanArgs {
    #[command(flatten)]
    trust: Trust,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    wanted: Wanted,
}

pub(super) fn run(args: &WhoCanArgs) -> u8 {
    match try_run(args) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(args: &WhoCanArgs) -> Result<u8, String> {
    let request = args.wanted.request()?;
    let loaded = args.trust.load()?;
    loaded.note_blocks();
    let found = match who_can(&loaded.snapshot, &request, args.trust.now()) {
        Ok(found) => found,
        Err(reason) => {
            let text = format!("nobody: {reason}: {}\n", reason.sentence());
            result(&match args.output {
                Output::Text => escaped(&text),
                Output::Json => escaped_json(&json!({"reason": reason.code(), "who": []})),
            });
            return Ok(NO);
        }
    };
    result(&match args.output {
        Output::Text => escaped(&text(args, &found)),
        Output::Json => escaped_json(&tree(&found)),
    });
    let allowed = found.open.is_some()
        || found.observed.is_some()
        || found.lines.iter().any(|(state, _)| *state == State::InForce);
    Ok(if allowed { YES } else { NO })
}

fn text(args: &WhoCanArgs, found: &WhoCan<'_>) -> String {
    let mut out = format!(
        "{} {}\n  resource {}  [{}]\n",
        value(&args.wanted.method),
        value(&args.wanted.url),
        found.resource.name,
        value(&found.resource.site)
    );
    if let Some(open) = found.open {
        out += &format!("\nanyone, without a token: {}  [{}]\n", value(&open.reason), value(&open.site));
        return out;
    }
    if let Some(observe) = found.observed {
        out += &format!(
            "\nanyone, without identity, until {}: refusals are only observed: {}  [{}]\n",
            observe.until, observe.reason, observe.site
        );
    } else if !found.lines.iter().any(|(state, _)| *state == State::InForce) {
        out += "\nnobody\n";
    }
    for (state, line) in &found.lines {
        let mark = match state {
            State::InForce => String::new(),
            State::Shadow => "  (shadow: allows nothing)".to_owned(),
            State::NotStarted | State::Ended => format!("  ({}: allows nothing now)", state.as_str()),
        };
        out += &format!(
            "\n{} {}{mark}\n  grant {}  [{}]\n",
            line.issuer.name,
            value(line.iss()),
            line.grant.name,
            value(&line.grant.site)
        );
        out += &format!("  who   {}\n", value(line.who()));
        out += &format!("  if    {}\n", value(line.conditions().join(", ")));
        if !line.grant.scopes.is_empty() {
            out += &format!("  gets  {}\n", line.scopes());
        }
    }
    out
}

fn tree(found: &WhoCan<'_>) -> serde_json::Value {
    let who: Vec<_> = found.lines.iter().map(|(state, line)| line_tree(line, *state)).collect();
    json!({
        "resource": found.resource.name.as_str(),
        "open": found.open.map(|open| json!({"reason": open.reason, "site": open.site.to_string()})),
        "observed": found.observed.map(|observe| json!({
            "until": observe.until.to_string(), "reason": observe.reason, "site": observe.site.to_string(),
        })),
        "who": who,
    })
}

/// One line of the relation for programs.
pub(super) fn line_tree(line: &Line<'_>, state: State) -> serde_json::Value {
    json!({
        "issuer_name": line.issuer.name.as_str(),
        "iss": line.issuer.issuer.as_str(),
        "realm": line.issuer.realm.as_ref().map(|realm| realm.as_str()),
        "grant": line.grant.name.as_str(),
        "resource": line.resource.name.as_str(),
        "who": line.who(),
        "conditions": line.conditions(),
        "methods": line.methods(),
        "paths": line.grant.paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "scopes": line.grant.scopes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "state": state.as_str(),
        "observed_until": line.resource.observe.as_ref().map(|observe| observe.until.to_string()),
        "site": line.grant.site.to_string(),
    })
}
