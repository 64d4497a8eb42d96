//! Pieces of the one example that is run against a real Envoy: what is printed is cut out of it, so that it cannot differ.

use serde_json::json;

/// `examples/envoy/envoy.yaml`
pub(super) const EXAMPLE: &str = include_str!("../../../examples/envoy/envoy.yaml");

/// The field or item of the example that begins like this, with all below it, moved to this indentation.
pub(super) fn piece(begin: &str, indent: usize) -> String {
    let mut lines = EXAMPLE.lines().skip_while(|line| !line.trim_start().starts_with(begin));
    let Some(first) = lines.next() else { return String::new() };
    let own = depth(first);
    // Below a field, the items of its list may stand as far left as itself.
    let is_field = !first.trim_start().starts_with("- ");
    let below = lines.take_while(|line| depth(line) > own || is_field && depth(line) == own && item(line));
    let moved = |line: &str| format!("{}{}\n", " ".repeat(indent), line.get(own..).unwrap_or_default());
    std::iter::once(first).chain(below).map(moved).collect()
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// A name or path, and whether anybody chose it.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) text: String,
    guessed: bool,
}

impl Value {
    pub(super) fn given(text: &str) -> Self {
        Self { text: text.to_owned(), guessed: false }
    }

    pub(super) const fn guessed(text: String) -> Self {
        Self { text, guessed: true }
    }

    /// What was given, or this guess.
    pub(super) fn or(given: Option<&str>, guess: &str) -> Self {
        given.map_or_else(|| Self::guessed(guess.to_owned()), Self::given)
    }
}

/// A line that says what to put in the next, where one of these is only a guess.
pub(super) fn change<'v>(values: impl IntoIterator<Item = &'v Value>, indent: usize, what: &str) -> String {
    let guessed = values.into_iter().any(|value| value.guessed);
    if guessed { format!("{}# CHANGE: {what}\n", " ".repeat(indent)) } else { String::new() }
}

/// Text as a YAML scalar that nothing in it can end: JSON is YAML.
pub(super) fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Pairs as a YAML map on one line.
pub(super) fn map(pairs: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{}: {}", quoted(key), quoted(value))).collect();
    pairs.sort();
    format!("{{{}}}", pairs.join(", "))
}
