//! Dynamic metadata: one key, `credence`, in Envoy's namespace `envoy.filters.http.ext_authz`, on every answer.
//!
//! What was verified and what was merely said stand under different names, because Envoy keeps the metadata of a
//! refusal, and filters behind may read it.

use std::borrow::Cow;

use super::Occasion;
use super::told::{Members, Value};
use crate::claims::Said;
use crate::decide::Permit;
use crate::json::Json;
use crate::keys::Signed;
use crate::memory::TokenFacts;
use crate::path::Facts;
use crate::reason::Reason;
use crate::resource::Resource;
use crate::trust::Principal;

/// Room for the members of an allow.
const MEMBERS: usize = 16;

/// The members of `credence`, as they come together.
#[derive(Debug)]
pub(super) struct Metadata<'a>(Members<'a>);

impl<'a> Metadata<'a> {
    pub(super) fn new(
        occasion: Occasion<'a>,
        decision: &'static str,
        reason: &'static str,
        resource: Option<&'a Resource>,
    ) -> Self {
        let mut metadata = Self(Vec::with_capacity(MEMBERS));
        metadata.put("decision_id", occasion.decision_id);
        metadata.put("decision", decision);
        metadata.put("reason", reason);
        if let Some(resource) = resource {
            metadata.put("resource", resource.name.as_str());
        }
        if let Some((generation, digest)) = occasion.table {
            metadata.put("table", Value::Object(vec![("generation", count(generation)), ("sha256", digest.into())]));
        }
        metadata
    }

    /// `canonical` is the canonical form of the permit's principal.
    pub(super) fn allowed(&mut self, permit: &'a Permit<'_, Signed>, canonical: String) {
        self.put("audience", permit.audience());
        self.put("grants", list(permit.grants().map(|grant| grant.as_str())));
        self.put("scopes", list(permit.scopes().iter().map(|scope| scope.as_str())));
        self.put("issuer_name", permit.issuer_name().as_str());
        let (issuer, subject) = permit.principal().pair();
        // RFC 9493 §3.2.4: `iss_sub`, and nothing more in it.
        let pair = vec![("format", "iss_sub".into()), ("iss", issuer.as_str().into()), ("sub", subject.into())];
        self.put("principal", Value::Object(pair));
        self.realm(permit.principal());
        if let Some(acting) = permit.actor() {
            let (issuer, subject) = acting.pair();
            let asserted_by = acting.asserted_by().as_str();
            let members = vec![("iss", issuer.into()), ("sub", subject.into()), ("asserted_by", asserted_by.into())];
            self.put("actor", Value::Object(members));
        }
        self.put("principal_canonical", Value::Text(Cow::Owned(canonical)));
        let claims = permit.forwarded().into_iter().filter_map(|(name, value)| Some((name, plain(value)?)));
        self.put("claims", Value::Object(claims.collect()));
        self.put("token", token(permit.token()));
    }

    /// Nobody is named: neither who was verified, nor what was claimed.
    pub(super) fn observed(&mut self, refusal: Reason) {
        self.put("observed_reason", refusal.code());
    }

    /// A caller whose signature stood is `verified`; what an unverified token said is `claimed`.
    pub(super) fn refused(&mut self, facts: &'a Facts<'_>) {
        if let Some(issuer) = facts.vouching_issuer() {
            self.put("issuer_name", issuer.name.as_str());
        }
        if let Some(principal) = &facts.verified {
            let (issuer, subject) = principal.pair();
            self.put("verified", Value::Object(vec![("iss", issuer.as_str().into()), ("sub", subject.into())]));
            self.realm(principal);
        } else if let Some(claimed) = &facts.claimed {
            let members = [("iss", &claimed.iss), ("sub", &claimed.sub), ("kid", &claimed.kid), ("alg", &claimed.alg)];
            let said = members.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?.into())));
            self.put("claimed", Value::Object(said.collect()));
        }
    }

    fn realm(&mut self, principal: &'a Principal) {
        if let Some(realm) = principal.realm() {
            self.put("realm", realm.as_str());
        }
    }

    pub(super) fn finish(self) -> Members<'a> {
        self.0
    }

    /// Each name is put once.
    fn put(&mut self, name: &'static str, value: impl Into<Value<'a>>) {
        self.0.push((name, value.into()));
    }
}

fn token(facts: TokenFacts<'_>) -> Value<'_> {
    let mut members = Vec::with_capacity(4);
    members.extend(facts.key_id.map(|kid| ("kid", kid.into())));
    members.extend(facts.algorithm.map(|algorithm| ("alg", algorithm.as_str().into())));
    members.extend(facts.issued_at.map(|issued| ("iat", Value::Number(issued))));
    members.push(("exp", Value::Number(facts.expires)));
    Value::Object(members)
}

fn plain(value: Said<'_>) -> Option<Value<'_>> {
    match value {
        Said::Text(text) => Some(text.into()),
        Said::Other(Json::Number(value)) => Some(Value::Number(*value)),
        Said::Other(Json::Bool(value)) => Some(Value::Bool(*value)),
        Said::Other(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 reloads take a while")]
const fn count(count: u64) -> Value<'static> {
    Value::Number(count as f64)
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> Value<'a> {
    Value::List(values.map(Value::from).collect())
}
