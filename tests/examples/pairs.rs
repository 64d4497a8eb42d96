//! One `sub`, several issuers: told apart wherever someone looks.

use std::collections::BTreeSet;

use serde_json::json;

use crate::world::{Ran, Scene, scene};

/// Runs cases that are allowed and have one `sub`; gives the issuer of each.
fn issuers_of(scene: &Scene, sub: &str, cases: &[&str]) -> Vec<(String, Ran)> {
    let run = |case: &&str| {
        let case = scene.case(case);
        let claims = scene.claims(case).unwrap();
        assert_eq!(claims["sub"], sub, "{}", case.name);
        (claims["iss"].as_str().unwrap().to_owned(), scene.holds(case))
    };
    cases.iter().map(run).collect()
}

/// Asserts that headers and log know each by its pair, and never by the subject alone.
fn told_apart(scene: &Scene, sub: &str, runs: &[(String, Ran)]) {
    let mut principals = BTreeSet::new();
    let mut logged = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (iss, ran) in runs {
        let echo = ran.echo.as_ref().unwrap();
        assert_eq!(echo.one("x-credence-subject"), sub);
        assert_eq!(echo.one("x-credence-issuer"), iss);
        principals.insert(echo.one("x-credence-principal").to_owned());
        assert_eq!(ran.log["principal"], json!({"iss": iss, "sub": sub}));
        logged.insert(ran.log["principal"].to_string());
        assert_eq!(ran.log["issuer_name"], scene.issuer_name(iss));
        names.insert(ran.log["issuer_name"].to_string());
    }
    assert_eq!((principals.len(), logged.len(), names.len()), (runs.len(), runs.len(), runs.len()), "{principals:?}");
}

fn allows(scene: &Scene, issuer: &str) -> f64 {
    let series = format!("credence_decisions_total{{decision=\"allow\",reason=\"ok\",issuer=\"{issuer}\"}}");
    scene.credence.metric(&series).unwrap_or(0.0)
}

#[test]
fn s10_one_employee_in_two_tenants_is_two_principals() {
    let scene = scene("two-tenants");
    let cases = ["the employee as an administrator of north", "the same person as an employee of south"];
    let runs = issuers_of(scene, "employee-4711", &cases);
    told_apart(scene, "employee-4711", &runs);
    let readme = include_str!("../../examples/two-tenants/README.md");
    for (_, ran) in &runs {
        let principal = ran.echo.as_ref().unwrap().one("x-credence-principal");
        assert!(readme.contains(&format!("    x-credence-principal: {principal}\n")), "{principal}");
    }
    let scopes: Vec<_> =
        runs.iter().map(|(_, ran)| ran.echo.as_ref().unwrap().one("x-credence-scopes").to_owned()).collect();
    assert_eq!(scopes, ["admin", "read"], "what one may the other may not");
}

#[test]
fn s12_one_sub_of_three_providers_is_told_apart_in_decision_headers_log_and_metric() {
    let scene = scene("ci-providers");
    let names = ["ci-release", "ci-build", "github-acme"];
    let before = names.map(|name| allows(scene, name));
    let cases = [
        "release pushes a release",
        "build pushes a snapshot",
        "GitHub with the other providers' sub still pushes the documentation",
    ];
    let runs = issuers_of(scene, "pipeline:payments", &cases);
    told_apart(scene, "pipeline:payments", &runs);
    let scopes: BTreeSet<_> = runs.iter().map(|(_, ran)| ran.log["scopes"].to_string()).collect();
    assert_eq!(scopes.len(), 3, "each may what its own grant says: {scopes:?}");
    for (name, before) in names.into_iter().zip(before) {
        assert!(allows(scene, name) > before, "{name}");
    }
    // The label is the entry's name; who exactly it was stands in the log, not in a metric.
    let metrics = scene.credence.admin("/metrics").text();
    for never in ["pipeline:payments", "https://ci.", "githubusercontent"] {
        assert!(!metrics.contains(never), "{never} in a metric");
    }
}

#[test]
fn s12_a_refusal_by_the_grants_counts_for_the_issuer_that_vouched_and_an_unproven_one_for_nobody() {
    let scene = scene("ci-providers");
    let count = |reason: &str, issuer: &str| {
        let series = format!("credence_decisions_total{{decision=\"deny\",reason=\"{reason}\",issuer=\"{issuer}\"}}");
        scene.credence.metric(&series).unwrap_or(0.0)
    };
    let before = (count("grant_none", "ci-build"), count("issuer_unknown", "unverified"));
    scene.holds(scene.case("build has the same sub and pushes a release"));
    scene.holds(scene.case("a provider that nobody entered, with the same sub"));
    assert!(count("grant_none", "ci-build") > before.0);
    assert!(count("issuer_unknown", "unverified") > before.1);
}
