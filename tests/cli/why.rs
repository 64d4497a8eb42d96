//! `why`: one decision, explained from the log alone.

use serde_json::Value;

use crate::logs::log;
use crate::support::call::Call;
use crate::support::credence::{Credence, command};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::world::{API, Ended, SUBJECT, run, table, with_input};

#[test]
fn each_kind_of_caller_is_told_for_what_it_is_and_the_lines_of_the_table_are_shown() {
    let log = log();
    let trust = log.table.path().display().to_string();
    let path = log.path();
    let why = |at: usize, more: &[&str]| run(&[&["why", &log.id(at), "--log", &path], more].concat());

    let allowed = why(0, &["--trust", &trust]);
    assert_eq!((allowed.code, allowed.err.as_str()), (0, ""), "{}", allowed.out);
    assert!(allowed.out.starts_with("allow ok: a grant fits\n"), "{}", allowed.out);
    for told in [
        "principal: the signature stood, and a grant allowed it",
        &format!("sub {SUBJECT}"),
        &format!("iss {}", log.ci.url()),
        "POST api.acme.test/v1/deploys/web",
        "deploy  [",
        "scopes deploy:payments",
        "0af7651916cd43dd8448eb211c80319c, span b7ad6b7169203331",
        "the table at hand has this very meaning",
    ] {
        assert!(allowed.out.contains(told), "no {told:?} in {}", allowed.out);
    }
    assert!(!allowed.out.contains("hunter2"));

    let refused = why(1, &["--trust", &trust]);
    assert!(refused.out.starts_with("deny grant_none: no grant fits"), "{}", refused.out);
    let line = log.table.text().lines().position(|line| line.contains("ref: refs/heads/main")).unwrap() + 1;
    for told in [
        "verified: the signature stood, and it was refused all the same",
        "nearest grant deploy  [",
        &format!("ref differed: must be \"refs/heads/main\"  [{trust}:{line}:"),
        "answered with HTTP status 403",
    ] {
        assert!(refused.out.contains(told), "no {told:?} in {}", refused.out);
    }
    assert!(!refused.out.contains("refs/heads/dev"), "the log has no values: {}", refused.out);

    let bare = why(1, &[]);
    assert!(bare.out.contains("  ref differed\n") && !bare.out.contains("trust.yaml"), "{}", bare.out);
    let claimed = why(2, &[]);
    assert!(claimed.out.contains("claimed: what an unverified token said of itself"), "{}", claimed.out);
    assert!(why(3, &[]).out.contains("nobody: no token was read"));
    assert!(why(5, &[]).out.starts_with("allow anonymous: the place is open to all"));
}

#[test]
fn another_table_is_told_as_another() {
    let log = log();
    let other = log.candidate("refs/heads/main", "refs/heads/release");
    let other = other.path().display().to_string();
    let ended = run(&["why", &log.id(1), "--log", &log.path(), "--trust", &other]);
    assert!(ended.out.contains("the table at hand is another by now"), "{}", ended.out);
    let ended = run(&["why", &log.id(1), "--log", &log.path(), "--trust", &other, "-o", "json"]);
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["table"]["is_at_hand"], false);
    assert_eq!(told["near_miss"][0]["differs"][0]["condition"], "ref");
    assert_eq!(told["who"]["standing"], "verified");
    let gone = log.candidate("  deploy:\n", "  renamed:\n");
    let gone = gone.path().display().to_string();
    let ended = run(&["why", &log.id(1), "--log", &log.path(), "--trust", &gone]);
    assert!(ended.out.contains("nearest grant deploy  [not in the table at hand]"), "{}", ended.out);
}

#[test]
fn a_decision_that_is_not_there_is_1_and_a_log_that_is_not_there_2() {
    let log = log();
    let ended = run(&["why", "01a200a6-9f3f-761a-b665-b9542fea3a71", "--log", &log.path()]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(ended.err.contains("among the 6 of these logs"), "{}", ended.err);
    let ended = run(&["why", &log.id(0), "--log", "/nowhere/decisions.jsonl"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("/nowhere/decisions.jsonl"), "{}", ended.err);
}

#[test]
fn torn_lines_are_told_and_what_follows_is_found_also_on_standard_input() {
    let log = log();
    let late = log.lines[1].to_string().replace(&log.id(1), "01a200a6-9f3f-761a-b665-000000000000");
    let long = format!("{{\"schema\":\"{}\"}}", "x".repeat(70_000));
    log.append(&format!("{{\"schema\":\"credence.de\nINFO listening\n{long}\n{{\"schema\":\"other/v1\"}}\n{late}\n"));
    let told = "lines passed over: 2 that cannot be read (torn, or of another program), 1 of another schema, 1 of more than 64 KiB";
    let check = |ended: Ended| {
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(ended.out.starts_with("deny grant_none") && ended.err.contains(told), "{}", ended.all());
    };
    let id = "01a200a6-9f3f-761a-b665-000000000000";
    check(run(&["why", id, "--log", &log.path()]));
    let text = std::fs::read_to_string(log.file()).unwrap();
    check(with_input(command(&["why", id, "--log", "-"]), &text));
    // Several logs: found in the second.
    let empty = log.table.dir().join("empty.jsonl");
    std::fs::write(&empty, "").unwrap();
    check(run(&["why", id, "--log", &empty.display().to_string(), "--log", &log.path()]));
}

#[test]
fn what_kubectl_logs_gives_is_read_as_it_comes_and_a_prefix_before_each_line_is_told() {
    let ci = Issuer::start();
    let table = table(&ci);
    // Two replicas, each with decisions and its own log in one stream, as a container's log has them.
    let mut ids = Vec::new();
    let mut logs = String::new();
    for _ in 0..2 {
        let serve = Credence::serve(table.path()).decision_log("stdout").arg("--log-format=json");
        let replica = serve.shell("exec \"$@\" 1>&2").start();
        ids.push(replica.check(&Call::get(&format!("{API}/v1/deploys/web"))).decision_id());
        let id = ids.last().unwrap();
        logs += &eventually("the decision", || Some(replica.stderr()).filter(|text| text.contains(id)));
    }
    for id in &ids {
        let ended = with_input(command(&["why", id, "--log", "-"]), &logs);
        assert!(ended.code == 0 && ended.out.starts_with("deny no_token"), "{}", ended.all());
        assert!(!ended.err.contains("cannot be read"), "its own log is JSON too: {}", ended.err);
    }
    let ended = with_input(command(&["why", &ids[0], "--log", "-"]), &logs.replace('{', "[pod/credence-0/credence] {"));
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.err.contains("`kubectl logs --prefix=false`"), "{}", ended.err);
}

#[test]
fn a_hostile_log_cannot_move_the_cursor() {
    let log = log();
    let ended = run(&["why", &log.id(4), "--log", &log.path()]);
    assert!(ended.code == 0 && ended.is_plain() && ended.out.contains("\\u{1b}[2J"), "{:?}", ended.all());
    let bad = "x\\u001b[2J\\u202e\\n\\u2028allow ok";
    let line = format!(
        r#"{{"schema":"credence.decision/v1","ts":"2026-11-21T12:00:00Z","decision_id":"h{bad}","decision":"deny","reason":"{bad}","verified":{{"iss":"{bad}","sub":"{bad}"}},"issuer_name":"{bad}","resource":"{bad}","near_miss":[{{"grant":"{bad}","failed":["{bad}"]}}],"http":{{"method":"{bad}","host":"{bad}","path":"/{bad}"}},"token":{{"kid":"{bad}","alg":"{bad}"}},"table":{{"generation":1,"sha256":"{bad}"}},"trace_id":"{bad}"}}"#
    );
    log.append(&format!("{line}\n"));
    let id: Value = serde_json::from_str(&line).unwrap();
    let id = id["decision_id"].as_str().unwrap();
    let trust = log.table.path().display().to_string();
    for output in ["text", "json"] {
        let ended = run(&["why", id, "--log", &log.path(), "--trust", &trust, "-o", output]);
        assert!(ended.code == 0 && ended.is_plain(), "{:?}", ended.all());
    }
    for output in ["text", "json"] {
        let ended = run(&["backtest", "--log", &log.path(), "-o", output, &trust]);
        assert!(ended.is_plain(), "{:?}", ended.all());
    }
}
