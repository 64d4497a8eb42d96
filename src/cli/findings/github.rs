//! `-o github`: workflow commands, which GitHub Actions turns into annotations. What would end a command early is escaped
//! as its toolkit does (`actions/toolkit`, `core/command.ts`), so that no table can write commands of its own.

use super::{Checked, Unread};
use crate::cli::output::escaped;
use crate::table::{Diagnostic, Severity};

pub(super) fn written(tables: &[Checked], unread: &[Unread]) -> String {
    let mut text = String::new();
    for one in unread {
        text.push_str(&format!("::error title=credence::{}\n", data(&format!("{}: {}", one.path, one.message))));
    }
    for checked in tables {
        for finding in checked.report.sorted() {
            text.push_str(&command(finding));
        }
        if checked.report.left_out() > 0 {
            let message = format!("{}: {} more findings are left out", checked.path, checked.report.left_out());
            text.push_str(&format!("::warning title=credence::{}\n", data(&message)));
        }
    }
    text
}

fn command(finding: &Diagnostic) -> String {
    let word = match finding.code().severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(site) = finding.site() {
        properties.push(format!("file={}", property(site.file.strip_prefix("./").unwrap_or(&site.file))));
        if site.line > 0 {
            properties.push(format!("line={},col={}", site.line, site.column));
        }
        if let Some((line, column)) = finding.end() {
            properties.push(format!("endLine={line}"));
            // GitHub shows columns only of a single line.
            if line == site.line {
                properties.push(format!("endColumn={column}"));
            }
        }
    }
    properties.push(format!("title={}", finding.code()));
    let help = finding.help_text().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = format!("{}{help}", finding.message());
    format!("::{word} {}::{}\n", properties.join(","), data(&message))
}

/// The text of a command.
fn data(text: &str) -> String {
    escaped(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which `,` and `:` would end as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_table_ends_a_command_or_begins_one() {
        assert_eq!(data("a\n::error::b 100%"), "a%0A::error::b 100%25");
        assert_eq!(property("a,b:c%0A"), "a%2Cb%3Ac%250A");
    }
}
