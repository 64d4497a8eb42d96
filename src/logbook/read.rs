//! A log, line by line, in the memory of one line.

use std::io::{self, BufRead};
use std::ops::ControlFlow;

use super::record::{NoRecord, Record};

/// A longer line is none that credence wrote.
const MAX_LINE: usize = 64 * 1024;

/// What was met in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Decisions.
    pub decisions: u64,
    /// Lines that are no JSON object of one meaning: torn, or of another program.
    pub unreadable: u64,
    /// Objects of another schema.
    pub foreign: u64,
    /// Lines of more than 64 KiB.
    pub too_long: u64,
}

impl Counts {
    /// Lines that were passed over.
    pub const fn passed_over(&self) -> u64 {
        self.unreadable + self.foreign + self.too_long
    }
}

/// Shows `each` every decision of a log, in order, until it has seen enough; counts what there is besides. Nothing in a
/// log ends the reading but its end.
///
/// # Errors
/// The log cannot be read on.
pub fn read(
    from: &mut dyn BufRead,
    counts: &mut Counts,
    each: &mut dyn FnMut(Record) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        if io::Read::take(&mut *from, most + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.strip_suffix(b"\n");
        if whole.is_none() && line.len() > MAX_LINE {
            counts.too_long += 1;
            skip_line(from)?;
            continue;
        }
        let text = whole.unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        match Record::parse(text) {
            Ok(record) => {
                counts.decisions += 1;
                if each(record).is_break() {
                    return Ok(());
                }
            }
            Err(NoRecord::Torn) => counts.unreadable += 1,
            Err(NoRecord::Foreign) => counts.foreign += 1,
        }
    }
}

/// Goes on to the end of a line without keeping it.
fn skip_line(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let held = from.fill_buf()?;
        if held.is_empty() {
            return Ok(());
        }
        match held.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                from.consume(at + 1);
                return Ok(());
            }
            None => {
                let all = held.len();
                from.consume(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Who;
    use super::*;

    const GOOD: &str = r#"{"schema":"credence.decision/v1","ts":"2026-11-21T12:00:00.000Z","decision_id":"a","decision":"deny","reason":"grant_none","verified":{"iss":"i","sub":"s"},"later":{"x":1}}"#;

    fn all(text: &[u8]) -> (Vec<Record>, Counts) {
        let (mut records, mut counts) = (Vec::new(), Counts::default());
        let mut from = io::BufReader::with_capacity(16, text);
        read(&mut from, &mut counts, &mut |record| {
            records.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
        (records, counts)
    }

    #[test]
    fn a_line_that_cannot_be_read_is_counted_and_the_next_one_is_read() {
        let long = format!("{{\"schema\":\"{}\"}}", "x".repeat(MAX_LINE));
        let torn = GOOD.get(..80).unwrap();
        let text = format!(
            "{GOOD}\n{torn}\n\n{long}\nlistening on 127.0.0.1\n{{\"schema\":\"credence.decision/v9\"}}\n{{}}\n{GOOD}\r\n{torn}"
        );
        let (records, counts) = all(text.as_bytes());
        assert_eq!(records.len(), 2);
        assert_eq!(counts, Counts { decisions: 2, unreadable: 3, foreign: 2, too_long: 1 });
        assert_eq!(counts.passed_over(), 6);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_torn_line() {
        let (records, counts) = all(&[b"\xff\xfe{\n".as_slice(), GOOD.as_bytes()].concat());
        assert_eq!((records.len(), counts.unreadable), (1, 1));
    }

    #[test]
    fn a_line_that_contradicts_itself_is_none_of_ours() {
        for bad in [
            GOOD.replace("deny", "maybe"),
            GOOD.replace(r#""verified""#, r#""principal""#),
            GOOD.replace(r#""later":{"x":1}"#, r#""claimed":{"iss":"j"}"#),
            GOOD.replace(r#""later":{"x":1}"#, r#""decision":"allow""#),
            GOOD.replace("2026-11-21T12", "yesterday"),
            GOOD.replace(r#""sub":"s""#, r#""sub":7"#),
        ] {
            let (records, counts) = all(bad.as_bytes());
            assert!(records.is_empty() && counts.unreadable == 1, "{bad}");
        }
        let (records, _) = all(GOOD.as_bytes());
        assert!(matches!(&records.first().unwrap().who, Who::Verified(pair) if pair.sub == "s"));
    }

    #[test]
    fn who_has_seen_enough_reads_no_further() {
        let text = format!("{GOOD}\n{GOOD}\n");
        let mut counts = Counts::default();
        read(&mut text.as_bytes(), &mut counts, &mut |_| ControlFlow::Break(())).unwrap();
        assert_eq!(counts.decisions, 1);
    }
}
