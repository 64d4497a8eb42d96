use std::sync::Arc;

use super::super::{Documents, Permissions, Severity, SourceFile, Sources, compile, compile_blocks};
use super::*;
use crate::clock::Time;
use crate::keys::LiveKeys;

/// Codes whose rules are not looked at yet: their bad examples may pass.
const NOT_YET: [Code; 2] = [Code::CR304, Code::CR305];

/// What is found in an example, and how it is told.
fn found(example: &str) -> (Vec<Code>, String) {
    let head = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";
    let head = if example.starts_with("apiVersion:") { "" } else { head };
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let sources = Sources::from_files([SourceFile::new("trust.yaml", format!("{head}{example}"))]);
    let compile = |sources: &Sources| {
        compile(sources, &Permissions::default(), now, |need| Arc::new(LiveKeys::unfetched(need.rules)))
    };
    let report = match Documents::of(&sources).blocks {
        true => {
            let issuer = "issuers: {partner: {issuer: https://idp.partner.test, owner: a, reviewBy: 2027-06-30}}\n";
            let head = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";
            let table = Sources::from_files([SourceFile::new("trust.yaml", format!("{head}{issuer}"))]);
            compile_blocks(&sources, now, compile(&table).snapshot.as_ref()).report
        }
        false => compile(&sources).report,
    };
    (report.sorted().iter().map(|finding| finding.code()).collect(), report.render(false))
}

#[test]
fn every_bad_example_yields_exactly_its_code_and_every_good_one_nothing() {
    for code in Code::ALL.iter().copied().filter(|code| !NOT_YET.contains(code)) {
        let page = Page::of(code);
        let (bad, said) = found(page.bad);
        assert!(!bad.is_empty() && bad.iter().all(|found| *found == code), "{code}: {bad:?}\n{}\n{said}", page.bad);
        let (good, said) = found(page.good);
        assert!(good.is_empty(), "{code}: {good:?}\n{}\n{said}", page.good);
    }
}

#[test]
fn every_page_is_whole_and_says_how_to_accept_what_can_be() {
    for code in Code::ALL {
        let page = Page::of(*code);
        assert_eq!(page.code, *code);
        assert!(
            page.about.len() > 20 && page.why.len() > 20 && !page.bad.is_empty() && !page.good.is_empty(),
            "{code}"
        );
        assert_eq!(page.accept.is_some(), code.severity() == Severity::Warning, "{code}");
        assert_ne!(page.bad, page.good, "{code}");
        assert!(page.markdown().ends_with('\n') && !page.markdown().contains("\n\n\n"), "{code}");
    }
}

#[test]
fn what_a_page_warns_of_is_silent_once_its_entry_accepts_it() {
    for code in Code::ALL.iter().copied().filter(|code| code.severity() == Severity::Warning) {
        // A block has no `accept`: it is not there for long.
        if NOT_YET.contains(&code) || matches!(code, Code::CR404 | Code::CR405) {
            continue;
        }
        let accept = format!("accept: [{{code: {code}, reason: it was looked at}}]");
        let bad = Page::of(code).bad;
        let accepted: Vec<_> = ["issuers", "resources", "grants"]
            .into_iter()
            .filter(|section| found(&with(bad, section, &accept)).0.is_empty())
            .collect();
        assert!(!accepted.is_empty(), "{code} can be accepted nowhere:\n{bad}");
    }
}

/// The example with a field more in the last entry of a section.
fn with(example: &str, section: &str, field: &str) -> String {
    let mut lines: Vec<String> = example.lines().map(str::to_owned).collect();
    let start = lines.iter().position(|line| *line == format!("{section}:"));
    let Some(start) = start else { return example.to_owned() };
    let end =
        lines.iter().skip(start + 1).position(|line| !line.starts_with(' ')).map_or(lines.len(), |at| start + 1 + at);
    let last = lines.get_mut(end - 1).unwrap();
    if last.starts_with("    ") {
        lines.insert(end, format!("    {field}"));
    } else {
        *last = last.replacen('{', &format!("{{{field}, "), 1);
    }
    lines.join("\n") + "\n"
}
