//! URLs of issuers and key sets, judged as text: nothing is normalised, so nothing can change its meaning.

use crate::resource::Authority;

/// Why a URL cannot stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlFault {
    /// Not `https://HOST…` at all.
    Form,
    /// A blank, or a byte outside 0x21-0x7E.
    Byte,
    /// User information before an `@`.
    UserInfo,
    /// A host or port that no server has.
    Authority,
    /// A fragment.
    Fragment,
    /// `http:` to another host than this machine.
    Plain,
}

impl UrlFault {
    /// What is wrong, to be read after the URL.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "not a URL that begins with `https://`",
            Self::Byte => "it holds a blank, or a character that must be escaped",
            Self::UserInfo => "it holds user information before `@`",
            Self::Authority => "its host or port cannot be",
            Self::Fragment => "it holds a fragment (`#`)",
            Self::Plain => "whoever sits on the line could replace the keys",
        }
    }
}

/// Judges a URL. `http:` is for loopback hosts only.
pub(super) fn judge(url: &str) -> Result<(), UrlFault> {
    let plain = url.starts_with("http://");
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(UrlFault::Form)?;
    if !url.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Err(UrlFault::Byte);
    }
    if url.contains('#') {
        return Err(UrlFault::Fragment);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlFault::UserInfo);
    }
    let authority = Authority::read(authority).ok_or(UrlFault::Authority)?;
    if plain && !is_loopback(&authority) { Err(UrlFault::Plain) } else { Ok(()) }
}

fn is_loopback(authority: &Authority<'_>) -> bool {
    authority.host == "localhost" || authority.address().is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_may_be_reached_without_tls() {
        for good in
            ["https://a.test/x?y", "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:80/", "https://a"]
        {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("http://a.test", UrlFault::Plain),
            ("http://localhost.evil.test", UrlFault::Plain),
            ("http://10.0.0.1", UrlFault::Plain),
            ("http://169.254.169.254/keys", UrlFault::Plain),
            ("http://[::2]/", UrlFault::Plain),
            ("http://127.0.0.1.evil.test", UrlFault::Plain),
            ("http://localhost@evil.test", UrlFault::UserInfo),
            ("https://user:pw@a.test", UrlFault::UserInfo),
            ("https://a.test/#x", UrlFault::Fragment),
            ("https://a b.test/", UrlFault::Byte),
            ("https://", UrlFault::Authority),
            ("https://a:0/", UrlFault::Authority),
            ("HTTPS://a.test", UrlFault::Form),
            ("file:///etc/passwd", UrlFault::Form),
            ("a.test", UrlFault::Form),
        ] {
            assert_eq!(judge(bad), Err(fault), "{bad}");
        }
    }
}
