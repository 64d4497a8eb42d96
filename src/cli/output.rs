//! Results go to standard output, diagnostics to standard error, both without a panic when nobody reads.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;

use super::{TROUBLE, YES};
use crate::name::{is_hidden_character, visible};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Whether a part of the result could not be written, such as on a full disk.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a result. A reader that went away is no error of ours; of anything else that stops it [`ended`] knows.
pub(super) fn result(text: &str) -> u8 {
    printed(std::io::stdout().write_all(text.as_bytes()))
}

/// The same where another has written it.
pub(super) fn printed(written: std::io::Result<()>) -> u8 {
    match written.and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => lost(&error),
        Ok(()) | Err(_) => YES,
    }
}

/// Tells once that the result is not whole: whoever reads half of it must not take it for all.
fn lost(error: &std::io::Error) -> u8 {
    if LOST.swap(true, Ordering::Relaxed) {
        return TROUBLE;
    }
    trouble(format!("standard output: {error}; the result is not whole"))
}

/// The exit code of a verb that ended with this one: whatever it found, a result that was lost is no answer.
pub(super) fn ended(code: u8) -> u8 {
    if LOST.load(Ordering::Relaxed) { TROUBLE } else { code }
}

/// Prints a diagnostic.
pub(super) fn diagnostic(text: &str) {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let _ = std::io::stderr().write_all(format!("{text}{newline}").as_bytes());
}

/// Prints why the program could not run, on one line.
pub(super) fn trouble(text: impl std::fmt::Display) -> u8 {
    diagnostic(&format!("error: {}", value(text)));
    TROUBLE
}

/// Whether standard error takes colours: a terminal, and `NO_COLOR` is not set (no-color.org).
pub(super) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A value from outside (an argument, a log, a token, a table, an answer) as a part of a line: nothing of it ends the
/// line, moves a terminal's cursor or hides. Every value goes through here before it is put into a text of ours.
pub(super) fn value(text: impl std::fmt::Display) -> String {
    visible(&text.to_string())
}

/// The same for a value that may be absent.
pub(super) fn or_absent(text: Option<&str>) -> String {
    text.map_or_else(|| "absent".to_owned(), value)
}

/// A whole text of ours, whose newlines are its own; each [`value`] in it was escaped before. What was forgotten can at
/// least not move a terminal's cursor.
pub(super) fn escaped(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// The same for JSON, whose writer escapes ASCII but leaves what reorders or hides text as it is.
pub(super) fn escaped_json(value: &serde_json::Value) -> String {
    let escape = |character: char| {
        if character != '\n' && is_hidden_character(character) {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        } else {
            character.to_string()
        }
    };
    format!("{value:#}\n").chars().map(escape).collect()
}

/// The value of a switch in a variable: `1`, `true`, `yes`, `on` and their opposites; empty is not set.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A number of bytes: `4096`, `64KiB`, `64MiB`, `2GiB`.
///
/// # Errors
/// A sentence that says what is expected.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("expected a number of bytes, or one with KiB, MiB or GiB: 64MiB".to_owned()),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "expected a number of bytes, or one with KiB, MiB or GiB: 64MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_move_the_cursor() {
        assert_eq!(escaped("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\n");
    }

    #[test]
    fn a_value_is_a_part_of_one_line_and_nothing_of_it_hides() {
        assert_eq!(value("a\nallow ok\r"), "a\\u{a}allow ok\\u{d}");
        let hidden = ['\u{200b}', '\u{200d}', '\u{2060}', '\u{2064}', '\u{feff}', '\u{e0041}', '\u{ad}', '\u{fe0f}'];
        for character in hidden {
            assert_eq!(value(character), character.escape_unicode().to_string());
        }
        assert_eq!(value("Zoë 東京 🦀"), "Zoë 東京 🦀");
    }

    #[test]
    fn nor_in_json_and_it_stays_the_same_json() {
        let value = serde_json::json!({"sub": "a\u{1b}[2Jb\u{202e}c\u{2028}é"});
        let text = escaped_json(&value);
        assert!(text.contains("\\u001b[2Jb\\u202ec\\u2028é"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
