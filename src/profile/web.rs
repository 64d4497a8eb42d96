//! Forms that issuers of many kinds share: URLs and their parts.

/// Host (with its port, if it has one) and path of an `https:` URL that ends in no `/`; the path is empty or begins
/// with one. `http:` is for loopback hosts, whom the table's own rules judge.
pub(super) fn plain(iss: &str) -> Option<(&str, &str)> {
    let rest = iss.strip_prefix("https://").or_else(|| loopback(iss))?;
    let (host, path) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
    (!host.is_empty() && !path.ends_with('/')).then_some((host, path))
}

/// What follows `http://` where the host is this machine itself.
fn loopback(iss: &str) -> Option<&str> {
    let rest = iss.strip_prefix("http://")?;
    let host = rest.split(['/', ':']).next()?;
    (matches!(host, "127.0.0.1" | "localhost") || rest.starts_with("[::1]")).then_some(rest)
}

/// A host name of one's own, with a port if it has one.
pub(super) fn host(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "write the bare host in lower case, such as `git.acme.test`, without `https://` and `/`";
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let named = name.len() <= 253 && name.contains('.') && name.split('.').all(label);
    let sound = named && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
    if sound { Ok(()) } else { Err(FORM) }
}

/// A name in a URL that its operator gave out: a slug.
pub(super) fn slug(text: &str) -> Result<(), &'static str> {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let sound = !text.is_empty() && text.len() <= 128 && text.bytes().all(byte);
    if sound { Ok(()) } else { Err("write it as it stands in URLs: letters, digits, `-` and `_`") }
}

/// A region of Amazon's.
pub(super) fn region(text: &str) -> Result<(), &'static str> {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = !text.is_empty() && text.len() <= 32 && text.bytes().all(byte);
    if sound { Ok(()) } else { Err("a region is written like `eu-west-1`") }
}

/// Amazon's domain in a region.
pub(super) fn amazon(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_url_has_no_last_slash() {
        assert_eq!(plain("https://a.test:8443/b/c"), Some(("a.test:8443", "/b/c")));
        assert_eq!(plain("https://a.test"), Some(("a.test", "")));
        assert_eq!(plain("http://127.0.0.1:8080/x"), Some(("127.0.0.1:8080", "/x")));
        for bad in
            ["https://a.test/", "http://a.test", "a.test", "https://", "https:///x", "http://127.0.0.1.evil.test"]
        {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_is_bare() {
        for good in ["git.acme.test", "git.acme.test:8443"] {
            assert!(host(good).is_ok(), "{good}");
        }
        for bad in
            ["https://git.acme.test", "git.acme.test/", "Git.acme.test", "git", "a..b", "a.b:0", "a.b:x", "u@a.b"]
        {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
