//! What came of a run: for people, for programs, and for the systems that collect test results.

use serde_json::{Value, json};

use super::output::{escaped, value};
use super::test_coverage::Uncovered;

/// One run.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) files: Vec<FileReport>,
    /// Of each table, by its path.
    pub(super) uncovered: Vec<(String, Uncovered)>,
}

/// One file of cases.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) path: String,
    /// Why its cases could not be run.
    pub(super) error: Option<String>,
    pub(super) cases: Vec<CaseReport>,
}

/// One case.
#[derive(Debug)]
pub(super) struct CaseReport {
    pub(super) name: String,
    pub(super) site: String,
    pub(super) line: usize,
    pub(super) decision: &'static str,
    pub(super) reason: &'static str,
    /// What was expected and what was seen instead.
    pub(super) differences: Vec<(String, String)>,
    /// The same and what decided, for people.
    pub(super) told: String,
}

impl CaseReport {
    pub(super) const fn failed(&self) -> bool {
        !self.differences.is_empty()
    }
}

impl FileReport {
    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| case.failed()).count()
    }

    /// As it is told as soon as it is known.
    pub(super) fn text(&self) -> String {
        let failed = self.failed();
        let word = if failed == 0 { "ok  " } else { "FAIL" };
        let mut out = format!("{word} {}: {}", value(&self.path), counts(self.cases.len() - failed, failed));
        for case in self.cases.iter().filter(|case| case.failed()) {
            out += &format!("\n\n  {}: {}\n{}", value(&case.site), value(&case.name), case.told);
        }
        escaped(&format!("{out}\n"))
    }
}

impl Report {
    fn cases(&self) -> usize {
        self.files.iter().map(|file| file.cases.len()).sum()
    }

    pub(super) fn failed(&self) -> usize {
        self.files.iter().map(FileReport::failed).sum()
    }

    /// What is told at the end.
    pub(super) fn summary(&self) -> String {
        let mut out = String::new();
        for (table, uncovered) in &self.uncovered {
            let table = value(table);
            if !uncovered.grants.is_empty() {
                out += &format!("no case is allowed by these grants of {table}: {}\n", uncovered.grants.join(" "));
            }
            if !uncovered.reasons.is_empty() {
                out += &format!("no case of {table} ends with: {}\n", uncovered.reasons.join(" "));
            }
        }
        let run = self.files.iter().filter(|file| file.error.is_none()).count();
        if run > 1 {
            out += &format!("{run} files: {}\n", counts(self.cases() - self.failed(), self.failed()));
        }
        escaped(&out)
    }

    pub(super) fn json(&self) -> Value {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| {
                let cases: Vec<_> = file
                    .cases
                    .iter()
                    .map(|case| {
                        let differs: Vec<_> = case
                            .differences
                            .iter()
                            .map(|(expected, seen)| json!({"expected": expected, "seen": seen}))
                            .collect();
                        json!({
                            "name": case.name,
                            "site": case.site,
                            "passed": !case.failed(),
                            "decision": case.decision,
                            "reason": case.reason,
                            "differs": differs,
                        })
                    })
                    .collect();
                json!({"file": file.path, "error": file.error, "cases": cases})
            })
            .collect();
        let uncovered: Vec<_> = self
            .uncovered
            .iter()
            .map(|(table, uncovered)| json!({"table": table, "grants": uncovered.grants, "reasons": uncovered.reasons}))
            .collect();
        json!({
            "passed": self.cases() - self.failed(),
            "failed": self.failed(),
            "files": files,
            "uncovered": uncovered,
        })
    }

    /// JUnit's XML, as GitLab, Jenkins and GitHub's actions for it read it: a suite a file, a case a case.
    pub(super) fn junit(&self) -> String {
        let errors = self.files.iter().filter(|file| file.error.is_some()).count();
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"credence test\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\">\n",
            self.cases() + errors,
            self.failed(),
        );
        for file in &self.files {
            let path = xml(&file.path);
            let broken = usize::from(file.error.is_some());
            out += &format!(
                "  <testsuite name=\"{path}\" tests=\"{}\" failures=\"{}\" errors=\"{broken}\">\n",
                file.cases.len() + broken,
                file.failed()
            );
            if let Some(error) = &file.error {
                out += &format!(
                    "    <testcase classname=\"{path}\" name=\"the file\"><error message=\"{}\"/></testcase>\n",
                    xml(error)
                );
            }
            for case in &file.cases {
                let head = format!(
                    "    <testcase classname=\"{path}\" name=\"{}\" file=\"{path}\" line=\"{}\"",
                    xml(&case.name),
                    case.line
                );
                out += &if case.failed() {
                    let differs: Vec<_> = case
                        .differences
                        .iter()
                        .map(|(expected, seen)| format!("expected {expected}, seen {seen}"))
                        .collect();
                    format!(
                        "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                        xml(&differs.join("; ")),
                        xml(&format!("{}\n{}", case.site, case.told))
                    )
                } else {
                    format!("{head}/>\n")
                };
            }
            out += "  </testsuite>\n";
        }
        out += "</testsuites>\n";
        out
    }
}

fn counts(passed: usize, failed: usize) -> String {
    if failed == 0 { format!("{passed} passed") } else { format!("{passed} passed, {failed} failed") }
}

/// Text for XML 1.0, in attributes too: markup escaped, and what XML cannot hold told as it is told on a terminal.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for character in escaped(text).chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            '\n' => out += "&#10;",
            '\u{fffe}' | '\u{ffff}' => out += &character.escape_unicode().to_string(),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_name_cannot_leave_its_attribute() {
        let told = xml("a\"/><failure>\u{1b}[2J\u{0}&\n'\u{ffff}");
        assert_eq!(told, "a&quot;/&gt;&lt;failure&gt;\\u{1b}[2J\\u{0}&amp;&#10;&apos;\\u{ffff}");
    }
}
