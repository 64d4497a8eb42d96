//! `claims` and `pin.claims`: conditions on what a token says.

use super::super::{Code, Key, Kind, Node, Place, Type};
use super::fields::Cx;
use super::grant::pattern_for;
use super::read::{map, text, wrong};
use super::schema::Shape::{List, Scalar as AnyScalar, Text, True};
use super::schema::{Schema, field, fields};
use crate::claims::{ClaimKey, ClaimRule, Glob, Matcher, Scalar};
use crate::json::is_exact;

/// A condition and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct ClaimDraft {
    pub(crate) rule: ClaimRule,
    /// The name of the claim.
    pub(crate) key: Place,
    /// What it must be.
    pub(crate) value: Place,
}

/// Claims that have their own field or rule, and what to use instead.
const RESERVED: [(&str, &str); 9] = [
    ("iss", "the grant's `issuer` says which issuer"),
    ("sub", "write `subject`"),
    ("aud", "the resource's `audience` says it"),
    ("exp", "the times are always checked"),
    ("nbf", "the times are always checked"),
    ("iat", "`maxTokenAge` bounds it"),
    ("jti", "a grant with `replay: once` takes each once"),
    ("act", "a grant's `actor` says who may act"),
    ("cnf", "how a token is confirmed is not a matter of claims"),
];

/// The conditions that have a name; there is exactly one.
pub(super) const CONDITION: Schema = fields(&[
    field("glob", Text, "A pattern in which `*` stands for what is inside one segment."),
    field("contains", AnyScalar, "An array that has this element."),
    field("containsAny", List(&AnyScalar), "An array that has one of these elements at least."),
    field("containsAll", List(&AnyScalar), "An array that has all of these elements."),
    field("word", Text, "Text of words with blanks between, such as `scope`, that has this word."),
    field("present", True, "The claim is there, whatever it says."),
    field("absent", True, "The claim is not there."),
]);

/// A map from claims to conditions.
pub(super) fn claims(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<ClaimDraft>> {
    let members = map(cx, field, node)?;
    let rules: Vec<_> = members.iter().filter_map(|(key, value)| claim(cx, key, value)).collect();
    (!rules.is_empty()).then_some(rules)
}

/// The name of a claim, or a JSON Pointer to it.
pub(super) fn claim_key(cx: &mut Cx<'_>, text: &str, span: super::super::Span) -> Option<ClaimKey> {
    let key = ClaimKey::parse(text);
    if key.is_none() {
        let help = "write the claim's name, or a JSON Pointer such as `/kubernetes.io/namespace` (`~` is written `~0`)";
        cx.misfit(span, format!("{text:?} names no claim"), "", help);
    }
    key
}

fn claim(cx: &mut Cx<'_>, key: &Key, value: &Node) -> Option<ClaimDraft> {
    let name = claim_key(cx, &key.text, key.span);
    let reserved = name.as_ref().and_then(|name| RESERVED.iter().find(|(claim, _)| *claim == name.top()));
    if let Some((claim, instead)) = reserved {
        let message = format!("`{claim}` cannot be matched among the claims of {}", cx.owner);
        cx.misfit(key.span, message, "a registered claim", *instead);
        return None;
    }
    let matcher = matcher(cx, &key.text, value)?;
    let place = cx.place(key.span);
    let rule = ClaimRule { key: name?, matcher, site: place.site() };
    Some(ClaimDraft { rule, key: place, value: cx.place(value.span) })
}

fn matcher(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<Matcher> {
    match &node.kind {
        Kind::Refused => None,
        Kind::Scalar { .. } => exact(cx, claim, node).map(Matcher::Equals),
        Kind::List(_) => {
            let items = super::read::list(cx, claim, node, exact)?;
            Some(Matcher::OneOf(items.into_iter().map(|at| at.value).collect()))
        }
        Kind::Map(members) => match members.as_slice() {
            [(key, value)] => named(cx, claim, key, value),
            _ => {
                let inside = members.iter().find(|(key, _)| CONDITION.names().all(|name| name != &*key.text));
                let pointer = inside.map(|(key, _)| format!("; {}", pointer_to(claim, key))).unwrap_or_default();
                let help = format!("write one of {}{pointer}", quoted());
                cx.misfit(node.span, format!("`{claim}` needs exactly one condition"), "", help);
                None
            }
        },
    }
}

fn quoted() -> String {
    CONDITION.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

fn named(cx: &mut Cx<'_>, claim: &str, key: &Key, value: &Node) -> Option<Matcher> {
    match &*key.text {
        "glob" => glob(cx, claim, value).map(Matcher::Glob),
        "contains" => scalar(cx, claim, value).map(|scalar| Matcher::ContainsAny(vec![scalar])),
        "containsAny" => scalars(cx, claim, value).map(Matcher::ContainsAny),
        "containsAll" => scalars(cx, claim, value).map(Matcher::ContainsAll),
        "word" => word(cx, claim, value).map(Matcher::Word),
        "present" => only_true(cx, value, "`absent: true`").map(|()| Matcher::Present),
        "absent" => only_true(cx, value, "`present: true`").map(|()| Matcher::Absent),
        other => {
            let help = match super::nearest(other, CONDITION.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the conditions are {}; {}", quoted(), pointer_to(claim, key)),
            };
            let message = format!("unknown condition \"{other}\" on `{claim}` of {}", cx.owner);
            cx.report(Code::CR001, key.span, message, "unknown condition", help);
            None
        }
    }
}

/// How a claim inside another one is named.
fn pointer_to(claim: &str, key: &Key) -> String {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let whole = if claim.starts_with('/') { claim.to_owned() } else { format!("/{}", escaped(claim)) };
    format!("a claim inside `{claim}` is named by its JSON Pointer: `{whole}/{}: …`", escaped(&key.text))
}

fn only_true(cx: &mut Cx<'_>, node: &Node, opposite: &str) -> Option<()> {
    if let Kind::Scalar { of: Type::Boolean(true), .. } = node.kind {
        return Some(());
    }
    cx.misfit(node.span, "only `true` can stand here", "", format!("for the opposite write {opposite}"));
    None
}

/// A pattern with stars (CR125 where it is unsafe).
pub(super) fn glob(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Glob> {
    let text = text(cx, field, node)?;
    match Glob::parse(&text) {
        Ok(glob) => Some(glob),
        Err(fault) => {
            let help = "list the exact values, or end a part with a star: `acme/*`, `refs/heads/release-*`, `acme/**`";
            cx.report(
                Code::CR125,
                node.span,
                format!("unsafe pattern {text:?} in {}", cx.owner),
                fault.to_string(),
                help,
            );
            None
        }
    }
}

fn word(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<String> {
    let text = text(cx, claim, node)?;
    if text.contains(' ') {
        cx.misfit(node.span, format!("{text:?} is more than one word"), "holds a blank", "match one word");
        return None;
    }
    Some(text)
}

fn scalars(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<Vec<Scalar>> {
    let items = super::read::list(cx, claim, node, scalar)?;
    Some(items.into_iter().map(|at| at.value).collect())
}

/// As [`scalar`], without a star: it would be compared as it stands, and whoever wrote it means a pattern.
fn exact(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<Scalar> {
    let scalar = scalar(cx, claim, node)?;
    if let Scalar::String(text) = &scalar
        && text.contains('*')
    {
        let message = format!("`{claim}` of {} is compared exactly and holds a star", cx.owner);
        cx.misfit(node.span, message, "a star", pattern_for(&quoted_key(claim), text));
        return None;
    }
    Some(scalar)
}

/// A claim's name as it can be typed before a `:`.
fn quoted_key(claim: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.');
    if claim.bytes().all(plain) { claim.to_owned() } else { format!("{claim:?}") }
}

/// A string, a number below 2^53, or a boolean.
fn scalar(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<Scalar> {
    let Kind::Scalar { text: written, of } = &node.kind else {
        wrong(cx, claim, node, "a single value", "write a string, a number, `true` or `false`");
        return None;
    };
    match of {
        Type::String => text(cx, claim, node).map(Scalar::String),
        Type::Boolean(value) => Some(Scalar::Bool(*value)),
        Type::Integer | Type::Float => {
            let number = number(written);
            if number.is_none() {
                let help = format!("if the claim is a string, quote it: `\"{written}\"`");
                let message = format!("{written} is no number that a token would carry");
                cx.misfit(node.span, message, "not a plain decimal number below 2^53", help);
            }
            number.map(Scalar::Number)
        }
        Type::Null => {
            let help = "nothing equals null: write `{absent: true}` or `{present: true}`, or quote the value";
            cx.misfit(node.span, format!("`{claim}` of {} has no value", cx.owner), "this is nothing (null)", help);
            None
        }
    }
}

/// A plain decimal number below 2^53 in magnitude. A leading zero or an exponent is a sign that an id was meant.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let digits = text.trim_start_matches('-');
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let number: f64 = text.parse().ok()?;
    (plain && !leading_zero && is_exact(number)).then_some(number)
}
