//! JSON that can be read in exactly one way.
//!
//! In: bytes from strangers (token parts, key sets, discovery documents). Out: a [`Json`] tree, or a refusal:
//! RFC 8259 without duplicate members at any level, without deep nesting, without trailing data. Two readers
//! that disagree about a document would be two principals, so what is ambiguous does not parse.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value that stands by itself.
pub type Json = Value<'static>;

/// A JSON value whose strings may lie in the text it was read from. Numbers are kept as `f64`: whoever compares them
/// must refuse magnitudes from 2^53.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string, escapes resolved.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object; member names are unique.
    Object(Members<'a>),
}

/// The members of an object, sorted by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Members<'a> {
    /// Sorts; `None` if a name is there twice.
    fn new(mut members: Vec<(Cow<'a, str>, Value<'a>)>) -> Option<Self> {
        members.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
        let twice = members.windows(2).any(|pair| matches!(pair, [(one, _), (two, _)] if one == two));
        (!twice).then_some(Self(members))
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Whether there is a member of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every member, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl FromIterator<(String, Json)> for Members<'static> {
    /// Of members with one name the last counts.
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let unique: std::collections::BTreeMap<_, _> = members.into_iter().collect();
        Self(unique.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect())
    }
}

/// Why a document was refused, for operators: position and kind, never content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

impl Json {
    /// Reads one document of at most `depth` nested arrays and objects (the outermost counts as one).
    pub fn parse(bytes: &[u8], depth: usize) -> Result<Self, JsonError> {
        Value::read(bytes, depth).map(Value::into_owned)
    }
}

impl<'a> Value<'a> {
    /// The same as [`Json::parse`], without copying the strings that have no escapes.
    pub fn read(bytes: &'a [u8], depth: usize) -> Result<Self, JsonError> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value =
            Strict { depth, room: USUAL }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        value.map_err(|error| {
            // serde_json's own sentences may quote input; its category and position say enough.
            let kind = match error.classify() {
                serde_json::error::Category::Data => "a duplicate member or too deep nesting",
                serde_json::error::Category::Eof => "ends too early",
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not JSON",
            };
            JsonError(format!("{kind} at line {} column {}", error.line(), error.column()))
        })
    }

    /// The same, standing by itself.
    pub fn into_owned(self) -> Json {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(value) => Value::Number(value),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Array(elements) => Value::Array(elements.into_iter().map(Value::into_owned).collect()),
            Self::Object(Members(members)) => {
                let owned =
                    |(name, value): (Cow<'_, str>, Value<'_>)| (Cow::Owned(name.into_owned()), value.into_owned());
                Value::Object(Members(members.into_iter().map(owned).collect()))
            }
        }
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Members<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// What kind of value this is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => match whole(*value) {
                Some(integer) => serializer.serialize_i64(integer),
                None => serializer.serialize_f64(*value),
            },
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(elements) => elements.serialize(serializer),
            Self::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

/// The integer that `number` is, when it is one below 2^53 in magnitude: `7.0` is written `7`.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
pub fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && is_exact(number)).then_some(number as i64)
}

/// Whether a number is below 2^53 in magnitude: from there on it may have been rounded when it was read.
pub fn is_exact(number: f64) -> bool {
    number.abs() < 9_007_199_254_740_992.0
}

/// Room for the members of a usual payload.
const USUAL: usize = 16;

struct Strict {
    depth: usize,
    /// For how many members there is room from the start: those within are made as large as they turn out to be, or a
    /// thousand empty objects would take a thousand rooms.
    room: usize,
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<usize, E> {
        self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers from 2^53 are refused by whoever compares them")]
    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers from 2^53 are refused by whoever compares them")]
    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value<'de>, A::Error> {
        let depth = self.inner()?;
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(Strict { depth, room: 0 })? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let depth = self.inner()?;
        let mut members = Vec::with_capacity(self.room);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value_seed(Strict { depth, room: 0 })?));
        }
        Members::new(members).map(Value::Object).ok_or_else(|| A::Error::custom("duplicate member"))
    }
}

/// A member name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json, JsonError> {
        Json::parse(text.as_bytes(), 16)
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_level_and_through_escapes() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"b":{"a":1,"a":1}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_8259_is_refused() {
        let bad: [&[u8]; 12] = [
            b"\xef\xbb\xbf{}",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"{}{}",
            b"// c\n{}",
            b"{\"a\":NaN}",
            b"{\"a\":1e400}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"\xff\xfe{\0}\0",
            b"{\"a\":01}",
            b"",
        ];
        for bytes in bad {
            assert!(Json::parse(bytes, 16).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn nesting_is_counted_and_two_hundred_thousand_brackets_do_no_harm() {
        assert!(parse(&format!("{}{}", "[".repeat(16), "]".repeat(16))).is_ok());
        assert!(parse(&format!("{}{}", "[".repeat(17), "]".repeat(17))).is_err());
        assert!(parse(&"[".repeat(200_000)).is_err());
    }

    #[test]
    fn the_error_tells_a_place_and_no_content() {
        let error = parse(r#"{"secret":1,"secret":2}"#).unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("secret"), "{error}");
    }
}
