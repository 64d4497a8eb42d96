//! Tokens: right ones in one line, and every wrong one that a test can think of.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::key::{Key, b64};
use super::now;

/// A token in the making. It starts as one that should be believed; each call bends it.
#[derive(Debug, Clone)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<Vec<u8>>,
    raw_claims: Option<Vec<u8>>,
    key: Arc<Key>,
}

impl Token {
    /// What `iss` would sign about `sub` for `aud` now: an RFC 9068 access token that lasts five minutes.
    pub fn new(key: &Arc<Key>, iss: &str, sub: &str, aud: &str) -> Self {
        let (now, jti) = (now(), Uuid::now_v7().to_string());
        let claims = json!({"iss": iss, "sub": sub, "aud": aud, "iat": now, "exp": now + 300, "jti": jti});
        let header = json!({"alg": key.alg, "kid": key.kid, "typ": "at+jwt"});
        let map = |value: Value| value.as_object().unwrap().clone();
        Self { header: map(header), claims: map(claims), raw_header: None, raw_claims: None, key: Arc::clone(key) }
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Sets every member of an object as a claim.
    #[must_use]
    pub fn claims(mut self, members: Value) -> Self {
        self.claims.extend(members.as_object().unwrap().clone());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the JOSE header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a member of the JOSE header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with another key. The header is left as it is: set `kid` or `alg` as the test needs.
    #[must_use]
    pub fn signed_by(mut self, key: &Arc<Key>) -> Self {
        self.key = Arc::clone(key);
        self
    }

    /// These bytes instead of the JSON of the header.
    #[must_use]
    pub fn raw_header(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(bytes.into());
        self
    }

    /// These bytes instead of the JSON of the claims.
    #[must_use]
    pub fn raw_claims(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_claims = Some(bytes.into());
        self
    }

    /// The claims as they would be signed.
    pub fn claims_json(&self) -> Value {
        Value::Object(self.claims.clone())
    }

    /// The first two parts, with the dot between them.
    pub fn signing_input(&self) -> String {
        let part = |raw: &Option<Vec<u8>>, map: &Map<String, Value>| {
            b64(raw.clone().unwrap_or_else(|| serde_json::to_vec(map).unwrap()))
        };
        format!("{}.{}", part(&self.raw_header, &self.header), part(&self.raw_claims, &self.claims))
    }

    /// The compact form, signed by the key.
    pub fn mint(&self) -> String {
        let input = self.signing_input();
        let alg = self.header.get("alg").and_then(Value::as_str).unwrap_or(&self.key.alg);
        let signature = self.key.sign(alg, input.as_bytes());
        format!("{input}.{}", b64(signature))
    }

    /// The compact form with these bytes as signature.
    pub fn mint_with_signature(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.signing_input(), b64(signature))
    }

    /// The compact form, "signed" by HMAC-SHA256 with `secret`: what an attacker makes of a public key.
    pub fn mint_hs256(&self, secret: &[u8]) -> String {
        let input = self.signing_input();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        format!("{input}.{}", b64(tag))
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.mint())
    }
}
