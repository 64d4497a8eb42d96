//! `explain`: the whole decision for one token and request, step by step.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::output::{Output, diagnostic, escaped, escaped_json, result, trouble};
use super::token::{TokenFile, payload, read};
use super::trust::{Loaded, Trust};
use super::{NO, YES};
use crate::clock::Time;
use crate::credential::{Parts, Unverified};
use crate::decide::{Failed, NearMiss};
use crate::fetch;
use crate::json::Json;
use crate::keys::{KeyFormat, KeyOrigin};
use crate::name::{Issuer, IssuerName};
use crate::path::{Outcome, Rules, Walk, walk};
use crate::reason::{Accepted, Reason};
use crate::request::{self, AuthzRequest, Headers};
use crate::resource::{CredentialPlace, RequestPath};
use crate::table::Snapshot;
use crate::trail::{Assumed, Recorder, SignatureCheck};

/// A `--keys` file is read up to this many bytes.
const MAX_KEYS: u64 = 2 << 20;

/// Walk one token and request through the whole decision, step by step.
///
/// Walks the very function that the server walks, but writes every step down and goes on past the deciding one: what
/// was compared with what, and on which line of the table it stands. For a refusal it names the nearest grants and
/// what differs. The keys of the token's issuer are fetched from where the table says, unless `--keys` or `--offline`.
///
/// Exit code: 0 allowed (where no keys were at hand the first line says SIGNATURE NOT CHECKED), 1 denied, 2 could not
/// run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence explain --trust trust.yaml --token-file token.jwt POST https://deploy.acme.test/v1/services/payments/web"
)]
pub(super) struct Explain {
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    token: TokenFile,
    /// A JWK Set to verify with, instead of fetching the issuer's.
    #[arg(long, env = "CREDENCE_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Fetch nothing: without keys at hand the signature is not checked, and the walk says so.
    #[arg(long, env = "CREDENCE_OFFLINE", value_parser = super::output::switch)]
    offline: bool,
    /// What the proxy would set as `context_extensions`.
    #[arg(long, env = "CREDENCE_CONTEXT", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = pair)]
    context: Vec<(String, String)>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The HTTP method.
    method: String,
    /// The URL as the client would ask for it.
    url: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(explain: &Explain) -> u8 {
    match try_run(explain) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(explain: &Explain) -> Result<u8, String> {
    let now = explain.trust.now();
    let (host, target) = split_url(&explain.url)?;
    let token = explain.token.read()?;
    let Loaded { snapshot, blocks, origins } = explain.trust.load()?;
    let mut context: Vec<_> = explain.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    context.sort_unstable();
    let mut request = AuthzRequest { method: &explain.method, target, host, context, ..AuthzRequest::default() };
    let (header, value) = credential(&snapshot, &request, &token);
    if let Some(value) = &value {
        request.headers = Headers::new(vec![(&header, value.as_bytes())], false);
    }

    bring_keys(explain, &snapshot, &origins, token.as_deref())?;
    // With `--keys` the walk answers as a server with these keys would; else it goes on without, and says so.
    let mut recorder = if explain.keys.is_some() { Recorder::default() } else { Recorder::without_keys() };
    let walked = walk(Rules { table: &snapshot, blocks: &blocks }, &request, now, &mut recorder);
    let story = Story { explain, walk: &walked, recorder: &recorder, payload: token.as_deref().and_then(payload) };
    result(&match explain.output {
        Output::Text => story.text(),
        Output::Json => escaped_json(&story.json()),
    });
    Ok(if story.refusal().is_none() { YES } else { NO })
}

fn split_url(url: &str) -> Result<(&str, &str), String> {
    request::split_url(url).ok_or_else(|| format!("{url:?} is no URL: expected https://HOST/PATH"))
}

/// Puts the token where the resource wants it, as a caller who read the documentation would.
pub(super) fn credential(
    snapshot: &Snapshot,
    request: &AuthzRequest<'_>,
    token: &Option<String>,
) -> (String, Option<String>) {
    let place = RequestPath::read(request.path()).ok().and_then(|path| snapshot.resources.find(request, path).ok());
    match (place.map(|place| &place.resource.credential), token) {
        (Some(CredentialPlace::Header(name)), Some(token)) => (name.clone(), Some(token.clone())),
        (Some(CredentialPlace::Cookie(name)), Some(token)) => ("cookie".to_owned(), Some(format!("{name}={token}"))),
        (_, Some(token)) => ("authorization".to_owned(), Some(format!("Bearer {token}"))),
        (_, None) => (String::new(), None),
    }
}

/// Gets the keys of the token's issuer, from `--keys` or from where the table says. A failed fetch is told.
fn bring_keys(
    explain: &Explain,
    snapshot: &Snapshot,
    origins: &HashMap<(IssuerName, Issuer), KeyOrigin>,
    token: Option<&str>,
) -> Result<(), String> {
    let mut parts = Parts::default();
    let unverified = token.and_then(|token| Unverified::read(token, &mut parts).ok());
    let claimed = unverified.as_ref().and_then(Unverified::claimed_issuer);
    let issuers: Vec<_> = claimed.into_iter().flat_map(|claimed| snapshot.issuers.named(claimed)).collect();
    if let Some(file) = &explain.keys {
        let text = read(file, MAX_KEYS)?;
        return match issuers.as_slice() {
            [] => Ok(()),
            [issuer] => {
                let format = origins.get(&(issuer.name.clone(), issuer.issuer.clone())).map(|origin| &origin.format);
                let set = format.unwrap_or(&KeyFormat::JwkSet).key_set(text.as_bytes());
                issuer.keys.publish(Arc::new(set.map_err(|error| format!("{}: {error}", file.display()))?));
                Ok(())
            }
            several => {
                let names = several.iter().map(|issuer| issuer.name.as_str()).collect::<Vec<_>>().join(", ");
                Err(format!("--keys: the token may be of issuers {names}, and only their own keys tell of which"))
            }
        };
    }
    let missing = issuers.into_iter().filter(|issuer| !issuer.keys.is_ready() && !explain.offline);
    let missing: Vec<_> = missing
        .filter_map(|issuer| Some((issuer, origins.get(&(issuer.name.clone(), issuer.issuer.clone()))?)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    for (issuer, origin) in missing {
        match runtime.block_on(fetch::once(origin, explain.trust.open.outside())) {
            Ok(set) => issuer.keys.publish(set),
            Err(error) => {
                let hint = "a server in this state answers `keys_unavailable`; `--keys FILE` brings keys along";
                diagnostic(&escaped(&format!(
                    "warning: the keys of issuer {} cannot be fetched ({hint}): {error}",
                    issuer.name
                )));
            }
        }
    }
    Ok(())
}

/// What is told of a recorded walk.
struct Story<'a> {
    explain: &'a Explain,
    walk: &'a Walk<'a, Assumed>,
    recorder: &'a Recorder,
    payload: Option<Json>,
}

impl Story<'_> {
    fn refusal(&self) -> Option<Reason> {
        let ended = match &self.walk.outcome {
            Outcome::Refused(reason) => Some(*reason),
            Outcome::Allowed(_) | Outcome::Open(_) => None,
        };
        self.recorder.first_failure().or(ended)
    }

    fn code(&self) -> &'static str {
        match (&self.walk.outcome, self.refusal()) {
            (_, Some(reason)) => reason.code(),
            (Outcome::Open(_), None) => Accepted::Anonymous.code(),
            (_, None) => Accepted::Ok.code(),
        }
    }

    fn text(&self) -> String {
        let mut out = match self.refusal() {
            Some(reason) => format!("deny {reason}: {}\n", reason.sentence()),
            None if self.recorder.signature() == SignatureCheck::NotChecked => {
                format!("allow {}, SIGNATURE NOT CHECKED\n", self.code())
            }
            None => format!("allow {}\n", self.code()),
        };
        out += &format!("  {} {}\n\n", self.explain.method, self.explain.url);
        for step in self.recorder.steps() {
            let mark = step.outcome.map_or_else(|reason| format!("FAIL {reason}"), |()| "ok".to_owned());
            let site = step.note.site.as_ref().map(|site| format!("  [{site}]")).unwrap_or_default();
            out += &format!("{mark:<24} {:<16} {}{site}\n", step.subject, step.note.text);
        }
        if let (Outcome::Allowed(permit), None) = (&self.walk.outcome, self.refusal()) {
            let (issuer, subject) = permit.principal().pair();
            let scopes: Vec<_> = permit.scopes().iter().map(|scope| scope.as_str()).collect();
            let realm = permit.principal().realm().map(|realm| format!("  realm {realm}\n")).unwrap_or_default();
            out += &format!("\nprincipal\n  iss {issuer}\n{realm}  sub {subject}\n");
            if let Some(acting) = permit.actor() {
                let (issuer, subject) = acting.pair();
                out += &format!("actor, as {} says\n  iss {issuer}\n  sub {subject}\n", acting.asserted_by());
            }
            out += &format!("scopes\n  {}\n", scopes.join(" "));
        }
        for miss in &self.walk.facts.near_misses {
            out += &format!("\nnearest grant {}  [{}]\n", miss.grant.name, miss.grant.site);
            for failed in &miss.failed {
                let (what, wanted, given, site) = self.difference(miss, failed);
                out += &format!(
                    "  {what}: must be {wanted}, is {given}{}\n",
                    site.map(|site| format!("  [{site}]")).unwrap_or_default()
                );
            }
        }
        escaped(&out)
    }

    fn json(&self) -> Value {
        let steps: Vec<_> = self
            .recorder
            .steps()
            .iter()
            .map(|step| {
                json!({
                    "step": step.subject,
                    "ok": step.outcome.is_ok(),
                    "reason": step.outcome.err().map(Reason::code),
                    "detail": step.note.text,
                    "site": step.note.site.as_ref().map(ToString::to_string),
                })
            })
            .collect();
        let near: Vec<_> = self
            .walk
            .facts
            .near_misses
            .iter()
            .map(|miss| {
                let differs: Vec<_> = miss
                    .failed
                    .iter()
                    .map(|failed| {
                        let (what, wanted, given, site) = self.difference(miss, failed);
                        json!({"condition": what, "wanted": wanted, "given": given, "site": site})
                    })
                    .collect();
                json!({"grant": miss.grant.name, "site": miss.grant.site.to_string(), "differs": differs})
            })
            .collect();
        json!({
            "decision": if self.refusal().is_some() { "deny" } else { "allow" },
            "reason": self.code(),
            "resource": self.walk.facts.resource.map(|resource| resource.name.as_str()),
            "issuer_name": self.walk.facts.issuer.map(|issuer| issuer.name.as_str()),
            "block": self.walk.facts.block.map(|block| block.name.as_str()),
            "signature": match self.recorder.signature() {
                SignatureCheck::NotReached => "not_reached",
                SignatureCheck::NotChecked => "not_checked",
                SignatureCheck::Checked => "checked",
            },
            "steps": steps,
            "near_miss": near,
        })
    }

    /// Condition, what the grant asks for, what the token or request has, and where it is written.
    fn difference(&self, miss: &NearMiss<'_>, failed: &Failed<'_>) -> (String, String, String, Option<String>) {
        let grant = miss.grant;
        let claim = |key: &str| {
            let value = self.payload.as_ref().and_then(|payload| payload.get(key));
            value.map_or_else(|| "absent".to_owned(), |value| json!(value).to_string())
        };
        let list = |patterns: &[crate::resource::PathPattern]| {
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        };
        let date = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
        let (wanted, given) = match failed {
            Failed::Audience => (format!("{:?} among aud", grant.audience.as_str()), claim("aud")),
            Failed::Subject => (grant.subject.as_ref().map(ToString::to_string).unwrap_or_default(), claim("sub")),
            Failed::Claim(rule) => {
                let value = self.payload.as_ref().and_then(|payload| rule.key.find(payload));
                let given = value.map_or_else(|| "absent".to_owned(), |value| json!(value).to_string());
                return (format!("claim {}", rule.key), rule.matcher.to_string(), given, Some(rule.site.to_string()));
            }
            Failed::Actor => {
                let wanted = grant.actor.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string);
                return ("act".to_owned(), wanted, claim("act"), None);
            }
            Failed::Method => (grant.methods.to_string(), self.explain.method.clone()),
            Failed::Path => (
                list(&grant.paths),
                split_url(&self.explain.url).map_or_else(|error| error, |(_, path)| path.to_owned()),
            ),
            Failed::Starts => (format!("from {}", date(grant.times.starts)), "before".to_owned()),
            Failed::Expires => (format!("before {}", date(grant.times.expires)), "after".to_owned()),
            Failed::MaxTokenAge => (
                format!("at most {:?} old", grant.times.max_token_age.unwrap_or_default()),
                format!("iat {}", claim("iat")),
            ),
            Failed::Replay(Reason::JtiMissing) => ("a `jti`".to_owned(), claim("jti")),
            Failed::Replay(_) => ("a first use".to_owned(), format!("jti {}, iat {}", claim("jti"), claim("iat"))),
        };
        (failed.to_string(), wanted, given, None)
    }
}
