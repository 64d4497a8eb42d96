//! The small world that several test binaries share: one resource, and a grant for each path that a test wants open.

use std::fmt::Write as _;

use serde_json::Value;

use super::answer::Answer;
use super::call::Call;
use super::credence::Credence;
use super::eventually;
use super::issuer::Issuer;

/// Audience of the resource `api`; its host is the same without the scheme.
pub const API: &str = "https://api.acme.test";
/// The subject that every grant of [`table_of`] names.
pub const SUBJECT: &str = "deployer";
/// What an issuer's entry needs to load without a warning.
pub const KEPT: &str = "owner: team@acme.test, reviewBy: 2099-01-01";

/// One entry of `issuers:` whose keys come by discovery, with more fields as written.
pub fn entry(name: &str, issuer: &Issuer, more: &str) -> String {
    format!("  {name}: {{issuer: \"{}\", {KEPT}{more}}}\n", issuer.url())
}

/// A table of these entries, in which every issuer named may GET below `/GRANT/` for each grant named.
pub fn table_of(entries: &str, grants: &[(&str, &str)]) -> String {
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

/// GET `/GRANT/x` with this token.
pub fn call(grant: &str, token: &str) -> Call {
    Call::get(&format!("{API}/{grant}/x")).bearer(token)
}

/// The reason of the verdict on [`call`].
pub fn reason(credence: &Credence, grant: &str, token: &str) -> String {
    credence.check(&call(grant, token)).reason()
}

/// Asks again and again until the verdict is this one.
pub fn until(credence: &Credence, grant: &str, token: &str, expected: &str) -> Answer {
    eventually(&format!("{expected} below /{grant}/"), || {
        let answer = credence.check(&call(grant, token));
        (answer.reason() == expected).then_some(answer)
    })
}

/// A token of the issuer for [`SUBJECT`] at [`API`].
pub fn token(issuer: &Issuer) -> String {
    issuer.token(SUBJECT, API).mint()
}

/// What `/readyz` says of one issuer.
pub fn state(credence: &Credence, issuer: &str) -> Value {
    let ready = credence.admin("/readyz").json();
    ready["issuers"].as_array().unwrap().iter().find(|state| state["name"] == issuer).unwrap().clone()
}

/// Why its last fetch failed, as soon as one did.
pub fn error(credence: &Credence, issuer: &str) -> String {
    eventually("a failed fetch", || state(credence, issuer)["last_error"].as_str().map(str::to_owned))
}
