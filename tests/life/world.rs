//! The small world of these tests: one resource, and a grant for each path that a test wants open.

use crate::support::answer::Answer;
use crate::support::credence::{Credence, binary};
use crate::support::issuer::Issuer;
use crate::support::process::Process;
pub(crate) use crate::support::small::{API, KEPT, SUBJECT, call, entry, error, reason, state, table_of, token, until};

/// The series that says whether the last reload was taken.
pub(crate) const RELOADED: &str = "credence_config_last_reload_successful{kind=\"table\"}";

/// Runs the program to an end that has to come: exit code and standard error. If it goes on instead, it is ended.
pub(crate) fn ends(args: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::start(binary(), args);
    let code = process.wait().code();
    assert_eq!(std::fs::read_to_string(process.stdout()).unwrap(), "");
    (code, process.stderr())
}

/// A table in which the issuer `ci` may GET below `/GRANT/` for each grant.
pub(crate) fn table(ci: &Issuer, grants: &[&str]) -> String {
    let grants: Vec<_> = grants.iter().map(|grant| (*grant, "ci")).collect();
    table_of(&entry("ci", ci, ""), &grants)
}

/// Number and digest of the table in force, by `/readyz`.
pub(crate) fn in_force(credence: &Credence) -> (u64, String) {
    let table = &credence.admin("/readyz").json()["table"];
    (table["generation"].as_u64().unwrap(), table["sha256"].as_str().unwrap().to_owned())
}

/// The same by an answer's metadata.
pub(crate) fn decided_by(answer: &Answer) -> (u64, String) {
    let table = &answer.metadata()["table"];
    // A number of a protobuf Struct is a double.
    let generation = table["generation"].as_f64().unwrap().to_string().parse().unwrap();
    (generation, table["sha256"].as_str().unwrap().to_owned())
}
