//! What `collisions` promises to find: callers and who acts for them, and grants that one call may fit.

use serde_json::Value;

use crate::support::table::Table;
use crate::world::run;

/// What is found where issuers `a` and `b` have these grants, without the name and the resource.
fn found(grants: &[&str]) -> (i32, Value, String) {
    let head = "issuers:
  a: {issuer: https://a.acme.test, owner: a@acme.test, reviewBy: 2099-01-01}
  b: {issuer: https://b.acme.test, owner: b@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
";
    let grant = |(number, rest): (usize, &&str)| format!("  g{number}: {{resource: api, methods: [GET], {rest}}}\n");
    let grants: String = grants.iter().enumerate().map(grant).collect();
    let table = Table::new(&format!("{head}{grants}"));
    let ask = |output| run(&["collisions", "--trust", &table.path().display().to_string(), "-o", output]);
    let ended = ask("json");
    assert_ne!(ended.code, 2, "{}", ended.err);
    (ended.code, serde_json::from_str(&ended.out).unwrap(), ask("text").out)
}

#[test]
fn who_acts_at_two_issuers_is_two_principals() {
    let (code, told, text) = found(&[
        "issuer: a, subject: u, actor: {subject: 'agent:x'}, paths: [/a]",
        "issuer: b, subject: v, actor: {subject: 'agent:x'}, paths: [/b]",
    ]);
    assert!(code == 1 && told["collisions"][0]["text"] == "agent:x", "{told:#}");
    assert!(text.starts_with("sub \"agent:x\" is 2 principals\n  https://a.acme.test#agent:x\n"), "{text}");
    let (code, told, _) = found(&[
        "issuer: a, subject: 'agent:x', paths: [/a]",
        "issuer: b, subject: v, actor: {subject: 'agent:x'}, paths: [/b]",
    ]);
    assert!(code == 1 && told["collisions"][0]["text"] == "agent:x", "{told:#}");
    let (code, told, _) = found(&[
        "issuer: a, subject: 'agent:x', paths: [/a]",
        "issuer: a, subject: v, actor: {subject: 'agent:x'}, paths: [/b]",
    ]);
    assert_eq!(code, 0, "one issuer's name is one principal: {told:#}");
}

#[test]
fn a_grant_that_names_nobody_may_mean_whom_another_issuer_names() {
    for grants in [
        [
            "issuer: a, subject: 'x:1', paths: [/a]",
            "issuer: b, subject: any, reason: all of b, claims: {k: v}, paths: [/b]",
        ],
        ["issuer: a, claims: {q: r}, paths: [/a]", "issuer: b, subject: u, paths: [/b]"],
    ] {
        let (code, told, text) = found(&grants);
        assert!(code == 1 && told["collisions"][0]["shared"] == "any", "{told:#}");
        assert_eq!(told["collisions"][0]["identities"].as_array().unwrap().len(), 2);
        assert!(text.starts_with("any sub may be 2 principals"), "{text}");
    }
}

#[test]
fn a_subject_and_a_claim_of_one_issuer_may_be_one_caller() {
    let (code, told, text) =
        found(&["issuer: a, subject: u, paths: [/a/**]", "issuer: a, claims: {k: v}, paths: [/a/b]"]);
    assert!(code == 1 && told["overlaps"][0]["grants"] == serde_json::json!(["g0", "g1"]), "{told:#}");
    assert!(text.contains("grants g0 and g1 may fit one call: issuer a, resource api"), "{text}");
    for apart in [
        ["issuer: a, subject: u, paths: [/a/**]", "issuer: a, claims: {k: v}, paths: [/b]"],
        ["issuer: a, subject: u, claims: {k: w}, paths: [/a/**]", "issuer: a, claims: {k: v}, paths: [/a/b]"],
    ] {
        let (code, told, _) = found(&apart);
        assert_eq!((code, &told["cut"]), (0, &Value::Bool(false)), "{told:#}");
    }
}

#[test]
fn where_there_are_too_many_to_compare_it_says_so() {
    let many: Vec<_> = (0..3000).map(|n| format!("issuer: a, claims: {{k{n}: v}}, paths: [/a/**]")).collect();
    let (code, told, text) = found(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(code == 1 && told["cut"] == true, "{code}");
    assert!(text.trim_end().ends_with("so more may collide"), "{:?}", text.lines().last());
}
