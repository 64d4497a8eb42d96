//! The runbook: every command of `docs/incident.md`, in its order, as it stands there.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::blocks::serve;
use crate::support::call::Call;
use crate::support::credence::{Credence, binary};
use crate::support::issuer::Issuer;
use crate::support::process::environment;
use crate::support::scratch;
use crate::support::table::document;
use crate::support::{blocks, eventually};

const PAGE: &str = include_str!("../../docs/incident.md");
const URL: &str = "https://deploy.acme.test/v1/services/payments/web";
const SUB: &str = "repo:acme@9919/payments@512345678:environment:production";

/// The commands that the page shows.
fn commands() -> Vec<&'static str> {
    let shown = PAGE.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    shown.flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap_or_else(|| panic!("{line}"))).collect()
}

/// Whether this program has the verb and every flag of the command.
fn is_known(command: &str) -> bool {
    let mut words = command.split(' ').skip(1);
    let help = crate::world::run(&[words.next().unwrap(), "--help"]);
    let flags = command.split(' ').filter(|word| word.starts_with("--"));
    help.code == 0 && flags.into_iter().all(|flag| help.out.contains(flag))
}

fn table(ci: &Issuer) -> String {
    document(&format!(
        "issuers:\n  github-acme: {{issuer: \"{}\", owner: a, reviewBy: 2099-01-01}}\nresources:\n  \
         deploy-api: {{audience: https://deploy.acme.test, hosts: [deploy.acme.test]}}\ngrants:\n  \
         payments-deploy: {{issuer: github-acme, resource: deploy-api, subject: \"{SUB}\", methods: [POST], \
         paths: [/v1/services/payments/**]}}\n",
        ci.url()
    ))
}

fn ask(credence: &Credence, token: &str) -> String {
    credence.check(&Call::post(URL).bearer(token)).reason()
}

#[test]
fn the_runbook_runs_from_the_first_step_to_the_last() {
    let (dir, ci) = (scratch(), Issuer::start());
    let at = |name: &str| dir.path().join(name);
    let stolen = ci.token(SUB, "https://deploy.acme.test").mint();
    std::fs::create_dir(at("blocks")).unwrap();
    std::fs::write(at("blocks/none.yaml"), blocks::document(&[])).unwrap();
    std::fs::write(at("lifted.yaml"), blocks::document(&[])).unwrap();
    std::fs::write(at("trust.yaml"), table(&ci)).unwrap();
    let pins =
        format!("pin: {{keys: [\"{}\"]}}, accept: [{{code: CR310, reason: test}}], owner", ci.key().thumbprint());
    std::fs::write(at("candidate.yaml"), table(&ci).replacen("owner", &pins, 1)).unwrap();
    std::fs::write(at("token.jwt"), &stolen).unwrap();
    let log = at("decisions.jsonl");
    let replica = || serve(at("trust.yaml"), at("blocks"));
    let first = replica().decision_log(&log.display().to_string()).start();
    let second = replica().start();
    let id = {
        let answer = first.check(&Call::post(URL).bearer(&stolen));
        assert_eq!(answer.reason(), "ok");
        answer.decision_id()
    };
    eventually("the log", || std::fs::read_to_string(&log).ok().filter(|text| text.contains(&id)));

    let mut skipped = Vec::new();
    for command in commands() {
        if !is_known(command) {
            skipped.push(command);
            continue;
        }
        if command.contains("lifted.yaml") {
            std::fs::copy(at("lifted.yaml"), at("blocks/incident-4711.yaml")).unwrap();
        }
        let line = command
            .replace("http://10.0.0.7:9192", &format!("http://{}", first.admin_address()))
            .replace("http://10.0.0.8:9192", &format!("http://{}", second.admin_address()))
            .replace("0198a200-6c1e-7000-8000-00000000000a", &id);
        let (code, out) = shell(dir.path(), &line);
        let expected = match command.split(' ').nth(1).unwrap() {
            "explain" => 1,
            _ => 0,
        };
        assert_eq!(code, expected, "{command}\n{out}");
        match command {
            one if one.contains("explain") => assert!(out.starts_with("deny blocked"), "{out}"),
            one if one.contains("status") && one.ends_with("--expect blocks") => {
                assert_eq!((ask(&first, &stolen), ask(&second, &stolen)), ("blocked".into(), "blocked".into()));
                let other = ci.token(SUB, "https://deploy.acme.test").mint();
                assert_eq!(ask(&first, &other), "ok", "the narrowest block stops one token");
            }
            _ => {}
        }
    }
    assert_eq!((ask(&first, &stolen), ask(&second, &stolen)), ("ok".into(), "ok".into()), "let go");
    assert!(skipped.len() <= 1, "{skipped:?}");
    assert_eq!(json!(commands().len() >= 10), json!(true));
}

/// Runs a line of the page in this directory, as a person would: the code of the program, and what it said.
fn shell(dir: &Path, line: &str) -> (i32, String) {
    let mut command = Command::new("sh");
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    environment(&mut command).args(["-c", line]).current_dir(dir).env("PATH", path);
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), told)
}

#[test]
fn the_blocks_that_the_page_shows_load() {
    let shown = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = blocks::Blocks::new(&[]);
    file.replace_raw(shown.as_bytes());
    let ended = crate::world::run(&["check", &file.path().display().to_string()]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.all());
}
