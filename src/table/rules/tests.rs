use std::sync::Arc;

use super::super::{Documents, Permissions, Severity, SourceFile, Sources, compile, compile_blocks};
use super::*;
use crate::clock::Time;
use crate::keys::LiveKeys;

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
    for code in Code::ALL.iter().copied() {
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
fn a_warning_is_accepted_where_it_can_be_mended_and_nowhere_else() {
    use Code::*;
    for (code, expected) in [
        (CR201, "issuers grants"),
        (CR202, "issuers grants"),
        (CR203, "issuers grants"),
        (CR204, "issuers grants"),
        (CR205, "issuers"),
        (CR206, "issuers grants"),
        (CR210, "resources"),
        (CR211, "resources"),
        (CR301, "issuers"),
        (CR302, "issuers"),
        (CR303, "grants"),
        (CR304, "grants"),
        (CR305, "grants"),
        (CR310, "issuers"),
        (CR401, "grants"),
        (CR402, "issuers grants"),
        (CR403, "resources"),
    ] {
        let bad = Page::of(code).bad;
        let silent = |section: &&str, accepted: Code| {
            let accept = format!("accept: [{{code: {accepted}, reason: it was looked at}}]");
            found(&with(bad, section, &accept)).0.is_empty()
        };
        let sections = ["issuers", "resources", "grants"].into_iter();
        let accepted: Vec<_> = sections.clone().filter(|section| silent(section, code)).collect();
        assert_eq!(accepted.join(" "), expected, "{code}");
        let other = if code == CR303 { CR301 } else { CR303 };
        assert!(sections.clone().all(|section| !silent(&section, other)), "{code}: another code silences it");
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
