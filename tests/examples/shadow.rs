//! Issuers that nobody decided on (S7).

use crate::files::{broken, credence};
use crate::support::issuer::Issuer;
use crate::traps::{allowed, refused};
use crate::world::scene;

const STRANGERS: &str = r#"credence_decisions_total{decision="deny",reason="issuer_unknown",issuer="unverified"}"#;

#[test]
fn s7_an_issuer_that_nobody_decided_on_is_refused_told_by_name_counted_and_never_asked() {
    let (stranger, scene) = (Issuer::start(), scene("shadow-federation"));
    let count = || scene.credence.metric(STRANGERS).unwrap_or_default();
    let before = count();
    let ran = scene.forge("an operator looks", |_| stranger.token("8d7f0c9a-alice", "https://deploy.acme.test").mint());
    assert!(ran.echo.is_none(), "it reached the upstream");
    assert_eq!((&ran.log["reason"], &ran.log["claimed"]["iss"]), (&"issuer_unknown".into(), &stranger.url().into()));
    assert!(ran.log.get("principal").is_none() && ran.log.get("verified").is_none(), "{}", ran.log);
    assert!(count() > before, "nobody counted it");
    assert_eq!(stranger.all_hits(), 0, "the stranger was asked");
    let series = scene.credence.admin("/metrics");
    assert!(!series.text().contains(stranger.port()), "a stranger made a series of his own");
}

#[test]
fn s7_a_name_that_is_nearly_right_is_a_stranger_too() {
    allowed("shadow-federation", "an operator looks");
    for case in [
        "somebody points an issuer of his own at the gate",
        "an issuer that is the right one but for its last slash",
        "an issuer that is the right one but for its case",
        "no issuer at all",
    ] {
        refused("shadow-federation", case, "issuer_unknown");
    }
}

#[test]
fn s7_a_shared_issuer_lets_in_nobody_but_the_pinned_tenant_and_without_a_pin_does_not_load() {
    allowed("shadow-federation", "CI deploys");
    refused("shadow-federation", "another customer of the shared issuer", "pin_mismatch");
    refused("shadow-federation", "a customer of the shared issuer who says nothing of himself", "pin_mismatch");
    let pin = "    pin: {claims: {repository_owner_id: \"9919\"}} # without it this table does not load: GitHub signs for everyone\n";
    let copy = broken("shadow-federation", "trust.yaml", pin, "");
    let (code, text) = credence("check", &copy.path().join("trust.yaml"));
    assert!(code == 1 && text.contains("error[CR101]") && text.contains("no pin.claims.repository_owner_id"), "{text}");
}
