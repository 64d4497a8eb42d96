//! One finding.

use std::sync::Arc;

use super::render::{Excerpt, clean, render};
use super::{Code, Place};
use crate::name::Site;

/// One finding: what is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) site: Option<Site>,
    /// Line and column after the last character; not known where a whole file is meant.
    end: Option<(usize, usize)>,
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
            end: Some(place.end()),
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
            end: None,
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

    /// Line and column after the last character of what is meant; `None` where a whole file is.
    pub const fn end(&self) -> Option<(usize, usize)> {
        self.end
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

#[cfg(test)]
mod tests {
    use super::super::testing::place;
    use super::*;

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
}
