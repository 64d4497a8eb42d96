//! Conditions on one claim. No regular expressions: what a condition lets through must be seen by reading it.

use std::fmt;

use super::ClaimKey;
use crate::json::{Value, is_exact};
use crate::name::Site;

/// A condition on one claim, with the place it is written.
#[derive(Debug, Clone)]
pub struct ClaimRule {
    /// Which claim.
    pub key: ClaimKey,
    /// What must hold.
    pub matcher: Matcher,
    /// Where it is written.
    pub site: Site,
}

/// A value that can be compared exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A string, compared code point by code point.
    String(String),
    /// A number below 2^53 in magnitude.
    Number(f64),
    /// A boolean.
    Bool(bool),
}

impl Scalar {
    /// Same JSON type and equal. The empty string and numbers from 2^53 equal nothing, `null` is no scalar.
    pub fn equals(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::String(wanted), Value::String(given)) => !given.is_empty() && wanted == given,
            (Self::Number(wanted), Value::Number(given)) => wanted == given && is_exact(*given),
            (Self::Bool(wanted), Value::Bool(given)) => wanted == given,
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

/// What must hold for the value of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Matcher {
    /// Equal to this.
    Equals(Scalar),
    /// A scalar claim equal to any of these; never an array.
    OneOf(Vec<Scalar>),
    /// A string of this form.
    Glob(Glob),
    /// An array that holds any of these (`contains` holds one).
    ContainsAny(Vec<Scalar>),
    /// An array that holds all of these.
    ContainsAll(Vec<Scalar>),
    /// One of the space-separated words of a string, or a string element of an array (OAuth scopes, RFC 6749 §3.3).
    Word(String),
    /// There, and neither `null` nor the empty string.
    Present,
    /// Not there at all.
    Absent,
}

impl Matcher {
    /// Whether the condition holds. A missing claim matches [`Matcher::Absent`] alone.
    pub fn holds(&self, value: Option<&Value<'_>>) -> bool {
        let Some(value) = value else { return matches!(self, Self::Absent) };
        let any = |wanted: &[Scalar], element: &Value<'_>| wanted.iter().any(|scalar| scalar.equals(element));
        match self {
            Self::Equals(scalar) => scalar.equals(value),
            Self::OneOf(scalars) => any(scalars, value),
            Self::Glob(glob) => value.as_str().is_some_and(|text| glob.matches(text)),
            Self::ContainsAny(scalars) => {
                value.as_array().is_some_and(|elements| elements.iter().any(|element| any(scalars, element)))
            }
            Self::ContainsAll(scalars) => value.as_array().is_some_and(|elements| {
                scalars.iter().all(|scalar| elements.iter().any(|element| scalar.equals(element)))
            }),
            Self::Word(word) => match value {
                Value::String(text) => text.split(' ').any(|given| given == word),
                Value::Array(elements) => {
                    elements.iter().all(|element| element.as_str().is_some())
                        && elements.iter().any(|element| element.as_str() == Some(word))
                }
                _ => false,
            },
            Self::Present => match value {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Number(number) => is_exact(*number),
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => true,
            },
            Self::Absent => false,
        }
    }

    /// The exact scalars that a value must be one of, if this condition names them.
    pub fn exact(&self) -> Option<&[Scalar]> {
        match self {
            Self::Equals(scalar) => Some(std::slice::from_ref(scalar)),
            Self::OneOf(scalars) => Some(scalars),
            _ => None,
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |scalars: &[Scalar]| scalars.iter().map(Scalar::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Equals(scalar) => write!(f, "{scalar}"),
            Self::OneOf(scalars) => write!(f, "one of {}", list(scalars)),
            Self::Glob(glob) => write!(f, "like {:?}", glob.as_str()),
            Self::ContainsAny(scalars) => write!(f, "an array with any of {}", list(scalars)),
            Self::ContainsAll(scalars) => write!(f, "an array with all of {}", list(scalars)),
            Self::Word(word) => write!(f, "the word {word:?}"),
            Self::Present => f.write_str("present"),
            Self::Absent => f.write_str("absent"),
        }
    }
}

/// Why a glob is refused (CR125).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobFault {
    /// A lone `*` or `**`: matches whatever the issuer says.
    MatchesAll,
    /// A star that does not stand after a separator, or after `-`, `_` or `.` inside a part; or one in the first part
    /// of several, which is where tenants and owners stand.
    Unanchored,
    /// `**` that is not a whole last part.
    DoubleStar,
    /// No star at all: write the value itself.
    NoStar,
}

impl fmt::Display for GlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MatchesAll => "it matches every value",
            Self::Unanchored => "`*` may stand after one of `/ : @`, or after `-`, `_` or `.` inside a part, but not in the first part of several: \
                 anyone could take a name that begins like it",
            Self::DoubleStar => "`**` may only be the whole last part",
            Self::NoStar => "it has no `*`: write the value itself",
        })
    }
}

/// A string with stars: `*` is one or more characters other than `/ : @`, and a last part `**` is anything.
/// Parts lie between the separators `/ : @`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
}

const SEPARATORS: [char; 3] = ['/', ':', '@'];

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// A [`GlobFault`] for forms that match more than their reader would think.
    pub fn parse(text: &str) -> Result<Self, GlobFault> {
        if matches!(text, "*" | "**") {
            return Err(GlobFault::MatchesAll);
        }
        if !text.contains('*') {
            return Err(GlobFault::NoStar);
        }
        let mut parts = text.split(SEPARATORS).peekable();
        let mut first = true;
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if part.contains("**") && !(part == "**" && last && !first) {
                return Err(GlobFault::DoubleStar);
            }
            if first && !last && part.contains('*') {
                return Err(GlobFault::Unanchored);
            }
            if part != "**" {
                anchored(part, first)?;
            }
            first = false;
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text before the first star.
    pub fn literal_start(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// How many whole parts stand before the first star, and their text with the separator after the last of them:
    /// what every match begins with, see [`Glob::first_parts`].
    pub fn literal_parts(&self) -> (usize, &str) {
        let start = self.literal_start();
        let parts = start.matches(SEPARATORS).count();
        (parts, Self::first_parts(start, parts).unwrap_or_default())
    }

    /// The first `parts` parts of a value with the separator after the last of them, if it has so many.
    pub fn first_parts(value: &str, parts: usize) -> Option<&str> {
        let (at, separator) = value.match_indices(SEPARATORS).nth(parts.checked_sub(1)?)?;
        value.get(..at + separator.len())
    }

    /// Whether `value` has this form. Parts `.` and `..` are never matched by a star.
    pub fn matches(&self, value: &str) -> bool {
        let mut wanted = Parts::new(&self.text);
        let mut given = Parts::new(value);
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                // A whole last part: one or more characters, whatever separators are among them.
                (Some((separator, "**")), Some((given_separator, part))) => {
                    return separator == given_separator
                        && !part.is_empty()
                        && !std::iter::once(part).chain(given.map(|(_, part)| part)).any(is_dots);
                }
                (Some((separator, wanted)), Some((given_separator, part))) => {
                    let same = if wanted.contains('*') {
                        !is_dots(part) && part_matches(wanted, part)
                    } else {
                        wanted == part
                    };
                    if separator != given_separator || !same {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

fn is_dots(part: &str) -> bool {
    matches!(part, "." | "..")
}

/// A star stands at the start of a part that follows a separator, or after `-`, `_`, `.`.
fn anchored(part: &str, first: bool) -> Result<(), GlobFault> {
    let mut before = None;
    for character in part.chars() {
        let good = match before {
            None => !first,
            Some(before) => matches!(before, '-' | '_' | '.'),
        };
        if character == '*' && !good {
            return Err(GlobFault::Unanchored);
        }
        before = Some(character);
    }
    Ok(())
}

/// One part against one part with stars, each star one or more characters; linear backtracking to the last star.
fn part_matches(wanted: &str, given: &str) -> bool {
    let wanted: Vec<char> = wanted.chars().collect();
    let given: Vec<char> = given.chars().collect();
    let (mut at, mut pos) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (wanted.get(at), given.get(pos)) {
            (None, None) => return true,
            (Some('*'), Some(_)) => {
                retry = Some((at + 1, pos + 1));
                at += 1;
                pos += 1;
            }
            (Some(one), Some(two)) if one == two => {
                at += 1;
                pos += 1;
            }
            // Let the last star take one character more.
            _ => match retry {
                Some((after_star, end)) if end < given.len() => {
                    retry = Some((after_star, end + 1));
                    at = after_star;
                    pos = end + 1;
                }
                _ => return false,
            },
        }
    }
}

/// The parts of a text, each with the separator before it.
struct Parts<'a> {
    rest: Option<&'a str>,
    separator: Option<char>,
}

impl<'a> Parts<'a> {
    const fn new(text: &'a str) -> Self {
        Self { rest: Some(text), separator: None }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = (Option<char>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let separator = self.separator;
        match rest.find(SEPARATORS) {
            Some(at) => {
                let (part, tail) = rest.split_at_checked(at)?;
                let mut tail = tail.chars();
                self.separator = tail.next();
                self.rest = Some(tail.as_str());
                Some((separator, part))
            }
            None => {
                self.rest = None;
                Some((separator, rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), 16).unwrap()
    }

    fn holds(matcher: &Matcher, value: &str) -> bool {
        matcher.holds(Some(&json(value)))
    }

    #[test]
    fn a_scalar_matches_its_own_type_and_nothing_else() {
        let string = Matcher::Equals(Scalar::String("1".into()));
        let number = Matcher::Equals(Scalar::Number(1.0));
        let truth = Matcher::Equals(Scalar::Bool(true));
        assert!(holds(&string, r#""1""#) && holds(&number, "1") && holds(&number, "1.0") && holds(&truth, "true"));
        for value in ["1", "true", "null", r#"["1"]"#, r#""1 ""#, r#""""#, "{}", r#""11""#] {
            assert!(!holds(&string, value), "{value}");
        }
        for value in [r#""1""#, "true", "[1]", "null"] {
            assert!(!holds(&number, value), "{value}");
        }
        assert!(!holds(&truth, r#""true""#) && !holds(&truth, "1"));
    }

    #[test]
    fn numbers_from_two_to_the_fifty_third_never_match() {
        let big = Matcher::Equals(Scalar::Number(9_007_199_254_740_992.0));
        assert!(!holds(&big, "9007199254740992") && !holds(&big, "9007199254740993"));
        assert!(!holds(&Matcher::Present, "9007199254740992"));
    }

    #[test]
    fn missing_null_and_empty_match_nothing() {
        let present = Matcher::Present;
        assert!(!present.holds(None) && !holds(&present, "null") && !holds(&present, r#""""#));
        assert!(holds(&present, "0") && holds(&present, "[]") && holds(&present, "false"));
        assert!(Matcher::Absent.holds(None) && !holds(&Matcher::Absent, "null"));
        assert!(!Matcher::Equals(Scalar::String(String::new())).holds(Some(&json(r#""""#))));
    }

    #[test]
    fn a_list_matches_a_scalar_and_never_an_array() {
        let list = Matcher::OneOf(vec![Scalar::String("a".into()), Scalar::String("b".into())]);
        assert!(holds(&list, r#""b""#));
        assert!(!holds(&list, r#"["b"]"#) && !holds(&list, r#""c""#));
    }

    #[test]
    fn arrays_are_searched_only_where_it_is_said() {
        let a = || vec![Scalar::String("a".into())];
        let ab = || vec![Scalar::String("a".into()), Scalar::String("b".into())];
        assert!(holds(&Matcher::ContainsAny(a()), r#"["b","a"]"#));
        assert!(!holds(&Matcher::ContainsAny(a()), r#""a""#) && !holds(&Matcher::ContainsAny(a()), r#"[["a"]]"#));
        assert!(holds(&Matcher::ContainsAny(ab()), r#"["b"]"#) && !holds(&Matcher::ContainsAll(ab()), r#"["b"]"#));
        assert!(holds(&Matcher::ContainsAll(ab()), r#"["b","x","a"]"#) && !holds(&Matcher::ContainsAll(ab()), "[]"));
    }

    #[test]
    fn a_word_is_a_whole_word() {
        let word = Matcher::Word("read".into());
        assert!(holds(&word, r#""write read""#) && holds(&word, r#"["read"]"#));
        for value in
            [r#""readwrite""#, r#""read,write""#, r#""read\twrite""#, r#"["read write"]"#, r#"["read", 1]"#, "1"]
        {
            assert!(!holds(&word, value), "{value}");
        }
    }

    #[test]
    fn a_star_stays_inside_its_part() {
        for (glob, value, expected) in [
            ("acme/*", "acme/payments", true),
            ("acme/*", "acme/", false),
            ("acme/*", "acme/a/b", false),
            ("acme/*", "evil/acme/x", false),
            ("acme/*", "acme/a:b", false),
            ("acme/*", "acme/..", false),
            ("acme/*", "acme/.", false),
            ("acme/*", "acme", false),
            ("acme/*", "ACME/x", false),
            ("acme/**", "acme/a/b:c", true),
            ("acme/**", "acme/", false),
            ("acme/**", "acme/a/../b", false),
            ("refs/heads/release-*", "refs/heads/release-1", true),
            ("refs/heads/release-*", "refs/heads/release-", false),
            ("refs/heads/release-*", "refs/heads/release-1/x", false),
            ("refs/heads/release-*", "refs/heads/xrelease-1", false),
            ("repo:acme/*:environment:prod", "repo:acme/x:environment:prod", true),
            ("repo:acme/*:environment:prod", "repo:acme/x:y:environment:prod", false),
            ("v1.*.x", "v1.2.x", true),
            ("a/x-*-y", "a/x-1-y", true),
            ("a/x-*-y", "a/x-1-y-2-y", true),
            ("a/x-*-y", "a/x--y", false),
            ("a.b/*", "axb/c", false),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().matches(value), expected, "{glob} {value}");
        }
    }

    #[test]
    fn globs_that_match_more_than_they_seem_to_are_refused() {
        for (glob, fault) in [
            ("*", GlobFault::MatchesAll),
            ("**", GlobFault::MatchesAll),
            ("acme*", GlobFault::Unanchored),
            ("*acme", GlobFault::Unanchored),
            ("acme/a*", GlobFault::Unanchored),
            ("**/x", GlobFault::DoubleStar),
            ("a/**/b", GlobFault::DoubleStar),
            ("a/x**", GlobFault::DoubleStar),
            ("a/***", GlobFault::DoubleStar),
            ("acme", GlobFault::NoStar),
            ("", GlobFault::NoStar),
            ("*/x", GlobFault::Unanchored),
            ("acme-*/payments", GlobFault::Unanchored),
        ] {
            assert_eq!(Glob::parse(glob), Err(fault), "{glob}");
        }
    }

    #[test]
    fn thirty_stars_against_a_long_value_end_at_once() {
        let glob =
            Glob::parse(&format!("a/{}x", "-*".repeat(30).trim_start_matches('-').replacen('*', "-*", 1))).unwrap();
        assert!(!glob.matches(&format!("a/{}", "-".repeat(4000))));
    }
}
