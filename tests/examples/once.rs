//! S6: a token that was copied from a pipeline is used again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::traps::{allowed, refused};
use crate::world::scene;

const EXAMPLE: &str = "one-time-deploy";
const GOOD: &str = "main branch starts a release";
const LOOK: &str = "the same job looks how it goes";

/// Sends the request of a case with this token.
fn send(case: &str, token: &str) -> crate::world::Ran {
    scene(EXAMPLE).forge(case, |_| token.to_owned())
}

fn id_of(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["jti"].clone()
}

#[test]
fn s6_the_second_use_is_refused_and_both_are_found_by_the_hash_of_their_id() {
    let scene = scene(EXAMPLE);
    let token = scene.token(scene.case(GOOD)).unwrap().mint();
    let (first, second) = (send(GOOD, &token), send(GOOD, &token));
    assert!(first.echo.is_some(), "{}", first.log);
    assert!(second.echo.is_none(), "{}", second.log);
    assert_eq!((second.response.status, second.log["reason"].as_str()), (401, Some("replayed")));
    assert_eq!(first.log["token"]["jti_hash"], second.log["token"]["jti_hash"]);
    let readme = include_str!("../../examples/one-time-deploy/README.md");
    let shown = "{\"grant\":\"payments-deploy\",\"failed\":[\"replay\"]}";
    assert_eq!(second.log["near_miss"][0], serde_json::from_str::<Value>(shown).unwrap());
    assert!(readme.contains(shown) && readme.contains("\"reason\":\"replayed\""));
}

#[test]
fn s6_of_sixteen_uses_at_once_one_reaches_the_upstream() {
    let scene = scene(EXAMPLE);
    let token = scene.token(scene.case(GOOD)).unwrap().mint();
    let ran: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| send(GOOD, &token))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ran.iter().filter(|ran| ran.echo.is_some()).count(), 1);
    assert_eq!(ran.iter().filter(|ran| ran.log["reason"] == "replayed").count(), 15);
}

#[test]
fn s6_looking_spends_nothing_and_may_be_done_again_after_the_release() {
    let scene = scene(EXAMPLE);
    let token = scene.token(scene.case(GOOD)).unwrap().mint();
    for case in [LOOK, LOOK, GOOD, LOOK] {
        assert!(send(case, &token).echo.is_some(), "{case}");
    }
    assert!(send(GOOD, &token).echo.is_none());
    assert!(scene.credence.metric("credence_replay_entries").unwrap() >= 1.0);
}

#[test]
fn s6_a_refused_use_burns_nothing_for_the_job() {
    let scene = scene(EXAMPLE);
    let token = scene.token(scene.case(GOOD)).unwrap().mint();
    let elsewhere = scene.case("another branch");
    assert!(scene.forge(LOOK, |_| token.replace('.', "..")).echo.is_none());
    let mut claims = scene.claims(elsewhere).unwrap();
    claims["jti"] = id_of(&token);
    let bent = scene.token(elsewhere).unwrap().raw_claims(claims.to_string());
    assert!(send("another branch", &bent.mint()).echo.is_none(), "the same id from another branch");
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    assert!(send(GOOD, &forged).echo.is_none());
    assert!(send(GOOD, &token).echo.is_some());
}

#[test]
fn s6_a_token_without_an_id_or_a_date_is_refused() {
    refused(EXAMPLE, "a token without an id", "jti_missing");
    refused(EXAMPLE, "a token that does not say when it was issued", "grant_expired");
    allowed(EXAMPLE, "a token without an id looks how it goes");
}
