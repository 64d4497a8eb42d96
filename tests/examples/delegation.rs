//! S11: an agent acts for an employee on one tool.

use serde_json::{Value, json};

use crate::support::key::Key;
use crate::traps::{allowed, refused};
use crate::world::scene;

const EXAMPLE: &str = "agent-delegation";
const GOOD: &str = "the planner books for alice";
const ISS: &str = "https://idp.acme.test";
const AGENT: &str = "agent:travel-planner";

#[test]
fn s11_upstream_filters_and_log_learn_of_both_pairs_and_by_whose_word() {
    let ran = allowed(EXAMPLE, GOOD);
    let echo = ran.echo.as_ref().unwrap();
    assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (ISS, "alice"));
    assert_eq!((echo.one("x-credence-actor-issuer"), echo.one("x-credence-actor-subject")), (ISS, AGENT));
    assert_eq!(echo.one("x-credence-principal"), format!("{ISS}#alice"), "the principal stays the employee");
    let actor = json!({"iss": ISS, "sub": AGENT, "asserted_by": ISS});
    assert_eq!((&ran.log["actor"], &ran.metadata()["actor"]), (&actor, &actor));
    let readme = include_str!("../../examples/agent-delegation/README.md");
    for header in ["x-credence-subject", "x-credence-actor-issuer", "x-credence-actor-subject"] {
        let line = format!("    {header}: {}\n", echo.one(header));
        assert!(readme.contains(&line), "the README does not show {line}");
    }
}

#[test]
fn s11_the_agent_without_the_user_and_the_user_without_the_agent_are_refused() {
    refused(EXAMPLE, "the planner alone", "grant_none");
    refused(EXAMPLE, "the planner alone, in the pilot's group", "actor_not_allowed");
    refused(EXAMPLE, "alice without the planner", "actor_not_allowed");
}

#[test]
fn s11_the_same_agent_name_from_another_issuer_is_refused_whoever_says_it() {
    refused(EXAMPLE, "the partner's agent of the same name", "actor_not_allowed");
    let ran = refused(EXAMPLE, "the partner says that its agent acts for alice", "grant_none");
    assert_eq!(ran.log["verified"], json!({"iss": "https://agents.partner.test", "sub": "alice"}));
    // And who signs like the partner is not believed to be our issuer.
    let partner = std::sync::Arc::new(Key::generate("partner", "ES256"));
    let forged = scene(EXAMPLE).forge(GOOD, |token| token.signed_by(&partner).mint());
    assert!(forged.echo.is_none(), "{}", forged.log);
}

#[test]
fn s11_a_deeper_chain_is_refused_and_stands_in_the_log() {
    let ran = refused(EXAMPLE, "the planner on behalf of another agent", "actor_not_allowed");
    assert_eq!(ran.log["actor"]["before"], json!([{"sub": "agent:expense-bot"}]), "{}", ran.log);
    assert_eq!(ran.metadata()["actor"], Value::Null, "a refused actor is nobody's");
    refused(EXAMPLE, "another agent on behalf of the planner", "actor_not_allowed");
}
