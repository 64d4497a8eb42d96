//! When a token counts (RFC 7519 §4.1.4 to §4.1.6).

use std::time::Duration;

use crate::claims::Claims;
use crate::clock::Time;
use crate::reason::Reason;

/// `exp` is exclusive, `nbf` and `iat` may lie ahead by the skew at most.
pub(super) fn in_force(claims: &Claims, skew: Duration, now: Time) -> Result<(), Reason> {
    let (now, skew) = (now.seconds(), skew.as_secs_f64());
    if now >= claims.expires + skew {
        return Err(Reason::Expired);
    }
    let ahead = |date: Option<f64>| date.is_some_and(|date| date > now + skew);
    if ahead(claims.not_before()) || ahead(claims.issued_at()) { Err(Reason::NotYetValid) } else { Ok(()) }
}

/// Neither made for longer than the bound, nor older than it. Without `iat` the time that is left is judged.
pub(super) fn age(claims: &Claims, bound: Duration, skew: Duration, now: Time) -> Result<(), Reason> {
    let (now, bound, skew) = (now.seconds(), bound.as_secs_f64(), skew.as_secs_f64());
    let young = match claims.issued_at() {
        Some(issued) => claims.expires - issued <= bound && now - issued <= bound + skew,
        None => claims.expires - now <= bound + skew,
    };
    if young { Ok(()) } else { Err(Reason::TooOld) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Asked;
    use crate::json::Json;

    fn claims(payload: &str) -> Claims {
        Claims::read(&Json::parse(payload.as_bytes(), 16).unwrap(), &Asked::default()).unwrap()
    }

    const SKEW: Duration = Duration::from_secs(30);
    const NOW: Time = Time::from_seconds(1000.0);

    #[test]
    fn the_bounds_are_exact_to_the_second_and_below() {
        for (payload, expected) in [
            (r#"{"sub":"s","exp":970}"#, Err(Reason::Expired)),
            (r#"{"sub":"s","exp":970.5}"#, Ok(())),
            (r#"{"sub":"s","exp":2000,"nbf":1030}"#, Ok(())),
            (r#"{"sub":"s","exp":2000,"nbf":1030.5}"#, Err(Reason::NotYetValid)),
            (r#"{"sub":"s","exp":2000,"iat":1030}"#, Ok(())),
            (r#"{"sub":"s","exp":2000,"iat":1031}"#, Err(Reason::NotYetValid)),
        ] {
            assert_eq!(in_force(&claims(payload), SKEW, NOW), expected, "{payload}");
        }
    }

    #[test]
    fn an_old_token_and_one_made_to_last_are_both_too_old() {
        for (payload, expected) in [
            (r#"{"sub":"s","exp":1050,"iat":950}"#, Ok(())),
            (r#"{"sub":"s","exp":1051,"iat":950}"#, Err(Reason::TooOld)),
            (r#"{"sub":"s","exp":971,"iat":871}"#, Ok(())),
            (r#"{"sub":"s","exp":969,"iat":869}"#, Err(Reason::TooOld)),
            (r#"{"sub":"s","exp":1130}"#, Ok(())),
            (r#"{"sub":"s","exp":1131}"#, Err(Reason::TooOld)),
        ] {
            assert_eq!(age(&claims(payload), Duration::from_secs(100), SKEW, NOW), expected, "{payload}");
        }
    }
}
