//! A workload of another cluster: whose signature, and whose tenant.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::key::Key;
use crate::traps::{allowed, refused};
use crate::world::{Scene, scene};

const EXAMPLE: &str = "pinned-workload";
const GOOD: &str = "checkout in eu1 reserves stock in us1";

fn denials(scene: &Scene, reason: &str, issuer: &str) -> f64 {
    let series = format!("credence_decisions_total{{decision=\"deny\",reason=\"{reason}\",issuer=\"{issuer}\"}}");
    scene.credence.metric(&series).unwrap_or(0.0)
}

fn pair() -> Value {
    json!({"iss": "https://idp.acme.test", "sub": "workload:eu1/checkout"})
}

#[test]
fn s1_a_freshly_published_key_of_the_same_issuer_is_refused_counted_and_named() {
    let scene = scene(EXAMPLE);
    let rogue = Arc::new(Key::generate("2026-12", "RS256"));
    let not_pinned = "credence_keys{issuer=\"central-idp\",state=\"not_pinned\"}";
    assert_eq!(scene.credence.metric(not_pinned), Some(0.0));
    assert_eq!(allowed(EXAMPLE, GOOD).log["principal"], pair());

    scene.signer("central-idp").publish(&rogue);
    // The first of these tokens is what makes credence look again.
    let ran = eventually("the new key to be seen", || {
        let ran = scene.forge(GOOD, |token| token.header("kid", "2026-12").signed_by(&rogue).mint());
        assert!(ran.echo.is_none(), "{}", ran.log);
        (ran.log["reason"] != "key_unknown").then_some(ran)
    });
    assert_eq!(ran.log["reason"], "key_not_pinned", "{}", ran.log);
    assert!(ran.log["verified"].is_null() && ran.log["principal"].is_null(), "{}", ran.log);
    assert_eq!((&ran.log["claimed"], &ran.log["token"]["kid"]), (&pair(), &json!("2026-12")), "{}", ran.log);
    let told = ran.metadata();
    assert_eq!((&told["claimed"]["kid"], &told["verified"]), (&json!("2026-12"), &Value::Null), "{told}");
    assert!(denials(scene, "key_not_pinned", "unverified") >= 1.0);
    // The key that is pinned and new is not among them.
    eventually("the metric", || (scene.credence.metric(not_pinned) == Some(1.0)).then_some(()));

    let line = eventually("its thumbprint in the program's log", || {
        scene.credence.stderr().lines().find(|line| line.contains(&rogue.thumbprint())).map(str::to_owned)
    });
    let readme = include_str!("../../examples/pinned-workload/README.md");
    for words in ["a published key is not pinned (pin.keys) and is ignored", "issuer=central-idp", "kid=\"2026-12\""] {
        assert!(line.contains(words) && readme.contains(words), "{words}: {line}");
    }
    assert!(readme.contains(&format!("{not_pinned} 1\n")));
    assert_eq!(allowed(EXAMPLE, GOOD).log["principal"], pair(), "the pinned key is none the worse for it");
}

#[test]
fn s1_the_key_that_was_announced_and_pinned_signs_as_soon_as_it_is_published() {
    let scene = scene(EXAMPLE);
    let signer = scene.signer("central-idp");
    let [(_, now), (_, next)] = signer.pins.as_slice() else { panic!("the example pins two keys") };
    assert_eq!(now.kid, signer.key.kid);
    let forge = || scene.forge(GOOD, |token| token.header("kid", next.kid.as_str()).signed_by(next).mint());
    signer.publish(next);
    let ran = eventually("the announced key to sign", || Some(forge()).filter(|ran| ran.echo.is_some()));
    assert_eq!(ran.log["principal"], pair());
}

#[test]
fn s1_an_unpinned_key_that_borrows_the_name_of_the_pinned_one_signs_nothing() {
    let rogue = Arc::new(Key::generate("rogue", "RS256"));
    let ran = scene(EXAMPLE).forge(GOOD, |token| token.signed_by(&rogue).mint());
    assert_eq!(ran.log["reason"], "signature_invalid", "{}", ran.log);
    assert!(ran.echo.is_none() && ran.log["verified"].is_null(), "{}", ran.log);
}

#[test]
fn s1_the_same_token_of_another_tenant_is_refused_before_any_grant() {
    let scene = scene(EXAMPLE);
    let before = denials(scene, "pin_mismatch", "central-idp");
    for case in ["another tenant's workload of the same name", "both tenants in one claim", "no tenant at all"] {
        let ran = refused(EXAMPLE, case, "pin_mismatch");
        assert_eq!((&ran.log["verified"], &ran.log["issuer_name"]), (&pair(), &json!("central-idp")), "{case}");
        assert!(ran.log["principal"].is_null() && ran.log["near_miss"].is_null(), "{case}: {}", ran.log);
        let told = format!("{} {}", ran.log, ran.response.text());
        assert!(!told.contains("wholesale"), "{case}: a claim's value is told: {told}");
    }
    assert!(denials(scene, "pin_mismatch", "central-idp") >= before + 3.0);
}

#[test]
fn s1_the_same_name_in_another_cluster_is_refused_and_the_log_says_what_differs() {
    let ran = refused(EXAMPLE, "the same name in another cluster", "grant_none");
    assert_eq!(ran.log["near_miss"], json!([{"grant": "checkout-reserves", "failed": ["cluster"]}]));
    let ran = refused(EXAMPLE, "a token for the callers' own cluster", "audience_mismatch");
    assert_eq!(ran.log["verified"], pair());
}
