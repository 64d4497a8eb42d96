//! A compact JWS (RFC 7515 §7.1) that was split and read, and proves nothing.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::claims::{MAX_ID, MAX_SUBJECT, trust_domain};
use crate::json::{Json, Value};
use crate::reason::Reason;

/// A token is at most this long, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;
/// The decoded JOSE header is at most this long, in bytes.
const MAX_HEADER: usize = 2 * 1024;
/// Both parts nest at most this deep.
const MAX_DEPTH: usize = 16;
/// What an unverified token said is cut to this many bytes wherever it is shown.
const MAX_CLAIMED: usize = 256;

/// Members that would change how the token is to be read, or bring keys of their own (RFC 7515 §4.1, RFC 7516,
/// RFC 7797). None of them is needed to verify with keys that we chose.
const FORBIDDEN: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

/// The members of the JOSE header that are read.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// `alg` (RFC 7515 §4.1.1), as it was written.
    pub algorithm: Cow<'a, str>,
    /// `kid` (RFC 7515 §4.1.4)
    pub key_id: Option<Cow<'a, str>>,
    /// `typ` (RFC 7515 §4.1.9)
    pub kind: Option<Cow<'a, str>>,
}

impl Header<'_> {
    /// `kid`
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ`
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

/// By what a token says whose it is: nothing but the key of one entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedIssuer<'t> {
    /// Its `iss`.
    Issuer(&'t str),
    /// It has no `iss`, and its `sub` is a SPIFFE ID of this trust domain (JWT-SVID §3).
    TrustDomain(&'t str),
}

impl<'t> ClaimedIssuer<'t> {
    /// What a payload says; `None` where it says nothing by which an issuer could be found.
    pub fn of(payload: &'t Value<'_>) -> Option<Self> {
        match payload.get("iss") {
            Some(issuer) => issuer.as_str().map(Self::Issuer),
            None => Self::said(None, payload.get("sub")?.as_str()?),
        }
    }

    /// What a token with this `iss` and this `sub` says.
    pub fn said(issuer: Option<&'t str>, subject: &'t str) -> Option<Self> {
        issuer.map(Self::Issuer).or_else(|| trust_domain(subject).map(Self::TrustDomain))
    }
}

/// As it is told: `iss "…"`.
impl fmt::Display for ClaimedIssuer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "iss {issuer:?}"),
            Self::TrustDomain(domain) => write!(f, "trust domain {domain:?}"),
        }
    }
}

/// A token that nobody vouched for yet. It offers the one thing needed to find its issuer.
#[derive(Debug)]
pub struct Unverified<'a> {
    envelope: Envelope<'a>,
    payload: Value<'a>,
}

/// The parts of a token, decoded: where an [`Unverified`] lies.
#[derive(Debug, Default)]
pub struct Parts {
    header: Vec<u8>,
    payload: Vec<u8>,
}

/// All of a token but its payload: what a signature is checked with.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The JOSE header.
    pub header: Header<'a>,
    /// What was signed (RFC 7515 §5.2).
    pub signing_input: &'a [u8],
    /// The signature, decoded.
    pub signature: Vec<u8>,
}

/// What an unverified token merely said, cut short, for log and metadata: never a basis for anything.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Claimed {
    /// `iss`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// `sub`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// `kid`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// `alg`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

impl Claimed {
    /// Cuts each to at most 256 bytes, ending on a character.
    pub fn cut(iss: Option<&str>, sub: Option<&str>, kid: Option<&str>, alg: Option<&str>) -> Self {
        let cut = |text: &str| text.get(..text.floor_char_boundary(MAX_CLAIMED)).unwrap_or_default().to_owned();
        Self { iss: iss.map(cut), sub: sub.map(cut), kid: kid.map(cut), alg: alg.map(cut) }
    }
}

/// Why a text is no token, for whoever holds it: kind and place, never content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFault(String);

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TokenFault> for Reason {
    fn from(_: TokenFault) -> Self {
        Self::Malformed
    }
}

fn fault<T>(text: impl Into<String>) -> Result<T, TokenFault> {
    Err(TokenFault(text.into()))
}

impl<'a> Unverified<'a> {
    /// Reads a compact JWS into `parts`.
    ///
    /// # Errors
    /// A [`TokenFault`], which is [`Reason::Malformed`], for whatever can be read in more than one way or not at all:
    /// other characters than base64url and two dots, padding, non-canonical trailing bits, duplicate members, deep
    /// nesting, sizes over the caps, forbidden header members, `alg`, `typ` or `kid` that are not strings, `iss` that
    /// is not a string.
    pub fn read(token: &'a str, parts: &'a mut Parts) -> Result<Self, TokenFault> {
        if token.len() > MAX_TOKEN {
            return fault(format!("it is longer than {MAX_TOKEN} bytes"));
        }
        Self::split(token, parts).map_err(|fault| stranger(token).unwrap_or(fault))
    }

    fn split(token: &'a str, parts: &'a mut Parts) -> Result<Self, TokenFault> {
        let mut pieces = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (pieces.next(), pieces.next(), pieces.next(), pieces.next())
        else {
            return fault(format!("it has {} parts between dots, not three", token.split('.').count()));
        };
        let signing_input = token.get(..header.len() + 1 + payload.len()).unwrap_or_default().as_bytes();
        parts.header = decode("header", header)?;
        if parts.header.len() > MAX_HEADER {
            return fault(format!("its header is longer than {MAX_HEADER} bytes"));
        }
        parts.payload = decode("payload", payload)?;
        let header = read_header(parse("header", &parts.header)?)?;
        let payload = parse("payload", &parts.payload)?;
        check_payload(&payload)?;
        let signature = decode("signature", signature)?;
        Ok(Self { envelope: Envelope { header, signing_input, signature }, payload })
    }

    /// `iss`, or without it the trust domain of `sub`: only to look up entries of the table by byte equality.
    pub fn claimed_issuer(&self) -> Option<ClaimedIssuer<'_>> {
        ClaimedIssuer::of(&self.payload)
    }

    /// What a signature is checked with, for where a key must tell apart two entries that share one name.
    pub(crate) const fn envelope(&self) -> &Envelope<'a> {
        &self.envelope
    }

    /// What the token says, for where several entries that share one name have to judge it.
    pub(crate) const fn payload(&self) -> &Value<'a> {
        &self.payload
    }

    /// What the token said about itself, for log and metadata.
    pub fn claimed(&self) -> Claimed {
        let text = |name| self.payload.get(name).and_then(Value::as_str);
        let header = &self.envelope.header;
        Claimed::cut(text("iss"), text("sub"), header.key_id(), Some(&header.algorithm))
    }

    /// Takes the payload, which nobody vouches for.
    pub(crate) fn into_payload(self) -> Json {
        self.payload.into_owned()
    }
}

/// What is said first of a token that is none: its first character that can stand in no token. A token that was decoded
/// has none such, so that nobody looks for them there.
fn stranger(token: &str) -> Option<TokenFault> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let at = token.bytes().position(|byte| !alphabet(byte))?;
    Some(TokenFault(format!("character {} is none of base64url and no dot (RFC 7515 §7.1)", at + 1)))
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(text).or_else(|_| fault(format!("its {part} is not canonical base64url without padding")))
}

fn parse<'a>(part: &str, bytes: &'a [u8]) -> Result<Value<'a>, TokenFault> {
    Value::read(bytes, MAX_DEPTH).or_else(|error| fault(format!("its {part} {error}")))
}

fn read_header(header: Value<'_>) -> Result<Header<'_>, TokenFault> {
    let Value::Object(members) = header else { return fault("its header is no JSON object") };
    if let Some(name) = FORBIDDEN.iter().find(|name| members.contains_key(name)) {
        return fault(format!("its header has `{name}`, which is never accepted"));
    }
    let optional = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => fault(format!("`{name}` in its header is {}, not a string", other.kind())),
    };
    let Some(algorithm) = optional("alg")? else { return fault("its header has no `alg`") };
    let header = Header { algorithm, key_id: optional("kid")?, kind: optional("typ")? };
    if header.key_id().is_some_and(|id| id.len() > MAX_ID) {
        return fault(format!("its `kid` is longer than {MAX_ID} bytes"));
    }
    Ok(header)
}

/// The payload is an object, its `iss` is a string if present, and its identifiers are within their caps.
fn check_payload(payload: &Value<'_>) -> Result<(), TokenFault> {
    let Some(members) = payload.as_object() else { return fault("its payload is no JSON object") };
    if let Some(issuer) = members.get("iss").filter(|issuer| issuer.as_str().is_none()) {
        return fault(format!("`iss` is {}, not a string", issuer.kind()));
    }
    for (name, cap) in [("iss", MAX_ID), ("jti", MAX_ID), ("sub", MAX_SUBJECT)] {
        if members.get(name).and_then(Value::as_str).is_some_and(|text| text.len() > cap) {
            return fault(format!("`{name}` is longer than {cap} bytes"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    const HEADER: &str = r#"{"alg":"RS256"}"#;
    const PAYLOAD: &str = r#"{"iss":"i","sub":"s"}"#;

    fn malformed(token: &str) -> bool {
        Unverified::read(token, &mut Parts::default()).is_err_and(|fault| Reason::from(fault) == Reason::Malformed)
    }

    #[test]
    fn a_plain_token_tells_its_issuer() {
        let text = token(r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#, PAYLOAD);
        let mut parts = Parts::default();
        let token = Unverified::read(&text, &mut parts).unwrap();
        assert_eq!(token.claimed_issuer(), Some(ClaimedIssuer::Issuer("i")));
        assert_eq!(token.envelope.header.key_id(), Some("k"));
        assert_eq!(token.envelope.signature, b"sig");
    }

    #[test]
    fn only_a_token_without_iss_is_found_by_the_trust_domain_of_its_subject() {
        let claimed = |payload: &str| {
            let text = token(HEADER, payload);
            Unverified::read(&text, &mut Parts::default()).unwrap().claimed_issuer().map(|claimed| claimed.to_string())
        };
        assert_eq!(claimed(r#"{"sub":"spiffe://td.test/a"}"#).as_deref(), Some("trust domain \"td.test\""));
        assert_eq!(claimed(r#"{"iss":"i","sub":"spiffe://td.test/a"}"#).as_deref(), Some("iss \"i\""));
        assert_eq!(claimed(r#"{"iss":"","sub":"spiffe://td.test/a"}"#).as_deref(), Some("iss \"\""));
        for payload in [r#"{"sub":"s"}"#, r#"{"sub":"SPIFFE://td.test/a"}"#, r#"{"sub":["spiffe://td.test/a"]}"#, "{}"]
        {
            assert_eq!(claimed(payload), None, "{payload}");
        }
    }

    #[test]
    fn forbidden_header_members_are_refused_whatever_they_hold() {
        for name in FORBIDDEN {
            for value in ["null", "[]", "\"x\"", "true"] {
                assert!(
                    malformed(&token(&format!(r#"{{"alg":"RS256","{name}":{value}}}"#), PAYLOAD)),
                    "{name} {value}"
                );
            }
        }
    }

    #[test]
    fn a_repeated_member_is_refused_also_through_escapes() {
        assert!(malformed(&token(r#"{"alg":"RS256","alg":"RS256"}"#, PAYLOAD)));
        assert!(malformed(&token(HEADER, r#"{"iss":"a","iss":"a"}"#)));
        assert!(malformed(&token(HEADER, r#"{"x":{"a":1,"\u0061":2}}"#)));
    }

    #[test]
    fn mistyped_header_members_and_issuers_are_refused() {
        for header in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":1}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","kid":1}"#,
            r#"{"alg":"RS256","typ":null}"#,
            "[]",
            "null",
            "\"x\"",
            r#"{"alg":"RS256"} "#,
        ] {
            let expected = header != r#"{"alg":"RS256"} "#;
            assert_eq!(malformed(&token(header, PAYLOAD)), expected, "{header}");
        }
        for payload in
            [r#"{"iss":1}"#, r#"{"iss":["a","b"]}"#, r#"{"iss":null}"#, "[]", "1", "", "{", r#"{"a":1}x"#, "\u{feff}{}"]
        {
            assert!(malformed(&token(HEADER, payload)), "{payload}");
        }
    }

    #[test]
    fn everything_but_three_canonical_parts_is_refused() {
        let good = token(HEADER, PAYLOAD);
        let (start, _) = good.rsplit_once('.').unwrap();
        for bad in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            start,
            &format!("{good}.x"),
            &format!("{good}="),
            &format!("{good}\n"),
            &format!(" {good}"),
            &format!("{start}.a+b/"),
            &format!("{start}.c2lh\u{e4}"),
            &format!("{start}.c2l"),
            &format!("{start}~{good}"),
            &".".repeat(100_000),
            "{\"payload\":\"\"}",
            &format!("\"{good}\""),
        ] {
            assert!(malformed(bad), "{bad:.60}");
        }
        assert!(
            Unverified::read(&format!("{start}."), &mut Parts::default()).is_ok(),
            "an empty signature is refused by the key, not here"
        );
    }

    #[test]
    fn caps_hold() {
        let long = |name, length: usize| token(HEADER, &format!(r#"{{"{name}":"{}"}}"#, "x".repeat(length)));
        assert!(malformed(&long("iss", 513)) && malformed(&long("jti", 513)) && malformed(&long("sub", 1025)));
        assert!(!malformed(&long("iss", 512)) && !malformed(&long("jti", 512)) && !malformed(&long("sub", 1024)));
        assert!(malformed(&long("other", 20_000)) && !malformed(&long("other", 5_000)));
        assert!(malformed(&token(&format!(r#"{{"alg":"RS256","x":"{}"}}"#, "x".repeat(2048)), PAYLOAD)));
        assert!(malformed(&token(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "x".repeat(513)), PAYLOAD)));
        assert!(malformed(&token(HEADER, &format!(r#"{{"a":{}{}}}"#, "[".repeat(16), "]".repeat(16)))));
        assert!(malformed(&token(HEADER, &"[".repeat(8_000))));
    }

    #[test]
    fn what_was_claimed_is_cut() {
        let text = token(HEADER, &format!(r#"{{"iss":"{}"}}"#, "\u{e4}".repeat(200)));
        let claimed = Unverified::read(&text, &mut Parts::default()).unwrap().claimed();
        assert_eq!(claimed.iss.unwrap(), "\u{e4}".repeat(128));
    }
}
