//! `can`: what if somebody called with such a token?

use clap::Args;
use serde_json::{Value, json};

use super::asked::{Wanted, pair};
use super::output::{Output, escaped, escaped_json, result, trouble};
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
        [] => Err(format!("the table has no issuer {name:?}: `credence list` shows their names")),
        several => {
            let exact: Vec<_> = several.iter().map(|issuer| format!("{} ({})", issuer.issuer, issuer.name)).collect();
            Err(format!(
                "issuer {name:?} stands for several: name one by its exact iss or by its name: {}",
                exact.join(", ")
            ))
        }
    }
}

fn text(args: &Can, issuer: &TrustedIssuer, verdict: &Verdict<'_>) -> String {
    let word = if verdict.allowed { "yes" } else { "no" };
    let mut out = format!("{word}: {}, SIGNATURE ASSUMED\n", verdict.reason);
    out += &format!(
        "  {} {}\n  iss {}\n  sub {}\n",
        args.wanted.method,
        args.wanted.url,
        crate::inquiry::iss(issuer),
        args.subject
    );
    for assumed in &verdict.assumed {
        out += &format!("  assumed {assumed} (pinned)\n");
    }
    let site = verdict.site.as_ref().map(|site| format!("  [{site}]")).unwrap_or_default();
    out += &format!("\n{}{site}\n", verdict.decided);
    for grant in &verdict.grants {
        out += &format!("grant {}  [{}]\n", grant.name, grant.site);
    }
    if !verdict.scopes.is_empty() {
        out += &format!("scopes {}\n", verdict.scopes.join(" "));
    }
    for grant in &verdict.shadow {
        out += &format!("shadow grant {} would fit  [{}]\n", grant.name, grant.site);
    }
    for (grant, failed) in &verdict.near {
        out += &format!("\nnearest grant {}  [{}]\n", grant.name, grant.site);
        for (what, wanted) in failed {
            out += &format!("  {what}: must be {wanted}\n");
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
        "signature": "assumed",
        "principal": {"iss": issuer.issuer.as_str(), "sub": args.subject},
        "realm": issuer.realm.as_ref().map(|realm| realm.as_str()),
        "issuer_name": issuer.name.as_str(),
        "resource": verdict.resource.map(|resource| resource.name.as_str()),
        "grants": verdict.grants.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>(),
        "scopes": verdict.scopes,
        "shadow": verdict.shadow.iter().map(|grant| grant.name.as_str()).collect::<Vec<_>>(),
        "assumed": verdict.assumed,
        "decided": verdict.decided,
        "near_miss": near.collect::<Vec<_>>(),
    })
}
