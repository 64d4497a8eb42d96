//! Commands that a page shows, run as they are written: where the page says `trust.yaml`, its example lies.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::call::Call;
use crate::support::credence::{Credence, binary, command};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::process::environment;
use crate::world::{Ended, run, with_input};

/// The commands of a page: lines of its blocks, and what stands in backquotes. Of the shell they take nothing.
fn commands(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.lines().filter_map(|line| line.strip_prefix("$ credence "));
    let spans = text.split('`').skip(1).filter_map(|span| span.strip_prefix("credence "));
    blocks.chain(spans).map(|command| command.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Runs one there, some of its words put in the reader's place.
fn runs(there: &Path, command: &str, put: &[(&str, &str)]) -> Ended {
    let words = command.split(' ').map(|word| put.iter().find(|(from, _)| *from == word).map_or(word, |(_, to)| *to));
    let mut program: Command = self::command(&words.collect::<Vec<_>>());
    program.current_dir(there);
    with_input(program, "")
}

fn copied(example: &str) -> TempDir {
    let dir = crate::support::scratch();
    for entry in std::fs::read_dir(example).unwrap().map(|entry| entry.unwrap()) {
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

/// All that a page shows: it runs (yes or no), and does not go wrong.
fn all_run(page: &str, there: &Path, put: &[(&str, &str)], except: &[&str]) -> usize {
    let found: Vec<_> =
        commands(page).into_iter().filter(|one| !except.iter().any(|not| one.starts_with(not))).collect();
    for command in &found {
        let ended = runs(there, command, put);
        assert!(ended.code < 2, "{page}: credence {command}\n{}", ended.all());
        assert!(!ended.all().is_empty(), "{page}: credence {command} says nothing");
    }
    found.len()
}

#[test]
fn the_commands_of_the_page_on_governance_run() {
    let dir = copied("examples/governed-trust");
    std::fs::copy(dir.path().join("trust.yaml"), dir.path().join("trust-new.yaml")).unwrap();
    let id = "019394b2-9f7a-7c3e-8b1d-2f5a6c7d8e9f";
    let line: Value = json!({
        "schema": "credence.decision/v1", "ts": "2026-11-21T12:00:00.000Z", "decision_id": id, "decision": "deny",
        "reason": "no_token", "resource": "invoices", "http": {"method": "GET", "host": "invoices.acme.test", "path": "/"},
    });
    std::fs::write(dir.path().join("decisions.log"), format!("{line}\n")).unwrap();
    let ran = all_run("docs/governance.md", dir.path(), &[("DECISION_ID", id)], &[]);
    assert!(ran > 10, "{ran}");
}

#[test]
fn the_commands_of_the_page_on_onboarding_run() {
    let dir = copied("examples/onboarding");
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "https://deploy.acme.test",
        "sub": "repo:acme@9919/payments@512345678:environment:production", "repository": "acme/payments",
        "repository_id": "512345678", "repository_owner_id": "9919", "ref": "refs/heads/main", "environment": "production",
        "event_name": "push",
        "iat": 1_795_262_400, "exp": 1_795_262_700,
    });
    let token = format!("{}.{}.c2ln", part(json!({"alg": "RS256", "typ": "JWT", "kid": "k"})), part(claims));
    std::fs::write(dir.path().join("token.jwt"), token).unwrap();
    let old = dir.path().join("before.yaml").display().to_string();
    // The network is no part of a test, and the page says what to do without.
    let put = [("/tmp/old.yaml", old.as_str())];
    let ran = all_run("docs/onboarding-an-issuer.md", dir.path(), &put, &["issuer probe", "explain"]);
    assert!(ran >= 5, "{ran}");
    let explain = commands("docs/onboarding-an-issuer.md").into_iter().find(|one| one.starts_with("explain")).unwrap();
    let ended = runs(dir.path(), &explain.replace("explain", "explain --offline --at 2026-11-21T12:01:00Z"), &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
}

#[test]
fn the_commands_of_the_page_on_rolling_out_run_and_leave_the_objects_that_it_applies() {
    let page = std::fs::read_to_string("docs/rollout.md").unwrap();
    let dir = copied("examples/partner-namespace/envoy-gateway");
    let ci = Issuer::start();
    let trust = dir.path().join("trust.yaml");
    let observed = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  ci: {{issuer: \"{}\", reviewBy: 2099-01-01, owner: a@acme.test}}\n\
         resources:\n  orders:\n    audience: https://orders.acme.test\n    hosts: [orders.acme.test]\n    forwardToken: true\n    \
         observe: {{until: 2099-01-31, reason: callers are being moved to tokens}}\ngrants:\n  \
         reads: {{issuer: ci, resource: orders, subject: robot, methods: [GET], paths: any}}\n",
        ci.url()
    );
    std::fs::write(&trust, &observed).unwrap();
    std::fs::write(dir.path().join("candidate.yaml"), observed.replace("    observe:", "    # observe:")).unwrap();
    let log = dir.path().join("decisions.jsonl");
    let credence = Credence::serve(&trust).decision_log(&log.display().to_string()).start();
    let answer = credence.check(&Call::get("https://orders.acme.test/v1/x"));
    assert_eq!(answer.reason(), "observed");
    eventually("the line", || std::fs::read_to_string(&log).ok().filter(|text| text.contains("observed")));
    let status = format!("http://{}", credence.admin_address());

    let mut found = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let Some(program) = ["credence", "awk", "grep"].iter().find(|program| line.starts_with(**program)) else {
            continue;
        };
        let line = line.split(" | kubectl").next().unwrap().replace("http://127.0.0.1:9192", &status);
        let line = line.strip_prefix("credence ").map_or(line.clone(), |rest| format!("\"$CREDENCE\" {rest}"));
        let mut shell = Command::new("sh");
        let shell = environment(&mut shell).args(["-c", &line]).env("CREDENCE", binary()).current_dir(&dir);
        let output = shell.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        if *program == "awk" {
            found.extend(said.lines().filter(|line| line.starts_with("kind: ")).map(str::to_owned));
        } else {
            assert!(line.contains('>') || !said.is_empty(), "{line} says nothing");
        }
    }
    // On each gateway: how credence is reached, then the strip. On Envoy Gateway what asks is all the rest.
    let envoy_gateway = ["BackendTLSPolicy", "EnvoyProxy", "ReferenceGrant", "ClientTrafficPolicy"];
    let istio = ["DestinationRule", "EnvoyFilter", "AuthorizationPolicy"];
    let kinds = [&envoy_gateway[..], &istio].concat();
    let printed = |to: &str| {
        let output = run(&["render", "--to", to, "--trust", &trust.display().to_string()]);
        let kinds = output.out.lines().filter_map(|line| line.strip_prefix("kind: ")).map(str::to_owned);
        kinds.filter(|kind| kind != "SecurityPolicy").collect::<std::collections::BTreeSet<_>>()
    };
    for (to, applied) in [("envoy-gateway", &envoy_gateway[..]), ("istio", &istio)] {
        assert_eq!(
            printed(to),
            applied.iter().map(|&kind| kind.to_owned()).collect(),
            "{to}: what is printed is applied"
        );
    }
    assert_eq!(found, kinds.iter().map(|kind| format!("kind: {kind}")).collect::<Vec<_>>());
}
