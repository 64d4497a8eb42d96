//! Conditions on one claim.

use super::glob;
use crate::claims::{Matcher, Scalar};
use crate::json::{Value, is_exact};

/// Whether whatever `narrow` lets through, `wide` lets through too. Never wrongly true; false where it cannot be seen.
pub fn implies(narrow: &Matcher, wide: &Matcher) -> bool {
    if never_holds(narrow) {
        return true;
    }
    // Where `narrow` names all its values, they are tried.
    if let Some(values) = narrow.exact() {
        return values.iter().filter(|value| is_live(value)).all(|value| holds(wide, value));
    }
    let among = |few: &[Scalar], many: &[Scalar]| few.iter().filter(|one| is_live(one)).all(|one| many.contains(one));
    match (narrow, wide) {
        (Matcher::Glob(narrow), Matcher::Glob(wide)) => glob::within(narrow, wide),
        (Matcher::ContainsAny(narrow), Matcher::ContainsAny(wide)) => among(narrow, wide),
        (Matcher::ContainsAll(narrow), Matcher::ContainsAny(wide)) => narrow.iter().any(|one| wide.contains(one)),
        (Matcher::ContainsAll(narrow), Matcher::ContainsAll(wide)) => wide.iter().all(|one| narrow.contains(one)),
        // Any of one value is all of it.
        (Matcher::ContainsAny(narrow), Matcher::ContainsAll(wide)) => {
            let mut live = narrow.iter().filter(|one| is_live(one));
            let first = live.next();
            live.all(|one| Some(one) == first) && wide.iter().all(|one| Some(one) == first)
        }
        (Matcher::Word(narrow), Matcher::Word(wide)) => narrow == wide,
        (Matcher::Word(word), Matcher::Present) => !word.is_empty(),
        (Matcher::Glob(_) | Matcher::ContainsAny(_) | Matcher::ContainsAll(_) | Matcher::Present, Matcher::Present)
        | (Matcher::Absent, Matcher::Absent) => true,
        _ => false,
    }
}

/// Whether some value, or the lack of one, may satisfy both. Never wrongly false; true where it cannot be seen.
pub fn meet(one: &Matcher, two: &Matcher) -> bool {
    if never_holds(one) || never_holds(two) {
        return false;
    }
    for (named, other) in [(one, two), (two, one)] {
        if let Some(values) = named.exact() {
            return values.iter().filter(|value| is_live(value)).any(|value| holds(other, value));
        }
    }
    match (one, two) {
        (Matcher::Absent, other) | (other, Matcher::Absent) => matches!(other, Matcher::Absent),
        (Matcher::Glob(one), Matcher::Glob(two)) => glob::meet(one, two),
        // One is a string, the other an array.
        (Matcher::Glob(_), Matcher::ContainsAny(_) | Matcher::ContainsAll(_))
        | (Matcher::ContainsAny(_) | Matcher::ContainsAll(_), Matcher::Glob(_)) => false,
        _ => true,
    }
}

/// Whether a condition holds for a value that it may name.
fn holds(matcher: &Matcher, value: &Scalar) -> bool {
    matcher.holds(Some(&match value {
        Scalar::String(text) => Value::String(text.as_str().into()),
        Scalar::Number(number) => Value::Number(*number),
        Scalar::Bool(truth) => Value::Bool(*truth),
    }))
}

/// Whether any value equals it: none does the empty string and numbers from 2^53.
fn is_live(scalar: &Scalar) -> bool {
    match scalar {
        Scalar::String(text) => !text.is_empty(),
        Scalar::Number(number) => is_exact(*number),
        Scalar::Bool(_) => true,
    }
}

fn never_holds(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Equals(scalar) => !is_live(scalar),
        Matcher::OneOf(scalars) | Matcher::ContainsAny(scalars) => !scalars.iter().any(is_live),
        Matcher::ContainsAll(scalars) => !scalars.iter().all(is_live),
        Matcher::Glob(_) | Matcher::Word(_) | Matcher::Present | Matcher::Absent => false,
    }
}
