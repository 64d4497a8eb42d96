//! `-o json`: `credence.check/v1`, whose members only grow.

use serde_json::{Value, json};

use super::{Checked, Unread};
use crate::cli::output::escaped_json;
use crate::table::Diagnostic;

pub(super) fn written(tables: &[Checked], unread: &[Unread]) -> String {
    let tables: Vec<_> = tables.iter().map(table).collect();
    let errors: Vec<_> = unread.iter().map(|one| json!({"path": one.path, "message": one.message})).collect();
    escaped_json(&json!({ "schema": "credence.check/v1", "tables": tables, "errors": errors }))
}

fn table(checked: &Checked) -> Value {
    let report = &checked.report;
    let (summary, blocks) = (checked.table.as_ref(), checked.blocks.as_ref());
    json!({
        "path": checked.path,
        "ok": !report.refuses(),
        "errors": report.errors(),
        "warnings": report.warnings(),
        "findings": report.sorted().into_iter().map(finding).collect::<Vec<_>>(),
        "left_out": report.left_out(),
        "issuers": summary.map(|table| table.issuers),
        "resources": summary.map(|table| table.resources),
        "grants": summary.map(|table| table.grants),
        "blocks": blocks.map(|blocks| blocks.blocks),
        "sha256": summary.map(|table| &table.digest).or(blocks.map(|blocks| &blocks.digest)),
    })
}

/// Lines and columns count from 1, in characters; they are null where a whole file is meant.
fn finding(finding: &Diagnostic) -> Value {
    let site = finding.site();
    let place = site.filter(|site| site.line > 0);
    let end = finding.end();
    json!({
        "code": finding.code().as_str(),
        "severity": finding.code().severity().as_str(),
        "title": finding.code().title(),
        "message": finding.message(),
        "file": site.map(|site| &*site.file),
        "line": place.map(|site| site.line),
        "column": place.map(|site| site.column),
        "end_line": end.map(|(line, _)| line),
        "end_column": end.map(|(_, column)| column),
        "label": Some(finding.label_text()).filter(|label| !label.is_empty()),
        "help": finding.help_text(),
    })
}
