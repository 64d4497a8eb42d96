//! An apparent duplicate user, after an incident (S13): one or two?

use serde_json::Value;

use crate::support::credence::run;
use crate::traps::{allowed, refused};
use crate::world::{directory, scene};

const EXAMPLE: &str = "duplicate-user";
const README: &str = include_str!("../../examples/duplicate-user/README.md");
const STAFF: &str = "https://login.acme.test";
const HELPDESK: &str = "https://login.helpdesk.test";

/// Four calls by whom a log of subjects would call one; then what the log of decisions tells.
fn collisions(more: &[&str]) -> (i32, String) {
    allowed(EXAMPLE, "jdoe of the staff refunds");
    allowed(EXAMPLE, "jdoe of the helpdesk reads tickets");
    refused(EXAMPLE, "jdoe of the helpdesk refunds", "grant_none");
    refused(EXAMPLE, "a stranger who calls himself jdoe", "issuer_unknown");
    refused(EXAMPLE, "somebody else of the staff", "grant_none");
    let log = scene(EXAMPLE).credence.log().display().to_string();
    let ended = run(&[&["collisions", "--log", &log], more].concat());
    (ended.status.code().unwrap(), String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn s13_one_name_in_the_log_is_two_issuer_scoped_identities_each_with_its_grants_and_last_use() {
    let (code, text) = collisions(&["-o", "json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["collisions"]), (1, &Value::Null), "no table was asked: {text}");
    let [twin] = told["log"]["twins"].as_array().unwrap().as_slice() else { panic!("{text}") };
    assert_eq!((&twin["sub"], &twin["verified"]), (&"jdoe".into(), &true.into()), "asmith is one");
    let uses = twin["uses"].as_array().unwrap();
    let principals: Vec<_> = uses.iter().filter(|used| used["standing"] == "principal").collect();
    let [one, other] = principals.as_slice() else { panic!("{text}") };
    for (used, iss, grant) in [(one, STAFF, "refunds"), (other, HELPDESK, "tickets")] {
        assert_eq!((&used["iss"], &used["grants"]), (&iss.into(), &serde_json::json!([grant])), "{text}");
        assert_eq!(used["denied"], 0, "{text}");
        // Its last use is that of its own issuer's last line.
        let lines = scene(EXAMPLE).credence.decisions();
        let mine = lines.iter().filter(|line| line["principal"]["iss"] == iss).map(|line| line["ts"].as_str().unwrap());
        assert!(mine.clone().any(|ts| ts == used["last"]) && mine.clone().any(|ts| ts == used["first"]), "{text}");
    }
    let claimed: Vec<_> = uses.iter().filter(|used| used["standing"] == "claimed").collect();
    let [stranger] = claimed.as_slice() else { panic!("{text}") };
    assert_eq!((&stranger["iss"], &stranger["allowed"]), (&"https://login.stranger.test".into(), &0.into()));
}

#[test]
fn s13_the_readme_shows_what_the_logs_and_the_table_tell() {
    let table = directory(EXAMPLE).join("trust.yaml").display().to_string();
    let (code, text) = collisions(&["--trust", &table]);
    assert_eq!(code, 1, "{text}");
    // How often and when is different each time.
    let without_counts = |line: &str| line.split_once(" allowed, ").map_or(line, |(head, _)| head).to_owned();
    let without_counts =
        |line: &str| without_counts(line).trim_end_matches(|end: char| end.is_ascii_digit()).to_owned();
    let told: Vec<_> = text.lines().map(without_counts).collect();
    let shown: Vec<_> = README.lines().filter_map(|line| line.strip_prefix("    ")).map(without_counts).collect();
    assert!(shown.len() > 10, "{shown:?}");
    let shown: Vec<_> = shown.into_iter().filter(|line| !line.starts_with('$')).collect();
    let told: Vec<_> = told.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, told, "{text}");
}

#[test]
fn s13_what_only_strangers_claimed_is_no_second_identity() {
    let ran = refused(EXAMPLE, "a stranger who calls himself jdoe", "issuer_unknown");
    let staff = allowed(EXAMPLE, "jdoe of the staff refunds");
    let dir = crate::support::scratch();
    let log = dir.path().join("decisions.jsonl");
    std::fs::write(&log, format!("{}\n{}\n", ran.log, staff.log)).unwrap();
    let ended = run(&["collisions", "--log", &log.display().to_string()]);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{text}");
    assert!(text.contains("sub \"jdoe\": one identity; all others are merely claims of unverified tokens\n"), "{text}");
}
