//! A token that is used again where a grant lets it be used once.

use std::sync::Barrier;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::signature::{P256_ORDER, minus};
use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::token::Token;
use crate::support::{eventually, now, runtime};
use crate::world::{API, NEIGHBOUR, World, world};

fn post(world: &World, path: &str, token: &str) -> Answer {
    world.credence.check(&Call::post(&format!("{API}{path}")).bearer(token))
}

fn spends(world: &World, token: &str) {
    let answer = post(world, "/once/x", token);
    assert!(answer.allowed(), "{}", answer.reason());
}

fn refuses(world: &World, token: &str, reason: &str, what: &str) {
    let answer = post(world, "/once/x", token);
    assert_eq!((answer.allowed(), answer.reason().as_str()), (false, reason), "{what}");
}

/// A token that was issued since the program began, whole seconds counted.
fn token(world: &World) -> Token {
    eventually("the second after the start", || {
        post(world, "/once/x", &world.token().mint()).allowed().then(|| world.token())
    })
}

#[test]
fn the_same_token_again() {
    let world = world();
    let token = token(&world).mint();
    spends(&world, &token);
    for _ in 0..3 {
        refuses(&world, &token, "replayed", "again");
    }
    let line = world.credence.decision(&post(&world, "/once/x", &token).decision_id());
    assert_eq!((&line["reason"], &line["status"]), (&json!("replayed"), &json!(401)));
    assert_eq!(line["near_miss"][0], json!({"grant": "own-once", "failed": ["replay"]}));
    assert!(line["token"]["jti_hash"].is_string(), "by which both uses are found: {line}");
}

#[test]
fn the_same_token_at_another_path() {
    let world = world();
    let token = token(&world).mint();
    spends(&world, &token);
    assert_eq!(post(&world, "/once/y", &token).reason(), "replayed");
}

#[test]
fn a_mirrored_signature() {
    let world = world();
    let token = token(&world).mint();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (r, s) = URL_SAFE_NO_PAD.decode(signature).map(|both| (both[..32].to_vec(), both[32..].to_vec())).unwrap();
    let mirrored = format!("{input}.{}", URL_SAFE_NO_PAD.encode([r, minus(&P256_ORDER, &s)].concat()));
    assert_ne!(token, mirrored);
    spends(&world, &mirrored);
    refuses(&world, &token, "replayed", "the original after its mirror image");
    refuses(&world, &mirrored, "replayed", "the mirror image");
}

#[test]
fn the_same_id_in_a_newer_token() {
    let world = world();
    let first = token(&world).claim("jti", "pipeline-4711");
    spends(&world, &first.mint());
    let renewed = first.clone().claim("exp", now() + 600).header("typ", "JWT").mint();
    refuses(&world, &renewed, "replayed", "signed anew for longer");
}

#[test]
fn sixteen_at_once() {
    let world = world();
    // Each on a connection of its own, so that they are judged by all threads there are.
    let clients: Vec<_> = (0..16).map(|_| world.credence.another_client()).collect();
    for _ in 0..20 {
        let (token, barrier) = (token(&world).mint(), Barrier::new(16));
        let message = Call::post(&format!("{API}/once/x")).bearer(&token).message();
        let ask = |mut client: AuthorizationClient<Channel>| {
            barrier.wait();
            let answered = runtime().block_on(async { client.check(message.clone()).await });
            Answer(answered.unwrap().into_inner()).reason()
        };
        let reasons: Vec<_> = std::thread::scope(|scope| {
            let ask = &ask;
            let threads: Vec<_> = clients.iter().cloned().map(|client| scope.spawn(move || ask(client))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |reason: &str| reasons.iter().filter(|seen| *seen == reason).count();
        assert_eq!((count("ok"), count("replayed")), (1, 15), "{reasons:?}");
    }
}

#[test]
fn a_use_that_is_refused_elsewhere_to_burn_the_token() {
    let world = world();
    let token = token(&world).mint();
    for call in [
        Call::get(&format!("{API}/once/x")),
        Call::post(&format!("{API}/nothing")),
        Call::post(&format!("{API}/once/../x")),
        Call::post(&format!("{NEIGHBOUR}/v1/x")),
        Call::post("https://nowhere.acme.test/once/x"),
        Call::post(&format!("{API}/once/x")).bearer("garbage"),
    ] {
        assert!(!world.credence.check(&call.bearer(&token)).allowed());
    }
    assert!(
        world.credence.check(&Call::get(&format!("{API}/v1/x")).bearer(&token)).allowed(),
        "a use that may come again"
    );
    spends(&world, &token);
}

#[test]
fn a_forger_who_knows_the_id_to_burn_the_token() {
    let world = world();
    let token = token(&world);
    let forged = token.clone().signed_by(&world.other.key_for("ES256")).mint();
    assert_eq!(post(&world, "/once/x", &forged).reason(), "signature_invalid");
    let elsewhere = world.other.token("nobody", API).claim("jti", token.claims_json()["jti"].clone()).mint();
    assert_eq!(post(&world, "/once/x", &elsewhere).reason(), "grant_none");
    spends(&world, &token.mint());
}

#[test]
fn another_issuer_that_uses_the_same_id_first() {
    let world = world();
    let own = token(&world);
    let id = own.claims_json()["jti"].clone();
    let other = world.other.token(crate::world::SUBJECT, API).claim("jti", id).mint();
    spends(&world, &other);
    spends(&world, &own.mint());
    refuses(&world, &other, "replayed", "each has its own");
}

#[test]
fn a_token_without_an_id_or_with_one_that_is_none() {
    let world = world();
    let token = || token(&world);
    refuses(&world, &token().without("jti").mint(), "jti_missing", "absent");
    refuses(&world, &token().claim("jti", "").mint(), "jti_missing", "empty");
    for id in [json!(7), json!(["a"]), Value::Null, json!(true), json!({}), json!("a\nb")] {
        refuses(&world, &token().claim("jti", id.clone()).mint(), "claims_malformed", &id.to_string());
    }
    let often = post(&world, "/once/often", &token().without("jti").mint());
    assert_eq!(often.metadata()["grants"], json!(["own-often"]), "a grant that does not ask is not touched");
}

#[test]
fn one_id_spelt_in_two_ways_and_two_that_only_look_alike() {
    let world = world();
    let text = |token: Token, id: &str| {
        let claims = token.claims_json().to_string();
        let own = token.claims_json()["jti"].to_string();
        token.raw_claims(claims.replace(&own, id)).mint()
    };
    spends(&world, &text(token(&world), r#""run-4711/e""#));
    refuses(&world, &text(token(&world), r#""r\u0075n-4711\/\u0065""#), "replayed", "the same id in escapes");
    for id in
        ["run-4711/E", "run-4711/е", "run-4711/e ", " run-4711/e", "run-4711/é", "run-4711/e\u{301}", "ｒun-4711/e"]
    {
        spends(&world, &token(&world).claim("jti", id).mint());
        refuses(&world, &token(&world).claim("jti", id).mint(), "replayed", id);
    }
    spends(&world, &token(&world).claim("jti", "j".repeat(512)).mint());
    refuses(&world, &token(&world).claim("jti", "j".repeat(513)).mint(), "malformed", "longer than any may be");
}

#[test]
fn a_token_that_may_have_been_used_before_the_program_began() {
    let world = world();
    let token = || token(&world);
    for (what, bent) in [
        ("issued before", token().claim("iat", now() - 600)),
        ("issued who knows when", token().without("iat")),
        ("issued in the future", token().claim("iat", now() + 20)),
    ] {
        let answer = post(&world, "/once/x", &bent.mint());
        assert_eq!((answer.reason().as_str(), answer.status()), ("replay_unavailable", 503), "{what}");
        assert!(post(&world, "/once/often", &bent.mint()).allowed(), "{what}: where it may come again it counts");
    }
}

#[test]
fn a_second_use_through_a_grant_that_does_not_ask_brings_no_more_than_that_one() {
    let world = world();
    let token = token(&world).mint();
    let told = |answer: Answer| (answer.metadata()["grants"].clone(), answer.header("x-credence-scopes"));
    assert_eq!(
        told(post(&world, "/once/often", &token)),
        (json!(["own-often", "own-once"]), Some("often once".into()))
    );
    assert_eq!(told(post(&world, "/once/often", &token)), (json!(["own-often"]), Some("often".into())));
    refuses(&world, &token, "replayed", "spent by the first of them");
}

#[test]
fn a_token_that_is_remembered_as_verified() {
    let world = world();
    let token = token(&world).mint();
    let read = Call::get(&format!("{API}/v1/x")).bearer(&token);
    for _ in 0..3 {
        assert!(world.credence.check(&read).allowed());
    }
    spends(&world, &token);
    refuses(&world, &token, "replayed", "remembered");
    assert!(world.credence.check(&read).allowed(), "another grant does not ask");
}
