//! What if somebody called with such a token? The very walk of the server, with the signature assumed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::claims::{ClaimKey, Scalar};
use crate::clock::Time;
use crate::decide::{Failed, Grant};
use crate::name::Site;
use crate::path::{Outcome, Rules, walk};
use crate::reason::Accepted;
use crate::request::{AuthzRequest, Headers};
use crate::resource::{CredentialPlace, RequestPath, Resource};
use crate::trail::Recorder;
use crate::trust::{NamedBy, TrustedIssuer};

/// How long the token that is thought of lives, in seconds.
const LIFE: f64 = 300.0;

/// Somebody with a token that does not exist.
#[derive(Debug)]
pub struct Claimant<'a> {
    /// Who vouches.
    pub issuer: &'a TrustedIssuer,
    /// `sub`
    pub subject: &'a str,
    /// Further claims; a key that begins with `/` is a JSON Pointer.
    pub claims: &'a [(ClaimKey, Value)],
    /// `aud`; without it the resource's.
    pub audience: Option<&'a str>,
}

/// What would come of it.
#[derive(Debug)]
pub struct Verdict<'s> {
    /// Whether it would be let through.
    pub allowed: bool,
    /// The place is open to all: nobody was looked at, and anybody else had fared the same.
    pub open: bool,
    /// The code of the reason.
    pub reason: &'static str,
    /// What decided, in a sentence, and where that is written.
    pub decided: String,
    /// Where that is written.
    pub site: Option<Site>,
    /// Where the request goes.
    pub resource: Option<&'s Resource>,
    /// Grants that fit.
    pub grants: Vec<&'s Grant>,
    /// Scopes that are handed on.
    pub scopes: Vec<String>,
    /// Shadow grants that would fit.
    pub shadow: Vec<&'s Grant>,
    /// Grants that came near, nearest first, each with what differs: the condition and what it wants.
    pub near: Vec<(&'s Grant, Vec<(String, String)>)>,
    /// Claims that were filled in because the issuer's pins leave no choice.
    pub assumed: Vec<String>,
}

/// Walks as the server would.
///
/// # Errors
/// A claim that cannot stand where its pointer leads.
pub fn can<'s>(
    rules: Rules<'s>,
    claimant: &Claimant<'_>,
    request: &AuthzRequest<'_>,
    now: Time,
) -> Result<Verdict<'s>, String> {
    let snapshot = rules.table;
    let place = RequestPath::read(request.path()).ok().and_then(|path| snapshot.resources.find(request, path).ok());
    let resource = place.map(|place| place.resource);
    let (claims, assumed) = payload(claimant, resource, now)?;
    let issuer = claimant.issuer;
    let algorithm = issuer.algorithms.iter().next().map_or("RS256", |algorithm| algorithm.as_str());
    let kind = issuer.token_types.iter().map(|kind| kind.as_str()).find(|kind| !kind.is_empty());
    let header = kind.map_or(json!({"alg": algorithm}), |kind| json!({"alg": algorithm, "typ": kind}));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.", part(&header), part(&claims));
    let (name, value) = match resource.map(|resource| &resource.credential) {
        Some(CredentialPlace::Header(name)) => (name.as_str(), token),
        Some(CredentialPlace::Cookie(name)) => ("cookie", format!("{name}={token}")),
        Some(CredentialPlace::Authorization) | None => ("authorization", format!("Bearer {token}")),
    };
    let headers = Headers::new(vec![(name, value.as_bytes())], false);
    let request = AuthzRequest { headers, ..request.clone() };
    let mut recorder = Recorder::signed_by(Some(issuer.name.as_str()));
    let walked = walk(rules, &request, now, &mut recorder);

    let failed = recorder.steps().iter().find(|step| step.outcome.is_err());
    let (allowed, reason) = match (&walked.outcome, recorder.first_failure()) {
        (Outcome::Observed(_), _) => (true, Accepted::Observed.code()),
        (_, Some(reason)) => (false, reason.code()),
        (Outcome::Refused(reason), None) => (false, reason.code()),
        (Outcome::Open(_), None) => (true, Accepted::Anonymous.code()),
        (Outcome::Allowed(_), None) => (true, Accepted::Ok.code()),
    };
    let permit = match &walked.outcome {
        Outcome::Allowed(permit) if allowed => Some(permit),
        _ => None,
    };
    let decided = failed.or(recorder.steps().last());
    let told = failed.is_some_and(|step| step.subject == "grants");
    let near = walked.facts.near_misses.iter().filter(|_| told);
    let wanted = |grant: &Grant, failed: &Failed<'_>| (failed.to_string(), failed.wanted(grant, resource));
    Ok(Verdict {
        allowed,
        open: allowed && matches!(walked.outcome, Outcome::Open(_)),
        reason,
        decided: decided.map(|step| step.note.text.clone()).unwrap_or_default(),
        site: decided.and_then(|step| step.note.site.clone()),
        resource,
        grants: permit.map(|permit| permit.granted().to_vec()).unwrap_or_default(),
        scopes: permit.into_iter().flat_map(|permit| permit.scopes()).map(ToString::to_string).collect(),
        shadow: walked.facts.shadow.clone(),
        near: near.map(|miss| (miss.grant, miss.failed.iter().map(|one| wanted(miss.grant, one)).collect())).collect(),
        assumed,
    })
}

/// The claims of the token, and those that were filled in.
fn payload(claimant: &Claimant<'_>, resource: Option<&Resource>, now: Time) -> Result<(Value, Vec<String>), String> {
    let issuer = claimant.issuer;
    let now = now.seconds().floor();
    // A token that this issuer may make at all.
    let life = LIFE.min(issuer.max_token_age.bound.as_secs_f64());
    let mut claims = json!({"sub": claimant.subject, "iat": now, "exp": now + life, "jti": "what-if"});
    let mut put = |key: &ClaimKey, value: Value| {
        set(&mut claims, key.path(), value).ok_or_else(|| format!("claim {key} lies in one that is no object"))
    };
    if let (NamedBy::Issuer, iss) | (NamedBy::TrustDomain { carried: Some(iss), .. }, _) =
        (&issuer.named_by, &issuer.issuer)
    {
        put(&ClaimKey::named("iss"), json!(iss.as_str()))?;
    }
    if let Some(audience) = claimant.audience.or(resource.map(|resource| resource.audience.as_str())) {
        put(&ClaimKey::named("aud"), json!(audience))?;
    }
    let mut assumed = Vec::new();
    for pin in &issuer.pins {
        let given = claimant.claims.iter().any(|(key, _)| key.path() == pin.key.path());
        if let (false, Some([only])) = (given, pin.matcher.exact()) {
            let value = match only {
                Scalar::String(text) => json!(text),
                Scalar::Number(number) => json!(number),
                Scalar::Bool(truth) => json!(truth),
            };
            assumed.push(format!("{}={value}", pin.key));
            put(&pin.key, value)?;
        }
    }
    for (key, value) in claimant.claims {
        put(key, value.clone())?;
    }
    Ok((claims, assumed))
}

/// Puts a value where a path leads, making objects on the way; `None` where something else is in the way.
fn set(claims: &mut Value, path: &[String], value: Value) -> Option<()> {
    let (last, way) = path.split_last()?;
    let mut at = claims;
    for name in way {
        at = at.as_object_mut()?.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    at.as_object_mut()?.insert(last.clone(), value);
    Some(())
}
