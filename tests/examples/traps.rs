//! Each trap of the scenarios, through Envoy, with a token that is really signed.

use crate::world::{Ran, examples, scene};

pub(crate) fn refused(example: &str, case: &str, reason: &str) -> Ran {
    let scene = scene(example);
    let ran = scene.holds(scene.case(case));
    assert!(ran.echo.is_none(), "{case}: it reached the upstream");
    assert_eq!(ran.log["reason"], reason, "{case}");
    ran
}

pub(crate) fn allowed(example: &str, case: &str) -> Ran {
    let scene = scene(example);
    let ran = scene.holds(scene.case(case));
    assert!(ran.echo.is_some(), "{case}: {}", ran.log);
    ran
}

#[test]
fn every_case_of_every_example_holds_through_envoy() {
    for example in examples() {
        let scene = scene(&example);
        for case in scene.cases() {
            scene.holds(case);
        }
    }
}

#[test]
fn s2_one_repository_ref_and_environment_deploys_in_both_forms_of_sub() {
    allowed("ci-deploy", "main branch deploys payments");
    allowed("ci-deploy", "the older form of sub is the same job");
}

#[test]
fn s2_a_fork_is_refused_even_if_it_calls_itself_acme() {
    refused("ci-deploy", "a fork runs the same workflow", "pin_mismatch");
    refused("ci-deploy", "a fork that calls itself acme", "pin_mismatch");
}

#[test]
fn s2_a_pull_request_is_refused() {
    refused("ci-deploy", "a pull request", "grant_none");
}

#[test]
fn s2_a_new_repository_with_the_old_name_is_refused() {
    refused("ci-deploy", "a new repository that took over the old name", "grant_none");
    refused("ci-deploy", "a new repository with the old name and the older form of sub", "grant_none");
}

#[test]
fn s2_a_tag_called_like_the_branch_is_refused() {
    refused("ci-deploy", "a tag that is called like the branch", "grant_none");
}

#[test]
fn s2_a_path_that_climbs_out_is_refused_before_the_token_is_read() {
    let ran = refused("ci-deploy", "a path that climbs out", "path_not_normalized");
    assert!(ran.log["verified"].is_null() && ran.log["claimed"].is_null(), "{}", ran.log);
}

#[test]
fn s4_the_claim_that_differs_is_in_the_log_and_not_in_the_clients_answer() {
    for (case, differs) in [
        ("billing without the writer's role", "/realm_access/roles"),
        ("a role that only begins like it", "/realm_access/roles"),
        ("the right role in staging", "environment"),
        ("reporting with the writer's role", "subject"),
    ] {
        let ran = refused("wrong-role", case, "grant_none");
        let misses = ran.log["near_miss"].as_array().unwrap();
        let miss = misses.iter().find(|miss| miss["grant"] == "invoice-writer").unwrap();
        assert_eq!(miss["failed"], serde_json::json!([differs]), "{case}");
        let answer = format!("{:?} {}", ran.response.headers, ran.response.text());
        for secret in ["invoice", "realm_access", "roles", "environment", "staging", "subject", "billing", "grant_none"]
        {
            assert!(!answer.contains(secret), "{case}: the client is told of {secret}: {answer}");
        }
        for value in ["trainee", "staging", "production"] {
            assert!(!ran.log.to_string().contains(value), "{case}: the log holds a claim's value: {}", ran.log);
        }
    }
}

#[test]
fn s4_the_readme_shows_what_the_log_says() {
    let ran = refused("wrong-role", "billing without the writer's role", "grant_none");
    let readme = include_str!("../../examples/wrong-role/README.md");
    let line = readme.lines().find(|line| line.contains("near_miss")).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&format!("{{{}}}", line.trim())).unwrap();
    assert_eq!((&ran.log["reason"], &ran.log["near_miss"]), (&shown["reason"], &shown["near_miss"]));
}

#[test]
fn s4_every_wrong_role_looks_the_same_to_the_client() {
    let cases = ["billing without the writer's role", "the right role in staging", "reporting with the writer's role"];
    let answers = cases.map(|case| {
        let ran = refused("wrong-role", case, "grant_none");
        let id = ran.log["decision_id"].as_str().unwrap().to_owned();
        let headers: Vec<_> = ran.response.headers.into_iter().filter(|(name, _)| name != "date").collect();
        (ran.response.status, headers, String::from_utf8(ran.response.body).unwrap().replace(&id, "ID"))
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[test]
fn s10_tenant_souths_token_with_norths_sub_is_refused_at_north() {
    let ran = refused("two-tenants", "south's token with north's sub at north", "grant_none");
    assert_eq!(ran.log["verified"], serde_json::json!({"iss": "https://login.south.test", "sub": "employee-4711"}));
    assert!(ran.log["principal"].is_null());
}

#[test]
fn s10_norths_token_is_refused_at_south_even_with_souths_audience() {
    refused("two-tenants", "north's token at south", "grant_none");
    refused("two-tenants", "a token for both audiences is still only north's", "grant_none");
}

#[test]
fn s10_an_issuer_that_is_almost_north_is_unknown() {
    refused("two-tenants", "an issuer that is almost north", "issuer_unknown");
}

#[test]
fn s12_the_same_sub_of_another_provider_pushes_no_release() {
    refused("ci-providers", "build has the same sub and pushes a release", "grant_none");
    refused("ci-providers", "GitHub with the other providers' sub pushes a release", "grant_none");
    refused("ci-providers", "build says that it is GitHub's job", "grant_none");
}
