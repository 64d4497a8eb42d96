//! Who acts, and how often: `actor` and `replay` of a grant.

use super::super::SourceFile;
use super::*;
use crate::claims::Glob;
use crate::decide::{ActorRule, Replay, SubjectRule};

fn compiled(grant: &str) -> Compiled {
    let text = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n\
         issuers:\n  a: {{issuer: https://a.test, owner: o, reviewBy: 2099-01-01}}\n\
         resources:\n  r: {{audience: https://r.test, hosts: [r.test]}}\n\
         grants:\n  g: {{issuer: a, resource: r, subject: s, methods: any, paths: any, {grant}}}\n"
    );
    let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
    compile(&sources, &Permissions::default(), Time::from_seconds(0.0), |need| {
        Arc::new(LiveKeys::unfetched(need.rules))
    })
}

fn grant(text: &str) -> Grant {
    let Compiled { snapshot, report } = compiled(text);
    let snapshot = snapshot.unwrap_or_else(|| panic!("{}", report.render(false)));
    snapshot.grants.iter().next().unwrap().clone()
}

fn message(text: &str) -> String {
    let report = compiled(text).report;
    assert_eq!(report.errors(), 1, "{}", report.render(false));
    report.render(false)
}

fn exact(subjects: &[&str]) -> SubjectRule {
    SubjectRule::Exact(subjects.iter().map(|subject| (*subject).to_owned()).collect())
}

#[test]
fn an_actor_is_named_like_a_subject_and_stands_alone_unless_the_table_says_more() {
    let actor = |text: &str| grant(text).actor.unwrap();
    assert_eq!(actor("actor: {subject: p}"), ActorRule { subject: exact(&["p"]), max_depth: 1 });
    let written = actor("actor: {issuer: same, subject: [q, p, p], maxDepth: 3}");
    assert_eq!(written, ActorRule { subject: exact(&["p", "q"]), max_depth: 3 });
    let glob = SubjectRule::Glob(Glob::parse("agent/*").unwrap());
    assert_eq!(actor("actor: {subject: {glob: agent/*}}").subject, glob);
    assert_eq!(grant("scopes: [x]").actor, None);
}

#[test]
fn what_an_actor_cannot_be_is_told_with_what_it_can() {
    for (text, told) in [
        ("actor: p", "must be a map"),
        ("actor: {maxDepth: 1}", "has no `subject`"),
        ("actor: {subject: any}", "cannot be `any`"),
        ("actor: {subject: 'p*'}", "holds a star"),
        ("actor: {subject: {glob: '*'}}", "unsafe pattern"),
        ("actor: {subject: p, issuer: b}", "can only be `same`"),
        ("actor: {subject: p, maxDepth: 0}", "a number from 1 to 14"),
        ("actor: {subject: p, maxDepth: 15}", "a number from 1 to 14"),
        ("actor: {subject: p, maxDepth: '1'}", "a number from 1 to 14"),
        ("actor: {subject: p, depth: 1}", "unknown field \"depth\" in the actor of grant \"g\""),
        ("replay: never", "must be `once` or `allow`"),
        ("replay: true", "must be a string"),
        ("claims: {act: p}", "a grant's `actor` says who may act"),
    ] {
        let message = message(text);
        assert!(message.contains(told), "{text}: {message}");
    }
}

#[test]
fn a_token_may_come_again_unless_the_table_says_once() {
    assert_eq!(grant("scopes: [x]").replay, Replay::Allow);
    assert_eq!(grant("replay: allow").replay, Replay::Allow);
    assert_eq!(grant("replay: once").replay, Replay::Once);
}

#[test]
fn a_table_whose_agent_books_once_for_any_employee_loads_without_a_finding() {
    let compiled = compiled(
        "actor: {subject: 'agent:travel-planner'}, replay: once, scopes: ['bookings:write'], \
         claims: {groups: {contains: travel-pilot}}",
    );
    assert!(compiled.report.is_empty(), "{}", compiled.report.render(false));
    let snapshot = compiled.snapshot.unwrap();
    assert_eq!(snapshot.grants.issuers_with_single_use(), 1);
}

#[test]
fn both_are_part_of_the_tables_meaning() {
    let digest = |text: &str| compiled(text).snapshot.unwrap().digest;
    let plain = digest("scopes: [x]");
    assert_eq!(plain, digest("scopes: [x], replay: allow"));
    let digests = [
        plain,
        digest("scopes: [x], replay: once"),
        digest("scopes: [x], actor: {subject: p}"),
        digest("scopes: [x], actor: {subject: q}"),
        digest("scopes: [x], actor: {subject: p, maxDepth: 2}"),
    ];
    let different: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len());
    assert_eq!(digest("actor: {subject: [p, q]}"), digest("actor: {issuer: same, subject: [q, p, q], maxDepth: 1}"));
}

#[test]
fn of_an_issuer_that_stands_for_several_an_actor_says_which_like_a_subject() {
    let text = |iss: &str| {
        format!(
            "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  e:\n    profile: entra\n    \
             with: {{tenants: [82229342-1101-4ab6-817b-70c0747630f3, 8eaef023-2b34-4da1-9baa-8bc8c9d6a490]}}\n    \
             owner: o\n    reviewBy: 2099-01-01\n\
             resources:\n  r: {{audience: https://r.test, hosts: [r.test]}}\n\
             grants:\n  g: {{issuer: e, {iss}resource: r, claims: {{idtyp: app}}, actor: {{subject: p}}, methods: [GET], paths: any}}\n"
        )
    };
    let codes = |text: String| {
        let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
        let report = compile(&sources, &Permissions::default(), Time::from_seconds(0.0), |need| {
            Arc::new(LiveKeys::unfetched(need.rules))
        })
        .report;
        report.sorted().iter().map(|finding| finding.code().as_str()).collect::<Vec<_>>()
    };
    assert!(codes(text("")).contains(&"CR123"));
    let one = "iss: https://login.microsoftonline.com/82229342-1101-4ab6-817b-70c0747630f3/v2.0, ";
    assert!(!codes(text(one)).contains(&"CR123"));
}
