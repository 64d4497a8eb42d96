//! A finding as text: the line, the underline, the words beside it.

use std::fmt::Write as _;

use super::{Diagnostic, Severity, Span};
use crate::name::is_forbidden_character;

/// Columns of source shown; longer lines are cut around the span.
const WIDTH: usize = 100;

/// Columns of source shown before the span when the line is cut.
const BEFORE: usize = 40;

/// Bytes of source looked at on each side of the start of a span.
const WINDOW: usize = 2048;

/// The part of a line that is shown, ready to print: no tabs, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    text: String,
    /// Terminal columns before the underline.
    indent: usize,
    /// Terminal columns of the underline, at least one.
    width: usize,
}

impl Excerpt {
    /// Cuts the line of `span` out of `text`; of several lines the first.
    pub(super) fn cut(text: &str, span: Span) -> Self {
        let start = floor(text, span.start as usize);
        // Only so much is looked at: a line may be as long as the file, and there may be a thousand findings in it.
        let before = text.get(floor(text, start.saturating_sub(WINDOW))..start).unwrap_or_default();
        let rest = text.get(start..floor(text, start + WINDOW)).unwrap_or_default();
        let line_before = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let line_rest = rest.split(['\n', '\r']).next().unwrap_or_default();
        let length = (span.end as usize).saturating_sub(start);
        let marked = line_rest.get(..floor(line_rest, length)).unwrap_or(line_rest);
        let marked = marked.trim_end();
        let after = line_rest.get(marked.len()..).unwrap_or_default();

        let (lead, cut_before) =
            tail(line_before, if columns(line_before, WIDTH) < WIDTH / 2 { WIDTH } else { BEFORE });
        let mut shown = String::new();
        if cut_before {
            shown.push('…');
        }
        push(&mut shown, lead, usize::MAX);
        let indent = columns(&shown, usize::MAX);
        let mut cut_after = push(&mut shown, marked, WIDTH.saturating_sub(indent).max(BEFORE));
        let width = columns(&shown, usize::MAX).saturating_sub(indent).max(1);
        cut_after |= push(&mut shown, after, WIDTH.saturating_sub(indent + width));
        if cut_after {
            shown.push('…');
        }
        Self { text: shown.trim_end().to_owned(), indent, width }
    }

    /// The same without what follows the underline.
    pub(super) fn cut_after_underline(mut self) -> Self {
        let mut used = 0;
        let end = self.text.char_indices().find_map(|(index, character)| {
            used += width(character);
            (used > self.indent + self.width).then_some(index)
        });
        if let Some(end) = end {
            self.text.truncate(end);
            self.text.push_str(": …");
        }
        self
    }
}

/// The nearest character boundary at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The end of `text` that fits in `room` columns, and whether something was cut.
fn tail(text: &str, room: usize) -> (&str, bool) {
    let mut used = 0;
    for (index, character) in text.char_indices().rev() {
        used += width(character);
        if used > room {
            let from = index + character.len_utf8();
            return (text.get(from..).unwrap_or_default(), true);
        }
    }
    (text, false)
}

/// Appends what fits in `room` columns in printable form; says whether something was cut.
fn push(out: &mut String, text: &str, room: usize) -> bool {
    let mut used = 0;
    for character in text.chars() {
        used += width(character);
        if used > room {
            return true;
        }
        match character {
            '\t' => out.push_str("    "),
            _ => push_clean(out, character),
        }
    }
    false
}

/// Terminal columns of `text`; counting stops once `enough` is reached.
fn columns(text: &str, enough: usize) -> usize {
    let mut used = 0;
    for character in text.chars() {
        used += width(character);
        if used >= enough {
            break;
        }
    }
    used
}

/// Terminal columns of one character as it is printed here.
fn width(character: char) -> usize {
    match character {
        '\t' => 4,
        _ if is_unseen(character) => character.escape_unicode().count(),
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// What is shown as an escape; a byte order mark too, which at most the parser knows what to do with.
fn is_unseen(character: char) -> bool {
    character == '\u{feff}' || is_forbidden_character(character)
}

/// Escapes what could move the cursor, reorder the line or end it.
fn push_clean(out: &mut String, character: char) {
    if is_unseen(character) {
        out.extend(character.escape_unicode());
    } else {
        out.push(character);
    }
}

/// A text of ours that quotes a text of theirs: one line, nothing that a terminal obeys.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_clean(&mut out, character);
    }
    out
}

/// Paints words when asked to.
struct Paint(bool);

impl Paint {
    fn put(&self, out: &mut String, style: &str, text: &str) {
        if self.0 {
            let _ = write!(out, "\u{1b}[{style}m{text}\u{1b}[0m");
        } else {
            out.push_str(text);
        }
    }
}

const BOLD: &str = "1";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const BLUE: &str = "1;34";

/// As a compiler would print it.
pub(super) fn render(finding: &Diagnostic, colour: bool) -> String {
    let paint = Paint(colour);
    let severity = finding.code.severity();
    let loud = if severity == Severity::Error { RED } else { YELLOW };
    let mut out = String::new();
    paint.put(&mut out, loud, &format!("{}[{}]", severity.as_str(), finding.code));
    paint.put(&mut out, BOLD, &format!(": {}", finding.message));
    out.push('\n');
    let Some(site) = &finding.site else { return out };
    let Some(excerpt) = &finding.excerpt else {
        paint.put(&mut out, BLUE, " -->");
        let _ = write!(out, " {}", clean(&site.file));
        if site.line > 0 {
            let _ = write!(out, ":{}:{}", site.line, site.column);
        }
        out.push('\n');
        push_note(&mut out, &paint, &finding.label);
        push_help(&mut out, &paint, finding, 1);
        return out;
    };
    let number = site.line.to_string();
    let gutter = number.len();
    paint.put(&mut out, BLUE, &format!("{:gutter$}-->", ""));
    let _ = writeln!(out, " {}:{}:{}", clean(&site.file), site.line, site.column);
    paint.put(&mut out, BLUE, &format!("{:gutter$} |", ""));
    out.push('\n');
    paint.put(&mut out, BLUE, &format!("{number} |"));
    let _ = writeln!(out, " {}", excerpt.text);
    paint.put(&mut out, BLUE, &format!("{:gutter$} |", ""));
    let _ = write!(out, " {:indent$}", "", indent = excerpt.indent);
    let blank = if finding.label.is_empty() { "" } else { " " };
    paint.put(&mut out, loud, &format!("{}{blank}{}", "^".repeat(excerpt.width), finding.label));
    out.push('\n');
    push_help(&mut out, &paint, finding, gutter);
    out
}

/// The label, where there is no underline to stand beside.
fn push_note(out: &mut String, paint: &Paint, label: &str) {
    if !label.is_empty() {
        paint.put(out, BLUE, "  =");
        let _ = writeln!(out, " note: {label}");
    }
}

fn push_help(out: &mut String, paint: &Paint, finding: &Diagnostic, gutter: usize) {
    let Some(help) = &finding.help else { return };
    paint.put(out, BLUE, &format!("{:gutter$} =", ""));
    paint.put(out, BOLD, " help:");
    let _ = writeln!(out, " {help}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, part: &str) -> (String, usize, usize) {
        let start = text.find(part).unwrap();
        let excerpt = Excerpt::cut(text, Span::locate(text, start, start + part.len()));
        (excerpt.text, excerpt.indent, excerpt.width)
    }

    #[test]
    fn the_underline_stands_below_the_text_after_tabs_and_wide_characters() {
        assert_eq!(cut("\tx: 値 bad\n", "bad"), (String::from("    x: 値 bad"), 10, 3));
        assert_eq!(cut("e\u{301}: 漢字\n", "漢字"), (String::from("e\u{301}: 漢字"), 3, 4));
    }

    #[test]
    fn an_escape_sequence_in_the_table_never_reaches_the_terminal() {
        let (text, ..) = cut("a: \u{1b}[2J\u{202e}bad\n", "bad");
        assert_eq!(text, "a: \\u{1b}[2J\\u{202e}bad");
        assert_eq!(clean("a\nb\u{7f}"), "a\\u{a}b\\u{7f}");
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_around_the_span() {
        let text = format!("{}bad{}", "x".repeat(1_000_000), "y".repeat(1_000_000));
        let (text, indent, width) = cut(&text, "bad");
        assert_eq!((indent, width), (41, 3));
        assert!(text.starts_with("…xx") && text.ends_with("y…") && text.chars().count() < 110, "{text}");
        let (text, indent, width) = cut(&"z".repeat(5000), &"z".repeat(5000));
        assert_eq!((indent, width, text.chars().count()), (0, 100, 101));
    }

    #[test]
    fn a_span_of_several_lines_shows_the_first_and_an_empty_one_a_single_mark() {
        assert_eq!(cut("a: [b,\n c]\n", "[b,\n c]"), (String::from("a: [b,"), 3, 3));
        assert_eq!(cut("a:\n", ""), (String::from("a:"), 0, 1));
    }
}
