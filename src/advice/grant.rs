//! A grant as it is written, field by field: for whoever proposes one.

use std::fmt::Display;

use super::yaml::string;
use crate::resource::PathPattern;

/// The fields of a grant, in the order in which a grant is read.
#[derive(Debug, Clone)]
pub struct GrantFields(Vec<String>);

impl GrantFields {
    /// A grant of this issuer for this resource.
    pub fn new(issuer: &str, resource: &str) -> Self {
        Self(vec![format!("issuer: {issuer}"), format!("resource: {resource}")])
    }

    /// One more field, with a value that is written as YAML already.
    pub fn put(&mut self, field: &str, written: impl Display) {
        self.0.push(format!("{field}: {written}"));
    }

    /// Who: one subject, exactly.
    pub fn subject(&mut self, subject: &str) {
        self.put("subject", one_subject(subject));
    }

    /// Who acts for the subject: one, exactly, in a chain of so many.
    pub fn actor(&mut self, subject: &str, depth: usize) {
        let depth = if depth > 1 { format!(", maxDepth: {depth}") } else { String::new() };
        self.put("actor", format_args!("{{subject: {}{depth}}}", one_subject(subject)));
    }

    /// Conditions on claims, each written as YAML already; none is no field.
    pub fn claims<'k>(&mut self, conditions: impl IntoIterator<Item = (&'k str, String)>) {
        let written: Vec<_> =
            conditions.into_iter().map(|(claim, condition)| format!("{}: {condition}", string(claim))).collect();
        if !written.is_empty() {
            self.put("claims", format_args!("{{{}}}", written.join(", ")));
        }
    }

    /// Where: one method and one path, as [`PathPattern::exactly`] writes it.
    pub fn place(&mut self, method: &str, path: &PathPattern) {
        self.put("methods", format_args!("[{}]", string(method)));
        self.put("paths", format_args!("[{}]", string(path.as_str())));
    }

    /// Each on a line of its own, without indentation.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// All on one line, in braces.
    pub fn braced(&self) -> String {
        format!("{{{}}}", self.0.join(", "))
    }
}

/// A subject as a grant compares it, exactly: the word `any` alone would mean everybody.
fn one_subject(subject: &str) -> String {
    if subject == "any" { "[any]".to_owned() } else { string(subject) }
}
