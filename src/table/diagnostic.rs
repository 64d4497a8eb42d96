//! One finding, and all of them together.

use std::sync::Arc;

use super::render::{Excerpt, clean, render};
use super::{Code, Place, Severity};
use crate::name::Site;

/// At most this many findings are kept; more are counted.
const KEPT: usize = 1000;

/// At most this many findings are printed.
const SHOWN: usize = 100;

/// One finding: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) site: Option<Site>,
    pub(super) excerpt: Option<Excerpt>,
    pub(super) label: String,
    pub(super) help: Option<String>,
}

impl Diagnostic {
    /// A finding at a place, whose text is kept so that it can be shown later.
    pub fn at(code: Code, place: &Place, message: impl AsRef<str>) -> Self {
        Self {
            code,
            message: clean(message.as_ref()),
            site: Some(place.site()),
            excerpt: Some(Excerpt::cut(place.file.text(), place.span)),
            label: String::new(),
            help: None,
        }
    }

    /// A finding about a whole file or directory.
    pub fn about(code: Code, file: &Arc<str>, message: impl AsRef<str>) -> Self {
        let site = Site { file: Arc::clone(file), line: 0, column: 0 };
        Self {
            code,
            message: clean(message.as_ref()),
            site: Some(site),
            excerpt: None,
            label: String::new(),
            help: None,
        }
    }

    /// Adds the words beside the underline.
    #[must_use]
    pub fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = clean(label.as_ref());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(clean(help.as_ref()));
        self
    }

    /// Leaves out the text of the line, which may be a secret, and keeps the place.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.excerpt = None;
        self
    }

    /// Leaves out what follows the underline, which may be a secret: the value of a field that nobody knows.
    #[must_use]
    pub fn key_only(mut self) -> Self {
        self.excerpt = self.excerpt.map(Excerpt::cut_after_underline);
        self
    }

    /// The rule.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, on one line, control characters escaped.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// File, line and column; line 0 where a whole file is meant.
    pub const fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// The words beside the underline, or nothing.
    pub fn label_text(&self) -> &str {
        &self.label
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// As a compiler would print it, with a newline at the end. `colour` puts in ANSI escapes.
    pub fn render(&self, colour: bool) -> String {
        render(self, colour)
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// Adds a finding. Past the first thousand they are only counted.
    pub fn push(&mut self, finding: Diagnostic) {
        match finding.code.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        }
    }

    /// Takes over the findings of another report.
    pub fn append(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.findings.extend(other.findings.into_iter().take(KEPT.saturating_sub(self.findings.len())));
    }

    /// How many findings refuse the table.
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// How many findings warn.
    pub const fn warnings(&self) -> usize {
        self.warnings
    }

    /// Whether the table is refused.
    pub const fn refuses(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say.
    pub const fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// Whether no more findings are kept, so that looking for more is idle.
    pub fn is_full(&self) -> bool {
        self.findings.len() >= KEPT
    }

    /// The findings, sorted by file, line, column and code.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by(|a, b| (&a.site, a.code, &a.message).cmp(&(&b.site, b.code, &b.message)));
        findings
    }

    /// All findings as a compiler would print them, a blank line between two; at most a hundred, then how many more.
    pub fn render(&self, colour: bool) -> String {
        let sorted = self.sorted();
        let shown: Vec<_> = sorted.iter().take(SHOWN).map(|finding| finding.render(colour)).collect();
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
        let mut lines: Vec<_> = self.sorted().iter().take(SHOWN).map(line).collect();
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
    use super::super::Span;
    use super::super::source::SourceFile;
    use super::*;

    fn place(text: &str, part: &str) -> Place {
        let start = text.find(part).unwrap();
        Place {
            file: Arc::new(SourceFile::new("trust.yaml", text)),
            span: Span::locate(text, start, start + part.len()),
        }
    }

    #[test]
    fn a_finding_reads_as_the_contract_shows() {
        let text = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  github:\n    a: b\n";
        let finding = Diagnostic::at(
            Code::CR101,
            &place(text, "github"),
            "issuer \"github\" signs tokens for every GitHub account and pins none",
        )
        .label("no pin.claims.repository_owner_id")
        .help("add `pin: {claims: {repository_owner_id: \"<id>\"}}`");
        assert_eq!(
            finding.render(false),
            "error[CR101]: issuer \"github\" signs tokens for every GitHub account and pins none\n \
             --> trust.yaml:4:3\n  \
               |\n\
             4 |   github:\n  \
               |   ^^^^^^ no pin.claims.repository_owner_id\n  \
               = help: add `pin: {claims: {repository_owner_id: \"<id>\"}}`\n"
        );
    }

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
        assert!(report.is_full());
    }
}
