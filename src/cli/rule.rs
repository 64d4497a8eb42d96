//! `rule`: what a code is about, and how to mend it.

use clap::Args;
use serde_json::{Value, json};

use super::nearest::unknown;
use super::output::{Output, escaped_json, result, trouble};
use crate::table::{Code, Page, Severity};

/// Print the page of a rule of the trust table.
///
/// What it looks at, what gets in otherwise, a bad example and a good one, and when it is right to accept a warning. Without a
/// code, the list of all.
///
/// Exit code: 0 printed, 2 there is no such rule.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence rule CR101")]
pub(super) struct Rule {
    /// The code as `check` prints it, such as CR101.
    code: Option<String>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(rule: &Rule) -> u8 {
    let Some(text) = &rule.code else { return result(&list(rule.output)) };
    let Some(code) = Code::parse(text) else {
        let known = unknown("rule", text, Code::ALL.iter().map(|code| code.as_str()));
        return trouble(format!("{known}: `credence rule` lists them all"));
    };
    let page = Page::of(code);
    result(&match rule.output {
        Output::Text => page.markdown(),
        Output::Json => escaped_json(&as_json(&page)),
    })
}

fn list(output: Output) -> String {
    match output {
        Output::Text => {
            let line = |code: &Code| format!("{code}  {:7}  {}\n", code.severity().as_str(), code.title());
            Code::ALL.iter().map(line).collect()
        }
        Output::Json => escaped_json(&Code::ALL.iter().map(|code| as_json(&Page::of(*code))).collect()),
    }
}

fn as_json(page: &Page) -> Value {
    json!({
        "code": page.code.as_str(),
        "severity": page.code.severity().as_str(),
        "title": page.code.title(),
        "about": page.about,
        "why": page.why,
        "bad": page.bad,
        "good": page.good,
        "acceptable": page.code.severity() == Severity::Warning,
        "accept": page.accept,
    })
}
