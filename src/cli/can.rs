//! `can`: what if somebody called with such a token?

use clap::Args;
use serde_json::{Value, json};

use super::asked::{Wanted, pair};
use super::nearest::unknown;
use super::output::{Output, escaped, escaped_json, result, trouble, value};
use super::trust::Trust;
use super::{NO, YES};
use crate::claims::ClaimKey;
use crate::inquiry::{Claimant, Verdict, can};
use crate::table::Snapshot;
use crate::trust::TrustedIssuer;

/// Tell whether somebody could do this, without a token: the walk of the server, with the signature assumed.
///
/// The token that is thought of is in its times, has the algorithm and type that the issuer's entry names first, and the
/// audience of the resource. Claims that the issuer pins to one value are filled in, and told. The value of a claim is
/// JSON where it reads as JSON, else text: `--claim 'id="17"'` is the text 17. A key that begins with `/` is a JSON Pointer.
///
/// Exit code: 0 it could, 1 it could not, 2 could not run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence can --trust trust.yaml --issuer github-acme --subject repo:acme/payments --claim ref=refs/heads/main POST https://deploy.acme.test/v1/services/payments/web"
)]
pub(super) struct Can {
    #[command(flatten)]
    trust: Trust,
    /// The issuer: its name in the table, or its exact `iss` where the entry stands for several.
    #[arg(long, env = "CREDENCE_ISSUER", value_name = "NAME")]
    issuer: String,
    /// The exact `sub`.
    #[arg(long, env = "CREDENCE_SUBJECT", value_name = "SUB")]
    subject: String,
    /// A claim of the token; may be given several times.
    #[arg(long, env = "CREDENCE_CLAIM", value_name = "KEY=VALUE", value_parser = pair)]
    claim: Vec<(String, String)>,
    /// `aud`, instead of the resource's.
    #[arg(long, env = "CREDENCE_AUDIENCE", value_name = "AUDIENCE")]
    audience: Option<String>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    wanted: Wanted,
}

pub(super) fn run(args: &Can) -> u8 {
    match try_run(args) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(args: &Can) -> Result<u8, String> {
    let request = args.wanted.request()?;
    args.claim.iter().try_for_each(|(key, _)| is_no_flag(key))?;
    let claims = args.claim.iter().map(|(key, text)| {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        ClaimKey::parse(key)
            .map(|key| (key, value))
            .ok_or_else(|| format!("{key:?} is no claim: a `~` in a JSON Pointer is `~0`"))
    });
    let claims: Vec<_> = claims.collect::<Result<_, _>>()?;
    let loaded = args.trust.load()?;
    let issuer = issuer(&loaded.snapshot, &args.issuer)?;
    let claimant = Claimant { issuer, subject: &args.subject, claims: &claims, audience: args.audience.as_deref() };
    let verdict = can(loaded.rules(), &claimant, &request, args.trust.now())?;
    result(&match args.output {
        Output::Text => escaped(&text(args, issuer, &verdict)),
        Output::Json => escaped_json(&tree(issuer, args, &verdict)),
    });
    Ok(if verdict.allowed { YES } else { NO })
}

/// What names the caller or the place has a flag of its own: said twice, one would be judged and the other be told.
fn is_no_flag(key: &str) -> Result<(), String> {
    let flag = match ClaimKey::parse(key).as_ref().map(ClaimKey::path) {
        Some([name]) if name == "iss" => "--issuer",
        Some([name]) if name == "sub" => "--subject",
        Some([name]) if name == "aud" => "--audience",
        _ => return Ok(()),
    };
    Err(format!("--claim {key}: that is what `{flag}` says; give it there"))
}

/// The one issuer of this name, or of this exact `iss`.
fn issuer<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s TrustedIssuer, String> {
    let named =
        |by: &dyn Fn(&TrustedIssuer) -> bool| snapshot.issuers.iter().filter(|issuer| by(issuer)).collect::<Vec<_>>();
    let mut found = named(&|issuer| issuer.name.as_str() == name);
    if found.is_empty() {
        found = named(&|issuer| issuer.issuer.as_str() == name);
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(unknown_issuer(snapshot, name)),
        several => {
            let exact: Vec<_> = several.iter().map(|issuer| format!("{} ({})", issuer.issuer, issuer.name)).collect();
            Err(format!(
                "issuer {name:?} stands for several: name one by its exact iss or by its name: {}",
                exact.join(", ")
            ))
        }
    }
}

/// What is said of an issuer that the table does not have.
pub(super) fn unknown_issuer(snapshot: &Snapshot, name: &str) -> String {
    let told = unknown("issuer", name, snapshot.issuers.iter().map(|issuer| issuer.name.as_str()));
    format!("{told}: `credence list` shows the names of the table")
}

fn text(args: &Can, issuer: &TrustedIssuer, verdict: &Verdict<'_>) -> String {
    let word = if verdict.allowed { "yes" } else { "no" };
    let call = format!("  {} {}\n", value(&args.wanted.method), value(&args.wanted.url));
    let mut out = if verdict.open {
        format!(
            "{word}: {}, open to all: nobody is looked at, whoever it is and whatever the token\n{call}",
            verdict.reason
        )
    } else {
        let (iss, sub) = (value(crate::inquiry::iss(issuer)), value(&args.subject));
        format!("{word}: {}, SIGNATURE ASSUMED\n{call}  iss {iss}\n  sub {sub}\n", verdict.reason)
    };
    for assumed in verdict.assumed.iter().filter(|_| !verdict.open) {
        out += &format!("  assumed {} (pinned)\n", value(assumed));
    }
    let site = verdict.site.as_ref().map(|site| format!("  [{}]", value(site))).unwrap_or_default();
    out += &format!("\n{}{site}\n", value(&verdict.decided));
    for grant in &verdict.grants {
        out += &format!("grant {}  [{}]\n", grant.name, value(&grant.site));
    }
    if !verdict.scopes.is_empty() {
        out += &format!("scopes {}\n", verdict.scopes.join(" "));
    }
    for grant in &verdict.shadow {
        out += &format!("shadow grant {} would fit  [{}]\n", grant.name, value(&grant.site));
    }
    for (grant, failed) in &verdict.near {
        out += &format!("\nnearest grant {}  [{}]\n", grant.name, value(&grant.site));
        for (what, wanted) in failed {
            out += &format!("  {}: must be {}\n", value(what), value(wanted));
        }
    }
    out
}

fn tree(issuer: &TrustedIssuer, args: &Can, verdict: &Verdict<'_>) -> Value {
    let near = verdict.near.iter().map(|(grant, failed)| {
        let differs: Vec<_> =
            failed.iter().map(|(what, wanted)| json!({"condition": what, "wanted": wanted})).collect();
        json!({"grant": grant.name.as_str(), "site": grant.site.to_string(), "differs": differs})
    });
    json!({
        "decision": if verdict.allowed { "allow" } else { "deny" },
        "reason": verdict.reason,
        "signature": if verdict.open { "not_looked_at" } else { "assumed" },
        "principal": (!verdict.open).then(|| json!({"iss": issuer.issuer.as_str(), "sub": args.subject})),
        "open": verdict.open,
        "realm": issuer.realm.as_ref().map(|realm| realm.as_str()),
        "issuer_name": issuer.name.as_str(),
        "resource": verdict.resource.map(|resource| resource.name.as_str()),
        "grants": verdict.grants.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>(),
        "scopes": verdict.scopes,
        "shadow": verdict.shadow.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>(),
        "assumed": if verdict.open { &[] } else { verdict.assumed.as_slice() },
        "decided": verdict.decided,
        "near_miss": near.collect::<Vec<_>>(),
    })
}
