//! `explain`: the whole decision for one token and request, step by step.

use std::path::PathBuf;

use clap::Args;

use super::explain_change::Change;
use super::explain_keys::bring_keys;
use super::explain_knowledge::remarks;
use super::explain_story::Story;
use super::output::{Output, escaped_json, result, trouble};
use super::token::{TokenFile, payload};
use super::trust::Trust;
use super::{NO, YES};
use crate::path::walk;
use crate::request::{self, AuthzRequest, Headers};
use crate::resource::{CredentialPlace, RequestPath};
use crate::table::Snapshot;
use crate::trail::Recorder;

/// Walk one token and request through the whole decision, step by step.
///
/// Walks the very function that the server walks, but writes every step down and goes on past the deciding one: what
/// was compared with what, and on which line of the table it stands. For a refusal it names the nearest grants and
/// what differs, condition by condition, what is known about this kind of issuer, and the smallest change that would
/// allow it, which was tried on the table before it is told. The keys of the token's issuer are fetched from where the table says, unless `--keys` or `--offline`.
///
/// Exit code: 0 allowed (where no keys were at hand the first line says SIGNATURE NOT CHECKED), 1 denied, 2 could not
/// run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence explain --trust trust.yaml --token-file token.jwt POST https://deploy.acme.test/v1/services/payments/web"
)]
pub(super) struct Explain {
    #[command(flatten)]
    pub(super) trust: Trust,
    #[command(flatten)]
    token: TokenFile,
    /// A JWK Set to verify with, instead of fetching the issuer's.
    #[arg(long, env = "CREDENCE_KEYS", value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,
    /// Fetch nothing: without keys at hand the signature is not checked, and the walk says so.
    #[arg(long, env = "CREDENCE_OFFLINE", value_parser = super::output::switch)]
    pub(super) offline: bool,
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
    let loaded = explain.trust.load()?;
    let snapshot = &loaded.snapshot;
    let mut context: Vec<_> = explain.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    context.sort_unstable();
    let mut request = AuthzRequest { method: &explain.method, target, host, context, ..AuthzRequest::default() };
    let (header, value) = credential(snapshot, &request, &token);
    if let Some(value) = &value {
        request.headers = Headers::new(vec![(&header, value.as_bytes())], false);
    }

    bring_keys(explain, &loaded, token.as_deref())?;
    // With `--keys` the walk answers as a server with these keys would; else it goes on without, and says so.
    let mut recorder = if explain.keys.is_some() { Recorder::default() } else { Recorder::without_keys() };
    let walked = walk(loaded.rules(), &request, now, &mut recorder);
    let payload = token.as_deref().and_then(payload);
    let sources = explain.trust.sources();
    let mut story = Story {
        method: &explain.method,
        url: &explain.url,
        path: request.path(),
        now,
        snapshot,
        blocks: &loaded.blocks,
        sources: &sources,
        walk: &walked,
        recorder: &recorder,
        payload: payload.as_ref(),
        remarks: Vec::new(),
        change: None,
    };
    story.remarks = remarks(&story);
    story.change = Change::smallest(&story, &explain.trust.open.permissions(), &request, now);
    result(&match explain.output {
        Output::Text => story.text(),
        Output::Json => escaped_json(&story.json()),
    });
    Ok(if story.refusal().is_none() || story.observed().is_some() { YES } else { NO })
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
    let Some(token) = token else { return (String::new(), None) };
    let place = RequestPath::read(request.path()).ok().and_then(|path| snapshot.resources.find(request, path).ok());
    let place = place.map_or(&CredentialPlace::Authorization, |place| &place.resource.credential);
    let (name, value) = place.carry(token);
    (name.to_owned(), Some(value))
}
