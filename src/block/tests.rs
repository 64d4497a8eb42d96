use std::time::Duration;

use super::*;
use crate::claims::{Actor, token_id};

const NOW: Time = Time::from_seconds(1_000_000.0);
const KEY: &str = "sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
const ISS: &str = "https://idp.acme.test";

/// A table with one entry besides: `partner` is `https://idp.partner.test`.
struct Partner;

impl Namesakes for Partner {
    fn is_entry(&self, iss: &str, name: &str) -> bool {
        (iss, name) == ("https://idp.partner.test", "partner")
    }
}

pub(super) fn block(name: &str, conditions: Conditions) -> Block {
    let site = Site { file: "blocks.yaml".into(), line: 1, column: 1 };
    Block { name: BlockName::new(name), site, conditions, expires: None, reason: "incident".into() }
}

pub(super) fn issuer(issuer: &str) -> Conditions {
    Conditions { issuer: Some(issuer.into()), ..Conditions::default() }
}

pub(super) fn subject(subject: &str) -> Conditions {
    Conditions { subject: Some(subject.into()), ..Conditions::default() }
}

pub(super) fn key(key: &str) -> Conditions {
    Conditions { key: Some(BlockedKey::new(key)), ..Conditions::default() }
}

pub(super) fn suspect() -> Suspect<'static> {
    static ID: std::sync::LazyLock<[u8; 32]> = std::sync::LazyLock::new(|| token_id("pipeline-4711"));
    Suspect {
        entry: "acme",
        issuer: ISS,
        carried: None,
        subject: "worker",
        actor: None,
        key: Thumbprint::parse(KEY),
        key_id: Some("k1"),
        token_id: Some(&ID),
        issued_at: Some(999_000.0),
    }
}

fn stops(conditions: Conditions, suspect: &Suspect<'_>) -> bool {
    Blocks::build(vec![block("b", conditions)]).against(suspect, NOW, &Partner).is_some()
}

fn acting(actor: &Actor) -> Suspect<'_> {
    Suspect { actor: Some(actor), ..suspect() }
}

fn actor(issuer: Option<&str>, subject: &str, before: Option<Actor>) -> Actor {
    Actor { issuer: issuer.map(str::to_owned), subject: subject.into(), before: before.map(Box::new) }
}

#[test]
fn an_entry_is_named_by_its_name_or_its_exact_iss() {
    for one in ["acme", ISS] {
        assert!(stops(issuer(one), &suspect()), "{one}");
    }
    for other in ["Acme", "https://idp.acme.test/", "acm", ""] {
        assert!(!stops(issuer(other), &suspect()), "{other}");
    }
    let carried = Suspect { carried: Some("https://oidc.acme.test"), ..suspect() };
    assert!(stops(issuer("https://oidc.acme.test"), &carried), "the `iss` that a SPIFFE token carries");
}

#[test]
fn a_name_that_is_also_an_iss_means_both() {
    let other = Suspect { entry: "other", issuer: "acme", ..suspect() };
    assert!(stops(issuer("acme"), &suspect()) && stops(issuer("acme"), &other));
}

#[test]
fn a_key_is_named_by_its_thumbprint_or_its_kid() {
    for one in [KEY, "k1", "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"] {
        assert!(stops(key(one), &suspect()), "{one}");
    }
    assert!(!stops(key("k2"), &suspect()));
    assert!(!stops(key(&KEY.replace("Nzb", "Ozb")), &suspect()));
    let named_so = Suspect { key: None, key_id: Some(KEY), ..suspect() };
    assert!(stops(key(KEY), &named_so), "a `kid` may look like a thumbprint");
}

#[test]
fn a_subject_is_stopped_wherever_it_stands_in_the_chain() {
    let chain = actor(None, "agent", Some(actor(None, "tool", Some(actor(None, "origin", None)))));
    for one in ["worker", "agent", "tool", "origin"] {
        assert!(stops(subject(one), &acting(&chain)), "{one}");
        assert!(stops(Conditions { issuer: Some("acme".into()), ..subject(one) }, &acting(&chain)), "{one}");
    }
    assert!(!stops(subject("somebody"), &acting(&chain)));
}

#[test]
fn an_actor_of_a_blocked_pair_is_stopped_whoever_vouches_for_it() {
    let foreign = actor(Some("https://idp.partner.test"), "agent", None);
    for issuer in ["partner", "https://idp.partner.test", "acme"] {
        let pair = Conditions { issuer: Some(issuer.into()), ..subject("agent") };
        assert!(stops(pair, &acting(&foreign)), "{issuer}");
    }
    let elsewhere = Conditions { issuer: Some("elsewhere".into()), ..subject("agent") };
    assert!(!stops(elsewhere, &acting(&foreign)));
    let principal = Conditions { issuer: Some("partner".into()), ..subject("worker") };
    assert!(!stops(principal, &acting(&foreign)), "the same `sub` at another issuer is somebody else");
    assert!(!stops(issuer("partner"), &acting(&foreign)), "an issuer that signed nothing here");
}

#[test]
fn a_token_without_iat_was_issued_before_everything() {
    let before = |at: f64| Conditions { issued_before: Some(Time::from_seconds(at)), ..Conditions::default() };
    assert!(stops(before(999_000.5), &suspect()));
    assert!(!stops(before(999_000.0), &suspect()), "at that very instant is not before");
    assert!(stops(before(1.0), &Suspect { issued_at: None, ..suspect() }));
}

#[test]
fn all_conditions_must_hold() {
    let all = Conditions {
        issuer: Some("acme".into()),
        subject: Some("worker".into()),
        key: Some(BlockedKey::new("k1")),
        token_id: Some(token_id("pipeline-4711")),
        issued_before: Some(NOW),
    };
    assert!(stops(all.clone(), &suspect()));
    for bent in [
        Conditions { issuer: Some("other".into()), ..all.clone() },
        Conditions { subject: Some("other".into()), ..all.clone() },
        Conditions { key: Some(BlockedKey::new("k2")), ..all.clone() },
        Conditions { token_id: Some(token_id("pipeline-4712")), ..all.clone() },
        Conditions { issued_before: Some(Time::from_seconds(1.0)), ..all },
    ] {
        assert!(!stops(bent.clone(), &suspect()), "{bent:?}");
    }
}

#[test]
fn a_block_ends_by_itself_and_the_first_by_name_is_told() {
    let ends = Block { expires: Some(NOW.after(Duration::from_secs(5))), ..block("a", issuer("acme")) };
    let blocks = Blocks::build(vec![block("b", subject("worker")), ends]);
    let told =
        |later| blocks.against(&suspect(), NOW.after(Duration::from_secs(later)), &Partner).unwrap().name.clone();
    assert_eq!((told(4).as_str(), told(5).as_str()), ("a", "b"));
}

#[test]
fn what_is_found_is_what_a_look_at_every_block_finds() {
    let texts = ["acme", ISS, "worker", "agent", "k1", KEY, "other"];
    let pick = |at: usize| texts[at % texts.len()];
    let mut all = Vec::new();
    for number in 0..2000_usize {
        let bit = |bit: usize| (number * 7919) >> bit & 1 == 1;
        let conditions = Conditions {
            issuer: bit(1).then(|| pick(number / 3).into()),
            subject: bit(3).then(|| pick(number / 5).into()),
            key: bit(5).then(|| BlockedKey::new(pick(number / 7))),
            token_id: bit(7).then(|| token_id(if bit(2) { "pipeline-4711" } else { "other" })),
            issued_before: bit(9).then(|| Time::from_seconds(if bit(4) { 1.0 } else { 999_500.0 })),
        };
        let expires = bit(11).then(|| Time::from_seconds(if bit(6) { 1.0 } else { 2_000_000.0 }));
        all.push(Block { expires, ..block(&format!("b{number:04}"), conditions) });
    }
    let chain = actor(Some("https://idp.partner.test"), "agent", None);
    let mut stopped = 0;
    for window in all.chunks(3) {
        let blocks = Blocks::build(window.to_vec());
        for suspect in [suspect(), acting(&chain), Suspect { token_id: None, issued_at: None, ..suspect() }] {
            let slow = window.iter().find(|block| block.is_in_force(NOW) && block.conditions.hold(&suspect, &Partner));
            let fast = blocks.against(&suspect, NOW, &Partner);
            assert_eq!(fast.map(|block| &block.name), slow.map(|block| &block.name));
            stopped += usize::from(slow.is_some());
        }
    }
    assert!(stopped > 100, "{stopped}");
}

#[test]
fn the_digest_is_of_the_meaning_in_any_order() {
    let (one, two) = (block("a", issuer("acme")), block("b", subject("worker")));
    let digest = |list: &[&Block]| Blocks::build(list.iter().map(|&block| block.clone()).collect()).digest().to_owned();
    assert_eq!(digest(&[&one, &two]), digest(&[&two, &one]));
    let told_otherwise = Block { reason: "another".into(), ..one.clone() };
    assert_eq!(digest(&[&one]), digest(&[&told_otherwise]));
    let ends = Block { expires: Some(NOW), ..one.clone() };
    assert_ne!(digest(&[&one]), digest(&[&ends]));
    assert_ne!(digest(&[&one]), digest(&[]));
    assert_eq!(Blocks::none().digest(), digest(&[]));
}
