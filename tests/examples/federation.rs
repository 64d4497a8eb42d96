//! Federation that does not work (S14): is it the claims, or is it the configuration?

use serde_json::Value;

use crate::files::{broken, credence};
use crate::support::credence::command;
use crate::support::scratch;
use crate::traps::{allowed, refused};
use crate::world::{Scene, directory, scene};

const EXAMPLE: &str = "federation-not-working";

/// What `explain` says of a case, by the example's own table.
fn explained(scene: &Scene, case: &str, output: &str) -> String {
    let place = scratch();
    let token = place.path().join("token.jwt");
    let case = scene.case(case);
    std::fs::write(&token, scene.token(case).unwrap().mint()).unwrap();
    let output = command(&["explain", "--offline", "-o", output, "--trust", "trust.yaml", "--token-file"])
        .arg(&token)
        .args([case.request.method.as_str(), case.request.url.as_str()])
        .current_dir(directory(EXAMPLE))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `trust.yaml:LINE:`, where the table has this text first.
fn line_of(text: &str) -> String {
    let table = std::fs::read_to_string(directory(EXAMPLE).join("trust.yaml")).unwrap();
    let line = table.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}"));
    format!("[trust.yaml:{}:", line + 1)
}

/// The case is refused through Envoy; its one difference is told with what is expected, what is there and which line of the
/// table says so; and the side that is told to change is this one.
fn differs(case: &str, reason: &str, parts: &[&str], side: &str, known: &str) {
    let scene = scene(EXAMPLE);
    let ran = refused(EXAMPLE, case, reason);
    let text = explained(scene, case, "text");
    assert!(text.starts_with(&format!("deny {reason}")), "{text}");
    let line = text.lines().find(|line| parts.iter().all(|part| line.contains(part)));
    assert!(line.is_some(), "{case}: no line with {parts:?} in\n{text}");
    let told: Value = serde_json::from_str(&explained(scene, case, "json")).unwrap();
    let first = &told["known"][0];
    assert_eq!(first["side"], side, "{case}: {told:#}");
    assert!(first["text"].as_str().unwrap().contains(known), "{case}: {first}");
    assert!(text.contains(&format!("  {side}: {}", first["text"].as_str().unwrap())), "{text}");
    // What the table would have to say is offered only where the table may be what is wrong.
    let offered = text.contains("\nthe smallest change that would allow it");
    assert!(side == "table" || !offered, "{case}: {text}");
    // The client learns none of it: neither what differs, nor what was expected, nor where.
    let answer = format!("{:?} {}", ran.response.headers, ran.response.text());
    for secret in parts.iter().chain(&["trust.yaml", "settler", "ledger-writer", "ci-", "repo:", reason]) {
        assert!(!answer.contains(secret), "{case}: the client learns {secret}: {answer}");
    }
}

#[test]
fn s14_what_works_works() {
    for case in ["the settler books an entry", "an agent reads", "CI migrates the schema", "CI verifies the schema"] {
        allowed(EXAMPLE, case);
    }
}

#[test]
fn s14_it_is_the_claims_where_the_token_is_for_another_service() {
    let aud = "\"https://ledger.acme.test\" among aud, is \"account\"";
    let parts = ["DIFFERS", "audience: must be", aud, &line_of("audience: ")];
    differs("the audience is another service's", "audience_mismatch", &parts, "token", "many services share it");
}

#[test]
fn s14_it_is_the_claims_where_the_token_is_an_id_token() {
    let parts = ["DIFFERS", "pin typ: must be \"Bearer\", is \"ID\"", &line_of("typ: Bearer")];
    for case in ["an ID token", "an ID token with the audience of the service"] {
        differs(case, "pin_mismatch", &parts, "token", "Send the access token");
    }
}

#[test]
fn s14_it_is_the_claims_where_nobody_gave_the_role() {
    let parts = ["DIFFERS", "/realm_access/roles: must be", "ledger-writer", "is absent", &line_of("ledger-writer")];
    differs("nobody gave it the role", "grant_none", &parts, "token", "see whether its issuer can put it in");
}

#[test]
fn s14_it_is_the_configuration_where_the_role_stands_in_another_claim() {
    let parts = ["DIFFERS", "/realm_access/roles: must be", "is absent", &line_of("ledger-writer")];
    let known = "stands in /resource_access/ledger/roles";
    differs("the role stands in another claim", "grant_none", &parts, "table", known);
}

#[test]
fn s14_it_is_the_configuration_where_the_issuer_writes_a_slash_behind_its_name() {
    let parts = ["FAIL issuer_unknown", "\"https://login.agents.test/\""];
    let case = "the issuer writes a slash behind its name";
    differs(case, "issuer_unknown", &parts, "table", "they differ only in a `/` at the end");
    let text = explained(scene(EXAMPLE), case, "text");
    assert!(text.contains(&line_of("  agents:")), "the line of the entry is not told: {text}");
}

#[test]
fn s14_it_is_the_configuration_where_the_subject_is_in_its_other_live_form() {
    let parts = [
        "DIFFERS",
        "must be \"repo:acme@9919/ledger@512345678:environment:production\"",
        "is \"repo:acme/ledger:environment:production\"",
        &line_of("subject: repo:"),
    ];
    differs("the other live form of sub", "grant_none", &parts, "table", "in its other live form");
}

#[test]
fn s14_a_name_that_differs_is_told_as_a_name_with_the_id_that_stays() {
    let parts =
        ["DIFFERS", "claim repository: must be \"acme/ledger\"", "general-ledger", &line_of("repository: acme")];
    let known = "another value may be another owner; this token has repository_id \"512345678\"";
    differs("the same repository under a new name", "grant_none", &parts, "table", known);
    refused(EXAMPLE, "another repository under the same name", "grant_none");
    // A table that goes by the name alone is told so before anybody is let in by it.
    let copy = broken(
        EXAMPLE,
        "trust.yaml",
        "repository: acme/ledger, repository_id: \"512345678\",",
        "repository: acme/ledger,",
    );
    let (code, text) = credence("check", &copy.path().join("trust.yaml"));
    assert!(code == 0 && text.contains("warning[CR201]"), "{text}");
}

#[test]
fn s14_what_the_readme_shows_is_what_explain_says() {
    let readme = include_str!("../../examples/federation-not-working/README.md");
    let scene = scene(EXAMPLE);
    let said: String = scene
        .cases()
        .iter()
        .filter(|case| !case.expect.allowed)
        .map(|case| explained(scene, &case.name, "text"))
        .collect();
    let shown: Vec<_> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.starts_with("credence "))
        .collect();
    assert!(shown.len() >= 4, "{readme}");
    for line in shown {
        assert!(said.lines().any(|said| said.trim() == line.trim()), "{line:?} is not what explain says:\n{said}");
    }
}
