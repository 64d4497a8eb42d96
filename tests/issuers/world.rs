//! The small world of these tests.

use serde_json::Value;

use crate::support::credence::Credence;
pub(crate) use crate::support::small::{API, KEPT, SUBJECT, call, entry, error, reason, table_of, token, until};

/// What `/readyz` says of one issuer; null where it does not know it.
pub(crate) fn state(credence: &Credence, issuer: &str) -> Value {
    let ready = credence.admin("/readyz").json();
    ready["issuers"].as_array().unwrap().iter().find(|state| state["name"] == issuer).cloned().unwrap_or(Value::Null)
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
