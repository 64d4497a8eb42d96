//! A changed table that is not good changes no verdict, says so, and does not stand in the way of the next good one.

use std::fs;

use crate::support::credence::{Credence, run};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::table::{Table, document};
use crate::world::{RELOADED, decided_by, in_force, reason, table, token, until};

/// What the program's log says of a table it did not take.
const NOT_TAKEN: &str = "the changed trust table was not taken";

/// Does `spoil`; then the old table serves on, and the operator is told of it, once and with `place`.
fn refuses(what: &str, place: &str, spoil: impl FnOnce(&Table)) {
    let ci = Issuer::start();
    let token = token(&ci);
    let file = Table::new(&table(&ci, &["always"]));
    let credence = Credence::serve(file.path()).start();
    let before = in_force(&credence);
    spoil(&file);
    eventually(&format!("{what} to be told"), || (credence.metric(RELOADED) == Some(0.0)).then_some(()));

    assert_eq!(in_force(&credence), before, "{what}");
    let answer = credence.check(&crate::world::call("always", &token));
    assert_eq!((answer.reason(), decided_by(&answer)), ("ok".to_owned(), before.clone()), "{what}");
    assert_eq!(reason(&credence, "never", &token), "grant_none", "{what}");
    let ready = credence.admin("/readyz");
    let error = ready.json()["last_reload_error"].as_str().unwrap_or_default().to_owned();
    assert_eq!(ready.status, 200, "{what}: it can still decide");
    assert!(error.contains(place), "{what}: no {place} in {error}");
    // A file that is gone or empty has no lines.
    assert!(!error.contains(":0"), "{what}: {error}");
    let url = format!("http://{}", credence.admin_address());
    let status = String::from_utf8(run(&["status", &url]).stdout).unwrap();
    assert!(status.contains(&format!("the last change was not taken: {error}\n")), "{what}: {error} not in {status}");
    let log = credence.stderr();
    assert!(log.contains(place), "{what}: no {place} in {log}");
    assert_eq!(log.matches(NOT_TAKEN).count(), 1, "{what}: told once");

    // A directory may stand where the file was.
    let _ = fs::remove_dir(file.path());
    file.replace(&table(&ci, &["always", "never"]));
    let answer = until(&credence, "never", &token, "ok");
    assert!(decided_by(&answer).0 > before.0, "{what}");
    // Calls see a table a moment before it is told.
    eventually(&format!("{what} to be over"), || (credence.metric(RELOADED) == Some(1.0)).then_some(()));
    assert!(credence.admin("/readyz").json()["last_reload_error"].is_null(), "{what}");
    assert_eq!(credence.stderr().matches(NOT_TAKEN).count(), 1, "{what}: told once");
}

/// Replaces the table by these bytes.
fn bytes(bytes: impl AsRef<[u8]>) -> impl FnOnce(&Table) {
    move |file| file.replace_raw(bytes.as_ref())
}

#[test]
fn a_file_cut_off_inside_a_grant_that_would_be_wider_is_not_taken() {
    // Without its last lines the grant would be for every path and have no claims: valid YAML, and wider.
    let grant = "  never:\n    issuer: ci\n    resource: api\n    subject: deployer\n    methods: [GET]\n    paths: any\n    claims: {ref: main}\n";
    let spoil = move |file: &Table| {
        let whole = format!("{}{grant}", file.text());
        let cut = whole.split("\n    claims").next().unwrap().to_owned();
        // It is the missing newline alone that gives it away.
        let whole_of_it = Table::raw(format!("{cut}\n").as_bytes());
        let checked = run(&["check", &whole_of_it.path().display().to_string()]);
        assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
        file.replace_raw(cut.as_bytes());
    };
    refuses("a file cut at the end of a line", "trust.yaml:", spoil);
}

#[test]
fn an_empty_file_is_not_taken() {
    refuses("an empty file", "trust.yaml", bytes(""));
}

#[test]
fn a_file_of_blanks_is_not_taken() {
    refuses("a file of blanks", "trust.yaml", bytes(" \n\n"));
}

#[test]
fn a_file_that_is_gone_is_no_table() {
    refuses("a vanished file", "no such file or directory", |file: &Table| fs::remove_file(file.path()).unwrap());
}

#[test]
fn a_directory_where_the_file_was_is_no_table() {
    refuses("an empty directory", "trust.yaml", |file: &Table| {
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
    });
}

#[test]
fn bytes_that_are_no_text_are_not_taken() {
    refuses("binary junk", "trust.yaml", bytes([0x7f, b'E', b'L', b'F', 0, 0xff, 0xfe, 0, b'\n']));
}

#[test]
fn a_yaml_bomb_is_not_taken_and_costs_nothing() {
    let mut bomb = String::from("issuers: &a0 {x: {issuer: \"https://x.test\"}}\n");
    for n in 1..30 {
        let before = n - 1;
        bomb += &format!("x{n}: &a{n} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n");
    }
    refuses("a YAML bomb", "trust.yaml:", bytes(document(&bomb)));
}

#[test]
fn a_million_open_brackets_are_not_taken() {
    refuses("a million open brackets", "trust.yaml", bytes(format!("{}\n", "[".repeat(1_000_000))));
}

#[test]
fn a_table_with_a_mistake_is_not_taken_not_even_in_part() {
    refuses("a table with a mistake", "trust.yaml:", |file: &Table| {
        let text = format!(
            "{}  never: {{issuer: ci, resource: api, subject: deployer, methods: [GET], paths: any}}\n  wrong: {{issuer: nobody, resource: api, subject: x, methods: [GET], paths: any}}\n",
            file.text()
        );
        file.replace_raw(text.as_bytes());
    });
}

#[test]
fn two_documents_in_one_file_are_not_taken() {
    refuses("two documents", "trust.yaml:", |file: &Table| {
        let text = format!("{}---\n{}", file.text(), file.text());
        file.replace_raw(text.as_bytes());
    });
}
