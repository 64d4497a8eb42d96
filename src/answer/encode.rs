//! Values that can stand in a header and be told apart again.

use std::fmt::Write as _;

use crate::trust::Principal;

/// Percent-encodes every byte outside 0x21-0x7E, and `%` itself; `also` as well.
pub(super) fn element(text: &str, also: Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = (0x21..=0x7e).contains(&byte) && byte != b'%' && Some(char::from(byte)) != also;
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `iss#sub`, with a realm `iss;realm=NAME#sub`: injective, because an `iss` of the table holds no `#` and no `;`, and the
/// `#` of a `sub` is encoded.
pub fn principal(principal: &Principal) -> String {
    let (issuer, subject) = principal.pair();
    let realm = principal.realm().map(|realm| format!(";realm={realm}")).unwrap_or_default();
    format!("{}{realm}#{}", element(issuer.as_str(), None), element(subject, Some('#')))
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

    proptest::proptest! {
        #[test]
        fn two_texts_never_encode_alike(one in ".*", two in ".*") {
            proptest::prop_assert_eq!(one == two, element(&one, None) == element(&two, None));
        }
    }
}
