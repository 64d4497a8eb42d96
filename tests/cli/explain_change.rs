//! `explain`: the change that it offers is one that works, and what it knows about a refusal.

use serde_json::Value;

use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, Ended, SUBJECT, explain, table};

const DEPLOYS: &str = "https://api.acme.test/v1/deploys/web";

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}", ended.all()))
}

/// Makes the change that was offered, as a person with an editor would.
fn apply(table: &Table, change: &Value) {
    let site = change["site"].as_str().unwrap();
    let mut place = site.rsplit(':').map(|number| number.parse::<usize>());
    let (column, line) = (place.next().unwrap().unwrap(), place.next().unwrap().unwrap());
    let becomes = change["becomes"].as_str().unwrap();
    let mut lines: Vec<String> = table.text().lines().map(str::to_owned).collect();
    match change["was"].as_str() {
        Some(was) => {
            let (before, rest) = lines[line - 1].split_at(column - 1);
            let rest = rest.strip_prefix(was).unwrap_or_else(|| panic!("no {was} at {site}"));
            lines[line - 1] = format!("{before}{becomes}{rest}");
        }
        None => lines.insert(line - 1, format!("{}{becomes}", " ".repeat(column - 1))),
    }
    table.replace_raw(format!("{}\n", lines.join("\n")).as_bytes());
}

#[test]
fn the_change_that_is_offered_lets_this_call_in() {
    let ci = Issuer::start();
    let good = ci.token(SUBJECT, API).claim("ref", "refs/heads/main");
    let cases = [
        ("a claim", good.clone().claim("ref", "refs/heads/dev").mint(), "POST", DEPLOYS, "claims"),
        ("a method", good.clone().mint(), "PATCH", "https://api.acme.test/v1/x", "methods"),
        ("a path", good.clone().mint(), "POST", "https://api.acme.test/v1/else", "paths"),
        (
            "a subject",
            ci.token("repo:acme/other", API).claim("ref", "refs/heads/main").mint(),
            "POST",
            DEPLOYS,
            "subject",
        ),
        ("two things", ci.token("repo: \"acme\"/other", API).claim("ref", "dev").mint(), "POST", DEPLOYS, "own"),
    ];
    for (what, token, method, url, kind) in cases {
        let table = table(&ci);
        let before = explain(&table, &token, &["-o", "json", method, url]);
        assert_eq!(before.code, 1, "{what}: {}", before.all());
        let change = json(&before)["change"].clone();
        assert!(change.is_object(), "{what}: nothing is offered in {}", before.out);
        assert!(change["widens"].as_str().unwrap().contains("lets in"), "{change}");
        assert_eq!(change["was"].is_null(), kind == "own", "{what}: {change}");
        let text = explain(&table, &token, &[method, url]).out;
        assert!(text.contains("the smallest change that would allow it") && text.contains("warning: "), "{text}");
        apply(&table, &change);
        let after = explain(&table, &token, &[method, url]);
        assert_eq!(after.code, 0, "{what}: {change}\n{}", after.all());
    }
}

#[test]
fn no_change_is_offered_where_the_token_is_what_is_wrong() {
    let ci = Issuer::start();
    let table = table(&ci);
    let good = ci.token(SUBJECT, API).claim("ref", "refs/heads/main");
    for token in [
        good.clone().claim("exp", 1000).mint(),
        good.mint_with_signature(&[7; 64]),
        ci.token(SUBJECT, "https://refunds.acme.test").mint(),
        ci.token(SUBJECT, API).claim("iss", "https://evil.test").mint(),
    ] {
        let told = json(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
        assert!(told["change"].is_null() && told["decision"] == "deny", "{told}");
    }
}

#[test]
fn the_nearest_relation_is_compared_line_by_line() {
    let ci = Issuer::start();
    let table = table(&ci);
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint();
    let told = json(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
    let lines = told["near_miss"][0]["relation"].as_array().unwrap();
    let verdicts: Vec<_> = lines.iter().map(|line| (line["condition"].as_str().unwrap(), line["ok"] == true)).collect();
    assert_eq!(
        verdicts,
        [("audience", true), ("subject", true), ("claim ref", false), ("methods", true), ("paths", true)]
    );
    let file = table.text();
    for (line, text) in lines.iter().zip(["audience: ", "subject: ", "ref: ", "methods: ", "paths: "]) {
        let site = line["site"].as_str().unwrap_or_else(|| panic!("no line for {line}"));
        let number: usize = site.rsplit(':').nth(1).unwrap().parse().unwrap();
        assert!(file.lines().nth(number - 1).unwrap().contains(text), "{site} is not {text}");
    }
}

#[test]
fn the_grant_in_which_the_least_differs_comes_first() {
    let ci = Issuer::start();
    let table = table(&ci);
    // `deploy` differs in a claim, `read` and `old` in the place, which is further away.
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint();
    let told = json(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
    let names: Vec<_> = told["near_miss"].as_array().unwrap().iter().map(|miss| miss["grant"].clone()).collect();
    assert_eq!(names, ["deploy", "read", "old"]);
}

#[test]
fn what_is_known_about_a_refusal_is_said() {
    let ci = Issuer::start();
    let table = table(&ci);
    let known = |token: String| {
        let told = json(&explain(&table, &token, &["-o", "json", "--offline", "POST", DEPLOYS]));
        told["known"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect::<String>()
    };
    let other = known(ci.token(SUBJECT, "https://refunds.acme.test").mint());
    assert!(other.contains("that of resource refunds: the token is for another service"), "{other}");
    let id_token = known(ci.token(SUBJECT, "some-client").claim("nonce", "n").mint());
    assert!(id_token.contains("as ID tokens have"), "{id_token}");
    let slash = known(ci.token(SUBJECT, API).claim("iss", format!("{}/", ci.url())).mint());
    assert!(slash.contains("they differ only in a `/` at the end"), "{slash}");
    let ids = known(ci.token("repo:acme@9919/payments@5", API).claim("ref", "refs/heads/main").mint());
    assert!(ids.contains("in its other live form"), "{ids}");
    let absent = known(ci.token(SUBJECT, API).mint());
    assert!(absent.contains("the token has no claim ref"), "{absent}");
    let typed = known(ci.token(SUBJECT, API).claim("ref", serde_json::json!(["refs/heads/main"])).mint());
    assert!(typed.contains("write `{contains: …}`"), "{typed}");
}
