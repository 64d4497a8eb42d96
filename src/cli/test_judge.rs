//! One written case, walked as the server walks.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::explain::credential;
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::decide::Permit;
use crate::path::{Outcome, Rules, walk};
use crate::reason::Accepted;
use crate::request::{AuthzRequest, Headers, Route, split_url};
use crate::table::{Expectation, Snapshot, Vector};
use crate::trail::{Recorder, Step};
use crate::trust::{Acting, TrustedIssuer};

/// What came of a case.
pub(super) struct Verdict {
    pub(super) allowed: bool,
    pub(super) reason: &'static str,
    pub(super) grants: BTreeSet<String>,
    pub(super) scopes: BTreeSet<String>,
    /// The first half of the principal, and its realm.
    pub(super) iss: Option<String>,
    pub(super) realm: Option<String>,
    /// `iss` and `sub` of who acts for it; empty where nobody does.
    pub(super) actor: BTreeMap<String, String>,
    pub(super) near_misses: BTreeMap<String, BTreeSet<String>>,
    /// The judgement that decided.
    pub(super) decided: Option<Step>,
}

/// Walks one case.
pub(super) fn judge(rules: Rules<'_>, now: Time, case: &Vector) -> Verdict {
    let snapshot = rules.table;
    let ask = &case.request;
    let (host, target) = split_url(&ask.url).unwrap_or_default();
    let mut request = AuthzRequest {
        method: &ask.method,
        target,
        host,
        context: ask.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        routes: ask.route.iter().map(|(namespace, name)| Route { namespace, name }).collect(),
        ..AuthzRequest::default()
    };
    let (name, value) = credential(snapshot, &request, &token(snapshot, now, case));
    let mut entries: Vec<_> = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    entries.extend(value.as_ref().map(|value| (name.as_str(), value.as_bytes())));
    request.headers = Headers::new(entries, false);

    let mut recorder = Recorder::signed_by(case.signer.as_deref());
    let walked = walk(rules, &request, now, &mut recorder);
    let failed = recorder.steps().iter().find(|step| step.outcome.is_err());
    let (allowed, reason) = match (&walked.outcome, recorder.first_failure()) {
        (Outcome::Observed(_), _) => (true, Accepted::Observed.code()),
        (_, Some(reason)) => (false, reason.code()),
        (Outcome::Refused(reason), None) => (false, reason.code()),
        (Outcome::Open(..), None) => (true, Accepted::Anonymous.code()),
        (Outcome::Allowed(_), None) => (true, Accepted::Ok.code()),
    };
    let permit = match &walked.outcome {
        Outcome::Allowed(permit) if allowed => Some(permit),
        _ => None,
    };
    // A recorded walk goes on past a failure: only where the grants decided are their near misses told.
    let told = failed.is_some_and(|step| matches!(step.subject, "grants" | "replay"));
    let misses = walked.facts.near_misses.iter().filter(|_| told);
    Verdict {
        allowed,
        reason,
        grants: permit.into_iter().flat_map(|permit| permit.grants()).map(|grant| grant.as_str().to_owned()).collect(),
        scopes: permit.into_iter().flat_map(|permit| permit.scopes()).map(|scope| scope.as_str().to_owned()).collect(),
        iss: permit.map(|permit| permit.principal().pair().0.to_string()),
        realm: permit.and_then(|permit| permit.principal().realm().map(ToString::to_string)),
        actor: permit.and_then(Permit::actor).map(|acting| pair(&acting)).unwrap_or_default(),
        near_misses: misses
            .map(|miss| (miss.grant.name.as_str().to_owned(), miss.failed.iter().map(ToString::to_string).collect()))
            .collect(),
        decided: failed.or(recorder.steps().last()).cloned(),
    }
}

fn pair(acting: &Acting<'_>) -> BTreeMap<String, String> {
    let (issuer, subject) = acting.pair();
    [("iss", issuer), ("sub", subject)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The case's token as its issuer would write it, but for the signature.
fn token(snapshot: &Snapshot, now: Time, case: &Vector) -> Option<String> {
    let claims = case.token.claims(now, &uuid::Uuid::now_v7().to_string())?;
    let named = || ClaimedIssuer::of(&claims).into_iter().flat_map(|claimed| snapshot.issuers.named(claimed));
    let signer = |issuer: &&TrustedIssuer| case.signer.as_deref() == Some(issuer.name.as_str());
    let issuer = named().find(signer).or_else(|| named().next());
    let algorithm = issuer.and_then(|issuer| issuer.algorithms.iter().next()).map_or("RS256", |alg| alg.as_str());
    let kind = issuer.and_then(|issuer| issuer.token_types.iter().next()).map_or("JWT", |kind| kind.as_str());
    let header = if kind.is_empty() { json!({"alg": algorithm}) } else { json!({"alg": algorithm, "typ": kind}) };
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    Some(format!("{}.{}.", part(header.to_string()), part(json!(claims).to_string())))
}

/// What was expected and what was seen instead, for each thing that differs.
pub(super) fn differences(expect: &Expectation, seen: &Verdict) -> Vec<(String, String)> {
    let mut differences = Vec::new();
    if expect.allowed != seen.allowed || expect.reason.is_some_and(|reason| reason != seen.reason) {
        let expected = format!("{} {}", decision(expect.allowed), expect.reason.unwrap_or_default());
        differences.push((expected.trim_end().to_owned(), format!("{} {}", decision(seen.allowed), seen.reason)));
    }
    let sets = [("grants", &expect.grants, &seen.grants), ("scopes", &expect.scopes, &seen.scopes)];
    for (what, expected, seen) in sets {
        if let Some(expected) = expected.as_ref().filter(|expected| *expected != seen) {
            differences.push((format!("{what} {}", listed(expected)), format!("{what} {}", listed(seen))));
        }
    }
    for (what, expected, seen) in [("iss", &expect.iss, &seen.iss), ("realm", &expect.realm, &seen.realm)] {
        if expected.is_some() && expected != seen {
            let told = |text: &Option<String>| format!("{what} {}", text.as_deref().unwrap_or("none"));
            differences.push((told(expected), told(seen)));
        }
    }
    if let Some(expected) = &expect.actor {
        let named = |name: &String, actor: &BTreeMap<_, _>| actor.get(name).cloned();
        let differs = match expected.is_empty() {
            true => !seen.actor.is_empty(),
            false => expected.keys().any(|name| named(name, expected) != named(name, &seen.actor)),
        };
        if differs {
            differences.push((format!("actor {}", told_pair(expected)), format!("actor {}", told_pair(&seen.actor))));
        }
    }
    for (grant, expected) in &expect.near_misses {
        let found = seen.near_misses.get(grant);
        if found != Some(expected) {
            let told = found.map_or_else(|| "not told".to_owned(), listed);
            differences.push((format!("near miss {grant} {}", listed(expected)), format!("near miss {grant} {told}")));
        }
    }
    differences
}

fn told_pair(pair: &BTreeMap<String, String>) -> String {
    let told: Vec<_> = pair.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(" ") }
}

pub(super) const fn decision(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}

pub(super) fn listed(names: &BTreeSet<String>) -> String {
    format!("[{}]", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}
