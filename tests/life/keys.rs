//! Where keys come from, and what holds while they do not come.

use std::fs;
use std::sync::Arc;

use serde_json::json;

use crate::support::credence::Credence;
use crate::support::issuer::{Ca, DISCOVERY, Fault, Issuer, JWKS};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::{eventually, scratch};
use crate::world::{API, KEPT, RELOADED, SUBJECT, call, entry, in_force, reason, state, table_of, token, until};

#[test]
fn an_issuer_that_is_down_at_the_start_stops_nobody_else_and_recovers_by_itself() {
    let (ci, partner) = (Issuer::start(), Issuer::start());
    partner.fault(DISCOVERY, Some(Fault::Reset));
    let entries = entry("ci", &ci, "") + &entry("partner", &partner, "");
    let file = Table::new(&table_of(&entries, &[("own", "ci"), ("theirs", "partner")]));
    let credence = Credence::serve(file.path()).keyless("partner").start();
    let (ours, theirs) = (token(&ci), token(&partner));
    assert_eq!(reason(&credence, "own", &ours), "ok");
    let answer = credence.check(&call("theirs", &theirs));
    assert_eq!((answer.reason().as_str(), answer.status(), answer.code()), ("keys_unavailable", 503, 14));
    assert!(answer.header("retry-after").is_some());
    assert!(state(&credence, "partner")["last_error"].is_string());
    // Down or not, it vouches for nobody at another's grant.
    assert_eq!(reason(&credence, "own", &theirs), "keys_unavailable");
    assert!(!credence.check(&call("theirs", &ours)).allowed());

    partner.fault(DISCOVERY, None);
    until(&credence, "theirs", &theirs, "ok");
    assert!(state(&credence, "partner")["last_error"].is_null());
    assert_eq!(ci.hits(JWKS), 1, "another's trouble is not ours");
}

#[test]
fn a_question_in_order_never_causes_a_fetch_and_a_strangers_never_at_all() {
    let ci = Issuer::start();
    let file = Table::new(&table_of(&entry("ci", &ci, ""), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    let stranger = Issuer::start();
    let before = (ci.all_hits(), stranger.all_hits());
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token(&stranger)), "issuer_unknown");
        let lured = ci.token(SUBJECT, API).header("jku", stranger.jwks_uri()).mint();
        assert_eq!(reason(&credence, "own", &lured), "malformed");
        assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    }
    assert_eq!((ci.all_hits(), stranger.all_hits()), before);
}

#[test]
fn keys_survive_a_reload_that_leaves_their_source_alone_even_when_it_is_down() {
    let ci = Issuer::start();
    let file = Table::new(&table_of(&entry("ci", &ci, ""), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    let token = token(&ci);
    let hits = ci.all_hits();
    ci.fault(DISCOVERY, Some(Fault::Status(500)));
    ci.fault(JWKS, Some(Fault::Status(500)));
    file.replace(&table_of(&entry("ci", &ci, ", maxTokenAge: 1h"), &[("own", "ci"), ("more", "ci")]));
    until(&credence, "more", &token, "ok");
    assert_eq!(reason(&credence, "own", &token), "ok");
    assert_eq!(ci.all_hits(), hits);
}

#[test]
fn pins_of_keys_are_in_force_with_the_table_and_without_a_fetch() {
    let ci = Issuer::start();
    let plain = table_of(&entry("ci", &ci, ""), &[("own", "ci")]);
    let pinned = |thumbprints: &[String]| {
        let more = format!(", pin: {{keys: [\"{}\"]}}", thumbprints.join("\", \""));
        table_of(&entry("ci", &ci, &more), &[("own", "ci")])
    };
    let (ours, others) = (ci.key().thumbprint(), [Key::generate("x", "ES256"), Key::generate("y", "ES256")]);
    let others: Vec<_> = others.iter().map(Key::thumbprint).collect();
    let file = Table::new(&plain);
    let credence = Credence::serve(file.path()).start();
    let token = token(&ci);
    let hits = ci.all_hits();
    assert_eq!(reason(&credence, "own", &token), "ok");
    file.replace(&pinned(&others));
    until(&credence, "own", &token, "key_not_pinned");
    assert_eq!(credence.metric("credence_keys{issuer=\"ci\",state=\"not_pinned\"}"), Some(1.0));
    file.replace(&pinned(&[others[0].clone(), ours]));
    until(&credence, "own", &token, "ok");
    file.replace(&plain);
    until(&credence, "own", &token, "ok");
    assert_eq!(ci.all_hits(), hits);
}

#[test]
fn another_iss_under_the_same_name_does_not_inherit_the_keys() {
    let (ci, impostor) = (Issuer::start(), Issuer::start());
    let file = Table::new(&table_of(&entry("ci", &ci, ""), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    impostor.fault(DISCOVERY, Some(Fault::Reset));
    file.replace(&table_of(&entry("ci", &impostor, ""), &[("own", "ci")]));
    until(&credence, "own", &token(&ci), "issuer_unknown");
    let claimed = ci.token(SUBJECT, API).claim("iss", impostor.url()).mint();
    assert_eq!(reason(&credence, "own", &claimed), "keys_unavailable");
}

#[test]
fn the_endpoint_may_fail_later_and_known_keys_go_on() {
    let ci = Issuer::start();
    let file = Table::new(&table_of(&entry("ci", &ci, ""), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    for fault in [Fault::Status(500), Fault::Hang, Fault::Body(b"{\"keys\":[]}".to_vec())] {
        ci.fault(DISCOVERY, Some(fault.clone()));
        ci.fault(JWKS, Some(fault));
        assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    }
}

/// A table whose issuer's keys stand in the file `keys.json` beside it.
fn from_file(ci: &Issuer) -> (Table, std::path::PathBuf) {
    let file = Table::raw(b"");
    let keys = file.dir().join("keys.json");
    fs::write(&keys, ci.jwks().to_string()).unwrap();
    let entry = format!("  ci: {{issuer: \"{}\", jwksFile: \"{}\", {KEPT}}}\n", ci.url(), keys.display());
    file.replace(&table_of(&entry, &[("own", "ci")]));
    (file, keys)
}

/// A file is looked at every few seconds, so this is also how any source behaves at its next refresh.
#[test]
fn a_key_set_that_turns_bad_leaves_the_last_good_one_and_a_rotated_one_is_taken() {
    let ci = Issuer::start();
    let (_file, keys) = from_file(&ci);
    let credence = Credence::serve(_file.path()).start();
    let old = token(&ci);
    assert_eq!(reason(&credence, "own", &old), "ok");
    for (what, bad) in
        [("an empty set", "{\"keys\":[]}"), ("no JSON", "<html>"), ("half a set", "{\"keys\":[{\"kty\":")]
    {
        fs::write(&keys, bad).unwrap();
        eventually(&format!("{what} to be noticed"), || state(&credence, "ci")["last_error"].is_string().then_some(()));
        assert_eq!(reason(&credence, "own", &old), "ok", "{what}");
        fs::write(&keys, ci.jwks().to_string()).unwrap();
        eventually("the good set", || state(&credence, "ci")["last_error"].is_null().then_some(()));
    }
    fs::remove_file(&keys).unwrap();
    eventually("the file to be missed", || state(&credence, "ci")["last_error"].is_string().then_some(()));
    assert_eq!(reason(&credence, "own", &old), "ok", "no file");

    let next = Arc::new(Key::generate("next", "ES256"));
    let new = ci.token(SUBJECT, API).signed_by(&next).header("kid", "next").mint();
    assert_eq!(reason(&credence, "own", &new), "key_unknown");
    fs::write(&keys, json!({"keys": [next.jwk()]}).to_string()).unwrap();
    until(&credence, "own", &new, "ok");
    assert_eq!(reason(&credence, "own", &old), "key_unknown", "what is no longer published no longer counts");
    assert_eq!(in_force(&credence).0, 1, "keys are not the table");
    assert_eq!(credence.metric(RELOADED), Some(1.0));
}

#[test]
fn keys_come_over_tls_from_a_private_authority_and_from_no_other() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let ci = Issuer::https(&["ES256"], &ca);
    let scratch = scratch();
    let ca_file = stranger.write(scratch.path());
    let file = Table::new(&table_of(&entry("ci", &ci, &format!(", caFile: \"{ca_file}\"")), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).keyless("ci").start();
    let token = token(&ci);
    eventually("the first try", || state(&credence, "ci")["last_error"].is_string().then_some(()));
    assert_eq!(reason(&credence, "own", &token), "keys_unavailable");
    assert_eq!(ci.all_hits(), 0, "nothing is said to a server that is not known");
    // The right authority, in the same file.
    ca.write(scratch.path());
    until(&credence, "own", &token, "ok");
}

#[test]
fn without_ca_file_a_private_authority_is_not_believed() {
    let ci = Issuer::https(&["ES256"], &Ca::new());
    let file = Table::new(&table_of(&entry("ci", &ci, ""), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).keyless("ci").start();
    eventually("the first try", || state(&credence, "ci")["last_error"].is_string().then_some(()));
    assert_eq!(reason(&credence, "own", &token(&ci)), "keys_unavailable");
}
