//! The registered claims (RFC 7519 §4.1, RFC 8693 §4.1), each with the one type it may have.

use std::fmt;

use super::spiffe::trust_domain;
use crate::json::{Json, is_exact};
use crate::name::is_forbidden_character;
use crate::reason::Reason;

/// `iss`, `jti` and `kid` are at most this long, in bytes.
pub const MAX_ID: usize = 512;
/// `sub` is at most this long, in bytes.
pub const MAX_SUBJECT: usize = 1024;

/// A token's payload whose registered claims have the right shapes. What they say is for the rooms of this crate:
/// outside, a subject comes only with its issuer.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `sub`, never empty.
    pub(crate) subject: String,
    /// `aud` as a list; empty when absent.
    pub(crate) audience: Vec<String>,
    /// `exp`, in seconds since the epoch.
    pub(crate) expires: f64,
    /// `nbf`
    pub(crate) not_before: Option<f64>,
    /// `iat`
    pub(crate) issued_at: Option<f64>,
    /// `jti`
    pub(crate) token_id: Option<String>,
    /// `act` (RFC 8693 §4.1): who acts, outermost first.
    pub(crate) actor: Option<Actor>,
    /// Whether the token is bound to a key (`cnf`, RFC 7800).
    pub(crate) bound: bool,
    /// Everything, for conditions of the table.
    pub(crate) payload: Json,
}

/// An acting party, as the token's issuer asserts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `act.iss`
    pub issuer: Option<String>,
    /// `act.sub`
    pub subject: String,
    /// Who acted before; history, never authority (RFC 8693 §4.1).
    pub before: Option<Box<Actor>>,
}

/// A registered claim that cannot be read, for whoever holds the token: its name and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadClaim {
    /// The name of the claim.
    pub claim: &'static str,
    /// What it must be.
    pub wanted: &'static str,
    /// [`Reason::SubjectMissing`] or [`Reason::ClaimsMalformed`].
    pub reason: Reason,
}

impl fmt::Display for BadClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.claim, self.wanted)
    }
}

const fn bad<T>(claim: &'static str, wanted: &'static str) -> Result<T, BadClaim> {
    Err(BadClaim { claim, wanted, reason: Reason::ClaimsMalformed })
}

impl Claims {
    /// Reads the registered claims of a payload.
    ///
    /// # Errors
    /// [`Reason::SubjectMissing`] for an absent or empty `sub`; [`Reason::ClaimsMalformed`] for any registered claim
    /// of a wrong type (`null` too), for no `exp`, and for characters that no identifier may hold.
    pub fn read(payload: Json) -> Result<Self, BadClaim> {
        let subject = match text("sub", payload.get("sub"))? {
            Some(subject) if !subject.is_empty() => subject,
            _ => return Err(BadClaim { claim: "sub", wanted: "there and not empty", reason: Reason::SubjectMissing }),
        };
        if !spiffe_id_if_claimed(&subject) {
            return bad("sub", "a SPIFFE ID, because it begins like one");
        }
        if let Some(issuer) = payload.get("iss") {
            text("iss", Some(issuer))?;
        }
        let bound = match payload.get("cnf") {
            None => false,
            Some(Json::Object(_)) => true,
            Some(_) => return bad("cnf", "an object"),
        };
        let Some(expires) = date("exp", payload.get("exp"))? else { return bad("exp", "there") };
        Ok(Self {
            subject,
            audience: audience(payload.get("aud"))?,
            expires,
            not_before: date("nbf", payload.get("nbf"))?,
            issued_at: date("iat", payload.get("iat"))?,
            token_id: text("jti", payload.get("jti"))?,
            actor: payload.get("act").map(actor).transpose()?,
            bound,
            payload,
        })
    }
}

fn clean(claim: &'static str, text: &str) -> Result<String, BadClaim> {
    if text.chars().any(is_forbidden_character) {
        return bad(claim, "without control, bidirectional and line-separator characters");
    }
    Ok(text.to_owned())
}

fn text(claim: &'static str, value: Option<&Json>) -> Result<Option<String>, BadClaim> {
    match value {
        None => Ok(None),
        Some(Json::String(text)) => clean(claim, text).map(Some),
        Some(_) => bad(claim, "a string"),
    }
}

/// NumericDate (RFC 7519 §2): may be fractional, 0 ≤ x < 2^53.
fn date(claim: &'static str, value: Option<&Json>) -> Result<Option<f64>, BadClaim> {
    match value {
        None => Ok(None),
        Some(Json::Number(number)) if *number >= 0.0 && is_exact(*number) => Ok(Some(*number)),
        Some(_) => bad(claim, "a number of seconds since 1970"),
    }
}

fn audience(value: Option<&Json>) -> Result<Vec<String>, BadClaim> {
    let one = |element: &Json| match element {
        Json::String(text) => clean("aud", text),
        _ => bad("aud", "a string or an array of strings"),
    };
    match value {
        None => Ok(Vec::new()),
        Some(Json::Array(elements)) => elements.iter().map(one).collect(),
        Some(element) => one(element).map(|audience| vec![audience]),
    }
}

/// Depth is bounded by the parser's own limit.
fn actor(value: &Json) -> Result<Actor, BadClaim> {
    let Some(subject) = text("act", value.get("sub"))?.filter(|subject| !subject.is_empty()) else {
        return bad("act", "an object with a string `sub`");
    };
    let before = value.get("act").map(actor).transpose()?.map(Box::new);
    Ok(Actor { issuer: text("act", value.get("iss"))?, subject, before })
}

/// A `sub` that begins `spiffe:` in any case claims to be a SPIFFE ID, so it must be one (SPIFFE-ID §2).
fn spiffe_id_if_claimed(subject: &str) -> bool {
    if !subject.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:")) {
        return true;
    }
    trust_domain(subject).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Claims, Reason> {
        Claims::read(Json::parse(text.as_bytes(), 16).unwrap()).map_err(|bad| bad.reason)
    }

    #[test]
    fn the_least_that_a_token_must_say() {
        let claims = read(r#"{"sub":"s","exp":1.5}"#).unwrap();
        assert_eq!((claims.subject.as_str(), claims.expires, claims.audience.len()), ("s", 1.5, 0));
    }

    #[test]
    fn a_missing_or_empty_subject_is_told_apart_from_a_mistyped_one() {
        assert_eq!(read(r#"{"exp":1}"#).unwrap_err(), Reason::SubjectMissing);
        assert_eq!(read(r#"{"sub":"","exp":1}"#).unwrap_err(), Reason::SubjectMissing);
        for sub in ["1", "null", r#"["s"]"#, "{}"] {
            assert_eq!(read(&format!(r#"{{"sub":{sub},"exp":1}}"#)).unwrap_err(), Reason::ClaimsMalformed, "{sub}");
        }
    }

    #[test]
    fn mistyped_registered_claims_are_refused_null_too() {
        for member in [
            r#""exp":"1""#,
            r#""exp":null"#,
            r#""exp":-1"#,
            r#""exp":9007199254740992"#,
            r#""exp":1e300"#,
            r#""exp":true"#,
            r#""exp":[1]"#,
            r#""exp":1,"nbf":"1""#,
            r#""exp":1,"iat":null"#,
            r#""exp":1,"aud":1"#,
            r#""exp":1,"aud":null"#,
            r#""exp":1,"aud":{}"#,
            r#""exp":1,"aud":["a",1]"#,
            r#""exp":1,"aud":[["a"]]"#,
            r#""exp":1,"jti":1"#,
            r#""exp":1,"jti":null"#,
            r#""exp":1,"cnf":"x""#,
            r#""exp":1,"act":"a""#,
            r#""exp":1,"act":{}"#,
            r#""exp":1,"act":{"sub":1}"#,
            r#""exp":1,"act":{"sub":"a","act":{"iss":"i"}}"#,
        ] {
            assert_eq!(read(&format!(r#"{{"sub":"s",{member}}}"#)).unwrap_err(), Reason::ClaimsMalformed, "{member}");
        }
        assert_eq!(read(r#"{"sub":"s"}"#).unwrap_err(), Reason::ClaimsMalformed);
    }

    #[test]
    fn control_and_bidi_characters_are_refused_and_spaces_are_not() {
        for sub in [r"a\r\nb", r"a\u0000", r"a\u202eb", r"a\u2028", r"a\u0085", r"\u2066x"] {
            assert_eq!(read(&format!(r#"{{"sub":"{sub}","exp":1}}"#)).unwrap_err(), Reason::ClaimsMalformed, "{sub}");
        }
        assert_eq!(read(r#"{"sub":"a b, c","exp":1}"#).unwrap().subject, "a b, c");
    }

    #[test]
    fn a_subject_that_claims_to_be_a_spiffe_id_must_be_one() {
        let longest = format!("spiffe://{}/x", "d".repeat(256));
        for bad in [
            "spiffe:",
            "spiffe:x",
            "SPIFFE://td/x",
            "Spiffe://td",
            "spiffe://",
            "spiffe:///x",
            "spiffe://TD/x",
            "spiffe://td/",
            "spiffe://td//x",
            "spiffe://td/../x",
            "spiffe://td/.",
            "spiffe://td:80/x",
            "spiffe://u@td/x",
            "spiffe://td/x?q",
            "spiffe://td/x#f",
            "spiffe://td/%41",
            "spiffe://td/a b",
            &longest,
        ] {
            assert_eq!(read(&format!(r#"{{"sub":"{bad}","exp":1}}"#)).unwrap_err(), Reason::ClaimsMalformed, "{bad}");
        }
        for good in ["spiffe://td", "spiffe://td.example/ns/a/sa/B_1", "spiffy", "x spiffe://TD"] {
            assert!(read(&format!(r#"{{"sub":"{good}","exp":1}}"#)).is_ok(), "{good}");
        }
    }
}
