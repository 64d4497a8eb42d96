//! What is remembered of tokens that are used once: over reloads, not over restarts, and not without bounds.

use serde_json::json;

use crate::support::credence::{Credence, Serve};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, now};
use crate::world::{API, SUBJECT, call, entry, in_force, reason, table_of, token, until};

const ENTRIES: &str = "credence_replay_entries";

/// The issuers may GET below `/once/` with each token once, and below `/often/` as often as they like.
fn once(issuers: &[(&str, &Issuer)]) -> String {
    let entries: String = issuers.iter().map(|(name, issuer)| entry(name, issuer, "")).collect();
    let names: Vec<_> = issuers.iter().map(|(name, _)| *name).collect();
    let all = format!("[{}]", names.join(", "));
    table_of(&entries, &[("once", &all), ("often", &all)])
        .replace("paths: [/once/**]", "paths: [/once/**], replay: once")
}

/// Starts it, and waits until what is issued was issued since, whole seconds counted.
fn started(serve: Serve) -> Credence {
    let credence = serve.start();
    let started = now();
    eventually("the next second", || (now() > started).then_some(()));
    credence
}

#[test]
fn a_reload_forgets_no_use_whatever_becomes_of_the_entries_names() {
    let ci = Issuer::start();
    let file = Table::new(&once(&[("ci", &ci)]));
    let credence = started(Credence::serve(file.path()));
    let used = token(&ci);
    assert_eq!((reason(&credence, "once", &used), credence.metric(ENTRIES)), ("ok".into(), Some(1.0)));
    for table in [once(&[("renamed", &ci)]), once(&[("ci", &ci)]).replace("often:", "seldom:")] {
        let (before, _) = in_force(&credence);
        file.replace(&table);
        credence.signal("HUP");
        eventually("the next table", || (in_force(&credence).0 > before).then_some(()));
        // An entry by another name fetches its keys anew.
        let asked = || Some(reason(&credence, "once", &used)).filter(|reason| reason != "keys_unavailable");
        assert_eq!((eventually("keys", asked), credence.metric(ENTRIES)), ("replayed".into(), Some(1.0)));
    }
    // Also over a time in which the table knows neither grant nor issuer.
    let other = Issuer::start();
    file.replace(&once(&[("other", &other)]));
    until(&credence, "once", &used, "issuer_unknown");
    file.replace(&once(&[("ci", &ci)]));
    until(&credence, "once", &used, "replayed");
}

#[test]
fn a_restart_brings_no_used_token_back() {
    let ci = Issuer::start();
    let file = Table::new(&once(&[("ci", &ci)]));
    let mut first = started(Credence::serve(file.path()));
    let (used, unused) = (token(&ci), token(&ci));
    assert_eq!(reason(&first, "once", &used), "ok");
    first.process().signal("KILL");
    let second = Credence::serve(file.path()).start();
    for older in [&used, &unused] {
        assert_eq!(reason(&second, "once", older), "replay_unavailable", "it cannot know which was used");
        assert_eq!(reason(&second, "often", older), "ok");
    }
    eventually("a token of now", || (reason(&second, "once", &token(&ci)) == "ok").then_some(()));
}

#[test]
fn one_issuer_fills_its_own_share_and_no_other_and_nothing_that_lives_is_given_up() {
    let (ci, partner) = (Issuer::start(), Issuer::start());
    let file = Table::new(&once(&[("ci", &ci), ("partner", &partner)]));
    // Room for twenty.
    let credence = started(Credence::serve(file.path()).arg("--replay-memory").arg("1120"));
    let tokens: Vec<_> = (0..15).map(|_| token(&ci)).collect();
    let reasons: Vec<_> = tokens.iter().map(|token| reason(&credence, "once", token)).collect();
    assert_eq!(reasons[..10], vec!["ok"; 10]);
    assert_eq!(reasons[10..], vec!["replay_unavailable"; 5]);
    assert!((0..10).all(|_| reason(&credence, "once", &token(&partner)) == "ok"), "the other's share");
    for (used, again) in tokens.iter().zip([vec!["replayed"; 10], vec!["replay_unavailable"; 5]].concat()) {
        assert_eq!(reason(&credence, "once", used), again);
        assert_eq!(reason(&credence, "often", used), "ok", "who does not ask is not held up");
    }
    assert_eq!(credence.metric(ENTRIES), Some(20.0));
    let full = "credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\",issuer=\"ci\"}";
    assert_eq!(credence.metric(full), Some(10.0));
}

#[test]
fn without_memory_a_grant_that_asks_fits_no_token() {
    let ci = Issuer::start();
    let file = Table::new(&once(&[("ci", &ci)]));
    let credence = started(Credence::serve(file.path()).arg("--replay-memory").arg("0"));
    let token = token(&ci);
    assert_eq!(reason(&credence, "once", &token), "replay_unavailable");
    assert_eq!(reason(&credence, "often", &token), "ok");
}

#[test]
fn a_use_that_cannot_be_logged_is_refused_and_spends_nothing() {
    let ci = Issuer::start();
    let file = Table::new(&once(&[("ci", &ci)]));
    let serve = Credence::serve(file.path()).decision_log("/dev/full").arg("--decision-log-full").arg("deny");
    let credence = started(serve);
    let mut allowed = 0;
    // The first line only shows that the disk is full.
    eventually("a refusal", || {
        let answer = credence.check(&call("once", &token(&ci)));
        allowed += usize::from(answer.allowed());
        (answer.reason() == "log_unavailable").then_some(())
    });
    for _ in 0..5 {
        assert_eq!(reason(&credence, "once", &token(&ci)), "log_unavailable");
    }
    assert_eq!(credence.metric(ENTRIES), Some(allowed as f64));
}

#[test]
fn a_shadow_grant_spends_nothing() {
    let ci = Issuer::start();
    let shadow =
        once(&[("ci", &ci)]).replace("replay: once", "replay: once, mode: shadow").replace("[/often/**]", "any");
    let file = Table::new(&shadow);
    let credence = started(Credence::serve(file.path()));
    let token = ci.token(SUBJECT, API).mint();
    for _ in 0..2 {
        let answer = credence.check(&call("once", &token));
        assert_eq!((answer.reason().as_str(), &answer.metadata()["grants"]), ("ok", &json!(["often"])));
        assert_eq!(credence.decision(&answer.decision_id())["shadow"], json!(["once"]));
    }
    assert_eq!(credence.metric(ENTRIES), Some(0.0));
}
