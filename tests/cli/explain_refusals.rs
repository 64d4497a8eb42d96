//! `explain`: what it says of a refusal is so, and says no more than was looked at.

use serde_json::json;

use crate::explain_change::{DEPLOYS, told};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, SUBJECT, explain, table};

/// Where nothing is offered it is said what was looked at, and no more: that nothing helps nobody has tried.
#[test]
fn why_nothing_is_offered_is_no_claim_that_nothing_would_help() {
    let ci = Issuer::start();
    let good = ci.token(SUBJECT, API).claim("ref", "refs/heads/main");
    let no_ref = ci.token(SUBJECT, API).mint();
    let table = table(&ci);
    let before = told(&explain(&table, &no_ref, &["-o", "json", "POST", DEPLOYS]));
    let why = before["no_change"].as_str().unwrap();
    assert!(before["change"].is_null() && why.contains("grant deploy") && why.contains("claim ref"), "{why}");
    assert!(why.contains("may let the call in") && why.contains("asks for less"), "{why}");
    // So it is: a grant that asks for less lets it in.
    let own = "  own: {issuer: ci, resource: api, subject: SUBJECT, methods: [POST], paths: [/v1/deploys/web]}\n";
    table.replace_raw(format!("{}{}", table.text(), own.replace("SUBJECT", SUBJECT)).as_bytes());
    assert_eq!(explain(&table, &no_ref, &["POST", DEPLOYS]).code, 0);

    let text = format!(
        "  late: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [PUT], paths: [/late], starts: 2099-01-01}}\n"
    );
    table.replace_raw(format!("{}{text}", table.text()).as_bytes());
    let late = told(&explain(&table, &good.mint(), &["-o", "json", "PUT", "https://api.acme.test/late"]));
    let why = late["no_change"].as_str().unwrap_or_else(|| panic!("{late}"));
    assert!(why.contains("grant late") && why.contains("`starts`"), "{why}");
}

#[test]
fn a_life_that_is_too_long_is_told_apart_from_an_age() {
    let ci = Issuer::start();
    let table = Table::new(&format!(
        "issuers:\n  ci: {{issuer: \"{}\", owner: o, reviewBy: 2099-01-01}}\n\
         resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\n\
         grants:\n  quick: {{issuer: ci, resource: api, subject: {SUBJECT}, maxTokenAge: 1m, methods: [GET], paths: [/a]}}\n",
        ci.url()
    ));
    let made = 1_795_262_400;
    let asked = |exp: u32, iat: Option<u32>, at: &str| {
        let token = ci.token(SUBJECT, API).claim("exp", exp);
        let token = match iat {
            Some(iat) => token.claim("iat", iat),
            None => token.without("iat"),
        };
        let ended = explain(&table, &token.mint(), &["--at", at, "GET", "https://api.acme.test/a"]);
        assert_eq!(ended.code, 1, "{}", ended.all());
        ended.out
    };
    let long = asked(made + 300, Some(made), "2026-11-21T12:00:10Z");
    assert!(long.contains("is 300 s from `iat` to `exp`, and 10 s since `iat`"), "{long}");
    assert!(long.contains("the token lives 300 s, at most 60 s by grant quick"), "{long}");
    assert!(!long.contains("fresh one"), "{long}");
    // The issuer's skew lets it be older than its own life.
    let old = asked(made + 60, Some(made), "2026-11-21T12:01:05Z");
    assert!(old.contains("the token was made 65 s ago") && old.contains("fresh one"), "{old}");
    let silent = asked(made + 30, None, "2026-11-21T12:00:10Z");
    assert!(silent.contains("does not say with `iat`"), "{silent}");
}

#[test]
fn of_an_algorithm_that_is_not_allowed_nothing_is_said_about_keys() {
    let ci = Issuer::start();
    let table = table(&ci);
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/main").header("alg", "HS256").mint();
    for more in [&["--offline"][..], &[]] {
        let ended = explain(&table, &token, &[more, &["-o", "json", "POST", DEPLOYS]].concat());
        let told = told(&ended);
        assert_eq!((&told["reason"], &told["signature"]), (&"alg_not_allowed".into(), &"not_checked".into()));
        assert!(!ended.out.contains("published") && !ended.out.contains("usable keys"), "{}", ended.out);
    }
}

#[test]
fn a_token_in_json_or_in_quotes_is_told_how_to_be_taken_out() {
    let ci = Issuer::start();
    let table = table(&ci);
    let token = ci.token(SUBJECT, API).mint();
    for (text, told) in [
        (format!("\"{token}\""), "`jq -r`"),
        (json!({"access_token": token}).to_string(), "`jq -r .access_token`"),
        (json!({"value": token}).to_string(), "`jq -r .value`"),
        (json!({"iss": ci.url(), "sub": SUBJECT}).to_string(), "this is JSON, and no token"),
    ] {
        let ended = explain(&table, &text, &["GET", "https://api.acme.test/v1/x"]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{text}");
        assert!(ended.err.contains(told) && !ended.all().contains(&token), "{}", ended.err);
    }
}
