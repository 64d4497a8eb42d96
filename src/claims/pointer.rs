//! Which claim a condition is about.

use std::fmt;

use crate::json::Value;

/// A claim: a top-level name taken verbatim, or a JSON Pointer (RFC 6901) when it begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    text: String,
    path: Vec<String>,
}

impl ClaimKey {
    /// Reads a key; `None` for an empty one, or a pointer with a `~` that RFC 6901 §3 does not know.
    pub fn parse(text: &str) -> Option<Self> {
        let path = match text.strip_prefix('/') {
            None if text.is_empty() => return None,
            None => vec![text.to_owned()],
            Some(pointer) => pointer.split('/').map(unescape).collect::<Option<_>>()?,
        };
        Some(Self { text: text.to_owned(), path })
    }

    /// The top-level claim of this name, whatever the name begins with.
    pub fn named(name: &str) -> Self {
        Self { text: name.to_owned(), path: vec![name.to_owned()] }
    }

    /// The key as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The top-level claim that this is, however it was written (`a` or `/a`); empty for a claim inside another.
    pub fn name(&self) -> &str {
        match self.path.as_slice() {
            [name] => name,
            _ => "",
        }
    }

    /// The names that lead to the claim, outermost first.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The first name of the path: the top-level claim it lies in.
    pub fn top(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// The value, if the claim is there. A pointer does not lead into arrays.
    pub fn find<'p, 'a>(&self, payload: &'p Value<'a>) -> Option<&'p Value<'a>> {
        self.path.iter().try_fold(payload, |value, name| value.get(name))
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut out = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        match character {
            '~' => out.push(match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn a_pointer_walks_objects_and_a_name_is_verbatim() {
        let payload = Json::parse(br#"{"a":{"b/c":{"~d":1}},"a.b":2,"list":[3],"x/y":4}"#, 16).unwrap();
        let find = |key: &str| ClaimKey::parse(key).unwrap().find(&payload).cloned();
        assert_eq!(find("/a/b~1c/~0d"), Some(Json::Number(1.0)));
        assert_eq!(find("a.b"), Some(Json::Number(2.0)));
        assert_eq!(find("x/y"), Some(Json::Number(4.0)));
        assert_eq!(find("/list/0"), None);
        assert_eq!(find("/a/nope"), None);
        assert_eq!(ClaimKey::parse(""), None);
        assert_eq!(ClaimKey::parse("/a~2"), None);
    }
}
