//! `act`: somebody acts for the subject (RFC 8693 §4.1).

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::token::Token;
use crate::world::{AGENT, API, SUBJECT, World, world};

fn at(world: &World, path: &str, token: &Token) -> Answer {
    world.credence.check(&Call::get(&format!("{API}{path}")).bearer(token))
}

fn refuses(world: &World, path: &str, token: &Token, reason: &str) {
    let answer = at(world, path, token);
    assert_eq!((answer.allowed(), answer.reason().as_str()), (false, reason), "{path} {}", token.claims_json());
}

/// It is allowed, and both pairs are told: who the principal is, and who acts by whose word.
fn allows(world: &World, path: &str, token: &Token) {
    let answer = at(world, path, token);
    assert!(answer.allowed(), "{path} {}: {}", token.claims_json(), answer.reason());
    let (iss, act) = (world.own.url(), &token.claims_json()["act"]);
    let told = answer.metadata();
    assert_eq!(told["actor"], json!({"iss": iss, "sub": act["sub"], "asserted_by": iss}));
    assert_eq!(told["principal"]["sub"], token.claims_json()["sub"]);
    assert_eq!(answer.header("x-credence-subject").as_deref(), token.claims_json()["sub"].as_str());
    assert_eq!(answer.header("x-credence-actor-issuer").as_deref(), Some(iss));
    assert_eq!(answer.header("x-credence-actor-subject").as_deref(), act["sub"].as_str());
    let line = world.credence.decision(&answer.decision_id());
    assert_eq!((&line["actor"]["iss"], &line["actor"]["sub"]), (&json!(iss), &act["sub"]));
    assert_eq!(line["actor"]["asserted_by"], iss);
}

fn acting(world: &World, act: Value) -> Token {
    world.token().claim("act", act)
}

#[test]
fn an_agent_whom_the_grant_does_not_name() {
    let world = world();
    allows(&world, "/agent", &acting(&world, json!({"sub": AGENT})));
    allows(&world, "/agent", &acting(&world, json!({"sub": AGENT, "iss": world.own.url()})));
    for sub in ["agent:other", "agent:Planner", "agent:planner ", "agent:plann", SUBJECT] {
        refuses(&world, "/agent", &acting(&world, json!({"sub": sub})), "actor_not_allowed");
    }
}

#[test]
fn the_agent_without_the_user() {
    let world = world();
    for token in [world.token().claim("sub", AGENT), acting(&world, json!({"sub": AGENT})).claim("sub", AGENT)] {
        refuses(&world, "/agent", &token, "grant_none");
    }
    refuses(&world, "/fleet", &world.token().claim("sub", "fleet/7"), "actor_not_allowed");
    allows(&world, "/fleet", &acting(&world, json!({"sub": "fleet/7"})).claim("sub", "someone"));
    for act in [json!({"sub": "fleet/7"}), json!({"sub": "fleet/7", "iss": world.own.url()})] {
        refuses(&world, "/fleet", &acting(&world, act).claim("sub", "fleet/7"), "actor_not_allowed");
    }
    allows(&world, "/fleet", &acting(&world, json!({"sub": "fleet/7"})).claim("sub", "fleet/8"));
}

#[test]
fn the_user_without_the_agent() {
    let world = world();
    refuses(&world, "/agent", &world.token(), "actor_not_allowed");
    refuses(&world, "/agent", &world.token().claim("may_act", json!({"sub": AGENT})), "actor_not_allowed");
    refuses(&world, "/agent", &world.token().claim("azp", AGENT).claim("client_id", AGENT), "actor_not_allowed");
}

#[test]
fn an_agent_of_the_same_name_at_another_issuer() {
    let world = world();
    allows(&world, "/agent", &acting(&world, json!({"sub": AGENT})));
    let own = world.own.url();
    for iss in [world.other.url().to_owned(), format!("{own}/"), own.to_uppercase(), format!("{own}#")] {
        refuses(&world, "/agent", &acting(&world, json!({"iss": iss, "sub": AGENT})), "actor_not_allowed");
    }
    let elsewhere = world.other.token(SUBJECT, API).claim("act", json!({"iss": own, "sub": AGENT}));
    refuses(&world, "/agent", &elsewhere, "grant_none");
}

#[test]
fn an_agent_behind_another_one() {
    let world = world();
    let chain = |act: Value| acting(&world, json!({"sub": AGENT, "act": act}));
    refuses(&world, "/agent", &chain(json!({"sub": "agent:other"})), "actor_not_allowed");
    refuses(&world, "/agent", &chain(json!({"sub": AGENT})), "actor_not_allowed");
    let two = chain(json!({"iss": world.other.url(), "sub": "elsewhere"}));
    allows(&world, "/agents", &two);
    let line = world.credence.decision(&at(&world, "/agents", &two).decision_id());
    assert_eq!(
        line["actor"]["before"],
        json!([{"iss": world.other.url(), "sub": "elsewhere"}]),
        "history, for the log"
    );
    refuses(&world, "/agents", &chain(json!({"sub": "a", "act": {"sub": "b"}})), "actor_not_allowed");
}

#[test]
fn an_agent_that_only_stood_earlier_in_the_chain() {
    let world = world();
    for outer in [json!({"sub": "stranger", "act": {"sub": AGENT}}), json!({"sub": SUBJECT, "act": {"sub": AGENT}})] {
        refuses(&world, "/agents", &acting(&world, outer), "actor_not_allowed");
    }
}

#[test]
fn an_act_that_is_no_party() {
    let world = world();
    for act in [
        json!(AGENT),
        Value::Null,
        json!([]),
        json!([{"sub": AGENT}]),
        json!({}),
        json!({"iss": world.own.url()}),
        json!({"sub": ""}),
        json!({"sub": 1}),
        json!({"sub": [AGENT]}),
        json!({"sub": AGENT, "iss": ""}),
        json!({"sub": AGENT, "iss": 7}),
        json!({"sub": AGENT, "iss": [world.own.url()]}),
        json!({"sub": format!("{AGENT}\n")}),
        json!({"sub": "a".repeat(1025)}),
        json!({"sub": AGENT, "iss": "i".repeat(513)}),
        json!({"sub": AGENT, "act": {}}),
        json!({"sub": AGENT, "act": "x"}),
    ] {
        for path in ["/agent", "/agents", "/v1/x"] {
            refuses(&world, path, &acting(&world, act.clone()), "claims_malformed");
        }
    }
}

#[test]
fn act_twice_so_that_readers_may_differ() {
    let world = world();
    let text = acting(&world, json!({"sub": AGENT})).claims_json().to_string();
    let doubled = format!("{},\"act\":{{\"sub\":\"stranger\"}}}}", text.trim_end().strip_suffix('}').unwrap());
    refuses(&world, "/agent", &world.token().raw_claims(doubled), "malformed");
}

#[test]
fn a_client_that_sets_the_actors_headers_itself() {
    let world = world();
    let forged = |call: Call| {
        let names = ["x-credence-actor-issuer", "X-Credence-Actor-Subject", "x_credence_actor_subject"];
        names.into_iter().fold(call, |call, name| call.header(name, "forged"))
    };
    let alone = world.credence.check(&forged(Call::get(&format!("{API}/v1/x"))).bearer(world.token()));
    assert!(alone.allowed());
    for name in ["x-credence-actor-issuer", "x-credence-actor-subject", "x_credence_actor_subject"] {
        assert!(alone.removed().iter().any(|removed| removed == name), "{name}: {:?}", alone.removed());
        assert_eq!(alone.header(name), None);
    }
    let token = acting(&world, json!({"sub": AGENT}));
    let acting = world.credence.check(&forged(Call::get(&format!("{API}/agent"))).bearer(token));
    assert_eq!(acting.header("x-credence-actor-subject").as_deref(), Some(AGENT));
    assert!(acting.removed().iter().any(|removed| removed == "x_credence_actor_subject"));
}

#[test]
fn a_name_that_would_split_a_header_is_encoded() {
    let world = world();
    let answer = at(&world, "/fleet", &acting(&world, json!({"sub": "fleet/Zoë, #1%"})));
    assert_eq!(answer.header("x-credence-actor-subject").as_deref(), Some("fleet/Zo%C3%AB,%20#1%25"));
}
