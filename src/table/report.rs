//! Everything that is wrong with a table, together.

use std::collections::BTreeMap;

use super::{Code, Diagnostic, Severity};

/// At most this many findings of each severity are kept; more are counted.
const KEPT: usize = 1000;

/// At most this many findings are printed.
const SHOWN: usize = 100;

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The first thousand that refuse the table.
    refusing: Vec<Diagnostic>,
    /// The first thousand that warn: however many there are, they hide no error.
    warning: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    /// Those that are not kept too.
    by_code: BTreeMap<Code, usize>,
}

impl Report {
    /// Adds a finding. Past the first thousand of its severity it is only counted.
    pub fn push(&mut self, finding: Diagnostic) {
        let severity = finding.code.severity();
        self.count(finding.code);
        if self.keeps(severity) {
            match severity {
                Severity::Error => self.refusing.push(finding),
                Severity::Warning => self.warning.push(finding),
            }
        }
    }

    /// Whether a finding more of this severity would be kept.
    pub(super) fn keeps(&self, severity: Severity) -> bool {
        let kept = match severity {
            Severity::Error => self.refusing.len(),
            Severity::Warning => self.warning.len(),
        };
        kept < KEPT
    }

    /// Counts a finding that is not kept.
    pub(super) fn count(&mut self, code: Code) {
        *self.by_code.entry(code).or_default() += 1;
        match code.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
    }

    /// Takes over the findings of another report.
    pub fn append(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        for (code, count) in other.by_code {
            *self.by_code.entry(code).or_default() += count;
        }
        self.refusing.extend(other.refusing.into_iter().take(KEPT.saturating_sub(self.refusing.len())));
        self.warning.extend(other.warning.into_iter().take(KEPT.saturating_sub(self.warning.len())));
    }

    /// How many findings refuse the table.
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// How many findings warn.
    pub const fn warnings(&self) -> usize {
        self.warnings
    }

    /// How many findings each rule has that has any, those that are not kept included; sorted by code.
    pub fn by_code(&self) -> impl Iterator<Item = (Code, usize)> {
        self.by_code.iter().map(|(code, count)| (*code, *count))
    }

    /// Whether the table is refused.
    pub const fn refuses(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say.
    pub const fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// The findings that are kept, at most a thousand, sorted by file, line, column and code. Where there are more, errors
    /// come before warnings.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        self.chosen(KEPT)
    }

    /// At most so many, errors before warnings, then sorted.
    fn chosen(&self, most: usize) -> Vec<&Diagnostic> {
        let order =
            |a: &&Diagnostic, b: &&Diagnostic| (&a.site, a.code, &a.message).cmp(&(&b.site, b.code, &b.message));
        let (mut errors, mut warnings) = (Vec::from_iter(&self.refusing), Vec::from_iter(&self.warning));
        errors.sort_by(order);
        warnings.sort_by(order);
        let mut findings: Vec<_> = errors.into_iter().chain(warnings).take(most).collect();
        findings.sort_by(order);
        findings
    }

    /// How many findings there are besides those of [`Report::sorted`].
    pub fn left_out(&self) -> usize {
        let kept = (self.refusing.len() + self.warning.len()).min(KEPT);
        (self.errors + self.warnings).saturating_sub(kept)
    }

    /// All findings as a compiler would print them, a blank line between two; at most a hundred, then how many more.
    pub fn render(&self, colour: bool) -> String {
        let shown: Vec<_> = self.chosen(SHOWN).iter().map(|finding| finding.render(colour)).collect();
        let mut out = shown.join("\n");
        let rest = (self.errors + self.warnings).saturating_sub(shown.len());
        if rest > 0 {
            out.push_str(&format!("\n… and {rest} more\n"));
        }
        out
    }

    /// Code, place and rule of each finding and nothing that was written: for whoever may not see the table.
    pub fn brief(&self) -> String {
        let line = |finding: &&Diagnostic| {
            let site = finding.site().map(|site| format!(" {site}")).unwrap_or_default();
            // A finding about a whole file quotes nothing of it.
            let whole = finding.site().is_some_and(|site| site.line == 0);
            format!("{}{site}: {}", finding.code, if whole { finding.message() } else { finding.code.title() })
        };
        let mut lines: Vec<_> = self.chosen(SHOWN).iter().map(line).collect();
        let rest = (self.errors + self.warnings).saturating_sub(lines.len());
        if rest > 0 {
            lines.push(format!("and {rest} more"));
        }
        lines.join("; ")
    }

    /// `2 errors, 1 warning`, or `no problems`.
    pub fn summary(&self) -> String {
        let count = |number: usize, word: &str| match number {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{number} {word}s")),
        };
        let parts: Vec<_> =
            [count(self.errors, "error"), count(self.warnings, "warning")].into_iter().flatten().collect();
        if parts.is_empty() { String::from("no problems") } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::super::testing::place;
    use super::*;

    #[test]
    fn findings_come_sorted_and_more_than_a_hundred_are_only_counted() {
        let text = "b\na\n";
        let mut report = Report::default();
        report.push(Diagnostic::at(Code::CR002, &place(text, "a"), "second"));
        report.push(Diagnostic::at(Code::CR303, &place(text, "b"), "first"));
        assert!(report.render(false).starts_with("warning[CR303]: first\n"));
        assert_eq!(report.summary(), "1 error, 1 warning");
        for _ in 0..5000 {
            report.push(Diagnostic::at(Code::CR001, &place(text, "a"), "again"));
        }
        assert!(report.render(false).ends_with("\n… and 4902 more\n"));
        assert!(!report.keeps(Severity::Error));
        assert_eq!((report.sorted().len(), report.left_out()), (1000, 4002));
    }

    #[test]
    fn a_thousand_warnings_hide_no_error() {
        let text = "a\nb\n";
        let mut report = Report::default();
        for _ in 0..2000 {
            report.push(Diagnostic::at(Code::CR302, &place(text, "a"), "no owner"));
        }
        report.push(Diagnostic::at(Code::CR101, &place(text, "b"), "late"));
        assert!(report.sorted().iter().any(|finding| finding.code() == Code::CR101));
        assert!(report.render(false).contains("error[CR101]: late"));
        assert!(report.brief().contains("CR101"));
        assert_eq!(report.left_out(), 1001);
    }

    #[test]
    fn a_finding_about_a_whole_file_names_no_line() {
        let mut report = Report::default();
        report.push(Diagnostic::about(Code::CR005, &"t2.yaml".into(), "no such file or directory"));
        report.push(Diagnostic::at(Code::CR002, &place("a: secret\n", "secret"), "\"secret\" is no number"));
        assert_eq!(
            report.brief(),
            format!("CR005 t2.yaml: no such file or directory; CR002 trust.yaml:1:4: {}", Code::CR002.title())
        );
    }

    #[test]
    fn every_finding_counts_for_its_rule_whether_it_is_kept_or_not() {
        let mut report = Report::default();
        for _ in 0..KEPT {
            report.push(Diagnostic::at(Code::CR302, &place("a", "a"), "no owner"));
        }
        report.push(Diagnostic::at(Code::CR401, &place("a", "a"), "wide"));
        report.count(Code::CR302);
        let mut whole = Report::default();
        whole.push(Diagnostic::at(Code::CR302, &place("a", "a"), "no owner"));
        whole.append(report);
        assert_eq!(Vec::from_iter(whole.by_code()), [(Code::CR302, KEPT + 2), (Code::CR401, 1)]);
        assert_eq!(whole.warnings(), KEPT + 3);
    }
}
