//! Random calls with random tokens, and what a table makes of them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::NOW;
use super::tables::{ISS, METHODS, SUBJECTS};
use crate::clock::Time;
use crate::decide::testing::Dice;
use crate::path::{Outcome, Rules, walk};
use crate::request::{AuthzRequest, Headers, Route};
use crate::table::Snapshot;
use crate::trail::Recorder;

const CALLED: [&str; 9] = ["/", "/a", "/a/b", "/a/c", "/a/b/c", "/b", "/b/b", "/c", "/a/x%2Fy"];

/// A request with what its token says.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    context: Vec<(&'static str, &'static str)>,
    routes: Vec<(&'static str, &'static str)>,
    algorithm: &'static str,
    kind: Option<&'static str>,
    claims: Value,
    header: &'static str,
    now: &'static str,
    preflight: bool,
}

pub(super) fn call(dice: &mut Dice) -> Call {
    let now =
        dice.one(&["2026-09-30T00:00:00Z", NOW, NOW, NOW, NOW, NOW, "2027-06-01T00:00:00Z", "2029-01-01T00:00:00Z"]);
    let seconds = Time::from_rfc3339(now).unwrap().seconds();
    let mut claims = json!({
        "iss": dice.one(&ISS),
        "sub": dice.one(&SUBJECTS),
        "aud": dice.one(&[&["aud-0", "aud-1", "aud-2"][..], &["aud-0"], &["aud-1", "aud-8"], &["aud-7", "aud-2", "own"]]),
        "exp": seconds + dice.one(&[-90.0, -20.0, 30.0, 30.0, 100.0, 300.0, 4000.0]),
        "t": dice.one(&["1", "2", "3"]),
    });
    if dice.chance(90) {
        claims["iat"] = json!(seconds - dice.one(&[0.0, 0.0, 50.0, 400.0, -80.0]));
    }
    if dice.chance(70) {
        claims["k"] = json!(dice.one(&["v", "w", "x/a"]));
    }
    if dice.chance(60) {
        claims["jti"] = json!("id");
    }
    if dice.chance(10) {
        claims["act"] = json!({"sub": dice.one(&["bot", "x/1"])});
        if dice.chance(30) {
            claims["act"]["act"] = json!({"sub": "u"});
        }
    }
    if dice.chance(50) {
        claims["l"] = json!([dice.one(&["v", "w"])]);
    }
    Call {
        method: dice.one(&METHODS),
        host: dice.one(&["a.t", "b.t", "c.t", "a.t:8443", "b.t:8443", "d.t"]),
        path: dice.one(&CALLED),
        context: if dice.chance(25) { vec![("c", dice.one(&["one", "two"]))] } else { Vec::new() },
        routes: (0..dice.throw(4).saturating_sub(1)).map(|_| ("n", dice.one(&["x", "y", "z"]))).collect(),
        algorithm: dice.one(&["RS256", "RS256", "ES256", "PS256"]),
        kind: dice.one(&[None, Some("JWT"), Some("JWT"), Some("at+jwt")]),
        claims,
        header: dice.one(&[
            "authorization",
            "authorization",
            "authorization",
            "authorization",
            "authorization",
            "x-a",
            "x-b",
        ]),
        now,
        preflight: dice.chance(20),
    }
}

/// Makes some of a call fit some grant.
pub(super) fn aim(dice: &mut Dice, snapshot: &Snapshot, call: &mut Call) {
    let grants: Vec<_> = snapshot.grants.iter().collect();
    if grants.is_empty() || dice.chance(10) {
        return;
    }
    let grant = grants[dice.throw(grants.len())];
    let issuer = snapshot.issuers.get(grant.issuers[dice.throw(grant.issuers.len())]).unwrap();
    let resource = snapshot.resources.get(grant.resource).unwrap();
    if dice.chance(95) {
        call.claims["iss"] = json!(issuer.issuer.as_str());
    }
    if dice.chance(80) {
        call.claims["aud"] = json!(grant.audience.as_str());
    }
    if let Some(crate::decide::SubjectRule::Exact(subjects)) = &grant.subject {
        call.claims["sub"] = json!(subjects[dice.throw(subjects.len())]);
    }
    if let (Some(actor), true) = (&grant.actor, dice.chance(90)) {
        let subject = if actor.subject.matches("bot") { "bot" } else { "x/1" };
        call.claims["act"] = json!({"sub": subject});
    }
    if let (crate::resource::CredentialPlace::Header(name), true) = (&resource.credential, dice.chance(80)) {
        call.header = if name == "x-a" { "x-a" } else { "x-b" };
    }
    if let (Some((_, value)), true) = (resource.context.first(), dice.chance(80)) {
        call.context = vec![("c", if value == "one" { "one" } else { "two" })];
    }
}

/// What came of it: nothing where it was refused.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Got {
    open: bool,
    observed: bool,
    principal: Option<(String, String, String)>,
    scopes: BTreeSet<String>,
    forwarded: BTreeSet<String>,
}

pub(super) fn ask(snapshot: &Snapshot, call: &Call) -> Option<Got> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut header = json!({"alg": call.algorithm});
    if let Some(kind) = call.kind {
        header["typ"] = json!(kind);
    }
    let token = format!("{}.{}.", part(&header), part(&call.claims));
    let value = if call.header == "authorization" { format!("Bearer {token}") } else { token };
    let mut headers = vec![(call.header, value.as_bytes())];
    if call.preflight {
        headers.extend([("origin", b"https://o.test".as_slice()), ("access-control-request-method", b"PUT")]);
    }
    let request = AuthzRequest {
        method: call.method,
        target: call.path,
        host: call.host,
        headers: Headers::new(headers, false),
        context: call.context.clone(),
        routes: call.routes.iter().map(|(namespace, name)| Route { namespace, name }).collect(),
        ..AuthzRequest::default()
    };
    let mut recorder = Recorder::signed_by(None);
    let walked = walk(Rules::without_blocks(snapshot), &request, Time::from_rfc3339(call.now).unwrap(), &mut recorder);
    let observed = matches!(walked.outcome, Outcome::Observed(_));
    if recorder.first_failure().is_some() && !observed {
        return None;
    }
    match walked.outcome {
        Outcome::Refused(_) => None,
        Outcome::Observed(_) => Some(Got { observed: true, ..Got::default() }),
        Outcome::Open(_) => Some(Got { open: true, ..Got::default() }),
        Outcome::Allowed(permit) => {
            let (issuer, subject) = permit.principal().pair();
            let realm = permit.principal().realm().map(ToString::to_string).unwrap_or_default();
            Some(Got {
                open: false,
                observed: false,
                principal: Some((issuer.to_string(), realm, subject.to_owned())),
                scopes: permit.scopes().iter().map(ToString::to_string).collect(),
                forwarded: permit.forwarded().into_iter().map(|(name, _)| name.to_owned()).collect(),
            })
        }
    }
}

pub(super) fn more(old: Option<&Got>, new: Option<&Got>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => {
            (new.open && !old.open)
                || (new.principal.is_some() && new.principal != old.principal)
                || !new.scopes.is_subset(&old.scopes)
                || !new.forwarded.is_subset(&old.forwarded)
        }
    }
}
