//! `explain`: the change that it offers is one that works, and what it knows about a refusal.

use serde_json::{Value, json};

use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, Ended, SUBJECT, explain, table};

pub(crate) const DEPLOYS: &str = "https://api.acme.test/v1/deploys/web";

pub(crate) fn told(ended: &Ended) -> Value {
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
    let acts = |act: Value| good.clone().claim("act", act).mint();
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
        ("an end", good.clone().mint(), "DELETE", "https://api.acme.test/v1/x", "expires"),
        ("an actor", acts(json!({"sub": "agent: 2"})), "GET", "https://api.acme.test/act", "own"),
        ("an actor where none may be", acts(json!({"sub": "agent"})), "GET", "https://api.acme.test/v1/x", "own"),
        (
            "one actor after another",
            acts(json!({"sub": "agent", "act": {"sub": "x"}})),
            "GET",
            "https://api.acme.test/act",
            "own",
        ),
        ("nobody who acts", good.clone().mint(), "GET", "https://api.acme.test/act", "own"),
        ("two things", ci.token("repo: \"acme\"/other", API).claim("ref", "dev").mint(), "POST", DEPLOYS, "own"),
    ];
    for (what, token, method, url, kind) in cases {
        let table = table(&ci);
        let before = explain(&table, &token, &["-o", "json", method, url]);
        assert_eq!(before.code, 1, "{what}: {}", before.all());
        let change = told(&before)["change"].clone();
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
        // Of an actor at another issuer nobody has proof.
        ci.token(SUBJECT, API)
            .claim("ref", "refs/heads/main")
            .claim("act", json!({"iss": "https://evil.test", "sub": "agent"}))
            .mint(),
    ] {
        let told = self::told(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
        assert!(told["change"].is_null() && told["decision"] == "deny", "{told}");
    }
}

#[test]
fn the_nearest_relation_is_compared_line_by_line() {
    let ci = Issuer::start();
    let table = table(&ci);
    let token = ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint();
    let told = self::told(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
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
    let told = self::told(&explain(&table, &token, &["-o", "json", "POST", DEPLOYS]));
    let names: Vec<_> = told["near_miss"].as_array().unwrap().iter().map(|miss| miss["grant"].clone()).collect();
    assert_eq!(names, ["deploy", "read", "old"]);
}

#[test]
fn what_is_known_about_a_refusal_is_said() {
    let ci = Issuer::start();
    let table = table(&ci);
    let known = |token: String| {
        let told = self::told(&explain(&table, &token, &["-o", "json", "--offline", "POST", DEPLOYS]));
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

#[test]
fn whoever_acts_is_told_as_a_pair_and_the_side_that_should_change_is_named() {
    let ci = Issuer::start();
    let table = table(&ci);
    let ask = |act: Option<Value>, url: &str| {
        let token = ci.token(SUBJECT, API);
        let token = act.map_or(token.clone(), |act| token.claim("act", act));
        told(&explain(&table, &token.mint(), &["-o", "json", "GET", url]))
    };
    let at = "https://api.acme.test/act";
    let allowed = ask(Some(json!({"sub": "agent"})), at);
    assert_eq!(allowed["actor"], json!({"iss": ci.url(), "sub": "agent", "asserted_by": ci.url()}), "{allowed}");
    assert!(ask(None, "https://api.acme.test/v1/x")["actor"].is_null());
    for (act, side, words) in [
        (None, "token", "token exchange"),
        (Some(json!({"sub": "other"})), "table", "\"other\" acts for the subject"),
        (Some(json!({"iss": "https://evil.test", "sub": "agent"})), "token", "nobody has proof"),
        (Some(json!({"sub": "agent", "act": {"sub": "x"}})), "token", "went through 2 hands, and the grant allows 1"),
    ] {
        let refused = ask(act, at);
        assert_eq!(refused["reason"], "actor_not_allowed", "{refused}");
        let known = &refused["known"][0];
        assert_eq!(known["side"], side, "{known}");
        assert!(known["text"].as_str().unwrap().contains(words), "{known}");
    }
    let danger = ask(Some(json!({"sub": "other"})), at)["change"]["widens"].as_str().unwrap().to_owned();
    assert!(
        danger.contains("\"other\" then acts for its subjects") && danger.contains("nobody else has vouched"),
        "{danger}"
    );
}

#[test]
fn another_end_is_offered_with_whom_it_lets_in_again() {
    let ci = Issuer::start();
    let token = ci.token(SUBJECT, API).mint();
    let ended = told(&explain(&table(&ci), &token, &["-o", "json", "DELETE", DEPLOYS]));
    assert_eq!((&ended["reason"], &ended["change"]["was"]), (&"grant_expired".into(), &"2020-01-01".into()), "{ended}");
    let text = ended["change"]["widens"].as_str().unwrap();
    assert!(text.starts_with("grant old then lets in again whom it let in until 2020-01-01, up to "), "{text}");
}

#[test]
fn a_path_or_a_subject_that_a_stranger_chose_is_offered_as_itself() {
    let ci = Issuer::start();
    let good = ci.token(SUBJECT, API).claim("ref", "refs/heads/main");
    for (token, url) in [
        (good.clone().mint(), "https://api.acme.test/**"),
        (good.clone().mint(), "https://api.acme.test/x/*"),
        (ci.token("any", API).claim("ref", "dev").mint(), "https://api.acme.test/*/**"),
        (ci.token("any", API).claim("ref", "dev").mint(), DEPLOYS),
    ] {
        let table = table(&ci);
        let change = told(&explain(&table, &token, &["-o", "json", "POST", url]))["change"].clone();
        let becomes = change["becomes"].as_str().unwrap_or_else(|| panic!("nothing is offered for {url}"));
        assert!(!becomes.replace("/v1/deploys/**", "").contains('*'), "{becomes}");
        apply(&table, &change);
        assert_eq!(explain(&table, &token, &["POST", url]).code, 0, "{becomes}");
        assert_eq!(explain(&table, &good.mint(), &["POST", "https://api.acme.test/x/y"]).code, 1, "{becomes}");
        let other = ci.token("other", API).claim("ref", "dev").mint();
        assert_eq!(explain(&table, &other, &["POST", url]).code, 1, "{becomes}");
    }
}

#[test]
fn a_caller_whom_a_grant_only_watches_is_let_in_by_that_grant() {
    let ci = Issuer::start();
    let table = table(&ci);
    let watching =
        "  watched: {issuer: ci, resource: api, subject: pilot, methods: [GET], paths: [/v1/**], mode: shadow}\n";
    table.replace_raw(format!("{}{watching}", table.text()).as_bytes());
    let token = ci.token("pilot", API).mint();
    let before = told(&explain(&table, &token, &["-o", "json", "GET", DEPLOYS]));
    assert_eq!(
        (&before["change"]["was"], &before["change"]["becomes"]),
        (&json!("shadow"), &json!("enforce")),
        "{before}"
    );
    let known = before["known"].to_string();
    assert!(known.contains("shadow grant watched fits this call") && known.contains("`mode: enforce`"), "{known}");
    apply(&table, &before["change"]);
    assert_eq!(explain(&table, &token, &["GET", DEPLOYS]).code, 0);
}

#[test]
fn where_no_change_is_offered_one_line_says_why() {
    let ci = Issuer::start();
    let table = table(&ci);
    let good = ci.token(SUBJECT, API);
    for (token, url, why) in [
        (good.clone().claim("iss", "https://nobody.test").mint(), DEPLOYS, "the table has no such issuer"),
        (good.clone().claim("exp", 1000).mint(), DEPLOYS, "the token is what has to change"),
        (ci.token(SUBJECT, "https://else.test").mint(), DEPLOYS, "the token is for somebody else"),
        (good.mint(), "https://else.test/", "no resource has this place"),
        (good.mint(), "https://api.acme.test/a//b", "no table lets such a request in"),
    ] {
        let ended = explain(&table, &token, &["--offline", "GET", url]);
        let lines: Vec<_> =
            ended.out.lines().filter(|line| line.starts_with("no change of the table is offered: ")).collect();
        assert!(matches!(lines.as_slice(), [line] if line.contains(why)), "{why}: {}", ended.all());
        let told = told(&explain(&table, &token, &["--offline", "-o", "json", "GET", url]));
        assert!(told["no_change"].as_str().unwrap().contains(why) && told["change"].is_null(), "{told}");
    }
    let offered = told(&explain(&table, &ci.token("other", API).mint(), &["-o", "json", "GET", DEPLOYS]));
    assert!(offered["change"].is_object() && offered["no_change"].is_null(), "{offered}");
}

#[test]
fn an_issuer_of_the_same_host_is_named_as_the_nearest_and_as_another() {
    let ci = Issuer::start();
    let table = table(&ci);
    for (path, near) in [("/realms/b2b", "the same host and another path"), ("/", "a `/` at the end")] {
        let token = ci.token(SUBJECT, API).claim("iss", format!("{}{path}", ci.url())).mint();
        let told = told(&explain(&table, &token, &["--offline", "-o", "json", "GET", DEPLOYS]));
        let known = told["known"].to_string();
        assert!(known.contains("issuer ci ") && known.contains(near), "{known}");
    }
    let far = ci.token(SUBJECT, API).claim("iss", "https://elsewhere.test/realms/b2b").mint();
    let told = told(&explain(&table, &far, &["--offline", "-o", "json", "GET", DEPLOYS]));
    assert_eq!(told["known"], json!([]), "{told}");
}
