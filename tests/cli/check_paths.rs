//! `check`: paths that are not there, or are parts of one table.

use crate::check::{GOOD, check, json};
use crate::support::credence::command;
use crate::support::table::Table;
use crate::world::run;

#[test]
fn a_table_that_is_not_there_is_no_clean_run_in_any_form() {
    let good = Table::new(GOOD);
    let good = good.path().display().to_string();
    let told = |output: &str| run(&["check", &good, "/nowhere/a, b.yaml", "-o", output]);
    let sarif = told("sarif");
    assert_eq!(sarif.code, 2);
    let document = json(&sarif);
    let invocation = &document["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false, "{invocation}");
    let note = &invocation["toolExecutionNotifications"][0];
    assert_eq!(note["level"], "error");
    assert_eq!(note["message"]["text"], "/nowhere/a, b.yaml: no such file or directory");
    assert_eq!(note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "file:///nowhere/a%2C%20b.yaml");
    let errors = &json(&told("json"))["errors"];
    assert_eq!(errors, &serde_json::json!([{"path": "/nowhere/a, b.yaml", "message": "no such file or directory"}]));
    let github = told("github").out;
    assert_eq!(github, "::error title=credence::/nowhere/a, b.yaml: no such file or directory\n");
    let fine = json(&run(&["check", &good, "-o", "sarif"]));
    assert_eq!(fine["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(json(&run(&["check", &good, "-o", "json"]))["errors"], serde_json::json!([]));
}

#[test]
fn a_finding_about_a_whole_file_has_no_line_in_any_form() {
    let empty = Table::raw(b"");
    let path = empty.path().display().to_string();
    let told = |output: &str| run(&["check", &path, "-o", output]);
    let place = &json(&told("sarif"))["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("trust.yaml"), "{place}");
    assert!(place["region"].is_null(), "{place}");
    let finding = &json(&told("json"))["tables"][0]["findings"][0];
    assert!(finding["line"].is_null() && finding["column"].is_null(), "{finding}");
    for text in [told("github").out, told("text").err] {
        assert!(text.contains("trust.yaml") && !text.contains(":0") && !text.contains("line=0"), "{text}");
    }
}

#[test]
fn parts_of_a_table_that_are_given_one_by_one_are_told_about_the_directory() {
    let head = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";
    let dir = crate::support::scratch();
    let (whom, what) = GOOD.split_at(GOOD.find("grants:").unwrap());
    let write = |name: &str, part: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("{head}{part}")).unwrap();
        path.display().to_string()
    };
    let (one, two) = (write("issuers.yaml", whom), write("grants.yaml", what));
    let apart = run(&["check", &one, &two]);
    assert_eq!(apart.code, 1);
    assert!(
        apart.err.contains("each path is a table by itself") && apart.err.contains("give the directory"),
        "{}",
        apart.err
    );
    let together = run(&["check", &dir.path().display().to_string()]);
    assert_eq!((together.code, together.err.as_str()), (0, ""));
    assert!(!run(&["check", &two]).err.contains("each path"));
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_entered_is_told_as_such() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    let dir = crate::support::scratch();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let file = closed.join("trust.yaml");
    std::fs::write(&file, "kind: TrustTable").unwrap();
    let mode = |mode| std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    let mut command = command(&["check", &file.display().to_string()]);
    // Nothing is closed to the superuser.
    if std::fs::metadata(dir.path()).unwrap().uid() == 0 {
        command.uid(65534);
    }
    // That one may not be allowed to run the program at all.
    let output = command.output();
    mode(0o700);
    let Ok(output) = output else { return };
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("trust.yaml: cannot be looked at: Permission denied"), "{told}");
}

#[test]
fn metadata_without_tls_endangers_the_client_and_no_keys() {
    let table = Table::new(&GOOD.replace("hosts:", "resourceMetadata: \"http://api.acme.test/x\", hosts:"));
    let ended = check(&table, &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("could send the client to another issuer"), "{}", ended.err);
    assert!(!ended.err.contains("replace the keys"), "{}", ended.err);
}
