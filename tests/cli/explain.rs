//! `explain`: the whole decision for one token and request, for people and for programs.

use serde_json::Value;

use crate::support::credence::command;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, Ended, SUBJECT, explain, table, with_input};

const DEPLOYS: &str = "https://api.acme.test/v1/deploys/web";

fn world() -> (Issuer, Table) {
    let ci = Issuer::start();
    let table = table(&ci);
    (ci, table)
}

/// The line of the table on which this text stands first, from 1.
fn line_of(table: &Table, text: &str) -> usize {
    table.text().lines().position(|line| line.contains(text)).unwrap() + 1
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}{}", ended.out, ended.err))
}

#[test]
fn an_allowed_call_is_0_with_the_pair_the_scopes_and_the_grant() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/main").mint();
    let ended = explain(&table, &token, &["POST", DEPLOYS]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.starts_with("allow ok\n"), "{}", ended.out);
    for told in [&format!("iss {}", ci.url()), &format!("sub {SUBJECT}"), "deploy:payments", "grant deploy fits"] {
        assert!(ended.out.contains(told), "no {told} in {}", ended.out);
    }
    let grant = format!("{}:{}:", table.path().display(), line_of(&table, "deploy:"));
    assert!(ended.out.contains(&grant), "no {grant} in {}", ended.out);
    assert!(!ended.out.contains("FAIL"), "{}", ended.out);
}

#[test]
fn a_refused_call_is_1_and_names_the_nearest_grant_what_differs_and_where_it_stands() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint();
    let ended = explain(&table, &token, &["POST", DEPLOYS]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.starts_with("deny grant_none"), "{}", ended.out);
    let file = table.path().display().to_string();
    let grant = format!("nearest grant deploy  [{file}:{}:", line_of(&table, "deploy:"));
    assert!(ended.out.contains(&grant), "no {grant} in {}", ended.out);
    let differs = ended.out.lines().find(|line| line.contains("claim ref:")).unwrap_or_else(|| panic!("{}", ended.out));
    let site = format!("[{file}:{}:", line_of(&table, "ref: refs/heads/main"));
    for told in ["refs/heads/main", "is \"refs/heads/dev\"", &site] {
        assert!(differs.contains(told), "no {told} in {differs}");
    }
    let ended = explain(&table, &ci.token("repo:acme/other", API).mint(), &["PATCH", "https://api.acme.test/v1/x"]);
    for told in ["subject: must be \"repo:acme/payments\", is \"repo:acme/other\"", "methods: must be GET, is PATCH"] {
        assert!(ended.out.contains(told), "no {told} in {}", ended.out);
    }
    // It goes on past the deciding step.
    let wrong_twice = ci.token(SUBJECT, "https://other.test").claim("exp", 1000).mint();
    let ended = explain(&table, &wrong_twice, &["POST", DEPLOYS]);
    assert!(ended.out.starts_with("deny expired"), "{}", ended.out);
    assert!(ended.out.contains("FAIL expired") && ended.out.contains("FAIL audience_mismatch"), "{}", ended.out);
}

#[test]
fn json_tells_the_same_to_programs() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint();
    for output in [["-o", "json"], ["--output", "json"]] {
        let ended = explain(&table, &token, &[output.as_slice(), &["POST", DEPLOYS]].concat());
        assert_eq!(ended.code, 1);
        let told = json(&ended);
        assert_eq!((&told["decision"], &told["reason"]), (&"deny".into(), &"grant_none".into()));
        assert_eq!((&told["resource"], &told["issuer_name"]), (&"api".into(), &"ci".into()));
        assert_eq!(told["signature"], "checked");
        assert_eq!(told["near_miss"][0]["grant"], "deploy");
        assert_eq!(told["near_miss"][0]["differs"][0]["given"], "\"refs/heads/dev\"");
        let failed: Vec<_> = told["steps"].as_array().unwrap().iter().filter(|step| step["ok"] == false).collect();
        assert_eq!(failed.len(), 1, "{told}");
        assert_eq!(failed[0]["reason"], "grant_none");
    }
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/main").mint();
    let told = json(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
    assert_eq!((&told["decision"], &told["reason"]), (&"allow".into(), &"ok".into()));
}

#[test]
fn the_token_comes_from_a_file_from_standard_input_or_from_a_variable() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, API).mint();
    let trust = table.path().display().to_string();
    let file = table.dir().join("token.jwt");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let (file, url) = (file.display().to_string(), format!("{API}/v1/x"));
    let run = |args: &[&str], input: &str, variable: Option<&str>| {
        let mut command = command(&[&["explain", "--trust", &trust], args, &["GET", &url]].concat());
        if let Some(token) = variable {
            command.env("CREDENCE_TOKEN", token);
        }
        with_input(command, input)
    };
    assert_eq!(run(&["--token-file", &file], "", None).code, 0);
    assert_eq!(run(&["--token-file", "-"], &format!("{token}\n"), None).code, 0);
    assert_eq!(run(&[], "", Some(&token)).code, 0);
    // What is said outright beats the variable.
    assert_eq!(run(&["--token-file", &file], "", Some("garbage")).code, 0);
    let none = run(&[], "", None);
    assert!(none.code == 1 && none.out.starts_with("deny no_token"), "{}", none.out);
    let missing = run(&["--token-file", "/nowhere/token.jwt"], "", None);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("/nowhere/token.jwt"), "{}", missing.err);
}

#[test]
fn a_token_is_never_an_argument() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, API).mint();
    let url = format!("{API}/v1/x");
    let ended = explain(&table, "", &["--token", &token, "GET", &url]);
    assert_eq!(ended.code, 2, "{}", ended.all());
}

#[test]
fn no_part_of_the_token_is_printed_back() {
    let (ci, table) = world();
    let good = ci.token(SUBJECT, API);
    let forged = good.mint_with_signature(&[0x5a; 64]);
    for token in [good.mint(), forged, good.clone().claim("exp", 1).mint(), format!("{}x", good.mint())] {
        let signature = token.rsplit('.').next().unwrap();
        let payload = token.split('.').nth(1).unwrap();
        for more in [&["GET"][..], &["-o", "json", "GET"], &["--offline", "GET"]] {
            let ended = explain(&table, &token, &[more, &[&format!("{API}/v1/x")]].concat());
            assert!(!ended.all().contains(signature), "the signature is in {}", ended.all());
            assert!(!ended.all().contains(payload), "the payload is in {}", ended.all());
        }
    }
    let secret = "not-a-token-but-a-password";
    let ended = explain(&table, secret, &["GET", &format!("{API}/v1/x")]);
    assert!(ended.out.starts_with("deny malformed") && !ended.all().contains(secret), "{}", ended.all());
}

#[test]
fn a_hostile_token_cannot_move_the_cursor() {
    let (ci, table) = world();
    let url = format!("{API}/v1/x");
    let hostile = "a\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\r\n\u{2028}allow ok";
    let tokens = [
        ci.token(hostile, API),
        ci.token(SUBJECT, hostile),
        ci.token(SUBJECT, API).claim("iss", hostile),
        ci.token(SUBJECT, API).claim("ref", hostile),
        ci.token(SUBJECT, API).header("kid", hostile),
        ci.token(SUBJECT, API).header("typ", hostile),
        ci.token(SUBJECT, API).header("alg", hostile),
    ];
    for token in tokens {
        for output in ["text", "json"] {
            let ended = explain(&table, &token.mint(), &["-o", output, "POST", &url]);
            assert_eq!(ended.code, 1, "{}", ended.all());
            assert!(ended.is_plain(), "{:?}", ended.all());
            let lines = ended.out.lines().filter(|line| line.starts_with("allow ok")).count();
            assert_eq!(lines, 0, "a token wrote a line of its own: {}", ended.out);
        }
    }
}

#[test]
fn an_open_place_is_allowed_without_a_principal_even_with_a_token() {
    let (ci, table) = world();
    let url = format!("{API}/healthz");
    for token in [String::new(), ci.token(SUBJECT, API).mint(), "garbage".to_owned()] {
        let ended = explain(&table, &token, &["GET", &url]);
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(ended.out.starts_with("allow anonymous"), "{}", ended.out);
        assert!(!ended.out.contains(SUBJECT) && !ended.out.contains("principal"), "{}", ended.out);
    }
}

#[test]
fn the_context_of_the_proxy_can_be_given() {
    let (ci, table) = world();
    let token = ci.token(SUBJECT, "https://refunds.acme.test").mint();
    let url = "https://anything.acme.test/v1/refunds";
    let ended = explain(&table, &token, &["--context", "resource=refunds", "POST", url]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    for more in [&[][..], &["--context", "resource=other"]] {
        let ended = explain(&table, &token, &[more, &["POST", url]].concat());
        assert!(ended.code == 1 && ended.out.starts_with("deny resource_unknown"), "{}", ended.out);
    }
    assert_eq!(explain(&table, &token, &["--context", "resource", "POST", url]).code, 2);
}

#[test]
fn a_url_that_is_none_or_a_table_that_does_not_load_is_2() {
    let (_ci, table) = world();
    for bad in ["api.acme.test/v1", "/v1/x", "ftp://api.acme.test/", ""] {
        let ended = explain(&table, "", &["GET", bad]);
        assert_eq!(ended.code, 2, "{bad}: {}", ended.all());
        assert!(ended.err.contains("https://HOST/PATH"), "{}", ended.err);
    }
    table.replace_raw(b"issuers: {");
    let ended = explain(&table, "", &["GET", API]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("trust.yaml:"), "{}", ended.err);
}
