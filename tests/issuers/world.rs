//! The small world of these tests.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Issuer;

pub(crate) const API: &str = "https://api.acme.test";
pub(crate) const SUBJECT: &str = "deployer";
pub(crate) const KEPT: &str = "owner: team@acme.test, reviewBy: 2099-01-01";

pub(crate) fn entry(name: &str, issuer: &Issuer, more: &str) -> String {
    format!("  {name}: {{issuer: \"{}\", {KEPT}{more}}}\n", issuer.url())
}

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

pub(crate) fn call(grant: &str, token: &str) -> Call {
    Call::get(&format!("{API}/{grant}/x")).bearer(token)
}

pub(crate) fn reason(credence: &Credence, grant: &str, token: &str) -> String {
    credence.check(&call(grant, token)).reason()
}

pub(crate) fn until(credence: &Credence, grant: &str, token: &str, expected: &str) -> Answer {
    let mut last = String::new();
    let end = std::time::Instant::now() + crate::support::DEADLINE;
    loop {
        let answer = credence.check(&call(grant, token));
        if answer.reason() == expected {
            return answer;
        }
        last.clone_from(&answer.reason());
        assert!(std::time::Instant::now() < end, "waited for {expected} below /{grant}/, last {last}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

pub(crate) fn token(issuer: &Issuer) -> String {
    issuer.token(SUBJECT, API).mint()
}

pub(crate) fn state(credence: &Credence, issuer: &str) -> Value {
    let ready = credence.admin("/readyz").json();
    ready["issuers"].as_array().unwrap().iter().find(|state| state["name"] == issuer).cloned().unwrap_or(Value::Null)
}

pub(crate) fn error(credence: &Credence, issuer: &str) -> String {
    eventually("a failed fetch", || state(credence, issuer)["last_error"].as_str().map(str::to_owned))
}

/// Collects what differs, so that one run tells everything.
#[derive(Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn expect(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.0.push(what.into());
        }
    }

    pub(crate) fn same(&mut self, what: &str, seen: &str, expected: &str) {
        self.expect(seen == expected, format!("{what}: saw {seen:?}, expected {expected:?}"));
    }

    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "{} deviations:\n{}", self.0.len(), self.0.join("\n"));
    }
}
