//! Two clusters with one `iss`, and another product: the same `sub` everywhere, and never one for another.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::files::{broken, credence};
use crate::traps::{allowed, refused};
use crate::world::{Ran, Scene, scene};

const EXAMPLE: &str = "two-clusters";
const README: &str = include_str!("../../examples/two-clusters/README.md");
const ISS: &str = "https://kubernetes.default.svc.cluster.local";
const SUB: &str = "system:serviceaccount:payments:settler";
const EU_HOME: &str = "eu1's settler books at home";
const US_HOME: &str = "us1's settler books at home";
const US_ABROAD: &str = "us1's settler compares balances in eu1";

fn pair() -> Value {
    json!({"iss": ISS, "sub": SUB})
}

/// What a realm is told by: header, metadata, log.
fn is_of(ran: &Ran, realm: &str) {
    let echo = ran.echo.as_ref().unwrap_or_else(|| panic!("{}", ran.log));
    let principal = format!("{ISS};realm={realm}#{SUB}");
    assert_eq!(echo.all("x-credence-realm"), [realm]);
    assert_eq!(echo.all("x_credence_realm"), [""; 0]);
    assert_eq!(echo.one("x-credence-principal"), principal);
    assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (ISS, SUB));
    let told = ran.metadata();
    assert_eq!((&told["realm"], &told["principal_canonical"]), (&json!(realm), &json!(principal)), "{told}");
    assert_eq!((&told["principal"]["iss"], &told["principal"]["sub"]), (&json!(ISS), &json!(SUB)), "{told}");
    assert_eq!((&ran.log["realm"], &ran.log["principal"]), (&json!(realm), &pair()));
    assert_eq!(ran.log["issuer_name"], format!("cluster-{realm}"));
}

fn allows(scene: &Scene, issuer: &str) -> f64 {
    let series = format!("credence_decisions_total{{decision=\"allow\",reason=\"ok\",issuer=\"{issuer}\"}}");
    scene.credence.metric(&series).unwrap_or(0.0)
}

#[test]
fn s15_one_pair_of_two_clusters_is_two_principals_in_headers_metadata_log_and_metric() {
    let scene = scene(EXAMPLE);
    let before = ["cluster-eu1", "cluster-us1"].map(|name| allows(scene, name));
    for (case, realm) in [(EU_HOME, "eu1"), (US_HOME, "us1"), (US_ABROAD, "us1")] {
        let claims = scene.claims(scene.case(case)).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(ISS), &json!(SUB)), "{case}");
        let ran = allowed(EXAMPLE, case);
        is_of(&ran, realm);
        let principal = ran.echo.as_ref().unwrap().one("x-credence-principal").to_owned();
        assert!(README.contains(&format!("    x-credence-principal: {principal}\n")), "{principal}");
    }
    for (name, before) in ["cluster-eu1", "cluster-us1"].into_iter().zip(before) {
        assert!(allows(scene, name) > before, "{name}");
    }
}

#[test]
fn s15_us1s_token_is_worth_nothing_for_eu1s_grant() {
    let ran = refused(EXAMPLE, "us1's settler books in eu1", "grant_none");
    assert_eq!((&ran.log["verified"], &ran.log["realm"]), (&pair(), &json!("us1")), "{}", ran.log);
    assert_eq!(ran.log["issuer_name"], "cluster-us1");
    assert_eq!(ran.log["near_miss"], json!([{"grant": "us-compares", "failed": ["methods", "paths"]}]));
    let shown = README.split("The refusal of us1's token in eu1: `").nth(1).unwrap().split('`').next().unwrap();
    let shown: Value = serde_json::from_str(&format!("{{{shown}}}")).unwrap();
    assert_eq!([&ran.log["realm"], &ran.log["near_miss"]], [&shown["realm"], &shown["near_miss"]]);
    let told = ran.metadata();
    assert_eq!((&told["verified"]["sub"], &told["realm"]), (&json!(SUB), &json!("us1")), "{told}");
    let back = refused(EXAMPLE, "eu1's settler compares balances, which only us1's may", "grant_none");
    assert_eq!((&back.log["realm"], &back.log["issuer_name"]), (&json!("eu1"), &json!("cluster-eu1")));
    let claim = refused(EXAMPLE, "a token with a realm of its own making", "grant_none");
    assert_eq!(claim.log["realm"], "us1", "a claim says nothing about the realm: {}", claim.log);
}

/// Nobody vouched: the log tells what the token said, and no realm.
fn nobodys(ran: &Ran, reason: &str) {
    assert!(ran.echo.is_none(), "{}", ran.log);
    assert_eq!(ran.log["reason"], reason, "{}", ran.log);
    for nothing in ["verified", "principal", "realm", "near_miss"] {
        assert!(ran.log[nothing].is_null(), "{nothing}: {}", ran.log);
    }
    assert_eq!((&ran.log["claimed"]["iss"], &ran.log["claimed"]["sub"]), (&json!(ISS), &json!(SUB)));
}

#[test]
fn s15_a_token_of_us1_that_names_eu1s_key_is_nobodys() {
    let scene = scene(EXAMPLE);
    let (eu, us) = (scene.signer("cluster-eu1"), scene.signer("cluster-us1"));
    assert_ne!(eu.key.kid, us.key.kid);
    for case in [EU_HOME, US_HOME, US_ABROAD] {
        let ran = scene.forge(case, |token| token.header("kid", eu.key.kid.as_str()).signed_by(&us.key).mint());
        nobodys(&ran, "signature_invalid");
        assert_eq!(ran.log["token"]["kid"], eu.key.kid);
    }
}

#[test]
fn s15_a_key_that_both_clusters_publish_speaks_for_neither() {
    let scene = scene(EXAMPLE);
    let both = scene.signer("cluster-eu1").shared.clone().unwrap();
    assert!(Arc::ptr_eq(&both, scene.signer("cluster-us1").shared.as_ref().unwrap()));
    for case in [EU_HOME, US_HOME, US_ABROAD] {
        let ran = scene.forge(case, |token| token.header("kid", both.kid.as_str()).signed_by(&both).mint());
        nobodys(&ran, "key_unknown");
    }
}

#[test]
fn s15_keys_that_only_share_a_name_do_not_confuse_the_clusters() {
    let scene = scene(EXAMPLE);
    for (case, realm) in [(EU_HOME, "eu1"), (US_HOME, "us1"), (US_ABROAD, "us1")] {
        let namesake = scene.signer(&format!("cluster-{realm}")).namesake.as_ref().unwrap();
        let sign = |token: crate::support::token::Token| token.header("kid", "one-name").signed_by(namesake).mint();
        is_of(&scene.forge(case, sign), realm);
    }
    let us = scene.signer("cluster-us1").namesake.as_ref().unwrap();
    let ran = scene.forge(EU_HOME, |token| token.header("kid", "one-name").signed_by(us).mint());
    assert_eq!((&ran.log["reason"], &ran.log["realm"]), (&json!("grant_none"), &json!("us1")), "{}", ran.log);
}

#[test]
fn s15_a_client_cannot_say_of_which_realm_it_is() {
    is_of(&allowed(EXAMPLE, "us1's settler says that it is of realm eu1"), "us1");
    let shop = allowed(EXAMPLE, "the shop's settler of the same name pays an invoice");
    let echo = shop.echo.as_ref().unwrap();
    assert_eq!(echo.all("x-credence-realm"), [""; 0], "the shop has none, whatever its client sends");
    assert_eq!(echo.one("x-credence-principal"), format!("https://oidc.shop.acme.test#{SUB}"));
    assert!(shop.log["realm"].is_null() && shop.metadata()["realm"].is_null(), "{}", shop.log);
}

#[test]
fn s15_the_same_sub_under_another_issuer_means_nothing_there() {
    let ran = refused(EXAMPLE, "the shop's settler of the same name books in eu1", "grant_none");
    assert_eq!(ran.log["verified"], json!({"iss": "https://oidc.shop.acme.test", "sub": SUB}));
    assert_eq!(ran.log["near_miss"], json!([{"grant": "shop-pays", "failed": ["paths"]}]), "and eu-books is not near");
    // Its own key under the clusters' `iss` is a key that they do not have.
    let shop = scene(EXAMPLE).signer("cluster-shop");
    let forged =
        scene(EXAMPLE).forge(EU_HOME, |token| token.header("kid", shop.key.kid.as_str()).signed_by(&shop.key).mint());
    nobodys(&forged, "key_unknown");
}

#[test]
fn s15_without_realm_the_table_does_not_load_and_the_readme_shows_what_is_said() {
    let copy = broken(EXAMPLE, "trust.yaml", "    realm: us1\n", "");
    let (code, text) = credence("check", &copy.path().join("trust.yaml"));
    assert_eq!((code, text.matches("error[").count()), (1, 1), "{text}");
    let shown = text.replace(&copy.path().display().to_string(), "examples/two-clusters");
    let finding = shown.split_once("error[CR104]").unwrap_or_else(|| panic!("{shown}")).1;
    let finding = finding.split("\n\n").next().unwrap().trim_end().replace('\n', "\n    ");
    assert!(README.contains(&format!("    error[CR104]{finding}\n")), "the README does not show:\n{finding}");
    let (code, text) = credence("test", copy.path());
    assert_eq!(code, 2, "cases cannot run on a table that does not load: {text}");
    let one_realm = broken(EXAMPLE, "trust.yaml", "    realm: us1\n", "    realm: eu1\n");
    let (code, text) = credence("check", &one_realm.path().join("trust.yaml"));
    assert!(code == 1 && text.contains("error[CR104]"), "{text}");
}
