//! Where `explain` gets the keys, and what it says when it has none.

use crate::support::issuer::{DISCOVERY, Fault, Issuer};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::world::{API, Ended, SUBJECT, explain, table};

const URL: &str = "https://api.acme.test/v1/x";

fn world() -> (Issuer, Table) {
    let ci = Issuer::start();
    let table = table(&ci);
    (ci, table)
}

fn told(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn keys_are_fetched_from_where_the_table_says_and_nowhere_else() {
    let (ci, table) = world();
    let stranger = Issuer::start();
    let token = ci.token(SUBJECT, API).mint();
    assert_eq!(explain(&table, &token, &["GET", URL]).code, 0);
    assert!(ci.hits(DISCOVERY) == 1 && ci.hits("/jwks") == 1);
    let ended = explain(&table, &stranger.token(SUBJECT, API).mint(), &["GET", URL]);
    assert!(ended.code == 1 && ended.out.starts_with("deny issuer_unknown"), "{}", ended.out);
    assert_eq!(stranger.all_hits(), 0);
}

#[test]
fn a_forged_signature_is_seen() {
    let (ci, table) = world();
    let other = std::sync::Arc::new(Key::generate(&ci.key().kid, "ES256"));
    let forged = [
        ci.token(SUBJECT, API).mint_with_signature(&[1; 64]),
        ci.token(SUBJECT, API).signed_by(&other).mint(),
        ci.token(SUBJECT, API).mint_hs256(ci.jwks().to_string().as_bytes()),
    ];
    for (token, reason) in forged.iter().zip(["signature_invalid", "signature_invalid", "signature_invalid"]) {
        let ended = explain(&table, token, &["GET", URL]);
        assert_eq!(ended.code, 1, "{}", ended.out);
        assert!(ended.out.starts_with(&format!("deny {reason}")), "{}", ended.out);
    }
}

#[test]
fn offline_the_signature_is_not_checked_and_that_is_said() {
    let (ci, table) = world();
    let forged = ci.token(SUBJECT, API).mint_with_signature(&[1; 64]);
    for token in [ci.token(SUBJECT, API).mint(), forged] {
        let ended = explain(&table, &token, &["--offline", "GET", URL]);
        assert!(ended.out.contains("signature not checked"), "{}", ended.out);
        assert!(ended.out.lines().next().unwrap().ends_with("SIGNATURE NOT CHECKED"), "{}", ended.out);
        let ended = explain(&table, &token, &["--offline", "-o", "json", "GET", URL]);
        assert_eq!(told(&ended)["signature"], "not_checked");
    }
    assert_eq!(ci.all_hits(), 0, "offline is offline");
    // What differs in the rest is still found.
    let ended = explain(&table, &ci.token("nobody", API).mint(), &["--offline", "GET", URL]);
    assert!(ended.code == 1 && ended.out.starts_with("deny grant_none"), "{}", ended.out);
}

#[test]
fn keys_from_a_file_are_used_instead_of_a_fetch() {
    let (ci, table) = world();
    let keys = table.dir().join("keys.json");
    let keys_file = keys.display().to_string();
    let token = ci.token(SUBJECT, API).mint();
    std::fs::write(&keys, ci.jwks().to_string()).unwrap();
    let with_keys = ["--keys", &keys_file, "GET", URL];
    let ended = explain(&table, &token, &with_keys);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(!ended.out.contains("not checked"), "{}", ended.out);
    let forged = explain(&table, &ci.token(SUBJECT, API).mint_with_signature(&[1; 64]), &with_keys);
    assert!(forged.out.starts_with("deny signature_invalid"), "{}", forged.out);
    std::fs::write(&keys, Issuer::start().jwks().to_string()).unwrap();
    assert!(explain(&table, &token, &with_keys).out.starts_with("deny signature_invalid"));
    assert_eq!(ci.all_hits(), 0);
    for bad in ["", "{", "[]", "{\"keys\": 1}"] {
        std::fs::write(&keys, bad).unwrap();
        let ended = explain(&table, &token, &with_keys);
        assert_eq!(ended.code, 2, "{bad:?}: {}", ended.all());
        assert!(ended.err.contains("keys.json"), "{}", ended.err);
    }
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(explain(&table, &token, &with_keys).code, 2);
}

#[test]
fn an_issuer_that_cannot_be_reached_is_a_warning_and_the_walk_goes_on() {
    let (ci, table) = world();
    for fault in [Fault::Status(500), Fault::Reset, Fault::Body(b"<html>\x1b[2J".to_vec()), Fault::Cut] {
        ci.fault(DISCOVERY, Some(fault.clone()));
        let ended = explain(&table, &ci.token(SUBJECT, API).mint(), &["GET", URL]);
        assert!(ended.err.contains("warning: the keys of issuer ci cannot be fetched"), "{fault:?}: {}", ended.err);
        assert!(ended.out.contains("signature not checked"), "{fault:?}: {}", ended.out);
        assert!(ended.is_plain(), "{fault:?}: {:?}", ended.all());
    }
}
