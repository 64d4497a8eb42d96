//! The decision log: one whole line a call, and no call waits for it.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::{Credence, Serve};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, runtime};
use crate::world::{API, SUBJECT, call, reason, table, token};

const DROPPED: &str = "credence_decision_log_dropped_total";

/// A credence with one grant, and a token for it.
fn world(prepare: impl FnOnce(Serve) -> Serve) -> (Table, Issuer, Credence, String) {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = prepare(Credence::serve(file.path())).start();
    let token = token(&ci);
    (file, ci, credence, token)
}

/// Asks all at once, at most `at_once` at a time, and waits for every verdict.
fn ask_all(credence: &Credence, calls: &[Call], at_once: usize) -> Vec<Answer> {
    runtime().block_on(async {
        let mut answers = Vec::new();
        for calls in calls.chunks(at_once) {
            let asked: Vec<_> = calls
                .iter()
                .map(|call| {
                    let (mut client, message) = (credence.client(), call.message());
                    tokio::spawn(async move { client.check(message).await })
                })
                .collect();
            for answer in asked {
                answers.push(Answer(answer.await.unwrap().unwrap().into_inner()));
            }
        }
        answers
    })
}

/// Every name that a line may have (contract of schema `credence.decision/v1`).
const NAMES: [&str; 26] = [
    "schema",
    "ts",
    "decision_id",
    "decision",
    "reason",
    "observed_reason",
    "status",
    "principal",
    "verified",
    "claimed",
    "realm",
    "actor",
    "issuer_name",
    "resource",
    "grants",
    "near_miss",
    "scopes",
    "shadow",
    "http",
    "source",
    "proxy",
    "token",
    "table",
    "trace_id",
    "span_id",
    "duration_us",
];

#[test]
fn under_load_each_call_has_exactly_one_whole_line_with_the_names_of_the_schema() {
    let (_file, ci, credence, good) = world(|serve| serve);
    let stranger = Issuer::start();
    let kinds = [
        call("own", &good),
        call("other", &good),
        call("own", &token(&stranger)),
        call("own", &ci.token(SUBJECT, API).mint_with_signature(&[7; 64])),
        call("own", "garbage"),
        Call::get(&format!("{API}/own/x?secret=hunter2")),
        Call::get("https://nowhere.test/"),
        Call::get(&format!("{API}/own//x")),
        call("own", &good).header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        call("own", &good).header("x-note", "line\nbreak\u{2028}"),
    ];
    let calls: Vec<_> = kinds.iter().cycle().take(600).cloned().collect();
    let answers = ask_all(&credence, &calls, 16);
    let lines =
        eventually("a line for each call", || Some(credence.decisions()).filter(|lines| lines.len() >= answers.len()));
    let ids = |it: &mut dyn Iterator<Item = String>| it.collect::<BTreeSet<String>>();
    let answered = ids(&mut answers.iter().map(Answer::decision_id));
    assert_eq!(answered.len(), calls.len(), "each call has an id of its own");
    assert_eq!(ids(&mut lines.iter().map(|line| line["decision_id"].as_str().unwrap().to_owned())), answered);
    assert_eq!(lines.len(), calls.len());
    assert_eq!(credence.metric(DROPPED), Some(0.0));

    for line in &lines {
        let object = line.as_object().unwrap();
        for name in object.keys() {
            assert!(NAMES.contains(&name.as_str()), "{name} is not a name of the schema: {line}");
        }
        assert_eq!(line["schema"], "credence.decision/v1");
        for name in ["ts", "decision", "reason", "status", "http", "table", "duration_us", "proxy"] {
            assert!(object.contains_key(name), "no {name} in {line}");
        }
        let answer = answers.iter().find(|answer| line["decision_id"] == answer.decision_id().as_str()).unwrap();
        assert_eq!(line["reason"], answer.reason().as_str());
        assert_eq!(line["status"], answer.status());
        assert_eq!(line["decision"] == "allow", answer.allowed());
        assert_eq!(line["principal"].is_object(), answer.allowed(), "{line}");
        let pair = if answer.allowed() { &line["principal"] } else { &line["verified"] };
        if line["reason"] == "ok" || line["reason"] == "grant_none" {
            assert_eq!(pair, &serde_json::json!({"iss": ci.url(), "sub": SUBJECT}), "{line}");
        }
        if line["reason"] == "grant_none" {
            assert_eq!(line["near_miss"][0], serde_json::json!({"grant": "own", "failed": ["paths"]}));
        }
    }
    let with_trace = lines.iter().filter(|line| line["trace_id"] == "0af7651916cd43dd8448eb211c80319c").count();
    assert_eq!(with_trace, 60);
    let text = lines.iter().map(Value::to_string).collect::<String>();
    let signature = good.rsplit('.').next().unwrap();
    for secret in [signature, "hunter2", "secret=", good.split('.').nth(1).unwrap(), "garbage"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn standard_output_is_the_log_when_asked_and_nothing_else() {
    let (_file, _ci, mut credence, token) = world(|serve| serve.decision_log("stdout"));
    let answer = credence.check(&call("own", &token));
    let stdout = credence.process().stdout();
    let line = eventually("a line", || std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with('\n')));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["decision_id"], answer.decision_id().as_str());
    assert!(!credence.stderr().contains(&answer.decision_id()), "the program's own log is another");
}

#[test]
fn a_full_disk_costs_lines_which_are_counted_and_no_verdict() {
    let (_file, _ci, credence, token) = world(|serve| serve.decision_log("/dev/full"));
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token), "ok");
        assert_eq!(reason(&credence, "other", &token), "grant_none");
    }
    eventually("every lost line to be counted", || (credence.metric(DROPPED) == Some(40.0)).then_some(()));
    assert_eq!(credence.stderr().matches("the decision log cannot be written").count(), 1, "told once");
}

#[test]
fn a_full_disk_refuses_where_the_operator_says_so() {
    let (_file, _ci, credence, token) =
        world(|serve| serve.decision_log("/dev/full").arg("--decision-log-full").arg("deny"));
    // The first line only shows that the disk is full.
    let answer = eventually("a refusal", || {
        let answer = credence.check(&call("own", &token));
        (!answer.allowed()).then_some(answer)
    });
    assert_eq!((answer.reason().as_str(), answer.status(), answer.code()), ("log_unavailable", 503, 14));
    assert!(answer.header("retry-after").is_some());
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token), "log_unavailable");
        assert_eq!(reason(&credence, "other", &token), "log_unavailable");
    }
    eventually("every lost line to be counted", || (credence.metric(DROPPED)? >= 41.0).then_some(()));
}

/// Standard output is a pipe that is open and that nobody reads.
const NOBODY_READS: &str =
    r#"dir=$(mktemp -d) && mkfifo "$dir/p" && exec 3<>"$dir/p" && rm -r "$dir" && exec "$@" >&3"#;

#[test]
fn a_pipe_that_nobody_reads_costs_lines_which_are_counted_and_nothing_waits() {
    let (_file, _ci, mut credence, token) = world(|serve| serve.decision_log("stdout").shell(NOBODY_READS));
    let since = Instant::now();
    // More than the pipe and the queue before it hold.
    let calls = vec![Call::get(&format!("{API}/own/x")); 2000];
    let mut asked = 0;
    while credence.metric(DROPPED) == Some(0.0) {
        assert!(asked < 100_000, "{asked} lines and none of them is lost?");
        let answers = ask_all(&credence, &calls, 64);
        assert!(answers.iter().all(|answer| !answer.allowed() && !answer.decision_id().is_empty()));
        asked += calls.len();
    }
    eprintln!("{asked} calls in {:?} until the first line was lost", since.elapsed());
    assert_eq!(reason(&credence, "own", &token), "ok");
    let counted = credence.admin("/metrics").text();
    let counted = counted.lines().filter_map(|line| line.strip_prefix("credence_decisions_total{")?.rsplit_once(' '));
    let counted: usize = counted.map(|(_, value)| value.parse::<usize>().unwrap()).sum();
    assert_eq!(counted, asked + 1, "a lost line is a lost line, not a lost call");
    assert_eq!(credence.stop().code(), Some(0), "nor does the end wait for ever");
}

#[test]
fn with_deny_a_pipe_that_nobody_reads_refuses_once_the_queue_is_full() {
    let (_file, _ci, credence, token) =
        world(|serve| serve.decision_log("stdout").arg("--decision-log-full").arg("deny").shell(NOBODY_READS));
    let calls = vec![Call::get(&format!("{API}/own/x")); 2000];
    let mut asked = 0;
    while reason(&credence, "own", &token) == "ok" {
        assert!(asked < 100_000, "{asked} lines and there is still room?");
        ask_all(&credence, &calls, 64);
        asked += calls.len();
    }
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token), "log_unavailable");
    }
}

#[test]
fn a_reader_that_went_away_costs_lines_which_are_counted() {
    let script = r#"dir=$(mktemp -d) && mkfifo "$dir/p" && { head -n 1 <"$dir/p" >/dev/null & } && exec 3>"$dir/p" && rm -r "$dir" && exec "$@" >&3 3>&-"#;
    let (_file, _ci, credence, token) = world(|serve| serve.decision_log("stdout").shell(script));
    eventually("the reader to be missed", || {
        assert_eq!(reason(&credence, "own", &token), "ok");
        (credence.metric(DROPPED)? > 0.0).then_some(())
    });
    assert_eq!(reason(&credence, "own", &token), "ok");
    assert_eq!(reason(&credence, "other", &token), "grant_none");
}

#[test]
fn a_closed_standard_output_changes_no_verdict() {
    let (_file, _ci, mut credence, token) = world(|serve| serve.decision_log("stdout").shell(r#"exec "$@" >&-"#));
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token), "ok");
        assert_eq!(reason(&credence, "other", &token), "grant_none");
    }
    assert_eq!(credence.stop().code(), Some(0));
}

#[test]
fn off_writes_nothing() {
    let (_file, _ci, mut credence, token) = world(|serve| serve.decision_log("off"));
    assert_eq!(reason(&credence, "own", &token), "ok");
    assert_eq!(credence.metric(DROPPED), Some(0.0));
    let stdout = credence.process().stdout();
    assert_eq!(credence.stop().code(), Some(0));
    assert_eq!(std::fs::read_to_string(stdout).unwrap(), "");
    assert!(!std::path::Path::new("off").exists(), "`off` is not a file");
}

#[test]
fn the_log_is_added_to_and_read_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = crate::support::scratch();
    let path = dir.path().join("decisions.jsonl");
    for round in 1..=2 {
        let sink = path.display().to_string();
        let (_file, _ci, mut credence, token) = world(move |serve| serve.decision_log(&sink));
        assert_eq!(reason(&credence, "own", &token), "ok");
        assert_eq!(credence.stop().code(), Some(0));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), round);
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o007, 0, "{mode:o}");
}
