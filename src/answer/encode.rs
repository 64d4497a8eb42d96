//! Values that can stand in a header and be told apart again.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::trust::Principal;

/// Percent-encodes every byte outside 0x21-0x7E, and `%` itself; `also` as well. Most text needs none of it.
pub(super) fn element(text: &str, also: Option<char>) -> Cow<'_, str> {
    let plain =
        |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'%' && also.is_none_or(|also| char::from(byte) != also);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// Elements one after the other, with `separator` between them.
pub(super) fn joined<'a>(elements: impl Iterator<Item = &'a str>, separator: char) -> Cow<'a, str> {
    let mut all = Cow::Borrowed("");
    for (at, text) in elements.enumerate() {
        if at == 0 {
            all = element(text, None);
        } else {
            let all = all.to_mut();
            all.push(separator);
            all.push_str(&element(text, None));
        }
    }
    all
}

/// `iss#sub`, with a realm `iss;realm=NAME#sub`: injective, because an `iss` of the table holds no `#` and no `;`, and the
/// `#` of a `sub` is encoded.
pub fn principal(principal: &Principal) -> String {
    let (issuer, subject) = principal.pair();
    let (issuer, subject) = (element(issuer.as_str(), None), element(subject, Some('#')));
    match principal.realm() {
        Some(realm) => [&*issuer, ";realm=", realm.as_str(), "#", &*subject].concat(),
        None => [&*issuer, "#", &*subject].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_is_encoded_and_nothing_else() {
        assert_eq!(element("repo:acme/payments:ref:refs/heads/main", None), "repo:acme/payments:ref:refs/heads/main");
        assert_eq!(element("a b\r\n%\u{e4}", None), "a%20b%0D%0A%25%C3%A4");
        assert_eq!(element("a#b", Some('#')), "a%23b");
    }

    #[test]
    fn a_list_is_joined_element_by_element() {
        assert_eq!(joined([].into_iter(), ','), "");
        assert_eq!(joined(["a"].into_iter(), ','), "a");
        assert_eq!(joined(["a", "b c", "d"].into_iter(), ' '), "a b%20c d");
    }

    proptest::proptest! {
        #[test]
        fn two_texts_never_encode_alike(one in ".*", two in ".*") {
            proptest::prop_assert_eq!(one == two, element(&one, None) == element(&two, None));
        }
    }
}
