//! The registered claims (RFC 7519 §4.1, RFC 8693 §4.1), each with the one type it may have.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::asked::{Asked, Kept, Said, Span, heap};
use super::spiffe::trust_domain;
use super::{ClaimKey, ClaimRule};
use crate::json::{Json, Value, is_exact};
use crate::name::is_forbidden_character;
use crate::reason::Reason;

/// `iss`, `jti` and `kid` are at most this long, in bytes.
pub const MAX_ID: usize = 512;
/// `sub` is at most this long, in bytes.
pub const MAX_SUBJECT: usize = 1024;

/// What is kept of a token's payload: the registered claims, which have the right shapes, and those that the table asks
/// for. It is written small, because a million of them may be remembered. What the claims say is for the rooms of this
/// crate: outside, a subject comes only with its issuer.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `sub`, then each `aud`, with a line feed between, which none of them can hold; then the strings that are asked for.
    text: Box<str>,
    subject: u16,
    audiences: u16,
    /// Whether the token is bound to a key (`cnf`, RFC 7800).
    pub(crate) bound: bool,
    /// `exp`, in seconds since the epoch.
    pub(crate) expires: f64,
    not_before: f64,
    issued_at: f64,
    /// SHA-256 of `jti`; the empty one names no token.
    token_id: Option<[u8; 32]>,
    asked: Asked,
    texts: Box<[Span]>,
    rare: Option<Box<Rare>>,
}

/// What few tokens have.
#[derive(Debug, Clone)]
struct Rare {
    actor: Option<Actor>,
    /// Claims that are asked for and are no strings.
    values: Box<[(u32, Json)]>,
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
    /// Reads the registered claims of a payload, and keeps what is asked for of the others.
    ///
    /// # Errors
    /// [`Reason::SubjectMissing`] for an absent or empty `sub`; [`Reason::ClaimsMalformed`] for any registered claim
    /// of a wrong type (`null` too), for no `exp`, and for characters that no identifier may hold.
    pub fn read(payload: &Value<'_>, asked: &Asked) -> Result<Self, BadClaim> {
        let subject = match text("sub", payload.get("sub"))? {
            Some(subject) if !subject.is_empty() => subject,
            _ => return Err(BadClaim { claim: "sub", wanted: "there and not empty", reason: Reason::SubjectMissing }),
        };
        if !spiffe_id_if_claimed(subject) {
            return bad("sub", "a SPIFFE ID, because it begins like one");
        }
        if let Some(issuer) = payload.get("iss") {
            text("iss", Some(issuer))?;
        }
        let bound = match payload.get("cnf") {
            None => false,
            Some(Value::Object(_)) => true,
            Some(_) => return bad("cnf", "an object"),
        };
        let Some(expires) = date("exp", payload.get("exp"))? else { return bad("exp", "there") };
        let mut all = subject.to_owned();
        let audiences = audiences(payload.get("aud"), &mut all)?;
        let not_before = date("nbf", payload.get("nbf"))?;
        let issued_at = date("iat", payload.get("iat"))?;
        let token_id = text("jti", payload.get("jti"))?.filter(|id| !id.is_empty()).map(token_id);
        let actor = payload.get("act").map(actor).transpose()?;
        all.push(BETWEEN);
        let Kept { asked, texts, values } = asked.of(payload, &mut all);
        let rare = (actor.is_some() || !values.is_empty()).then(|| Box::new(Rare { actor, values: values.into() }));
        Ok(Self {
            text: all.into_boxed_str(),
            // Never cut: no token that is read has a longer one.
            subject: u16::try_from(subject.len()).unwrap_or_default(),
            audiences,
            bound,
            expires,
            not_before: not_before.unwrap_or(f64::NAN),
            issued_at: issued_at.unwrap_or(f64::NAN),
            token_id,
            asked,
            texts: texts.into(),
            rare,
        })
    }

    /// `sub`, never empty.
    pub(crate) fn subject(&self) -> &str {
        self.text.get(..usize::from(self.subject)).unwrap_or_default()
    }

    /// `aud` as a list; empty when absent.
    pub(crate) fn audience(&self) -> impl Iterator<Item = &str> {
        let all = self.text.get(usize::from(self.subject) + 1..).unwrap_or_default();
        all.split(BETWEEN).take(usize::from(self.audiences))
    }

    /// `nbf`
    pub(crate) fn not_before(&self) -> Option<f64> {
        Some(self.not_before).filter(|date| !date.is_nan())
    }

    /// `iat`
    pub(crate) fn issued_at(&self) -> Option<f64> {
        Some(self.issued_at).filter(|date| !date.is_nan())
    }

    /// SHA-256 of `jti`, as it is shown and remembered.
    pub(crate) fn token_id(&self) -> Option<&[u8; 32]> {
        self.token_id.as_ref()
    }

    /// `act` (RFC 8693 §4.1): who acts, outermost first.
    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.rare.as_deref()?.actor.as_ref()
    }

    /// The claims that were kept besides the registered ones.
    pub(crate) const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Whether a condition holds. One on a claim that was not kept does not, whatever it says.
    pub fn hold(&self, rule: &ClaimRule) -> bool {
        let Some(claim) = self.asked.position(&rule.key) else { return false };
        match self.kept(claim) {
            None => rule.matcher.holds(None),
            Some(Said::Text(text)) => rule.matcher.holds(Some(&Value::String(Cow::Borrowed(text)))),
            Some(Said::Other(value)) => rule.matcher.holds(Some(value)),
        }
    }

    /// The value of a claim that the table asks for, if the token has it.
    pub(crate) fn find(&self, key: &ClaimKey) -> Option<Said<'_>> {
        self.kept(self.asked.position(key)?)
    }

    fn kept(&self, claim: u32) -> Option<Said<'_>> {
        if let Some(span) = self.texts.iter().find(|span| span.claim == claim) {
            // Always within; were it not, no claim that is there may count as absent.
            return Some(Said::Text(span.within(&self.text).unwrap_or_default()));
        }
        let (_, value) = self.rare.as_deref()?.values.iter().find(|(at, _)| *at == claim)?;
        Some(value.as_str().map_or(Said::Other(value), Said::Text))
    }

    /// Bytes that it takes on the heap, about.
    pub(crate) fn weight(&self) -> usize {
        self.text.len() + size_of_val(&*self.texts) + self.rare.as_deref().map_or(0, Rare::weight)
    }
}

impl Rare {
    fn weight(&self) -> usize {
        let values: usize = self.values.iter().map(|(_, value)| size_of::<(u32, Json)>() + heap(value)).sum();
        size_of::<Self>() + self.actor.as_ref().map_or(0, Actor::weight) + values
    }
}

impl Actor {
    fn weight(&self) -> usize {
        let own = size_of::<Self>() + self.subject.len() + self.issuer.as_ref().map_or(0, String::len);
        own + self.before.as_deref().map_or(0, Self::weight)
    }
}

/// Stands between the texts of [`Claims`]; [`clean`] lets it through in none of them.
const BETWEEN: char = '\n';

/// SHA-256 of a `jti`: all that is ever kept of one.
pub fn token_id(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

fn clean<'t>(claim: &'static str, text: &'t str) -> Result<&'t str, BadClaim> {
    // Most texts are ASCII, where a control character is all that can be wrong.
    let forbidden = match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(is_forbidden_character),
    };
    if forbidden {
        return bad(claim, "without control, bidirectional and line-separator characters");
    }
    Ok(text)
}

fn text<'t>(claim: &'static str, value: Option<&'t Value<'_>>) -> Result<Option<&'t str>, BadClaim> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => clean(claim, text).map(Some),
        Some(_) => bad(claim, "a string"),
    }
}

/// NumericDate (RFC 7519 §2): may be fractional, 0 ≤ x < 2^53.
fn date(claim: &'static str, value: Option<&Value<'_>>) -> Result<Option<f64>, BadClaim> {
    match value {
        None => Ok(None),
        Some(Value::Number(number)) if *number >= 0.0 && is_exact(*number) => Ok(Some(*number)),
        Some(_) => bad(claim, "a number of seconds since 1970"),
    }
}

/// Adds each audience to `all`; how many there are.
fn audiences(value: Option<&Value<'_>>, all: &mut String) -> Result<u16, BadClaim> {
    let elements = match value {
        None => &[],
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(element) => std::slice::from_ref(element),
    };
    for element in elements {
        let Value::String(audience) = element else { return bad("aud", "a string or an array of strings") };
        all.push(BETWEEN);
        all.push_str(clean("aud", audience)?);
    }
    u16::try_from(elements.len()).or(bad("aud", "at most 65535 strings"))
}

/// Depth is bounded by the parser's own limit.
fn actor(value: &Value<'_>) -> Result<Actor, BadClaim> {
    let Some(subject) = text("act", value.get("sub"))?.filter(|subject| !subject.is_empty()) else {
        return bad("act", "an object with a string `sub`");
    };
    if subject.len() > MAX_SUBJECT || !spiffe_id_if_claimed(subject) {
        return bad("act", "an object whose `sub` could be that of a token");
    }
    let issuer = text("act", value.get("iss"))?.map(str::to_owned);
    if issuer.as_ref().is_some_and(|issuer| issuer.is_empty() || issuer.len() > MAX_ID) {
        return bad("act", "an object whose `iss`, if it has one, could be that of a token");
    }
    let before = value.get("act").map(actor).transpose()?.map(Box::new);
    Ok(Actor { issuer, subject: subject.to_owned(), before })
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
        Claims::read(&Json::parse(text.as_bytes(), 16).unwrap(), &Asked::default()).map_err(|bad| bad.reason)
    }

    #[test]
    fn the_least_that_a_token_must_say() {
        let claims = read(r#"{"sub":"s","exp":1.5}"#).unwrap();
        assert_eq!((claims.subject(), claims.expires, claims.audience().count()), ("s", 1.5, 0));
    }

    #[test]
    fn every_audience_is_kept_and_an_empty_one_is_one() {
        for (aud, expected) in
            [(r#""a""#, vec!["a"]), (r#"["a","","b c"]"#, vec!["a", "", "b c"]), (r#""""#, vec![""]), ("[]", vec![])]
        {
            let claims = read(&format!(r#"{{"sub":"s","exp":1,"aud":{aud}}}"#)).unwrap();
            assert_eq!((claims.subject(), claims.audience().collect()), ("s", expected), "{aud}");
        }
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
            r#""exp":1,"act":{"sub":"a","iss":1}"#,
            r#""exp":1,"act":{"sub":"a","iss":""}"#,
            r#""exp":1,"act":{"sub":"SPIFFE://td/a"}"#,
            r#""exp":1,"act":["a"]"#,
            r#""exp":1,"act":null"#,
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
        assert_eq!(read(r#"{"sub":"a b, c","exp":1}"#).unwrap().subject(), "a b, c");
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
