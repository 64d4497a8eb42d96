//! Which claims the table asks for: of a verified token no other is kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ClaimKey;
use crate::json::{Json, Value};

/// Every claim that some condition of a table is about, or that it hands on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked(Arc<Vec<ClaimKey>>);

impl Asked {
    /// Takes the keys of all conditions of a table; a key that is there twice counts once.
    pub fn new(keys: impl IntoIterator<Item = ClaimKey>) -> Self {
        let unique: BTreeSet<_> = keys.into_iter().collect();
        Self(Arc::new(unique.into_iter().collect()))
    }

    /// Whether two tokens that were reduced by these kept the same claims.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self == other
    }

    /// The values of a payload that are asked for.
    pub(super) fn of(&self, payload: &Value<'_>) -> Kept {
        let found = |(at, key): (usize, &ClaimKey)| {
            let value = key.find(payload)?.clone().into_owned();
            Some((u32::try_from(at).ok()?, value))
        };
        Kept { asked: self.clone(), values: self.0.iter().enumerate().filter_map(found).collect() }
    }

    fn position(&self, key: &ClaimKey) -> Option<u32> {
        let at = self.0.binary_search(key).ok()?;
        u32::try_from(at).ok()
    }
}

/// What was kept of a payload.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    asked: Asked,
    /// In the order of the keys.
    values: Box<[(u32, Json)]>,
}

/// No condition may be judged by a claim that was not kept: it would be taken for an absent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAsked;

impl Kept {
    pub(super) const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The value of a claim, if the token has it.
    pub(super) fn find(&self, key: &ClaimKey) -> Result<Option<&Json>, NotAsked> {
        let wanted = self.asked.position(key).ok_or(NotAsked)?;
        Ok(self.values.iter().find(|(at, _)| *at == wanted).map(|(_, value)| value))
    }

    /// Bytes on the heap, about.
    pub(super) fn weight(&self) -> usize {
        self.values.iter().map(|(_, value)| size_of::<(u32, Json)>() + heap(value)).sum()
    }
}

fn heap(value: &Json) -> usize {
    const ALLOCATION: usize = 16;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + ALLOCATION,
        Value::Array(elements) => {
            elements.iter().map(|element| size_of::<Json>() + heap(element)).sum::<usize>() + ALLOCATION
        }
        Value::Object(members) => {
            let one = |(name, value): (&str, &Json)| name.len() + ALLOCATION + 2 * size_of::<Json>() + heap(value);
            members.iter().map(one).sum::<usize>() + ALLOCATION
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ClaimKey {
        ClaimKey::parse(text).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_kept_and_nothing_else() {
        let payload = Json::parse(br#"{"a":1,"b":{"c":"x","d":2},"e":null}"#, 16).unwrap();
        let asked = Asked::new(["/b/c", "e", "a", "a", "gone"].map(key));
        let kept = asked.of(&payload);
        assert_eq!(kept.find(&key("a")), Ok(Some(&Json::Number(1.0))));
        assert_eq!(kept.find(&key("/b/c")), Ok(Some(&Json::String("x".into()))));
        assert_eq!(kept.find(&key("e")), Ok(Some(&Json::Null)));
        assert_eq!(kept.find(&key("gone")), Ok(None));
        assert_eq!(kept.values.len(), 3);
    }

    #[test]
    fn a_claim_that_was_not_asked_for_is_not_an_absent_one() {
        let payload = Json::parse(br#"{"a":1}"#, 16).unwrap();
        let kept = Asked::new([key("b")]).of(&payload);
        assert_eq!(kept.find(&key("a")), Err(NotAsked));
        assert_eq!(kept.find(&key("/b")), Err(NotAsked), "another spelling is another key");
    }
}
