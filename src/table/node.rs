//! The table as a tree, each piece with the place where it was written.

use super::Span;

/// A value of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it stands. For a block map or list: its first line.
    pub(crate) span: Span,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A single value; its text as it was written, quotes and escapes resolved.
    Scalar {
        /// The text: also of numbers, so that `1.10` can be shown as it stands.
        text: Box<str>,
        /// What the YAML 1.2 core schema takes it for.
        of: Type,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of writing; no key stands twice.
    Map(Vec<(Key, Node)>),
    /// Something refused, already reported: readers pass over it in silence.
    Refused,
}

/// A key of a map: always a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The text.
    pub(crate) text: Box<str>,
    /// Where it stands.
    pub(crate) span: Span,
}

/// The type of a scalar, by the YAML 1.2 core schema: `no`, `on` and `1_000` are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Anything else, and everything quoted.
    String,
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// Decimal, `0o` octal or `0x` hexadecimal.
    Integer,
    /// With a point or an exponent, infinite, or not a number.
    Float,
}

impl Type {
    /// The type of a plain (unquoted) scalar: YAML 1.2.2 §10.3.2.
    pub(crate) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Boolean(true),
            "false" | "False" | "FALSE" => Self::Boolean(false),
            ".nan" | ".NaN" | ".NAN" => Self::Float,
            _ => Self::of_number(text),
        }
    }

    fn of_number(text: &str) -> Self {
        let all = |digits: &str, test: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(test);
        let based = |prefix, test| text.strip_prefix(prefix).is_some_and(|digits| all(digits, test));
        if based("0o", |byte| matches!(byte, b'0'..=b'7')) || based("0x", u8::is_ascii_hexdigit) {
            return Self::Integer;
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if all(unsigned, u8::is_ascii_digit) {
            return Self::Integer;
        }
        if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
            return Self::Float;
        }
        let (mantissa, exponent) =
            unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
        let (whole, fraction) =
            mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let sound_mantissa =
            digits(whole) && fraction.is_none_or(digits) && !(whole.is_empty() && fraction.is_none_or(str::is_empty));
        let sound_exponent =
            exponent.is_none_or(|part| all(part.strip_prefix(['+', '-']).unwrap_or(part), u8::is_ascii_digit));
        if sound_mantissa && sound_exponent { Self::Float } else { Self::String }
    }
}

impl Node {
    /// What it is, with an article, for messages.
    pub(crate) const fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { of: Type::String, .. } => "a string",
            Kind::Scalar { of: Type::Null, .. } => "nothing (null)",
            Kind::Scalar { of: Type::Boolean(_), .. } => "a boolean",
            Kind::Scalar { of: Type::Integer | Type::Float, .. } => "a number",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Refused => "refused",
        }
    }

    /// The members of a map.
    pub(crate) fn members(&self) -> Option<&[(Key, Self)]> {
        match &self.kind {
            Kind::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The value of one member of a map.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        self.members()?.iter().find(|(key, _)| &*key.text == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_core_schema_makes_a_plain_scalar_anything_but_a_string() {
        for text in [
            "no",
            "on",
            "yes",
            "off",
            "y",
            "nULL",
            "tRUE",
            "1_000",
            "0b1",
            "1:30",
            "2027-03-31",
            "0o8",
            "0x",
            "+0x1",
            "1e",
            "e1",
            ".",
            "-",
            "+",
            "1.2.3",
            "--1",
            "0o",
            "inf",
            ".e1",
            "1 000",
            "9919a",
            "١",
        ] {
            assert_eq!(Type::of_plain(text), Type::String, "{text}");
        }
        for text in ["0", "-7", "+12", "007", "0o17", "0xfF", "512345678", "99999999999999999999999"] {
            assert_eq!(Type::of_plain(text), Type::Integer, "{text}");
        }
        for text in ["1.10", ".5", "1.", "1e3", "-1.5E-3", ".inf", "-.INF", ".nan", "0."] {
            assert_eq!(Type::of_plain(text), Type::Float, "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(Type::of_plain(text), Type::Null, "{text}");
        }
        assert_eq!(Type::of_plain("True"), Type::Boolean(true));
    }
}
