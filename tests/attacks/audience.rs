//! `aud`: bound to one resource.

use serde_json::{Value, json};

use crate::support::call::Call;
use crate::world::{API, NEIGHBOUR, SUBJECT, world};

#[test]
fn an_audience_that_is_almost_ours() {
    let world = world();
    world.control(world.token());
    world.control(world.token().claim("aud", json!([API])));
    for aud in [
        json!([]),
        json!(""),
        json!([""]),
        json!("*"),
        json!([[API]].first().map(|_| "https://api.acme.tes")),
        json!(format!("{API}/")),
        json!(format!("{API}.evil.test")),
        json!("https://API.acme.test"),
        json!("api.acme.test"),
        json!(format!("{API},{NEIGHBOUR}")),
        json!(format!("{API} {NEIGHBOUR}")),
        json!(format!(" {API}")),
        json!("http://api.acme.test"),
        json!("https://api.acme.test:443"),
        json!("https://%61pi.acme.test"),
    ] {
        world.refuses(world.token().claim("aud", aud.clone()), "audience_mismatch", aud);
    }
    world.refuses(world.token().without("aud"), "audience_mismatch", "absent");
    // Also from an issuer that has no grant here at all.
    for aud in [json!(""), json!([]), json!([""])] {
        world.refuses(world.other.token(SUBJECT, API).claim("aud", aud.clone()), "audience_mismatch", aud);
    }
    world.refuses(world.other.token(SUBJECT, API).without("aud"), "audience_mismatch", "absent, and no grant");
    world.refuses(world.other.token(SUBJECT, API), "grant_none", "an audience, and no grant");
}

#[test]
fn an_audience_of_the_wrong_type() {
    let world = world();
    for aud in [
        Value::Null,
        json!(1),
        json!({"aud": API}),
        json!([[API]]),
        json!([API, 1]),
        json!([API, null]),
        json!(true),
        json!([{"v": API}]),
    ] {
        world.refuses(world.token().claim("aud", aud.clone()), "claims_malformed", aud);
    }
}

#[test]
fn a_token_for_another_resource_of_the_same_issuer() {
    let world = world();
    let neighbour = world.own.token(SUBJECT, NEIGHBOUR);
    let there = Call::get(&format!("{NEIGHBOUR}/v1/x"));
    assert!(world.credence.check(&there.clone().bearer(neighbour.mint())).allowed());
    world.refuses(neighbour, "audience_mismatch", "the neighbour's token here");
    assert_eq!(world.credence.check(&there.bearer(world.token())).reason(), "audience_mismatch");
}

#[test]
fn the_issuers_own_address_as_audience() {
    let world = world();
    for aud in [world.own.url().to_owned(), format!("{}/token", world.own.url())] {
        world.refuses(world.token().claim("aud", aud.as_str()), "audience_mismatch", aud);
    }
}
