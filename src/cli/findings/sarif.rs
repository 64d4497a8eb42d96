//! `-o sarif`: SARIF 2.1.0 (OASIS), with the page of each rule as its help.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Checked, Unread};
use crate::cli::output::escaped_json;
use crate::table::{Code, Diagnostic, Page, Severity};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn written(tables: &[Checked], unread: &[Unread]) -> String {
    let findings: Vec<&Diagnostic> = tables.iter().flat_map(|table| table.report.sorted()).collect();
    let used: BTreeSet<Code> = findings.iter().map(|finding| finding.code()).collect();
    let rules: Vec<Code> = used.into_iter().collect();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, &rules)).collect();
    let left_out: usize = tables.iter().map(|table| table.report.left_out()).sum();
    let mut notes: Vec<_> = unread.iter().map(not_read).collect();
    notes.extend((left_out > 0).then(|| note(left_out)));
    escaped_json(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "credence",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            // Columns are characters, and a character is a code point.
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": unread.is_empty(), "toolExecutionNotifications": notes}],
            "results": results,
        }],
    }))
}

/// No finding: a viewer would take an empty list of those for a table that is mended.
fn not_read(unread: &Unread) -> Value {
    json!({
        "level": "error",
        "message": {"text": format!("{}: {}", unread.path, unread.message)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&unread.path)}}}],
    })
}

fn note(left_out: usize) -> Value {
    json!({"level": "warning", "message": {"text": format!("{left_out} more findings are left out")}})
}

fn rule(code: Code) -> Value {
    let page = Page::of(code);
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.title()},
        "fullDescription": {"text": page.about},
        "help": {"text": page.markdown(), "markdown": page.markdown()},
        "defaultConfiguration": {"level": level(code)},
    })
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(finding: &Diagnostic, rules: &[Code]) -> Value {
    let code = finding.code();
    let text = match finding.help_text() {
        Some(help) => format!("{}\nHelp: {help}", finding.message()),
        None => finding.message().to_owned(),
    };
    let mut result = json!({
        "ruleId": code.as_str(),
        "ruleIndex": rules.binary_search(&code).ok(),
        "level": level(code),
        "message": {"text": text},
    });
    if let (Some(site), Some(members)) = (finding.site(), result.as_object_mut()) {
        let mut place = json!({"artifactLocation": {"uri": uri(&site.file)}});
        if let (Some(place), true) = (place.as_object_mut(), site.line > 0) {
            let (end_line, end_column) = finding.end().unwrap_or((site.line, site.column));
            let region = json!({
                "startLine": site.line, "startColumn": site.column, "endLine": end_line, "endColumn": end_column,
            });
            place.insert("region".to_owned(), region);
        }
        members.insert("locations".to_owned(), json!([{"physicalLocation": place}]));
    }
    result
}

/// A path as a URI reference (RFC 3986 §4.1): relative where the path is, so that a viewer finds it in the repository.
fn uri(file: &str) -> String {
    let path = file.strip_prefix("./").unwrap_or(file);
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference_that_leads_to_the_file() {
        assert_eq!(uri("./trust/a b.yaml"), "trust/a%20b.yaml");
        assert_eq!(uri("/etc/credence/trust.yaml"), "file:///etc/credence/trust.yaml");
        assert_eq!(uri("a:b#c?é"), "a%3Ab%23c%3F%C3%A9");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
