//! The OpenID Connect Discovery document (§4.2, §4.3), of which two members count.

use super::error::{FetchError, quoted};
use super::url::KeyUrl;
use crate::json::Json;
use crate::keys::FetchResult;
use crate::name::Issuer;

/// The deepest nesting; real documents need three levels.
const MAX_DEPTH: usize = 16;

/// Where the document at `url` says `issuer`'s keys are, if it is that issuer's and may send us there.
pub(super) fn jwks_uri(body: &[u8], url: &KeyUrl, issuer: &Issuer, hosts: &[String]) -> Result<KeyUrl, FetchError> {
    let document = Json::parse(body, MAX_DEPTH)
        .map_err(|error| FetchError::new(FetchResult::NotJson, url, not_json(body, &error)))?;
    let malformed = |what: &str| FetchError::new(FetchResult::Malformed, url, format!("no discovery document: {what}"));
    let found = document.get("issuer").and_then(Json::as_str).ok_or_else(|| malformed("it has no text issuer"))?;
    if found != issuer.as_str() {
        return Err(mismatch(url, issuer, found));
    }
    let uri = document.get("jwks_uri").and_then(Json::as_str).ok_or_else(|| malformed("it has no text jwks_uri"))?;
    let target =
        KeyUrl::parse(uri).map_err(|error| FetchError::new(error.result(), url, format!("jwks_uri {error}")))?;
    if !url.may_lead_to(&target, hosts) {
        let what = format!(
            "its jwks_uri {} is on another host than the document; if that is right, write jwksHosts: [{}]",
            quoted(uri),
            quoted(&target.place()),
        );
        return Err(FetchError::new(FetchResult::JwksHost, url, what));
    }
    Ok(target)
}

fn mismatch(url: &KeyUrl, issuer: &Issuer, found: &str) -> FetchError {
    let slash = found.trim_end_matches('/') == issuer.as_str().trim_end_matches('/');
    let hint = if slash { " (they differ in slashes at the end)" } else { "" };
    let what = format!(
        "the document is of issuer {found}, but the table says {}{hint}; if it is the one you mean, write issuer: {found}",
        quoted(issuer.as_str()),
        found = quoted(found),
    );
    FetchError::new(FetchResult::IssuerMismatch, url, what)
}

/// What is wrong with a body that is not JSON; a page for people is the usual case.
pub(super) fn not_json(body: &[u8], error: &impl std::fmt::Display) -> String {
    match is_page(body) {
        true => "answered with a page (HTML or XML), not JSON".to_owned(),
        false => format!("not JSON that can be read in one way: {error}"),
    }
}

/// Whether a body looks like HTML or XML.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str, hosts: &[&str]) -> Result<KeyUrl, FetchError> {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let url = KeyUrl::parse("https://idp.test/.well-known/openid-configuration").unwrap();
        jwks_uri(document.as_bytes(), &url, &Issuer::new("https://idp.test"), &hosts)
    }

    #[track_caller]
    fn refused(document: &str, result: FetchResult) -> String {
        let error = read(document, &[]).expect_err(document);
        assert_eq!(error.result(), result, "{error}");
        error.to_string()
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        for issuer in [
            "https://idp.test/",
            "https://IDP.test",
            "http://idp.test",
            "https://idp.test:443",
            "",
            "https://evil.test",
        ] {
            let document = format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://idp.test/k"}}"#);
            let told = refused(&document, FetchResult::IssuerMismatch);
            assert!(told.contains(&format!("write issuer: \"{issuer}\"")), "{told}");
            assert!(told.contains("the table says \"https://idp.test\""), "{told}");
        }
        let told =
            refused(r#"{"issuer":"https://idp.test/","jwks_uri":"https://idp.test/k"}"#, FetchResult::IssuerMismatch);
        assert!(told.contains("differ in slashes"), "{told}");
    }

    #[test]
    fn a_document_that_can_be_read_in_two_ways_is_refused() {
        refused(
            r#"{"issuer":"https://evil.test","issuer":"https://idp.test","jwks_uri":"https://idp.test/k"}"#,
            FetchResult::NotJson,
        );
        refused(r#"{"issuer":["https://idp.test"],"jwks_uri":"https://idp.test/k"}"#, FetchResult::Malformed);
        refused(r#"{"issuer":"https://idp.test","jwks_uri":7}"#, FetchResult::Malformed);
        refused(r#"{"issuer":"https://idp.test"}"#, FetchResult::Malformed);
        refused("null", FetchResult::Malformed);
        let told = refused("\n<!doctype html>", FetchResult::NotJson);
        assert!(told.contains("HTML"), "{told}");
    }

    #[test]
    fn a_key_set_on_an_unlisted_host_is_refused_and_the_remedy_named() {
        let document = r#"{"issuer":"https://idp.test","jwks_uri":"https://keys.test:8443/k"}"#;
        let told = refused(document, FetchResult::JwksHost);
        assert!(told.contains(r#"jwksHosts: ["keys.test:8443"]"#), "{told}");
        assert!(read(document, &["keys.test:8443"]).is_ok());
    }

    #[test]
    fn a_key_set_at_a_refused_place_is_refused_even_when_listed() {
        for (uri, result) in [
            ("https://169.254.169.254/k", FetchResult::RefusedAddress),
            ("http://idp.test/k", FetchResult::Url),
            ("file:///etc/keys.json", FetchResult::Url),
            ("/keys", FetchResult::Url),
        ] {
            let document = format!(r#"{{"issuer":"https://idp.test","jwks_uri":"{uri}"}}"#);
            assert_eq!(read(&document, &["169.254.169.254"]).unwrap_err().result(), result, "{uri}");
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_escaped_and_cut() {
        let long = "x".repeat(10_000);
        let document = format!(r#"{{"issuer":"a\u001b[31m\n{long}","jwks_uri":"https://idp.test/k"}}"#);
        let told = refused(&document, FetchResult::IssuerMismatch);
        assert!(told.len() < 1000 && !told.contains(['\u{1b}', '\n']), "{told}");
    }
}
