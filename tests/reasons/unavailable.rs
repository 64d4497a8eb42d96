//! The two refusals that need a credence of their own.

use serde_json::json;

use crate::expected::{class, names, refused, stamped};
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::world::{api, good, pair, world};

#[test]
fn one_call_too_many_is_overloaded() {
    let world = world();
    let credence =
        Credence::serve(world.table.path()).keyless("silent").keyless("ended").arg("--max-concurrent").arg("0").start();
    let answer = credence.check(&api("GET", "/v1/x").bearer(good(&world.ci)));
    assert_eq!(answer.reason(), "overloaded");
    refused(&answer, class("overloaded"), 503, &json!({}), None);
    assert_eq!(credence.metric("credence_calls_shed_total"), Some(1.0));
    stamped(&credence, &answer.metadata());
    let line = credence.decision(&answer.decision_id());
    assert_eq!((&line["reason"], &line["status"]), (&json!("overloaded"), &json!(503)));
    assert!(!names(&line).contains("http"), "the message was never read: {line}");
}

#[test]
fn a_log_that_cannot_be_written_overrides_every_other_reason() {
    let world = world();
    let credence = Credence::serve(world.table.path())
        .keyless("silent")
        .keyless("ended")
        .decision_log("/dev/full")
        .arg("--decision-log-full")
        .arg("deny")
        .start();
    let token = good(&world.ci).mint();
    let call = api("GET", "/v1/x").bearer(&token);
    // The first line only shows that the disk is full.
    eventually("a refusal", || (!credence.check(&call).allowed()).then_some(()));
    for (call, who) in
        [(call, json!(pair(&token))), (api("GET", "/v1/../x"), json!(null)), (api("GET", "/healthz"), json!(null))]
    {
        let answer = credence.check(&call);
        assert_eq!(answer.reason(), "log_unavailable", "{call:?}");
        refused(&answer, class("log_unavailable"), 503, &json!({}), None);
        stamped(&credence, &answer.metadata());
        assert_eq!(answer.metadata()["verified"], who);
        assert!(answer.metadata()["principal"].is_null());
    }
}
