//! `inspect` on tokens and calls that somebody made up to be believed: what it proposes means them alone, lets them in, or
//! says why not.

use serde_json::{Value, json};

use crate::support::credence::command;
use crate::support::key::b64;
use crate::support::table::Table;
use crate::world::{Ended, explain, run, with_input};

const AT: [&str; 2] = ["--at", "2096-10-02T07:06:45Z"];
const URL: &str = "https://deploy.acme.test/v1/x";
const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
const RESOURCE: &str = "resources:\n  deploy-api: {audience: https://deploy.acme.test, hosts: [deploy.acme.test]}\n";
const ISSUER: &str =
    "issuers:\n  idp: {issuer: https://idp.test, pin: {claims: {org: acme}}, owner: a, reviewBy: 2099-01-01}\n";

/// Nobody signed it.
fn unsigned(claims: &Value) -> String {
    format!("{}.{}.c2ln", b64(json!({"alg": "RS256", "typ": "JWT", "kid": "1"}).to_string()), b64(claims.to_string()))
}

/// A sound token with these claims besides; `null` takes one away.
fn with(more: Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.test", "sub": "robot", "aud": "https://deploy.acme.test", "org": "acme", "jti": "a",
        "iat": 4_000_000_000_u64, "exp": 4_000_000_300_u64,
    });
    let object = claims.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        object.insert(name.clone(), value.clone());
    }
    object.retain(|_, value| !value.is_null());
    claims
}

fn inspect(table: &Table, claims: &Value, more: &[&str]) -> Ended {
    let trust = table.path().display().to_string();
    let fixed = ["inspect", "--trust", &trust, "--token-file", "-", AT[0], AT[1]];
    with_input(command(&[&fixed, more].concat()), &unsigned(claims))
}

fn proposal(table: &Table, claims: &Value, call: &[&str]) -> Value {
    let ended = inspect(table, claims, &[&["-o", "json"], call].concat());
    let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.all()));
    told["proposal"].clone()
}

fn reviewed(yaml: &str) -> String {
    yaml.replace("somebody@replace-me.invalid", "a@acme.test")
}

#[test]
fn whatever_the_token_says_the_proposal_lets_it_in_or_says_that_it_does_not() {
    let github = |more: Value| {
        let mut claims = with(json!({"iss": "https://token.actions.githubusercontent.com", "org": null}));
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let here = ["GET", URL];
    // What the token says, where it goes, whether the table has its issuer, and what is told where it cannot get in.
    let cases: Vec<(Value, [&str; 2], bool, &str)> = vec![
        (with(json!({})), here, true, ""),
        (with(json!({})), here, false, ""),
        (with(json!({"org": "evil"})), here, true, "pin_mismatch"),
        (with(json!({"act": {"sub": "agent"}})), here, true, ""),
        (with(json!({"act": {"sub": "agent", "act": {"sub": "x"}}})), here, false, ""),
        (with(json!({"act": {"sub": "agent", "iss": "https://other.test"}})), here, true, "actor_not_allowed"),
        (with(json!({"act": {"sub": "any"}})), here, true, ""),
        (with(json!({"cnf": {"jkt": "x"}})), here, true, "confirmation_required"),
        (with(json!({"exp": 4_000_500_000_u64})), here, true, "too_old"),
        (with(json!({"exp": 4_000_500_000_u64})), here, false, "too_old"),
        (with(json!({"iat": 3_000_000_000_u64, "exp": 3_000_000_300_u64})), here, true, ""),
        (with(json!({"exp": null})), here, true, "claims_malformed"),
        (with(json!({})), ["GET", "https://deploy.acme.test/v1//x"], true, "path_not_normalized"),
        (with(json!({})), ["GET", "https://deploy.acme.test/v1/a%2Fb"], true, "path_not_normalized"),
        (with(json!({})), ["any", URL], true, "CR"),
        (with(json!({})), ["GET", "https://*.evil.test/x"], false, "is no host"),
        (with(json!({"aud": "https://other.test"})), here, true, "audience_mismatch"),
        (with(json!({"aud": "x: y"})), ["GET", "https://new.acme.test/x"], false, "CR"),
        (with(json!({"sub": "team:*"})), here, true, "compared exactly"),
        (with(json!({"sub": "any"})), here, true, ""),
        (with(json!({"iss": "idp"})), here, false, "CR"),
        (
            with(json!({
                "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
                "tid": "00000000-2b34-4da1-9baa-8bc8c9d6a490", "oid": TENANT, "ver": "2.0",
            })),
            here,
            false,
            "",
        ),
        (
            github(json!({"sub": "repo:acme/x:ref:refs/heads/main"})),
            here,
            false,
            "nothing in it says for good who calls",
        ),
        (
            with(json!({"iss": "https://spire.test", "sub": "spiffe://prod.test/web", "aud": ["a", "b"]})),
            here,
            false,
            "",
        ),
    ];
    for (claims, call, known, why) in cases {
        let base = if known { format!("{ISSUER}{RESOURCE}") } else { RESOURCE.to_owned() };
        let table = Table::new(&base);
        let told = proposal(&table, &claims, &call);
        let (yaml, faults) = (told["yaml"].as_str().unwrap(), told["faults"].as_array().unwrap());
        assert!(why.is_empty() || told["faults"].to_string().contains(why), "{why}: {told}");
        assert!(!yaml.is_empty() || !faults.is_empty(), "{claims}: silent");
        if yaml.is_empty() {
            let text = inspect(&table, &claims, &call).out;
            assert!(text.contains("\nnothing is proposed: "), "{text}");
            continue;
        }
        assert_eq!(faults.is_empty(), !yaml.contains("# this does not let the token in: "), "{told}");
        let keys = "    spiffeBundleUrl: https://spire.acme.test/bundle\n    owner:";
        let yaml = if yaml.contains("spiffe") { reviewed(yaml).replace("    owner:", keys) } else { reviewed(yaml) };
        // A section stands once in a file, so the proposal is one of its own.
        let path = table.dir().join("proposed.yaml");
        std::fs::write(&path, format!("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n{yaml}")).unwrap();
        let dir = table.dir().display().to_string();
        let checked = run(&["check", AT[0], AT[1], &dir]);
        assert!(checked.code == 0, "{yaml}{}", checked.all());
        let when = claims["iat"].as_u64().filter(|_| claims["exp"].as_u64().unwrap() < 4_000_000_000);
        let at = if when.is_some() { "2065-01-24T05:20:10Z" } else { AT[1] };
        let args = ["explain", "--trust", &dir, "--token-file", "-", "--offline", AT[0], at, call[0], call[1]];
        let let_in = with_input(command(&args), &unsigned(&claims));
        assert_eq!(let_in.code == 0, faults.is_empty(), "{yaml}{}", let_in.all());
        // And nobody who is called otherwise.
        let mut other = claims.clone();
        other["sub"] = json!("spiffe://prod.test/other");
        let others = with_input(command(&args), &unsigned(&other));
        assert_eq!(others.code, 1, "{yaml}{}", others.all());
    }
}

#[test]
fn a_path_that_a_stranger_chose_is_never_a_pattern() {
    for path in ["/**", "/*", "/x/*", "/v1/*/**", "/v1/a*b", "/**/x"] {
        let table = Table::new(&format!("{ISSUER}{RESOURCE}"));
        let url = format!("https://deploy.acme.test{path}");
        let told = proposal(&table, &with(json!({})), &["GET", &url]);
        let yaml = told["yaml"].as_str().unwrap();
        let paths = yaml.lines().find(|line| line.contains("paths:")).unwrap_or_else(|| panic!("{told}"));
        assert!(!paths.contains('*') && told["missing"].to_string().contains("`%2A`"), "{told}");
        table.replace(&format!("{ISSUER}{RESOURCE}{yaml}"));
        let ask = |path: &str| {
            let url = format!("https://deploy.acme.test{path}");
            explain(&table, &unsigned(&with(json!({}))), &["--offline", AT[0], AT[1], "GET", &url]).code
        };
        assert_eq!(ask(path), 0, "{yaml}");
        for other in ["/", "/x", "/x/y", "/v1/a/b", "/v1/axb"] {
            assert_eq!(ask(other), 1, "{path} lets in {other}");
        }
    }
}

#[test]
fn somebody_who_acts_is_in_the_proposal_and_what_that_means_is_said() {
    let table = Table::new(&format!("{ISSUER}{RESOURCE}"));
    let claims = with(json!({"act": {"sub": "agent", "act": {"sub": "x"}}}));
    let told = proposal(&table, &claims, &["GET", URL]);
    assert!(told["yaml"].as_str().unwrap().contains("    actor: {subject: agent, maxDepth: 2}\n"), "{told}");
    assert!(told["missing"].to_string().contains("only the token's issuer says that it may"), "{told}");
    table.replace(&format!("{ISSUER}{RESOURCE}{}", told["yaml"].as_str().unwrap()));
    let alone = unsigned(&with(json!({})));
    assert_eq!(explain(&table, &alone, &["--offline", AT[0], AT[1], "GET", URL]).code, 1, "the subject alone gets in");
}

#[test]
fn without_a_call_the_proposal_still_has_to_load() {
    let table = Table::new(&format!("{ISSUER}{RESOURCE}"));
    for (claims, loads) in [(with(json!({})), true), (with(json!({"sub": "team:*"})), false)] {
        let told = proposal(&table, &claims, &[]);
        assert_eq!(told["yaml"] == "", !loads, "{told}");
        assert_eq!(told["faults"] == json!([]), loads, "{told}");
    }
}

#[test]
fn a_call_that_is_allowed_already_needs_no_second_grant() {
    let grant = "grants:\n  payments-deploy: {issuer: idp, resource: deploy-api, subject: robot, methods: [GET], paths: [/v1/**]}\n";
    let table = Table::new(&format!("{ISSUER}{RESOURCE}{grant}"));
    let told = proposal(&table, &with(json!({})), &["GET", URL]);
    assert_eq!((&told["allowed_by"], &told["yaml"]), (&json!("payments-deploy"), &json!("")), "{told}");
    let text = inspect(&table, &with(json!({})), &["GET", URL]).out;
    assert!(text.contains("already allowed by payments-deploy, if the signature is good"), "{text}");
    let other = proposal(&table, &with(json!({})), &["POST", URL]);
    assert!(other["allowed_by"].is_null() && other["yaml"] != "", "{other}");
}

#[test]
fn a_value_that_means_danger_is_told_and_proposed_only_with_it() {
    let ssh = json!({
        "iss": format!("https://oidc.circleci.com/org/{TENANT}"), "org": null,
        "sub": format!("org/{TENANT}/project/{TENANT}/user/{TENANT}"),
        "oidc.circleci.com/org-id": TENANT, "oidc.circleci.com/project-id": TENANT,
        "oidc.circleci.com/vcs-origin": "github.com/acme/web", "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/ssh-rerun": true,
    });
    let pull = json!({
        "iss": "https://token.actions.githubusercontent.com", "org": null, "sub": "repo:acme/x:pull_request",
        "repository": "acme/x", "repository_id": "5", "repository_owner_id": "9", "ref": "refs/pull/3/merge",
        "event_name": "pull_request",
    });
    for (claims, what) in [(ssh, "ssh-rerun"), (pull.clone(), "refs/pull/3/merge"), (pull, "event_name")] {
        let table = Table::new(RESOURCE);
        let claims = with(claims);
        let yaml = proposal(&table, &claims, &["GET", URL])["yaml"].as_str().unwrap().to_owned();
        let twice = yaml.lines().filter(|line| line.starts_with("# think twice: ") && line.contains(what));
        assert_eq!(twice.count(), 1, "{yaml}");
        let text = inspect(&table, &claims, &["GET", URL]).out;
        let remarks = text.split("before you believe it").nth(1).unwrap().split("to review").next().unwrap();
        assert!(remarks.contains(what), "{text}");
    }
}

#[test]
fn a_token_copied_with_its_header_is_read_and_that_is_said() {
    let table = Table::new(&format!("{ISSUER}{RESOURCE}"));
    let trust = table.path().display().to_string();
    for before in ["Bearer ", "bearer ", "Authorization: Bearer ", "authorization:bearer  "] {
        for verb in [&["inspect"][..], &["explain", "--offline"]] {
            let fixed = ["--trust", &trust, "--token-file", "-", AT[0], AT[1], "GET", URL];
            let token = format!("{before}{}", unsigned(&with(json!({}))));
            let ended = with_input(command(&[verb, &fixed].concat()), &token);
            assert!(ended.err.contains("before the token is no part of it and was cut off"), "{}", ended.all());
            assert!(ended.code < 2 && ended.out.contains("robot"), "{}", ended.all());
        }
    }
}
