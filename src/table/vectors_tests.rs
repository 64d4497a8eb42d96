use std::path::Path;

use super::super::SourceFile;
use super::*;

const HEAD: &str =
    "apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ntable: trust.yaml\nnow: 2026-11-21T12:00:00Z\n";

fn read(text: &str) -> (Option<Vectors>, Report) {
    Vectors::of(&Sources::from_files([SourceFile::new("trust_test.yaml", text)]), Path::new("dir"))
}

fn good(cases: &str) -> Vectors {
    let (vectors, report) = read(&format!("{HEAD}cases:\n{cases}"));
    assert!(report.is_empty(), "{}", report.render(false));
    vectors.unwrap()
}

/// Code and line of each finding.
fn found(text: &str) -> Vec<(&'static str, usize)> {
    let (vectors, report) = read(text);
    assert!(vectors.is_none());
    report.sorted().iter().map(|finding| (finding.code().as_str(), finding.site().unwrap().line)).collect()
}

const ROOT: &str = "  - name: root
    token: {iss: i, sub: s, n: 7, f: 1.5, b: true, q: \"7\", deep: {list: [1, x, null]}}
    request: {method: GET, url: https://h.test/a}
    expect: {decision: allow}
";

fn claims(vector: &Vector) -> Json {
    vector.token.claims(Time::from_seconds(1000.0), "fresh").unwrap()
}

#[test]
fn numbers_and_booleans_of_yaml_are_those_of_the_token_and_quoted_ones_are_strings() {
    let vectors = good(ROOT);
    let expected = br#"{"iss":"i","sub":"s","n":7,"f":1.5,"b":true,"q":"7","deep":{"list":[1,"x",null]},"iat":1000,"exp":1300,"jti":"fresh"}"#;
    assert_eq!(claims(&vectors.cases[0]), Json::parse(expected, 9).unwrap());
    assert_eq!(vectors.table, Path::new("dir/trust.yaml"));
    assert_eq!(vectors.now, Time::from_rfc3339("2026-11-21T12:00:00Z"));
}

#[test]
fn a_case_inherits_token_and_request_and_null_takes_away_what_would_be_filled_in() {
    let vectors = good(&format!(
        "  - {{name: third, base: second, with: {{exp: 5, b: null}}, expect: {{decision: deny, reason: expired}}}}\n{ROOT}  \
         - {{name: second, base: root, with: {{exp: null, jti: null, sub: t}}, expect: {{decision: deny}}}}\n"
    ));
    let third = &vectors.cases[0];
    let claims = claims(third);
    assert_eq!(claims.get("sub").unwrap().as_str(), Some("t"));
    assert_eq!(claims.get("exp").unwrap().as_number(), Some(5.0), "given again after it was taken away");
    assert_eq!((claims.get("jti"), claims.get("b")), (None, None));
    assert_eq!(third.request.url, "https://h.test/a");
    assert!(super::tests::claims(&vectors.cases[2]).get("exp").is_none());
}

#[test]
fn a_call_without_a_token_and_what_the_proxy_would_set() {
    let vectors = good(
        "  - name: nobody
    token: none
    request: {method: GET, url: https://h.test, context: {tenant: a}, route: {namespace: n, name: r}, headers: {origin: x}}
    expect: {decision: deny, reason: no_token}
",
    );
    assert_eq!(vectors.cases[0].token.claims(Time::from_seconds(0.0), ""), None);
    let request = &vectors.cases[0].request;
    assert_eq!(request.context, [("tenant".to_owned(), "a".to_owned())]);
    assert_eq!(request.route, Some(("n".to_owned(), "r".to_owned())));
    assert_eq!(request.headers, [("origin".to_owned(), "x".to_owned())]);
}

#[test]
fn every_problem_is_told_at_once_each_with_its_line() {
    let text = format!(
        "{HEAD}cases:\n{ROOT}  - {{name: root, base: rot, expect: {{decision: allow}}}}
  - {{name: a, base: b, expect: {{decision: allow}}}}
  - {{name: b, base: a, expect: {{decision: allow}}}}
  - {{name: into the circle, base: a, expect: {{decision: allow}}}}
  - {{name: c, base: root, wiht: {{a: b}}, expect: {{decision: maybe}}}}
  - {{name: d, token: {{iss: i}}, with: {{a: b}}, request: {{method: GET, url: h.test/a}}, expect: {{decision: deny, reason: grant_non}}}}
  - {{name: e, token: {{n: 0x10}}, base: root, expect: {{decision: allow, reason: expired}}}}
  - {{name: f, token: none, expect: {{decision: deny, grants: [a]}}}}
  - {{name: g, base: f, with: {{a: b}}, expect: {{decision: deny}}}}
  - {{token: none}}
"
    );
    let (_, report) = read(&text);
    let told = report.render(false);
    let expected = [
        ("CR004", 10),
        ("CR003", 10), // base rot
        ("CR002", 11),
        ("CR002", 12),
        ("CR001", 14),
        ("CR002", 14),
        ("CR002", 15), // with without base
        ("CR002", 15), // URL
        ("CR002", 15), // reason
        ("CR002", 16), // 0x10
        ("CR002", 16), // expired is no allow
        ("CR002", 17), // grants of a denial
        ("CR002", 17), // no request
        ("CR002", 18), // nothing to change
        ("CR002", 19),
        ("CR002", 19),
    ];
    assert_eq!(found(&text), expected, "{told}");
    for words in [
        "did you mean `with`?",
        "did you mean \"root\"?",
        "did you mean `grant_none`?",
        "first at trust_test.yaml:6:11",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
}

#[test]
fn another_kind_is_refused_without_a_word_about_its_fields() {
    assert_eq!(found("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers: {}\n"), [("CR006", 2)]);
    assert_eq!(found("- a\n"), [("CR006", 1)]);
    assert_eq!(found(&format!("{HEAD}case: []\n")), [("CR001", 5)], "meant is not missing");
    assert_eq!(found(HEAD), [("CR002", 1)]);
}

#[test]
fn an_empty_set_is_compared_and_a_missing_one_is_not() {
    let vectors = good(&ROOT.replace("decision: allow", "decision: allow, scopes: []"));
    assert_eq!((&vectors.cases[0].expect.scopes, &vectors.cases[0].expect.grants), (&Some(BTreeSet::new()), &None));
}
