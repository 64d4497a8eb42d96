//! `explain` where somebody acts, and where a token may be used once.

use serde_json::json;

use crate::support::issuer::Issuer;
use crate::support::now;
use crate::world::{API, SUBJECT, explain, table};

#[test]
fn both_pairs_are_told_and_by_whose_word() {
    let ci = Issuer::start();
    let table = table(&ci);
    let token = ci.token(SUBJECT, API).claim("act", json!({"sub": "agent"})).mint();
    let ended = explain(&table, &token, &["GET", &format!("{API}/act")]);
    let told =
        format!("  sub {SUBJECT}\nactor, as {} says\n  iss {}\n  sub agent\nscopes\n  book\n", ci.url(), ci.url());
    assert!(ended.code == 0 && ended.out.ends_with(&told), "{}", ended.out);
}

#[test]
fn an_actor_who_is_not_meant_is_told_beside_the_one_who_is() {
    let ci = Issuer::start();
    let table = table(&ci);
    for (act, given) in [
        (json!({"sub": "agents"}), r#"is {"sub":"agents"}"#),
        (json!({"iss": "https://other.test", "sub": "agent"}), r#"is {"iss":"https://other.test","sub":"agent"}"#),
    ] {
        let token = ci.token(SUBJECT, API).claim("act", act).mint();
        let ended = explain(&table, &token, &["GET", &format!("{API}/act")]);
        assert!(ended.out.starts_with("deny actor_not_allowed"), "{}", ended.out);
        let wanted = r#"actor: must be "agent" of the token's own issuer, in a chain of at most 1, and not the subject itself, "#;
        assert!(ended.out.contains(wanted) && ended.out.contains(given), "{}", ended.out);
    }
    let alone = explain(&table, &ci.token(SUBJECT, API).mint(), &["GET", &format!("{API}/act")]);
    assert!(alone.out.contains("is absent"), "{}", alone.out);
}

#[test]
fn a_use_is_told_as_one_that_would_spend_the_token_and_spends_nothing() {
    let ci = Issuer::start();
    let table = table(&ci);
    let (token, url) = (ci.token(SUBJECT, API).mint(), format!("{API}/once"));
    for _ in 0..2 {
        let ended = explain(&table, &token, &["GET", &url]);
        assert!(ended.code == 0 && ended.out.starts_with("allow ok"), "{}", ended.out);
        let told = "grant once asks for a token that was not used before: a server spends it with this use";
        assert!(ended.out.contains(told), "{}", ended.out);
    }
    for (bent, reason, wanted) in [
        (ci.token(SUBJECT, API).without("jti"), "jti_missing", "replay: must be a `jti`, is absent"),
        (ci.token(SUBJECT, API).claim("iat", now() + 20), "replay_unavailable", "replay: must be a first use"),
    ] {
        let ended = explain(&table, &bent.mint(), &["GET", &url]);
        assert!(ended.out.starts_with(&format!("deny {reason}")) && ended.out.contains(wanted), "{}", ended.out);
    }
}
