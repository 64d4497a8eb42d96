//! Another place in a token where the value stands that a condition looks for in vain.

use crate::claims::Matcher;
use crate::json::Json;

/// How deep it is looked for: `/resource_access/CLIENT/roles` is three.
const DEPTH: usize = 4;

/// Claims with a meaning of their own (RFC 7519 §4.1, RFC 8693 §4.1): no value of theirs is a role that went astray.
const REGISTERED: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act"];

/// The first such place, as a table writes it; `None` too for conditions that nearly anything meets.
pub(super) fn elsewhere(payload: &Json, matcher: &Matcher) -> Option<String> {
    let telling = !matches!(matcher, Matcher::Absent | Matcher::Present);
    let members = payload.as_object().filter(|_| telling)?;
    members.iter().filter(|(name, _)| !REGISTERED.contains(name)).find_map(|(name, value)| {
        let inside = || within(value, matcher, DEPTH).map(|path| format!("/{}{path}", escaped(name)));
        // A top-level claim is written by its name, unless that looks like a pointer.
        let plain = || if name.starts_with('/') { format!("/{}", escaped(name)) } else { name.to_string() };
        if matcher.holds(Some(value)) { Some(plain()) } else { inside() }
    })
}

/// The way from here to what meets the condition.
fn within(value: &Json, matcher: &Matcher, depth: usize) -> Option<String> {
    let members = value.as_object().filter(|_| depth > 1)?;
    members.iter().find_map(|(name, value)| {
        let deeper = || within(value, matcher, depth - 1);
        let rest = if matcher.holds(Some(value)) { Some(String::new()) } else { deeper() };
        rest.map(|rest| format!("/{}{rest}", escaped(name)))
    })
}

/// A name as a part of a JSON Pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{ClaimKey, Scalar};

    fn wants(role: &str) -> Matcher {
        Matcher::ContainsAny(vec![Scalar::String(role.to_owned())])
    }

    #[test]
    fn the_place_that_is_told_is_where_a_grant_would_find_it() {
        for (payload, place) in [
            (r#"{"a":1,"roles":["w"]}"#, "roles"),
            (
                r#"{"resource_access":{"x":{"roles":["r"]},"ledger":{"roles":["r","w"]}}}"#,
                "/resource_access/ledger/roles",
            ),
            (r#"{"https://acme.test/roles":["w"]}"#, "https://acme.test/roles"),
            (r#"{"/a~b":["w"]}"#, "/~1a~0b"),
            (r#"{"https://acme.test/x":{"a/b":["w"]}}"#, "/https:~1~1acme.test~1x/a~1b"),
        ] {
            let payload = Json::parse(payload.as_bytes(), 16).unwrap();
            assert_eq!(elsewhere(&payload, &wants("w")).as_deref(), Some(place));
            assert!(wants("w").holds(ClaimKey::parse(place).unwrap().find(&payload)), "{place}");
        }
    }

    #[test]
    fn audiences_what_is_too_deep_and_what_anything_meets_are_no_such_place() {
        for payload in [r#"{"aud":["w"]}"#, r#"{"a":{"b":{"c":{"d":{"e":["w"]}}}}}"#, r#"{"roles":"w"}"#, r#"["w"]"#] {
            let payload = Json::parse(payload.as_bytes(), 16).unwrap();
            assert_eq!(elsewhere(&payload, &wants("w")), None);
        }
        let payload = Json::parse(br#"{"roles":["w"]}"#, 16).unwrap();
        assert_eq!(elsewhere(&payload, &Matcher::Present), None);
    }
}
