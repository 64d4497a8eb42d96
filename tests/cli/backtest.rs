//! `backtest`: which logged decisions would change.

use serde_json::Value;

use crate::logs::{Log, log};
use crate::support::table::Table;
use crate::world::{Ended, run};

fn backtest(log: &Log, candidate: &Table, more: &[&str]) -> Ended {
    let (path, table) = (log.path(), candidate.path().display().to_string());
    run(&[&["backtest", "--log", &path], more, &[&table]].concat())
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}", ended.all()))
}

#[test]
fn the_same_table_changes_nothing() {
    let log = log();
    let ended = backtest(&log, &log.table, &["--fail-on", "cannot-tell"]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(
        ended.out.ends_with("  6 same\n  0 changed\n  0 cannot be told\n") && ended.err.is_empty(),
        "{}",
        ended.all()
    );
}

#[test]
fn with_the_table_of_then_each_change_is_told_with_an_example() {
    let log = log();
    let base = log.table.path().display().to_string();
    // The branch that was allowed is out, and what another grant allows is as it was.
    let narrower = log.candidate("refs/heads/main", "refs/heads/release");
    let ended = backtest(&log, &narrower, &["--base", &base]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.out.contains("allow ok by deploy with scopes deploy:payments -> deny grant_none"), "{}", ended.out);
    assert!(ended.out.contains(&format!("once: {}", log.id(0))), "{}", ended.out);
    assert!(ended.out.contains("POST at resource api") && ended.err.is_empty(), "{}", ended.all());
    // Whether the other branch was `release` the log does not say: it is not guessed.
    assert!(ended.out.contains("cannot tell: not in the log: claim ref\n"), "{}", ended.out);

    let wider = log.candidate("claims: {ref: refs/heads/main}", "claims: {ref: {present: true}}");
    let told = json(&backtest(&log, &wider, &["--base", &base, "-o", "json"]));
    // The condition that failed is known to have failed, not what the claim was.
    assert_eq!((&told["same"], &told["changed"], &told["cannot_tell"]), (&5.into(), &0.into(), &1.into()), "{told}");

    let open = log.candidate("    claims: {ref: refs/heads/main}\n", "");
    let told = json(&backtest(&log, &open, &["--base", &base, "-o", "json"]));
    assert_eq!((&told["same"], &told["changed"], &told["cannot_tell"]), (&5.into(), &1.into(), &0.into()), "{told}");
    let change = &told["changes"][0];
    assert_eq!((&change["kind"], &change["example"]), (&"deny_to_allow".into(), &log.id(1).into()), "{told}");
    assert_eq!(change["to"]["grants"], serde_json::json!(["deploy"]));
}

#[test]
fn without_the_table_of_then_it_says_what_it_misses_and_still_tells_what_is_certain() {
    let log = log();
    let gone = log.candidate(&format!("issuer: \"{}\"", log.ci.url()), "issuer: \"https://other.test\"");
    let ended = backtest(&log, &gone, &[]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    // A resource of this table is picked by `context`, which the log does not keep; denied it is either way.
    assert!(ended.out.contains(" -> deny, the reason cannot be told"), "{}", ended.out);
    assert!(ended.err.contains("6 decisions were made by a table that is not here"), "{}", ended.err);
    let narrower = log.candidate("refs/heads/main", "refs/heads/release");
    let ended = backtest(&log, &narrower, &[]);
    assert!(ended.code == 0 && ended.out.contains("0 changed"), "{}", ended.all());
    assert!(ended.out.contains("not in the log: the table of that time, which `--base` brings\n"), "{}", ended.out);
    assert_eq!(backtest(&log, &narrower, &["--fail-on", "cannot-tell"]).code, 1);
}

#[test]
fn an_empty_log_proves_nothing() {
    let log = log();
    std::fs::write(log.file(), "torn\n").unwrap();
    let ended = backtest(&log, &log.table, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("there is no decision in these logs"), "{}", ended.err);
    let broken = Table::raw(b"issuers: {");
    assert_eq!(backtest(&log, &broken, &[]).code, 2);
}
