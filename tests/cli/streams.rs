//! What becomes of a result that cannot be written.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::support::credence::command;
use crate::support::issuer::Issuer;
use crate::world::{Ended, table};

/// Runs a verb whose standard output is this.
fn onto(mut command: Command, out: impl Into<Stdio>) -> Ended {
    let output = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).output().unwrap();
    Ended {
        code: output.status.code().expect("an exit code"),
        out: String::new(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The arguments of verbs that print a result.
fn verbs(trust: &str) -> Vec<Vec<String>> {
    let lines = [
        "--help",
        "check --help",
        "version",
        "schema",
        "man",
        "man check",
        "profiles",
        "profiles gitlab -o json",
        "rule",
        "rule CR101",
        "completion bash",
        "check TRUST",
        "check -o json TRUST",
        "check -o sarif TRUST",
        "list --trust TRUST",
        "list --trust TRUST -o json",
        "who-can --trust TRUST GET https://api.acme.test/v1/x",
        "reach --trust TRUST --issuer ci",
        "collisions --trust TRUST",
        "diff TRUST TRUST",
        "render --to envoy --trust TRUST",
        "explain --offline --trust TRUST GET https://api.acme.test/v1/x",
        "test examples/ci-deploy",
    ];
    let words = |line: &str| line.split(' ').map(|word| word.replace("TRUST", trust)).collect();
    lines.into_iter().map(words).collect()
}

#[test]
fn a_result_that_cannot_be_written_is_2_and_said_once() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let ci = Issuer::start();
    let table = table(&ci);
    for args in verbs(&table.path().display().to_string()) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ended = onto(command(&args), full.try_clone().unwrap());
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.err);
        assert_eq!(ended.err.matches("error: standard output: ").count(), 1, "{args:?}: {}", ended.err);
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let ci = Issuer::start();
    let table = table(&ci);
    for args in verbs(&table.path().display().to_string()) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let expected = onto(command(&args), Stdio::null()).code;
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = onto(command(&args), writer);
        assert_eq!(ended.code, expected, "{args:?}: {}", ended.err);
        assert!(!ended.err.contains("standard output"), "{args:?}: {}", ended.err);
    }
}
