//! The page of each rule, as `credence rule CODE` prints it: one file a code, checked by compiling its examples.

use super::Code;

/// What there is to know about a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Which rule.
    pub code: Code,
    /// What it looks at.
    pub about: &'static str,
    /// What gets in, or goes wrong, otherwise.
    pub why: &'static str,
    /// A table that it refuses or warns of, without `apiVersion` and `kind` unless it is about them.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    /// When it is right to accept the warning; `None` where it cannot be accepted.
    pub accept: Option<&'static str>,
}

/// The pages as they are written.
macro_rules! texts {
    ($($code:ident)*) => {
        const fn text(code: Code) -> &'static str {
            match code {
                $(Code::$code => include_str!(concat!(stringify!($code), ".md")),)*
            }
        }
    };
}

texts! {
    CR001 CR002 CR003 CR004 CR005 CR006
    CR101 CR102 CR103 CR104 CR105 CR106 CR107 CR108 CR109 CR110 CR120 CR121 CR122 CR123 CR125 CR130 CR131 CR132 CR133
    CR201 CR202 CR203 CR204 CR205 CR206 CR210 CR211
    CR301 CR302 CR303 CR304 CR305 CR306 CR310
    CR401 CR402 CR403 CR404 CR405
}

impl Page {
    /// The page of a rule.
    pub fn of(code: Code) -> Self {
        let text = text(code);
        let section = |name: &str| section(text, name);
        let example = |name: &str| fenced(section(name).unwrap_or_default());
        Self {
            code,
            about: text.split("\n## ").next().unwrap_or_default().trim(),
            why: section("Why it matters").unwrap_or_default(),
            bad: example("Bad"),
            good: example("Good"),
            accept: section("Accepting it"),
        }
    }

    /// The page as Markdown, with a newline at the end.
    pub fn markdown(&self) -> String {
        let Self { code, about, why, bad, good, accept } = self;
        let mut text = format!(
            "# {code}: {} ({})\n\n{about}\n\n## Why it matters\n\n{why}\n\n## Bad\n\n```yaml\n{bad}```\n\n## Good\n\n```yaml\n{good}```\n",
            code.title(),
            code.severity().as_str()
        );
        if let Some(accept) = accept {
            text.push_str(&format!("\n## Accepting it\n\n{accept}\n"));
        }
        text
    }
}

/// The text below a heading, up to the next.
fn section(text: &'static str, name: &str) -> Option<&'static str> {
    let sections = text.split("\n## ").skip(1);
    let mut named = sections.filter_map(|section| section.strip_prefix(name)?.strip_prefix('\n'));
    named.next().map(str::trim)
}

/// What stands between the fences.
fn fenced(section: &'static str) -> &'static str {
    let inside = section.split_once("```yaml\n").map_or("", |(_, rest)| rest);
    inside.strip_suffix("```").unwrap_or(inside)
}

#[cfg(test)]
mod tests;
