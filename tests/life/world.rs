//! The small world of these tests: one resource, and a grant for each path that a test wants open.

use std::fmt::Write as _;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::{Credence, binary};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::process::Process;

/// Audience of the resource `api`; its host is the same without the scheme.
pub(crate) const API: &str = "https://api.acme.test";
/// The subject that every grant of [`grants`] names.
pub(crate) const SUBJECT: &str = "deployer";
/// What an issuer's entry needs to load without a warning.
pub(crate) const KEPT: &str = "owner: team@acme.test, reviewBy: 2099-01-01";
/// The series that says whether the last reload was taken.
pub(crate) const RELOADED: &str = "credence_config_last_reload_successful{kind=\"table\"}";

/// Runs the program to an end that has to come: exit code and standard error. If it goes on instead, it is ended.
pub(crate) fn ends(args: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::start(binary(), args);
    let code = process.wait().code();
    assert_eq!(std::fs::read_to_string(process.stdout()).unwrap(), "");
    (code, process.stderr())
}

/// One entry of `issuers:` whose keys come by discovery, with more fields as written.
pub(crate) fn entry(name: &str, issuer: &Issuer, more: &str) -> String {
    format!("  {name}: {{issuer: \"{}\", {KEPT}{more}}}\n", issuer.url())
}

/// A table of these entries, in which every issuer named may GET below `/GRANT/` for each grant named.
pub(crate) fn table_of(entries: &str, grants: &[(&str, &str)]) -> String {
    let mut text =
        format!("issuers:\n{entries}resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n");
    for (grant, issuer) in grants {
        writeln!(
            text,
            "  {grant}: {{issuer: {issuer}, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/{grant}/**]}}"
        )
        .unwrap();
    }
    text
}

/// A table in which the issuer `ci` may GET below `/GRANT/` for each grant.
pub(crate) fn table(ci: &Issuer, grants: &[&str]) -> String {
    let grants: Vec<_> = grants.iter().map(|grant| (*grant, "ci")).collect();
    table_of(&entry("ci", ci, ""), &grants)
}

/// GET `/GRANT/x` with this token.
pub(crate) fn call(grant: &str, token: &str) -> Call {
    Call::get(&format!("{API}/{grant}/x")).bearer(token)
}

/// The reason of the verdict on [`call`].
pub(crate) fn reason(credence: &Credence, grant: &str, token: &str) -> String {
    credence.check(&call(grant, token)).reason()
}

/// Asks again and again until the verdict is this one.
pub(crate) fn until(credence: &Credence, grant: &str, token: &str, expected: &str) -> Answer {
    eventually(&format!("{expected} below /{grant}/"), || {
        let answer = credence.check(&call(grant, token));
        (answer.reason() == expected).then_some(answer)
    })
}

/// A token of the issuer for [`SUBJECT`] at [`API`].
pub(crate) fn token(issuer: &Issuer) -> String {
    issuer.token(SUBJECT, API).mint()
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
