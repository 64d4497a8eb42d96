//! Finds the one credential (RFC 6750 §2.1). Query, body and cookies are never read unasked.

use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::CredentialPlace;

/// The token, as text that was not looked into yet.
///
/// # Errors
/// [`Reason::NoToken`] where none is or the scheme is another; [`Reason::MultipleTokens`] where there could be two
/// (Envoy folds repeated headers into one value with a comma); [`Reason::Malformed`] for an empty `Bearer`.
pub fn locate<'r>(request: &AuthzRequest<'r>, place: &CredentialPlace) -> Result<&'r str, Reason> {
    if request.headers.both_maps() {
        return Err(Reason::MultipleTokens);
    }
    match place {
        CredentialPlace::Authorization => bearer(single(request, "authorization")?),
        CredentialPlace::Header(name) => whole(single(request, name)?),
        CredentialPlace::Cookie(name) => cookie(request, name),
    }
}

/// The only value of a header; two entries are two credentials even if one is empty.
fn single<'r>(request: &AuthzRequest<'r>, name: &str) -> Result<&'r [u8], Reason> {
    let mut values = request.headers.all(name);
    let value = values.next().ok_or(Reason::NoToken)?;
    if values.next().is_some() || value.contains(&b',') { Err(Reason::MultipleTokens) } else { Ok(value) }
}

/// `Bearer`, one space, one token.
fn bearer(value: &[u8]) -> Result<&str, Reason> {
    let token = without_scheme(value).ok_or(Reason::NoToken)?;
    std::str::from_utf8(token).ok().filter(|token| !token.is_empty()).ok_or(Reason::Malformed)
}

/// The whole value is the token, with or without `Bearer `.
fn whole(value: &[u8]) -> Result<&str, Reason> {
    if value.is_empty() {
        return Err(Reason::NoToken);
    }
    let token = without_scheme(value).unwrap_or(value);
    std::str::from_utf8(token).ok().filter(|token| !token.is_empty()).ok_or(Reason::Malformed)
}

/// What follows `Bearer ` (any case); empty for a bare `Bearer`; `None` for another scheme.
fn without_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// The value of the one cookie with this name (RFC 6265 §4.2.1); HTTP/2 may split the header.
fn cookie<'r>(request: &AuthzRequest<'r>, name: &str) -> Result<&'r str, Reason> {
    let mut found = None;
    for header in request.headers.all("cookie") {
        for pair in header.split(|byte| *byte == b';') {
            // The name as lenient servers read it: whatever blanks stand around it.
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let given = halves.next().unwrap_or_default().trim_ascii();
            let Some(value) = halves.next().filter(|_| given == name.as_bytes()) else { continue };
            let value = value.trim_ascii();
            if found.replace(value).is_some() {
                return Err(Reason::MultipleTokens);
            }
        }
    }
    let value = found.ok_or(Reason::NoToken)?;
    std::str::from_utf8(value).ok().filter(|token| !token.is_empty()).ok_or(Reason::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    fn find<'a>(headers: &[(&'a str, &'a str)], place: &CredentialPlace) -> Result<&'a str, Reason> {
        let entries = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        locate(&AuthzRequest { headers: Headers::new(entries, false), ..AuthzRequest::default() }, place)
    }

    #[test]
    fn bearer_in_any_case_one_space_one_token() {
        let authorization = |value| find(&[("authorization", value)], &CredentialPlace::Authorization);
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c"] {
            assert_eq!(authorization(value), Ok("a.b.c"), "{value}");
        }
        for value in ["Basic a", "DPoP a.b.c", "a.b.c", "", "Bearera.b.c", "Bearer\ta", " Bearer a"] {
            assert_eq!(authorization(value), Err(Reason::NoToken), "{value:?}");
        }
        for value in ["Bearer", "Bearer "] {
            assert_eq!(authorization(value), Err(Reason::Malformed), "{value:?}");
        }
        assert_eq!(authorization("Bearer  a"), Ok(" a"), "the blank is left for the token's own alphabet to refuse");
    }

    #[test]
    fn two_folded_tokens_are_refused_and_so_are_two_entries_even_an_empty_one() {
        let authorization = CredentialPlace::Authorization;
        assert_eq!(find(&[("authorization", "Bearer A,Bearer B")], &authorization), Err(Reason::MultipleTokens));
        assert_eq!(find(&[("authorization", "Bearer A,")], &authorization), Err(Reason::MultipleTokens));
        assert_eq!(
            find(&[("authorization", "Bearer A"), ("Authorization", "")], &authorization),
            Err(Reason::MultipleTokens)
        );
        let both = AuthzRequest {
            headers: Headers::new(vec![("authorization", b"Bearer A")], true),
            ..AuthzRequest::default()
        };
        assert_eq!(locate(&both, &authorization), Err(Reason::MultipleTokens));
    }

    #[test]
    fn a_token_elsewhere_is_not_looked_for() {
        let headers = [("x-token", "Bearer A"), ("cookie", "token=A"), ("proxy-authorization", "Bearer A")];
        assert_eq!(find(&headers, &CredentialPlace::Authorization), Err(Reason::NoToken));
    }

    #[test]
    fn a_named_header_holds_the_whole_token_and_authorization_is_not_read() {
        let place = CredentialPlace::Header("x-token".into());
        assert_eq!(find(&[("X-Token", "a.b.c"), ("authorization", "Bearer B")], &place), Ok("a.b.c"));
        assert_eq!(find(&[("x-token", "Bearer a.b.c")], &place), Ok("a.b.c"));
        assert_eq!(find(&[("authorization", "Bearer B")], &place), Err(Reason::NoToken));
        assert_eq!(find(&[("x-token", "a,b")], &place), Err(Reason::MultipleTokens));
    }

    #[test]
    fn a_cookie_is_found_once_or_not_at_all() {
        let place = CredentialPlace::Cookie("session".into());
        assert_eq!(find(&[("cookie", "a=1; session=a.b.c"), ("cookie", "b=2")], &place), Ok("a.b.c"));
        assert_eq!(find(&[("cookie", "xsession=a; session2=b")], &place), Err(Reason::NoToken));
        assert_eq!(find(&[("cookie", "session=a; session=b")], &place), Err(Reason::MultipleTokens));
        assert_eq!(find(&[("cookie", "session=a; session =b")], &place), Err(Reason::MultipleTokens));
        assert_eq!(find(&[("cookie", "session=a"), ("cookie", "session=")], &place), Err(Reason::MultipleTokens));
    }
}
