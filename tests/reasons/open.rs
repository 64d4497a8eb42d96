//! Places that are open to all: nobody is verified, nobody is named.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::expected::{names, overwrites, stamped};
use crate::removals::{and_overrides, removes};
use crate::support::call::Call;
use crate::world::{QUERY, api, at, good, world};

fn open(call: &Call, resource: &str, more_headers: Value, credential: &str) {
    let world = world();
    let answer = world.credence.check(call);
    assert!(answer.allowed(), "{answer:?}");
    overwrites(&answer);
    let told = answer.metadata();
    let expected = json!({"decision_id": answer.decision_id(), "decision": "allow", "reason": "anonymous",
        "resource": resource, "table": told["table"]});
    assert_eq!(told, expected, "nobody is named");
    stamped(&world.credence, &told);
    let mut headers = json!({"x-credence-decision-id": answer.decision_id()});
    headers.as_object_mut().unwrap().extend(more_headers.as_object().unwrap().clone());
    assert_eq!(
        answer.headers().into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Value>(),
        headers
    );
    removes(&answer, &and_overrides(credential));
    let line = world.credence.decision(&answer.decision_id());
    let expected = [
        "schema",
        "ts",
        "decision_id",
        "decision",
        "reason",
        "status",
        "resource",
        "http",
        "proxy",
        "table",
        "duration_us",
    ];
    assert_eq!(names(&line), BTreeSet::from(expected), "{line}");
    assert_eq!(
        (&line["decision"], &line["reason"], &line["status"]),
        (&json!("allow"), &json!("anonymous"), &json!(200))
    );
    assert!(!line.to_string().contains(QUERY));
}

#[test]
fn an_open_place_names_nobody_whatever_credential_comes() {
    let world = world();
    let call = api("GET", "/healthz");
    for call in [
        call.clone(),
        call.clone().bearer(good(&world.ci)),
        call.clone().bearer("garbage"),
        call.clone().bearer("a").bearer("b").raw_headers(),
        call.clone().bearer(good(&world.silent)),
    ] {
        open(&call, "api", json!({}), "authorization");
    }
}

#[test]
fn a_preflight_is_open_and_an_options_that_is_none_is_not() {
    let world = world();
    let options = api("OPTIONS", "/v1/x").header("origin", "https://app.acme.test");
    open(&options.clone().header("access-control-request-method", "PUT"), "api", json!({}), "authorization");
    assert_eq!(world.credence.check(&options).reason(), "no_token");
    assert_eq!(world.credence.check(&api("POST", "/healthz")).reason(), "no_token");
    assert_eq!(world.credence.check(&api("GET", "/healthz/x")).reason(), "no_token");
}

#[test]
fn of_the_cookies_at_an_open_place_only_the_credential_goes() {
    let call = at("GET", "https://web.acme.test", "/login").header("cookie", "theme=dark; session=a.b.c");
    open(&call, "web", json!({"cookie": "theme=dark"}), "");
}
