//! Rows for people and for spreadsheets.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::output::{escaped_json, value};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Comma-separated values (RFC 4180), for spreadsheets.
    Csv,
    /// For a wiki or a pull request.
    Markdown,
}

/// Named columns of text.
pub(super) struct Sheet {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(super) fn write(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json(),
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
        }
    }

    /// Columns under each other; those in which no row says anything are left out.
    fn text(&self) -> String {
        let cells = |row: &[String]| row.iter().map(value).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| cells(row)).collect();
        let said = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty()));
        let columns: Vec<usize> = (0..self.head.len()).filter(|at| said(*at)).collect();
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain(self.head.get(at).map(|head| head.len())).max().unwrap_or_default()
        };
        let widths: Vec<(usize, usize)> = columns.iter().map(|at| (*at, width(*at))).collect();
        let line = |cell: &dyn Fn(usize) -> String| {
            let cells = widths.iter().map(|(at, width)| format!("{:<width$}", cell(*at)));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        let mut out = line(&|at| self.head.get(at).map(|head| head.to_uppercase()).unwrap_or_default());
        for row in &rows {
            out += &line(&|at| row.get(at).cloned().unwrap_or_default());
        }
        out
    }

    fn json(&self) -> String {
        let object = |row: &Vec<String>| {
            let cells = self.head.iter().zip(row).map(|(head, cell)| {
                let value = if cell.is_empty() { Value::Null } else { Value::String(cell.clone()) };
                (head.replace(' ', "_"), value)
            });
            Value::Object(cells.collect::<Map<_, _>>())
        };
        escaped_json(&Value::Array(self.rows.iter().map(object).collect()))
    }

    /// A cell that a spreadsheet would take for a formula begins with an apostrophe, as such cells are written.
    fn csv(&self) -> String {
        let cell = |text: &str| {
            let text = value(text);
            let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let text = if formula { format!("'{text}") } else { text };
            if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let mut out = format!("{}\r\n", self.head.join(","));
        for row in &self.rows {
            let _ = write!(out, "{}\r\n", row.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","));
        }
        out
    }

    fn markdown(&self) -> String {
        let mut out = format!("| {} |\n|{}\n", self.head.join(" | "), "---|".repeat(self.head.len()));
        for row in &self.rows {
            let _ = writeln!(out, "| {} |", row.iter().map(|text| markdown(text)).collect::<Vec<_>>().join(" | "));
        }
        out
    }
}

/// Text from strangers as it is to be read in Markdown: nothing of it is a link, an image, HTML or a column.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in value(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '!' | '\\' | '#' | '~' | '@' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out
}

/// A number of days, hours or weeks: `30d`, `12h`, `2w`.
///
/// # Errors
/// A sentence that says what is expected.
pub(super) fn span(text: &str) -> Result<std::time::Duration, String> {
    let read = || {
        let (number, hours) = [("h", 1), ("d", 24), ("w", 7 * 24)]
            .into_iter()
            .find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)))?;
        let number = number.parse::<u32>().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(std::time::Duration::from_secs(u64::from(number) * hours * 3600))
    };
    read().ok_or_else(|| "expected a number of hours, days or weeks, such as 12h, 30d or 2w".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_a_column_or_a_link() {
        let sheet = Sheet { head: vec!["a", "b"], rows: vec![vec!["=1+1".into(), "x,\"y\"".into()]] };
        assert_eq!(sheet.write(Format::Csv), "a,b\r\n'=1+1,\"x,\"\"y\"\"\"\r\n");
        assert_eq!(markdown("a|b [x](http://y) <img>\n@all"), "a\\|b \\[x\\](http://y) &lt;img>\\\\u{a}\\@all");
    }

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(span("30d").map(|span| span.as_secs()), Ok(30 * 86400));
        for bad in ["30", "d", "-1d", "+1d", "1.5h", "", "30 d", "99999999999d"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
