//! SPIFFE IDs (SPIFFE-ID §2), judged strictly: nothing is lower-cased, decoded or normalised first.

/// The trust domain of a SPIFFE ID, `spiffe://DOMAIN[/SEGMENT…]`; `None` for whatever is none: another case of the
/// scheme or the domain, user information, a port, a query, an escape, an empty segment, `.` or `..`.
pub fn trust_domain(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("spiffe://")?;
    let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
    let path_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(path_byte);
    (is_trust_domain(domain) && path.is_none_or(|path| path.split('/').all(segment))).then_some(domain)
}

/// Whether a text is the name of a trust domain (SPIFFE-ID §2.1).
pub fn is_trust_domain(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    (1..=255).contains(&text.len()) && text.bytes().all(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(trust_domain("spiffe://prod.acme.test/ns/a/sa/b"), Some("prod.acme.test"));
        assert_eq!(trust_domain("spiffe://prod.acme.test"), Some("prod.acme.test"));
        for id in [
            "",
            "spiffe://",
            "spiffe:///x",
            "SPIFFE://prod.acme.test/x",
            "spiffe://Prod.acme.test/x",
            "spiffe:prod.acme.test/x",
            "spiffe://prod.acme.test/",
            "spiffe://prod.acme.test//x",
            "spiffe://prod.acme.test/./x",
            "spiffe://prod.acme.test/x/..",
            "spiffe://prod.acme.test/%78",
            "spiffe://prod.acme.test/x?y",
            "spiffe://prod.acme.test/x#y",
            "spiffe://prod.acme.test:443/x",
            "spiffe://user@prod.acme.test/x",
            "https://prod.acme.test/x",
        ] {
            assert_eq!(trust_domain(id), None, "{id}");
        }
    }
}
