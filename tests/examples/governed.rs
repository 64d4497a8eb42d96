//! On what grounds an issuer is believed (S5): who answers for it, for what, until when, and what was done with it.

use std::path::Path;

use serde_json::json;

use crate::files::{broken, credence};
use crate::gate::Gate;
use crate::support::credence::run;
use crate::traps::allowed;
use crate::world::{directory, scene};

const EXAMPLE: &str = "governed-trust";
const AT: [&str; 2] = ["--at", "2026-11-21T12:00:00Z"];
const GLOBEX: &str = "Globex submits an invoice";

fn ask(args: &[&str]) -> (i32, String, String) {
    let output = run(&[args, &AT].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn trust() -> String {
    directory(EXAMPLE).join("trust.yaml").display().to_string()
}

#[test]
fn s5_the_list_tells_whom_for_what_who_answers_when_it_is_looked_at_again_and_when_it_ends() {
    let (code, text, err) = ask(&["list", "--trust", &trust(), "-o", "json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{text}");
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    let told =
        |row: usize, names: [&str; 7]| names.map(|name| rows[row][name].as_str().unwrap_or("nothing").to_owned());
    let names = ["grant", "iss", "resource", "owner", "purpose", "review_by", "ends"];
    // Dates stand for their last instant: through the day, in force until the next begins.
    assert_eq!(
        told(0, names),
        [
            "clerks-read",
            "https://idp.acme.test",
            "invoices",
            "finance@acme.test",
            "reading invoices is open to the finance group as a whole",
            "2027-06-30",
            "nothing",
        ]
    );
    assert_eq!(
        told(1, names),
        [
            "globex-submits",
            "https://idp.globex.test/b2b",
            "invoices",
            "partnerships@acme.test",
            "invoices of Globex, contract 2025-117",
            "2026-12-15",
            "2027-03-31",
        ]
    );
    for (output, mark) in [("csv", "grant,issuer,iss,"), ("markdown", "| grant | issuer |"), ("text", "GRANT ")] {
        let (code, text, _) = ask(&["list", "--trust", &trust(), "-o", output]);
        assert!(code == 0 && text.starts_with(mark), "{text}");
        for words in ["partnerships", "invoices of Globex, contract 2025-117", "2027-03-31", "2026-12-15"] {
            assert!(text.contains(words), "{words} in {output}:\n{text}");
        }
    }
}

#[test]
fn s5_what_has_to_be_decided_within_ninety_days_is_the_partners_review_and_no_more() {
    let (code, text, _) = ask(&["list", "--trust", &trust(), "--expiring", "90d"]);
    assert_eq!((code, text.lines().count()), (0, 2), "{text}");
    for words in ["2026-12-15", "reviewBy", "issuer", "partner-globex", "partnerships@acme.test", "trust.yaml:4:3"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let (code, text, _) = ask(&["list", "--trust", &trust(), "--expiring", "52w"]);
    assert!(code == 0 && text.contains("expires") && text.contains("workforce"), "{text}");
    assert_eq!(ask(&["list", "--trust", &trust(), "--expiring", "1d"]).0, 1);
}

#[test]
fn s5_the_reach_of_the_partner_is_one_method_on_one_path_until_the_contract_ends() {
    let (code, text, _) = ask(&["reach", "--trust", &trust(), "--issuer", "partner-globex"]);
    assert!(code == 0 && text.contains("1 grant can be used now"), "{text}");
    assert!(text.contains("invoices POST /ns/globex/**") && text.contains("before 2027-04-01"), "{text}");
    assert!(!text.contains("clerks-read") && !text.contains("invoices:read"), "{text}");
}

#[test]
fn s5_trust_without_an_owner_or_without_a_date_does_not_pass_review() {
    let table = trust();
    assert_eq!(ask(&["check", "--fail-on", "warning", &table]).0, 0);
    for (from, code) in [("    owner: identity@acme.test\n", "CR302"), ("    reviewBy: 2027-06-30\n", "CR301")] {
        let copy = broken(EXAMPLE, "trust.yaml", from, "");
        let table = copy.path().join("trust.yaml").display().to_string();
        let (exit, out, err) = ask(&["check", "--fail-on", "warning", &table]);
        assert!(exit == 1 && format!("{out}{err}").contains(&format!("warning[{code}]")), "{out}{err}");
        assert_eq!(ask(&["check", &table]).0, 0, "a warning alone refuses nothing");
    }
}

#[test]
fn s5_a_risk_that_was_accepted_is_listed_with_its_reason_wherever_it_was_accepted() {
    let accepted = "    accept: [{code: CR301, reason: our own provider stays as long as we do}]\n";
    let copy = broken(EXAMPLE, "trust.yaml", "    reviewBy: 2027-06-30\n", accepted);
    let table = copy.path().join("trust.yaml").display().to_string();
    assert_eq!(ask(&["check", "--fail-on", "warning", &table]).0, 0);
    let (_, text, _) = ask(&["list", "--trust", &table, "-o", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(rows[0]["accepted"], "issuer CR301: our own provider stays as long as we do", "{text}");
    assert!(rows[1]["accepted"].is_null(), "{text}");
}

#[test]
fn s5_after_its_end_the_partner_is_refused_through_envoy_and_nobody_else() {
    let scene = scene(EXAMPLE);
    let text = scene.table.text();
    assert_eq!(text.matches("expires: 2099-12-31").count(), 1, "{text}");
    let gate = Gate::before(&text.replace("expires: 2099-12-31", "expires: 2026-03-31"));
    let ran = gate.send(scene, GLOBEX);
    assert!(ran.echo.is_none() && ran.log["reason"] == "issuer_expired", "{}", ran.log);
    assert!(!ran.response.text().contains("expired"), "the client learns of it: {}", ran.response.text());
    assert!(gate.send(scene, "a clerk reads").echo.is_some());
    let end = "credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"partner-globex\"}";
    // 2026-04-01T00:00:00Z
    assert_eq!(gate.credence.metric(end), Some(1_775_001_600.0));
    // Longer trust is a change of the table, in force without a restart.
    gate.table.replace_raw(text.as_bytes());
    crate::support::eventually("the new end", || gate.send(scene, GLOBEX).echo.is_some().then_some(()));
}

#[test]
fn s5_a_decision_names_the_pair_the_grants_and_the_very_table_that_check_prints() {
    let ran = allowed(EXAMPLE, GLOBEX);
    let pair = json!({"iss": "https://idp.globex.test/b2b", "sub": "3f0c8c3e-0b7b-4f0e-9d0a-6a5b1f2c7d11"});
    assert_eq!((&ran.log["principal"], &ran.log["grants"]), (&pair, &json!(["globex-submits"])), "{}", ran.log);
    assert_eq!((&ran.log["issuer_name"], &ran.log["resource"]), (&json!("partner-globex"), &json!("invoices")));
    for field in ["kid", "alg", "iat", "exp", "jti_hash"] {
        assert!(!ran.log["token"][field].is_null(), "{field} in {}", ran.log);
    }
    let (code, told) = credence("check", &scene(EXAMPLE).table.path());
    let digest = ran.log["table"]["sha256"].as_str().unwrap();
    assert!(code == 0 && told.contains(&format!("sha256 {digest}")), "{digest} in {told}");
    // Another end is another table.
    let copy = broken(EXAMPLE, "trust.yaml", "2027-03-31", "2028-03-31");
    let (_, other) = credence("check", &copy.path().join("trust.yaml"));
    let (_, one) = credence("check", Path::new(&trust()));
    assert_ne!(one.split("sha256 ").nth(1), other.split("sha256 ").nth(1));
}

#[test]
fn s5_every_command_of_the_readme_says_what_it_promises() {
    let readme = include_str!("../../examples/governed-trust/README.md");
    let commands: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("    credence ")).collect();
    assert_eq!(commands.len(), 4, "{readme}");
    let table = trust();
    for command in commands {
        let command = command.split('#').next().unwrap();
        let args: Vec<_> =
            command.split_whitespace().map(|word| if word == "trust.yaml" { table.as_str() } else { word }).collect();
        let (code, out, err) = ask(&args);
        assert_eq!(code, 0, "{command}: {out}{err}");
        assert!(!out.is_empty(), "{command}");
    }
}
