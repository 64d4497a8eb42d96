//! `inspect`: from a refused token to entries that can be reviewed.

use serde_json::{Value, json};

use crate::support::credence::command;
use crate::support::issuer::Issuer;
use crate::support::key::b64;
use crate::support::table::Table;
use crate::world::{Ended, explain, run, with_input};

const CALL: [&str; 2] = ["POST", "https://deploy.acme.test/v1/services/payments/web?dry=1"];
const RESOURCE: &str = "resources:\n  deploy-api: {audience: https://deploy.acme.test, hosts: [deploy.acme.test]}\n";

/// A token as its issuer would write it; nobody signed it.
fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.c2ln", b64(header.to_string()), b64(claims.to_string()))
}

fn ci_job() -> Value {
    json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "https://deploy.acme.test",
        "sub": "repo:acme@9919/payments@512345678:environment:production",
        "repository": "acme/payments", "repository_id": "512345678", "repository_owner_id": "9919",
        "ref": "refs/heads/main", "environment": "production", "event_name": "push",
        "job_workflow_ref": "acme/payments/.github/workflows/deploy.yml@refs/heads/main", "jti": "a", "iat": 4_000_000_000_u64, "exp": 4_000_000_300_u64,
    })
}

fn inspect(table: &Table, token: &str, more: &[&str]) -> Ended {
    let trust = table.path().display().to_string();
    with_input(command(&[&["inspect", "--trust", &trust, "--token-file", "-"], more].concat()), token)
}

fn proposal(ended: &Ended) -> String {
    let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.all()));
    assert_eq!(told["verified"], false);
    told["proposal"]["yaml"].as_str().unwrap().to_owned()
}

#[test]
fn s9_from_a_refused_token_to_a_grant_in_three_commands_and_eleven_lines() {
    let (table, at) = (Table::new(RESOURCE), ["--at", "2096-10-02T07:06:45Z"]);
    let token = unsigned(&json!({"alg": "RS256", "typ": "JWT", "kid": "1"}), &ci_job());
    let refused = explain(&table, &token, &[&["--offline"], &at[..], &CALL].concat());
    assert!(refused.out.starts_with("deny issuer_unknown"), "{}", refused.all());
    let told = inspect(&table, &token, &[&["-o", "json"], &at[..], &CALL].concat());
    assert!(told.out.contains("claims.job_workflow_ref: "), "{}", told.out);
    let yaml = proposal(&told);
    let lines = yaml.lines().filter(|line| line.starts_with(' ')).count();
    assert_eq!(lines, 11, "{yaml}");
    let path = table.path().display().to_string();
    table.replace(&format!("{RESOURCE}{yaml}"));
    let untouched = run(&["check", "--fail-on", "warning", "--at", at[1], &path]);
    assert!(untouched.code == 1 && untouched.err.contains("`owner` of issuer"), "{}", untouched.all());
    table.replace(&format!("{RESOURCE}{}", yaml.replace("somebody@replace-me.invalid", "ci@acme.test")));
    let checked = run(&["check", "--fail-on", "warning", "--at", at[1], &path]);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{yaml}");
    let let_in = explain(&table, &token, &[&["--offline"], &at[..], &CALL].concat());
    assert!(let_in.code == 0 && let_in.out.contains("SIGNATURE NOT CHECKED"), "{}", let_in.all());
    // And nobody else: each of these differs in one thing from the token that was looked at.
    for (claim, other) in [
        ("repository_owner_id", "1"),
        ("repository_id", "1"),
        ("repository", "acme/other"),
        ("ref", "refs/heads/dev"),
        ("environment", "staging"),
        ("event_name", "pull_request_target"),
        ("event_name", "workflow_run"),
        ("aud", "https://other.acme.test"),
    ] {
        let mut claims = ci_job();
        claims[claim] = json!(other);
        let token = unsigned(&json!({"alg": "RS256", "typ": "JWT", "kid": "1"}), &claims);
        assert_eq!(explain(&table, &token, &[&["--offline"], &at[..], &CALL].concat()).code, 1, "{claim}");
    }
}

#[test]
fn not_verified_is_the_first_thing_it_says_and_the_token_is_never_printed() {
    let idp = Issuer::start();
    let token = idp.token("robot", "https://deploy.acme.test").mint();
    let ended = inspect(&Table::new(RESOURCE), &token, &CALL);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.starts_with("NOT VERIFIED"), "{}", ended.out);
    assert!(ended.out.contains("looks like no profile") && ended.out.contains("subject: robot"), "{}", ended.out);
    for part in token.split('.') {
        assert!(!ended.all().contains(part), "a part of the token is printed");
    }
    assert_eq!(idp.all_hits(), 0, "something was fetched");
}

#[test]
fn s9_the_page_on_onboarding_can_be_followed_to_the_letter() {
    let page = std::fs::read_to_string("docs/onboarding-an-issuer.md").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let before = std::fs::read_to_string("examples/onboarding/before.yaml").unwrap();
    put("trust.yaml", &before);
    put("token.jwt", &unsigned(&json!({"alg": "RS256", "typ": "JWT", "kid": "1"}), &ci_job()));
    // What stands in /tmp on the page, and the issuer that cannot be asked here, are the only differences.
    let mut followed = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = line.replace("/tmp/old.yaml", "old.yaml");
        let args: Vec<_> = line.split(' ').collect();
        let (verb, at) = (args[1], ["--at", "2096-10-02T07:06:45Z"]);
        let more: &[&str] = match (args[0], verb) {
            ("git", _) => {
                put("old.yaml", &before);
                continue;
            }
            (_, "issuer") => continue,
            (_, "explain") => &["--offline", at[0], at[1]],
            (_, "test" | "diff") => &[],
            _ => &at,
        };
        let mut asked = command(&[&args[1..], more].concat());
        asked.current_dir(directory.path());
        let ended = with_input(asked, "");
        assert_eq!(ended.code, 0, "{line}: {}", ended.all());
        if verb == "inspect" {
            assert!(ended.out.starts_with("NOT VERIFIED"), "{}", ended.out);
            let yaml = ended.out.split("to the table\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
            put("trust.yaml", &format!("{before}{}\n", yaml.replace("somebody@replace-me.invalid", "ci@acme.test")));
            let cases = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
            put("trust_test.yaml", cases);
        }
        followed.push(verb.to_owned());
    }
    assert_eq!(followed, ["inspect", "check", "test", "explain", "diff"]);
}

#[test]
fn keys_that_no_name_leads_to_are_asked_for_and_without_them_the_proposal_does_not_load() {
    let claims = json!({
        "iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:payments:settler",
        "aud": "https://deploy.acme.test", "iat": 4_000_000_000_u64, "exp": 4_000_000_300_u64,
        "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "settler", "uid": "5f2b2a7c"}},
    });
    let (table, token) = (Table::new(RESOURCE), unsigned(&json!({"alg": "RS256", "kid": "1"}), &claims));
    let at = ["--at", "2096-10-02T07:06:45Z"];
    let ended = inspect(&table, &token, &[&["-o", "json"], &at[..], &CALL].concat());
    assert!(ended.out.contains("they cannot be found by this `iss`; add `jwksUri`"), "{}", ended.out);
    let yaml = proposal(&ended);
    assert!(yaml.contains("profile: kubernetes\n") && yaml.contains("/kubernetes.io/serviceaccount/uid"), "{yaml}");
    let path = table.path().display().to_string();
    table.replace(&format!("{RESOURCE}{yaml}"));
    let checked = run(&["check", at[0], at[1], &path]);
    assert!(checked.code == 1 && checked.err.contains("jwksUri"), "{yaml}{}", checked.all());
    let filled = yaml
        .replace("somebody@replace-me.invalid", "platform@acme.test")
        .replace("    profile: kubernetes\n", "    profile: kubernetes\n    jwksUri: https://keys.acme.test/jwks\n");
    table.replace(&format!("{RESOURCE}{filled}"));
    let checked = run(&["check", "--fail-on", "warning", at[0], at[1], &path]);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{filled}");
    assert_eq!(explain(&table, &token, &[&["--offline"], &at[..], &CALL].concat()).code, 0);
}

#[test]
fn an_entry_that_the_table_has_is_named_and_not_proposed_again() {
    let idp = Issuer::start();
    let text =
        format!("issuers:\n  partner: {{issuer: \"{}\", owner: a, reviewBy: 2099-01-01}}\n{RESOURCE}", idp.url());
    let table = Table::new(&text);
    let token = idp.token("robot", "https://deploy.acme.test").mint();
    let ended = inspect(&table, &token, &CALL);
    assert!(ended.out.contains("is entry partner ["), "{}", ended.out);
    let yaml = proposal(&inspect(&table, &token, &[&["-o", "json"], &CALL[..]].concat()));
    assert!(yaml.starts_with("grants:\n") && yaml.contains("issuer: partner\n"), "{yaml}");
}

#[test]
fn a_token_for_somebody_else_is_told_to_need_another_token_not_another_grant() {
    let idp = Issuer::start();
    let ended = inspect(&Table::new(RESOURCE), &idp.token("robot", "https://other.acme.test").mint(), &CALL);
    let line = ended.out.lines().find(|line| line.contains("aud: is for \"https://other.acme.test\"")).unwrap();
    assert!(line.contains("takes https://deploy.acme.test: no grant mends that"), "{line}");
}

#[test]
fn for_a_token_that_no_table_can_let_in_nothing_is_proposed() {
    let mut claims = ci_job();
    let none = unsigned(&json!({"alg": "none"}), &claims);
    claims.as_object_mut().unwrap().remove("iss");
    let nobody = unsigned(&json!({"alg": "RS256"}), &claims);
    for token in [none, nobody] {
        let ended = inspect(&Table::new(RESOURCE), &token, &CALL);
        assert!(ended.code == 0 && ended.out.contains("no table can let such a token in"), "{}", ended.all());
        assert!(!ended.out.contains("grants:"), "{}", ended.out);
    }
    for (input, told) in [("", "there is no token"), ("garbage", "no token that credence could read")] {
        let ended = inspect(&Table::new(RESOURCE), input, &CALL);
        assert!(ended.code == 2 && ended.err.contains(told), "{}", ended.all());
    }
}

#[test]
fn a_hostile_token_neither_moves_the_cursor_nor_writes_yaml_of_its_own() {
    let table = Table::new(RESOURCE);
    let evil = "x\"]}\n  evil: {issuer: all}\u{1b}[2J\u{202e}";
    let claims =
        json!({"iss": "https://idp.test", "sub": evil, "aud": evil, "azp": evil, "kubernetes.io": {evil: evil}});
    let token = unsigned(&json!({"alg": "RS256", "typ": evil, "kid": evil}), &claims);
    for output in ["text", "json"] {
        let ended = inspect(&table, &token, &["-o", output, "GET", "https://deploy.acme.test/%22%5d"]);
        assert!(ended.is_plain(), "{}", ended.all());
        assert!(!ended.out.contains("\n  evil:"), "{}", ended.out);
    }
    assert_eq!(proposal(&inspect(&table, &token, &["-o", "json", "GET", "https://deploy.acme.test/x"])), "");
    // Where only what is harmless is in the way of a proposal, it is written so that it can only be itself.
    let claims = json!({"iss": "https://idp.test", "sub": "a\"]}, evil: {b: #c", "aud": "x}, hosts: [\"*.evil.test\"", "azp": "null"});
    let token = unsigned(&json!({"alg": "RS256", "typ": "a\", \"b"}), &claims);
    let yaml = proposal(&inspect(&table, &token, &["-o", "json"]));
    table.replace(&yaml);
    let checked = run(&["check", &table.path().display().to_string()]);
    assert!(!checked.err.contains("CR001") && !checked.err.contains("CR005"), "{yaml}{}", checked.err);
}

#[test]
fn an_issuer_whose_keys_cannot_be_discovered_is_not_said_to_be_hopeless() {
    let table = Table::new(RESOURCE);
    let claims =
        json!({"iss": "partner-idp", "aud": "https://deploy.acme.test", "sub": "bob", "exp": 4_000_000_300_u64});
    let ended = inspect(&table, &unsigned(&json!({"alg": "RS256"}), &claims), &CALL);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("\nnothing is proposed: entries with what the token says and no more"), "{}", ended.out);
    assert!(ended.out.contains("`jwksFile`") && !ended.out.contains("no entry would"), "{}", ended.out);
}

#[test]
fn where_the_token_does_not_tell_its_tenant_that_is_the_fault_and_no_placeholder() {
    let mut claims = ci_job();
    for id in ["repository_id", "repository_owner_id"] {
        claims.as_object_mut().unwrap().remove(id);
    }
    let ended = inspect(&Table::new(RESOURCE), &unsigned(&json!({"alg": "RS256", "typ": "JWT"}), &claims), &CALL);
    let (_, told) = ended.out.split_once("\nnothing is proposed: ").unwrap_or_else(|| panic!("{}", ended.all()));
    assert!(told.contains("pin.claims.repository_owner_id: the token does not tell the tenant"), "{told}");
    assert!(!told.contains("replace-me.invalid"), "{told}");
}
