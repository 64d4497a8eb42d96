//! `exp`, `nbf`, `iat`.

use serde_json::{Value, json};

use crate::support::now;
use crate::world::world;

#[test]
fn exp_missing_mistyped_in_milliseconds_or_beyond_reason() {
    let world = world();
    world.control(world.token());
    world.refuses(world.token().without("exp"), "claims_malformed", "absent");
    for exp in [
        json!("9999999999"),
        json!(true),
        json!([now() + 300]),
        json!({}),
        Value::Null,
        json!(-1),
        json!(1e300),
        json!(9_007_199_254_740_992_u64),
    ] {
        world.refuses(world.token().claim("exp", exp.clone()), "claims_malformed", exp);
    }
    for exp in ["1e400", "NaN", "Infinity", "0x7fffffff", "01", "+1"] {
        let text = world.token().without("exp").claims_json().to_string();
        let text = format!("{},\"exp\":{exp}}}", text.trim_end_matches('}'));
        world.refuses(world.token().raw_claims(text), "malformed", exp);
    }
    world.refuses(world.token().claim("exp", (now() + 300) * 1000), "too_old", "milliseconds");
    world.refuses(world.token().claim("exp", now() + 10 * 365 * 86_400), "too_old", "ten years");
    world.control(world.token().claim("exp", json!(now() as f64 + 299.5)));
}

#[test]
fn a_token_past_its_end_by_more_than_the_skew() {
    let world = world();
    world.control(world.token().claim("iat", now() - 300).claim("exp", now() - 10));
    world.refuses(world.token().claim("iat", now() - 300).claim("exp", now() - 45), "expired", "15 s after the skew");
    world.refuses(world.token().claim("iat", 0).claim("exp", 1), "expired", "1970");
}

#[test]
fn nbf_and_iat_ahead_or_mistyped() {
    let world = world();
    for name in ["nbf", "iat"] {
        world.control(world.token().claim(name, now() + 5));
        world.refuses(world.token().claim(name, now() + 120), "not_yet_valid", name);
        world.refuses(world.token().claim(name, 4_070_908_800_u64), "not_yet_valid", format!("{name} in 2099"));
        for value in [json!("0"), json!(true), Value::Null, json!([0]), json!(-1)] {
            world.refuses(world.token().claim(name, value.clone()), "claims_malformed", format!("{name} {value}"));
        }
    }
}

#[test]
fn a_lifetime_of_more_than_a_day() {
    let world = world();
    world.control(world.token().claim("iat", now() - 3_600).claim("exp", now() - 3_600 + 86_400));
    world.refuses(world.token().claim("iat", now()).claim("exp", now() + 86_401), "too_old", "made to last");
    world.refuses(world.token().claim("iat", now() - 86_500).claim("exp", now() + 10), "too_old", "old");
    world.refuses(world.token().without("iat").claim("exp", now() + 90_000), "too_old", "made to last, without iat");
    world.control(world.token().without("iat"));
}
