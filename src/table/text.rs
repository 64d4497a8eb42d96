//! What can be said of a file before any YAML is read.

use std::sync::Arc;

use super::{Code, Diagnostic, Place, Report, SourceFile, Span};
use crate::name::is_forbidden_character;

/// So many hidden characters are told.
const MAX_HIDDEN: usize = 10;

/// Every finding here is CR005 and refuses the file. Also says whether it is worth reading on: a file that was only cut
/// off is, so that what else is wrong with it is told at once.
pub(super) fn judge(file: &Arc<SourceFile>) -> (Report, bool) {
    let mut report = Report::default();
    let text = file.text();
    if text.trim().is_empty() {
        let finding = Diagnostic::about(Code::CR005, file.name(), "the file is empty");
        report.push(finding.help("see that the file is complete: an empty file is never taken for an empty table"));
        return (report, false);
    }
    let mut push = |span: Span, message: &str, label: &str, help: &str| {
        let place = Place { file: Arc::clone(file), span };
        report.push(Diagnostic::at(Code::CR005, &place, message).label(label).help(help));
    };
    let mut sound = true;
    if text.starts_with('\u{feff}') {
        sound = false;
        push(
            Span::locate(text, 0, '\u{feff}'.len_utf8()),
            "the file begins with a byte order mark",
            "invisible character U+FEFF",
            "save it as UTF-8 without a byte order mark",
        );
    }
    for (index, character) in text.char_indices().filter(|(at, one)| is_hidden(text, *at, *one)).take(MAX_HIDDEN) {
        sound = false;
        push(
            Span::locate(text, index, index + character.len_utf8()),
            "a character that does not show, or changes how the line reads",
            &format!("U+{:04X}", u32::from(character)),
            "remove it; inside a double-quoted string it can be written as an escape",
        );
    }
    if sound && !text.ends_with('\n') {
        let start = text.trim_end().len();
        push(
            Span::locate(text, start, start),
            "the file does not end with a newline: was it cut off?",
            "the last line",
            "see that the file is complete and end it with a newline",
        );
    }
    (report, sound)
}

/// Tabs and newlines may stand in a file, a carriage return before a newline too.
fn is_hidden(text: &str, index: usize, character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        '\r' => !text.get(index + 1..).is_some_and(|rest| rest.starts_with('\n')),
        _ => is_forbidden_character(character),
    }
}
