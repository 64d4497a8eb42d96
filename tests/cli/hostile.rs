//! Strangers who write lines into what people read: a name with a newline in it is still one name on one line.

use serde_json::Value;

use crate::logs::log;
use crate::support::table::Table;
use crate::world::{Ended, run};

/// Ends the line, and begins one that a pipeline or a reader would believe; then hides.
const EVIL: &str = "x\n::error::owned\r\nallow ok: owned\u{200b}\u{2060}\u{feff}\u{e0041}\u{1b}[2J";
/// The same in a double-quoted scalar of YAML.
const WRITTEN: &str = r#""x\n::error::owned\r\nallow ok: owned\u200b\u2060\uFEFF""#;

/// What the table takes where a newline is an error.
const QUIET: &str = r#""x\u200b\u2060\uFEFFowned""#;

/// No line begins with what the stranger wrote, and nothing of it hides.
fn told_on_one_line(ended: &Ended, of: &str) {
    for line in ended.all().lines() {
        let bare = line.trim_start();
        assert!(!bare.starts_with("::error::owned") && !bare.starts_with("allow ok: owned"), "{of}: {}", ended.all());
    }
    let hidden = |c: char| matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0041}' | '\u{1b}');
    assert!(!ended.all().contains(hidden), "{of}: {:?}", ended.all());
    assert!(!ended.all().contains('\r') || of.contains("csv"), "{of}: {:?}", ended.all());
}

/// Every text of a JSON value, by its pointer.
fn texts(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at),
        Value::Array(all) => all.iter().enumerate().for_each(|(n, one)| texts(one, format!("{at}/{n}"), found)),
        Value::Object(all) => all.iter().for_each(|(name, one)| texts(one, format!("{at}/{name}"), found)),
        _ => {}
    }
}

#[test]
fn no_field_of_a_decision_log_begins_a_line() {
    let log = log();
    let trust = log.table.path().display().to_string();
    let mut richest = log.lines.clone();
    let extra = serde_json::json!({
        "iss": "https://a", "sub": "agent", "asserted_by": "https://a", "before": [{"iss": "https://b", "sub": "c"}],
    });
    for line in &mut richest {
        let line = line.as_object_mut().unwrap();
        line.insert("actor".to_owned(), extra.clone());
        line.insert("block".to_owned(), "b".into());
        line.insert("realm".to_owned(), "r".into());
        line.insert("observed_reason".to_owned(), "grant_none".into());
        line.insert("shadow_grants".to_owned(), serde_json::json!(["s"]));
    }
    let mut asked = 0;
    let mut whole = String::new();
    for (number, line) in richest.iter().enumerate() {
        let mut found = Vec::new();
        texts(line, String::new(), &mut found);
        for (at, pointer) in found.iter().enumerate().filter(|(_, pointer)| *pointer != "/schema") {
            let mut forged = line.clone();
            let id = if pointer == "/decision_id" { EVIL.to_owned() } else { format!("id-{number}-{at}") };
            forged["decision_id"] = id.clone().into();
            *forged.pointer_mut(pointer).unwrap() = EVIL.into();
            let text = format!("{forged}\n");
            log.append(&text);
            whole += &text;
            let ended = run(&["why", &id, "--log", &log.path(), "--trust", &trust]);
            told_on_one_line(&ended, &format!("why with {pointer}"));
            asked += usize::from(ended.code == 0);
        }
    }
    assert!(asked > 60, "only {asked} were told");
    for output in ["text", "json"] {
        for verb in [&["backtest", &trust][..], &["backtest", "--base", &trust, &trust], &["collisions"]] {
            let ended = run(&[verb, &["-o", output, "--log", &log.path()]].concat());
            assert_ne!(ended.code, 2, "{}", ended.err);
            told_on_one_line(&ended, &format!("{verb:?} -o {output}"));
        }
    }
}

fn table(value: &str) -> String {
    format!(
        "issuers:
  build: {{issuer: https://build.acme.test, owner: {value}, description: {WRITTEN}, reviewBy: 2027-06-30, pin: {{claims: {{org: {value}}}}}}}
  other: {{issuer: https://other.acme.test, owner: o@acme.test, reviewBy: 2027-06-30}}
resources:
  registry:
    audience: https://registry.acme.test
    hosts: [registry.acme.test]
    owner: {value}
    anonymous: [{{methods: [GET], paths: [/healthz], reason: {WRITTEN}}}]
grants:
  pushes: {{issuer: build, resource: registry, claims: {{/a: {value}}}, methods: [PUT], paths: [/v1/**], reason: {WRITTEN}, owner: {value}}}
  too: {{issuer: other, resource: registry, claims: {{/a: {value}}}, methods: [PUT], paths: [/v1/**], reason: {WRITTEN}}}
"
    )
}

#[test]
fn no_value_of_a_table_begins_a_line() {
    let table = Table::new(&table(QUIET));
    let path = table.path().display().to_string();
    let plain = Table::new(crate::questions::TABLE);
    let plain = plain.path().display().to_string();
    let place = "https://registry.acme.test/v1/a";
    let asked: [&[&str]; 12] = [
        &["list"],
        &["list", "-o", "csv"],
        &["list", "-o", "markdown"],
        &["list", "-o", "json"],
        &["list", "--expiring", "9999w"],
        &["reach", "--issuer", "build"],
        &["reach", "--issuer", "build", "-o", "json"],
        &["who-can", "PUT", place],
        &["who-can", "GET", "https://registry.acme.test/healthz"],
        &["can", "--issuer", "build", "--subject", "s", "PUT", place],
        &["can", "--issuer", "build", "--subject", "s", "GET", "https://registry.acme.test/healthz"],
        &["collisions"],
    ];
    for arguments in asked {
        let (verb, rest) = arguments.split_first().unwrap();
        let ended = run(&[&[*verb, "--trust", &path], rest].concat());
        assert_ne!(ended.code, 2, "{arguments:?}: {}", ended.err);
        told_on_one_line(&ended, &format!("{arguments:?}"));
    }
    for output in ["text", "json", "markdown"] {
        for (old, new) in [(&plain, &path), (&path, &plain)] {
            told_on_one_line(&run(&["diff", "-o", output, old, new]), &format!("diff -o {output}"));
        }
    }
    let broken = Table::new(&format!("{}  {WRITTEN}: {{issuer: {WRITTEN}}}\n", crate::hostile::table(WRITTEN)));
    for output in ["text", "json", "sarif", "github"] {
        for table in [&path, &broken.path().display().to_string()] {
            told_on_one_line(&run(&["check", "-o", output, table]), &format!("check -o {output}"));
        }
    }
}

#[test]
fn no_argument_begins_a_line() {
    let table = Table::new(&table(QUIET));
    let path = table.path().display().to_string();
    let place = format!("https://registry.acme.test/v1/{EVIL}");
    let asked: [&[&str]; 24] = [
        &["can", "--trust", &path, "--issuer", "build", "--subject", EVIL, "PUT", &place],
        &["can", "--trust", &path, "--issuer", EVIL, "--subject", EVIL, EVIL, &place],
        &[
            "can",
            "--trust",
            &path,
            "--issuer",
            "build",
            "--subject",
            "s",
            "--claim",
            &format!("{EVIL}=1"),
            EVIL,
            &place,
        ],
        &[
            "can",
            "--trust",
            &path,
            "--issuer",
            "build",
            "--subject",
            "s",
            "--claim",
            &format!("/~{EVIL}=1"),
            "PUT",
            &place,
        ],
        &["can", "--trust", &path, "--issuer", "build", "--subject", "s", "--claim", EVIL, "PUT", &place],
        &[
            "can",
            "--trust",
            &path,
            "--issuer",
            "build",
            "--subject",
            "s",
            "--audience",
            EVIL,
            "PUT",
            "https://registry.acme.test/v1/a",
        ],
        &["who-can", "--trust", &path, EVIL, &place],
        &["who-can", "--trust", &path, EVIL, EVIL],
        &["reach", "--trust", &path, "--subject", EVIL],
        &["reach", "--trust", &path, "--issuer", EVIL],
        &["reach", "--trust", &path, "--key", EVIL],
        &["list", "--trust", EVIL],
        &["list", "--trust", &path, "--owner", EVIL],
        &["list", "--trust", &path, "--expiring", EVIL],
        &["diff", EVIL, &path],
        &["check", EVIL],
        &["test", EVIL],
        &["why", EVIL, "--log", EVIL],
        &["backtest", "--log", EVIL, EVIL],
        &["collisions", "--log", EVIL],
        &["status", "--timeout", "0", &format!("http://127.0.0.1:1/{EVIL}")],
        &["issuer", "probe", &format!("https://127.0.0.1:1/{EVIL}")],
        &["profiles", EVIL],
        &["rule", EVIL],
    ];
    for arguments in asked {
        let ended = run(arguments);
        let reaches = arguments.contains(&"reach") && ended.code == 0;
        assert!(reaches || ended.code != 0, "{arguments:?}: {}", ended.all());
        told_on_one_line(&ended, &format!("{arguments:?}"));
    }
}
