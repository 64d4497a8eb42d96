//! Values and names as a table wants them written.

use crate::json::{Json, is_exact};
use crate::name::{is_forbidden_character, is_name};

/// A YAML string in double quotes: JSON's strings are YAML's.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A single value: plain where it can only be read as this text, else quoted; numbers and booleans as they are.
pub fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => string(text),
        other => serde_json::json!(other).to_string(),
    }
}

/// A text: plain where it can only be read as this text, else quoted.
pub fn string(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// A condition that this value meets, as tight as it can be; `None` where a table can ask for nothing of the kind.
pub fn condition(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if text.is_empty() || text.chars().any(is_forbidden_character) => None,
        Json::Number(number) if !is_exact(*number) => None,
        Json::String(_) | Json::Bool(_) | Json::Number(_) => Some(scalar(value)),
        Json::Array(elements) => {
            let elements: Vec<_> = elements.iter().filter(|one| one.as_str().is_some()).map(scalar).collect();
            match elements.as_slice() {
                [] => None,
                [only] => Some(format!("{{contains: {only}}}")),
                several => Some(format!("{{containsAll: [{}]}}", several.join(", "))),
            }
        }
        Json::Null | Json::Object(_) => None,
    }
}

/// Whether text without quotes is this text to every reader of YAML, also inside `{}` and `[]`.
fn is_plain(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@' | b':');
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(byte)
        && !text.ends_with(':')
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// A name for an entry, made of whatever text tells it best; the last resort where nothing of it can stand in a name.
pub fn entry_name(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() >= 50 {
            break;
        }
    }
    let name = name.trim_matches('-');
    let name =
        if name.starts_with(|first: char| first.is_ascii_digit()) { format!("at-{name}") } else { name.to_owned() };
    if is_name(&name) { name } else { otherwise.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_wherever_it_could_be_read_otherwise() {
        for (value, written) in [
            ("acme/payments", "acme/payments"),
            ("refs/heads/main", "refs/heads/main"),
            ("9919", "\"9919\""),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("2026-11-22", "\"2026-11-22\""),
            ("a: b", "\"a: b\""),
            ("a,b", "\"a,b\""),
            ("*", "\"*\""),
            ("repo:acme/x:ref", "repo:acme/x:ref"),
            ("ends:", "\"ends:\""),
            ("", "\"\""),
            ("é", "\"é\""),
        ] {
            assert_eq!(scalar(&Json::String(value.to_owned().into())), written, "{value}");
        }
        assert_eq!(scalar(&Json::Bool(true)), "true");
    }

    #[test]
    fn an_entry_has_a_name_whatever_it_is_made_of() {
        for (text, name) in [
            ("idp.acme.test", "idp-acme-test"),
            ("127.0.0.1", "at-127-0-0-1"),
            ("acme/Payments", "acme-payments"),
            ("::", "new"),
            ("система", "new"),
        ] {
            assert_eq!(entry_name(text, "new"), name, "{text}");
        }
    }
}
