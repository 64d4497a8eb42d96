//! What a `sub` says of other claims, where it is made of them.

/// The claims that a `sub` of alternating keys and values states, in its own order, until a key that is not known.
///
/// Only the value of a key in `long` may hold the separator itself. Another one that seems to is followed by a key that is
/// not known, so that nobody can tell where it ends: from there on nothing is said.
pub(super) fn pairs(
    sub: &str,
    separator: char,
    known: &[(&str, &'static str)],
    long: &[&str],
) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    let mut rest = sub;
    while let Some((key, after)) = rest.split_once(separator) {
        let Some((name, claim)) = known.iter().find(|(name, _)| *name == key) else { break };
        let (value, next) = up_to_next_key(after, separator, known);
        let value = match value.split_once(separator) {
            Some((first, more)) if !long.contains(name) => match more.split(separator).next() {
                // The star of a pattern stands for whole pairs.
                Some(star) if star.contains('*') => first,
                _ => break,
            },
            _ => value,
        };
        if !value.is_empty() {
            said.push((*claim, value.to_owned()));
        }
        rest = next;
    }
    said
}

/// A value may hold the separator itself: it ends where the next key stands between two of them.
fn up_to_next_key<'s>(text: &'s str, separator: char, known: &[(&str, &'static str)]) -> (&'s str, &'s str) {
    for (at, _) in text.match_indices(separator) {
        let Some((value, rest)) = text.split_at_checked(at) else { continue };
        let rest = rest.strip_prefix(separator).unwrap_or(rest);
        let key = rest.split(separator).next().unwrap_or_default();
        if rest.len() > key.len() && known.iter().any(|(name, _)| *name == key) {
            return (value, rest);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_the_separator_and_ends_at_the_next_key() {
        const KNOWN: &[(&str, &str)] = &[("project", "p"), ("origin", "o"), ("ref", "r")];
        let said = |sub: &str| pairs(sub, '/', KNOWN, &["origin", "ref"]);
        let pair = |claim, value: &str| (claim, value.to_owned());
        assert_eq!(
            said("project/1/origin/host.test/a/b/ref/refs/heads/main"),
            [pair("p", "1"), pair("o", "host.test/a/b"), pair("r", "refs/heads/main")]
        );
        assert_eq!(said("user/1/project/2"), []);
    }

    #[test]
    fn a_key_that_is_not_known_is_no_part_of_the_value_before_it() {
        let said = |sub: &str| pairs(sub, ':', &[("id", "i"), ("ref", "r")], &[]);
        assert_eq!(said("id:1:user:2"), []);
        assert_eq!(said("ref:main:id:1:user:2:ref:x"), [("r", "main".to_owned()), ("i", "1".to_owned())][..1]);
        assert_eq!(said("id:1:**"), [("i", "1".to_owned())]);
        assert_eq!(said("id:1:ref:ma*"), [("i", "1".to_owned()), ("r", "ma*".to_owned())]);
    }
}
