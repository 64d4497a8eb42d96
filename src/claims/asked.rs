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

    /// Keeps the values of a payload that are asked for, strings at the end of `text`.
    pub(super) fn of(&self, payload: &Value<'_>, text: &mut String) -> Kept {
        let mut kept = Kept { asked: self.clone(), texts: Vec::new(), values: Vec::new() };
        for (at, key) in self.0.iter().enumerate() {
            let (Some(value), Ok(claim)) = (key.find(payload), u32::try_from(at)) else { continue };
            match value.as_str().and_then(|value| Span::of(claim, value, text)) {
                Some(span) => kept.texts.push(span),
                None => kept.values.push((claim, value.clone().into_owned())),
            }
        }
        kept
    }

    /// By what a claim is found in what was kept. `None` where nobody asks for it: no condition may be judged by it then, or it would be
    /// taken for an absent one.
    pub(super) fn position(&self, key: &ClaimKey) -> Option<u32> {
        let at = self.0.binary_search(key).ok()?;
        u32::try_from(at).ok()
    }
}

/// What was kept of a payload, by the position of the claim.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) asked: Asked,
    /// Strings, which most values are.
    pub(super) texts: Vec<Span>,
    /// The others.
    pub(super) values: Vec<(u32, Json)>,
}

/// Where the string of a claim lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) claim: u32,
    from: u16,
    to: u16,
}

impl Span {
    /// Adds a string to `text`, if that is short enough.
    fn of(claim: u32, value: &str, text: &mut String) -> Option<Self> {
        let from = u16::try_from(text.len()).ok()?;
        let to = u16::try_from(text.len() + value.len()).ok()?;
        text.push_str(value);
        Some(Self { claim, from, to })
    }

    /// The string.
    pub(super) fn within(self, text: &str) -> Option<&str> {
        text.get(usize::from(self.from)..usize::from(self.to))
    }
}

/// What a token says in a claim that was kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said<'t> {
    /// A string.
    Text(&'t str),
    /// Anything else.
    Other(&'t Json),
}

impl<'t> Said<'t> {
    /// The text, if it is a string.
    pub const fn as_str(self) -> Option<&'t str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

/// Bytes that a value takes on the heap, about.
pub(super) fn heap(value: &Json) -> usize {
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
    use crate::claims::{ClaimRule, Claims, Matcher};
    use crate::name::Site;

    fn key(text: &str) -> ClaimKey {
        ClaimKey::parse(text).unwrap()
    }

    fn kept(more: &str, asked: &[&str]) -> Claims {
        let payload = format!(r#"{{"sub":"s","exp":1,{more}}}"#);
        let asked = Asked::new(asked.iter().map(|text| key(text)));
        Claims::read(&Json::parse(payload.as_bytes(), 16).unwrap(), &asked).unwrap()
    }

    fn found<'t>(claims: &'t Claims, name: &str) -> Option<Said<'t>> {
        claims.find(&key(name))
    }

    #[test]
    fn what_is_asked_for_is_kept_and_nothing_else() {
        let claims = kept(
            r#""a":1,"b":{"c":"x\ny","d":2},"e":null,"f":"","g":["h"],"aud":["i","j"]"#,
            &["/b/c", "e", "a", "a", "gone", "f", "g"],
        );
        assert_eq!(found(&claims, "a"), Some(Said::Other(&Json::Number(1.0))));
        assert_eq!(found(&claims, "/b/c"), Some(Said::Text("x\ny")));
        assert_eq!(found(&claims, "e"), Some(Said::Other(&Json::Null)));
        assert_eq!(found(&claims, "f"), Some(Said::Text("")));
        assert_eq!(found(&claims, "g"), Some(Said::Other(&Json::Array(vec![Json::String("h".into())]))));
        assert_eq!(found(&claims, "gone"), None);
        assert_eq!(claims.subject(), "s");
        assert_eq!(claims.audience().collect::<Vec<_>>(), ["i", "j"], "kept strings are no audiences");
    }

    #[test]
    fn a_string_too_far_behind_to_be_pointed_at_is_kept_too() {
        let far = "x".repeat(40_000);
        let claims = kept(&format!(r#""a":"{far}","b":"{far}","c":"near""#), &["a", "b", "c"]);
        for name in ["a", "b"] {
            assert_eq!(found(&claims, name), Some(Said::Text(&far)), "{name}");
        }
        assert_eq!(found(&claims, "c"), Some(Said::Text("near")));
    }

    #[test]
    fn a_claim_that_was_not_asked_for_is_not_an_absent_one() {
        let claims = kept(r#""a":1"#, &["b"]);
        let site = Site { file: "t".into(), line: 1, column: 1 };
        let absent = |name| ClaimRule { key: key(name), matcher: Matcher::Absent, site: site.clone() };
        assert!(!claims.hold(&absent("a")) && !claims.hold(&absent("/b")), "another spelling is another key");
        assert!(claims.hold(&absent("b")));
    }
}
