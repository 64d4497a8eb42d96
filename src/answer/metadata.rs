//! Dynamic metadata: one key, `credence`, in Envoy's namespace `envoy.filters.http.ext_authz`, on every answer.
//!
//! What was verified and what was merely said stand under different names, because Envoy keeps the metadata of a
//! refusal, and filters behind may read it.

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use super::{Occasion, canonical_principal};
use crate::decide::Permit;
use crate::json::Json;
use crate::keys::Signed;
use crate::memory::TokenFacts;
use crate::path::Facts;
use crate::resource::Resource;
use crate::trust::Principal;

/// The members of `credence`, as they come together.
#[derive(Debug)]
pub(super) struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    pub(super) fn new(occasion: Occasion<'_>, decision: &str, reason: &str, resource: Option<&Resource>) -> Self {
        let mut metadata = Self(BTreeMap::new());
        metadata.put("decision_id", text(occasion.decision_id));
        metadata.put("decision", text(decision));
        metadata.put("reason", text(reason));
        if let Some(resource) = resource {
            metadata.put("resource", text(resource.name.as_str()));
        }
        if let Some((generation, digest)) = occasion.table {
            metadata.put("table", object([("generation", count(generation)), ("sha256", text(digest))]));
        }
        metadata
    }

    pub(super) fn allowed(&mut self, permit: &Permit<'_, Signed>) {
        self.put("audience", text(permit.audience()));
        self.put("grants", list(permit.grants().map(|grant| text(grant.as_str()))));
        self.put("scopes", list(permit.scopes().iter().map(|scope| text(scope.as_str()))));
        self.put("issuer_name", text(permit.issuer_name().as_str()));
        let (issuer, subject) = permit.principal().pair();
        // RFC 9493 §3.2.4: `iss_sub`, and nothing more in it.
        self.put(
            "principal",
            object([("format", text("iss_sub")), ("iss", text(issuer.as_str())), ("sub", text(subject))]),
        );
        self.realm(permit.principal());
        self.put("principal_canonical", text(&canonical_principal(permit.principal())));
        self.put(
            "claims",
            object(permit.forwarded().into_iter().filter_map(|(name, value)| Some((name, plain(value)?)))),
        );
        self.put("token", token(permit.token()));
    }

    /// A caller whose signature stood is `verified`; what an unverified token said is `claimed`.
    pub(super) fn refused(&mut self, facts: &Facts<'_>) {
        if let Some(issuer) = facts.vouching_issuer() {
            self.put("issuer_name", text(issuer.name.as_str()));
        }
        if let Some(principal) = &facts.verified {
            self.put("verified", pair(principal));
            self.realm(principal);
        } else if let Some(claimed) = &facts.claimed {
            let members = [("iss", &claimed.iss), ("sub", &claimed.sub), ("kid", &claimed.kid), ("alg", &claimed.alg)];
            self.put(
                "claimed",
                object(members.into_iter().filter_map(|(name, value)| Some((name, text(value.as_ref()?))))),
            );
        }
    }

    fn realm(&mut self, principal: &Principal) {
        if let Some(realm) = principal.realm() {
            self.put("realm", text(realm.as_str()));
        }
    }

    pub(super) fn finish(self) -> Struct {
        Struct { fields: BTreeMap::from([("credence".to_owned(), struct_value(Struct { fields: self.0 }))]) }
    }

    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

fn pair(principal: &Principal) -> Value {
    let (issuer, subject) = principal.pair();
    object([("iss", text(issuer.as_str())), ("sub", text(subject))])
}

fn token(facts: TokenFacts<'_>) -> Value {
    let kid = facts.key_id.map(|kid| ("kid", text(kid)));
    let algorithm = facts.algorithm.map(|algorithm| ("alg", text(algorithm.as_str())));
    let issued = facts.issued_at.map(|issued| ("iat", number(issued)));
    object(kid.into_iter().chain(algorithm).chain(issued).chain([("exp", number(facts.expires))]))
}

fn plain(value: &Json) -> Option<Value> {
    match value {
        Json::String(string) => Some(text(string)),
        Json::Number(value) => Some(number(*value)),
        Json::Bool(value) => Some(Value { kind: Some(Kind::BoolValue(*value)) }),
        _ => None,
    }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn number(number: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(number)) }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 reloads take a while")]
fn count(count: u64) -> Value {
    number(count as f64)
}

fn list(values: impl Iterator<Item = Value>) -> Value {
    Value { kind: Some(Kind::ListValue(ListValue { values: values.collect() })) }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    struct_value(Struct { fields: members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() })
}

fn struct_value(value: Struct) -> Value {
    Value { kind: Some(Kind::StructValue(value)) }
}
