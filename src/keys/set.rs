//! A JWK Set (RFC 7517 §5), read once.

use std::fmt;

use super::jwk::{Jwk, Purpose, quoted};
use crate::json::{Json, JsonError};

/// The largest document read, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most elements of `keys`.
pub(super) const MAX_KEYS: usize = 1000;
/// The deepest nesting; a real set needs four levels.
const MAX_DEPTH: usize = 16;

/// What an issuer publishes: the keys that can be used, and why the others cannot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    keys: Vec<Jwk>,
    ignored: Vec<IgnoredKey>,
}

/// A published key that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredKey {
    /// The `kid`, escaped and cut, if it has one.
    pub kid: Option<String>,
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// What is wrong with it, to be read after "the key".
    pub why: String,
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {kid} {}", self.why),
            None => write!(f, "key number {} {}", self.index + 1, self.why),
        }
    }
}

/// Why a document is no JWK Set at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetError {
    /// More than 1 MiB.
    TooLarge,
    /// Not JSON that can be read in exactly one way.
    NotJson(JsonError),
    /// JSON, but not an object: what it is instead.
    NotAnObject(&'static str),
    /// No `keys` list.
    NoKeys,
    /// More than 1,000 keys.
    TooManyKeys(usize),
    /// A SPIFFE bundle whose `spiffe_sequence` is no natural number.
    Sequence,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "larger than {MAX_BYTES} bytes"),
            Self::NotJson(error) => write!(f, "not a JWK Set: {error}"),
            Self::NotAnObject(kind) => write!(f, "not a JWK Set: {kind}, not an object"),
            Self::NoKeys => f.write_str("not a JWK Set: the object has no list named keys"),
            Self::TooManyKeys(count) => write!(f, "{count} keys, more than {MAX_KEYS}"),
            Self::Sequence => f.write_str("not a SPIFFE bundle: its spiffe_sequence is no natural number"),
        }
    }
}

impl std::error::Error for KeySetError {}

impl KeySet {
    /// Reads a JWK Set. Each key is judged alone, so one that cannot be used spoils no other; a set without any
    /// usable key is a valid, empty one, and it is for the caller to keep the last good set instead.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let document = object(bytes)?;
        let mut set = Self::default();
        for (index, json) in published(&document)?.iter().enumerate() {
            set.take(index, json, Jwk::read(json, Purpose::Signature));
        }
        Ok(set)
    }

    /// Takes in one element of `keys`, as it was judged.
    pub(super) fn take(&mut self, index: usize, json: &Json, judged: Result<Jwk, String>) {
        match judged {
            Ok(key) => self.keys.push(key),
            Err(why) => {
                let kid = json.get("kid").and_then(Json::as_str).map(quoted);
                self.ignored.push(IgnoredKey { kid, index, why });
            }
        }
    }

    /// The usable keys, in the order of the document.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys that are left out, each with its reason.
    pub fn ignored(&self) -> &[IgnoredKey] {
        &self.ignored
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// The document, within the limits of size and depth.
pub(super) fn object(bytes: &[u8]) -> Result<Json, KeySetError> {
    if bytes.len() > MAX_BYTES {
        return Err(KeySetError::TooLarge);
    }
    let document = Json::parse(bytes, MAX_DEPTH).map_err(KeySetError::NotJson)?;
    if document.as_object().is_none() {
        return Err(KeySetError::NotAnObject(document.kind()));
    }
    Ok(document)
}

/// The elements of `keys`, within the limit of their number.
pub(super) fn published(document: &Json) -> Result<&[Json], KeySetError> {
    let published = document.get("keys").and_then(Json::as_array).ok_or(KeySetError::NoKeys)?;
    if published.len() > MAX_KEYS {
        return Err(KeySetError::TooManyKeys(published.len()));
    }
    Ok(published)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{RSA, Signer, document, with};
    use super::*;

    #[test]
    fn one_unusable_key_spoils_no_other() {
        let good = Signer::ec("P-256").named("good");
        let junk =
            [json!({"kty": "oct", "kid": "s", "k": "AA"}), json!(7), json!({}), good, json!({"kid": "\u{202e}x"})];
        let set = KeySet::parse(document(&junk).as_bytes()).unwrap();
        assert_eq!(set.keys().len(), 1);
        let told: Vec<String> = set.ignored().iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("key \"s\" is symmetric"), "{told:?}");
        assert_eq!(told[1], "key number 2 is a number, not an object");
        assert_eq!(told[2], "key number 3 has no kty");
        assert_eq!(told[3], "key \"\\u{202e}x\" has no kty");
    }

    #[test]
    fn an_emptied_set_is_told_from_a_broken_one() {
        assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
        for (bytes, words) in [
            (&b"<!doctype html><html>"[..], "is not JSON"),
            (b"", "ends too early"),
            (b"null", "null, not an object"),
            (b"[]", "an array, not an object"),
            (b"{}", "no list named keys"),
            (br#"{"keys":{}}"#, "no list named keys"),
            (br#"{"keys":[],"keys":[]}"#, "duplicate"),
            (br#"{"keys":[]} x"#, "is not JSON"),
            (b"\xef\xbb\xbf{\"keys\":[]}", "is not JSON"),
            (b"{\"keys\":[\"\xff\"]}", "is not JSON"),
        ] {
            let error = KeySet::parse(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error:?} does not say {words:?}");
        }
    }

    #[test]
    fn size_count_and_depth_are_bounded() {
        let padded = format!(r#"{{"keys":[]{}}}"#, " ".repeat(MAX_BYTES));
        assert_eq!(KeySet::parse(padded.as_bytes()), Err(KeySetError::TooLarge));
        let many = vec![json!(0); MAX_KEYS + 1];
        assert_eq!(KeySet::parse(document(&many).as_bytes()), Err(KeySetError::TooManyKeys(1001)));
        assert!(KeySet::parse(document(&many[1..]).as_bytes()).is_ok());
        let deep = format!(r#"{{"keys":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(KeySet::parse(deep.as_bytes()), Err(KeySetError::NotJson(_))));
    }

    #[test]
    fn sets_are_equal_when_they_publish_the_same() {
        let jwk = RSA[0].named("a");
        let read = |jwk| KeySet::parse(document(&[jwk]).as_bytes()).unwrap();
        assert_eq!(read(jwk.clone()), read(with(jwk.clone(), json!({"x5t": "unused"}))));
        assert_ne!(read(jwk.clone()), read(with(jwk.clone(), json!({"kid": "b"}))));
        assert_ne!(read(jwk), read(RSA[1].named("a")));
    }
}
