//! Discovery documents that are almost right, and subjects that are almost SPIFFE IDs.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::{Ca, DISCOVERY, Fault, Issuer};
use crate::support::scratch;
use crate::support::table::Table;
use crate::world::{API, Findings, KEPT, entry, reason, state, table_of, token};

#[test]
fn documents_that_are_almost_right() {
    let mut findings = Findings::default();
    let (ca, dir) = (Ca::new(), scratch());
    let ca_file = ca.write(dir.path());
    // What the document says (I: its URL, P: its port, E: the URL of another issuer with the same keys), whether it is used.
    let cases: &[(&str, &str, &str, Option<bool>)] = &[
        ("plain", r#"{"issuer":"I","jwks_uri":"I/jwks"}"#, "", Some(true)),
        ("escaped", r#"{"issuer":"\u0068IREST","jwks_uri":"I/jwks"}"#, "", Some(true)),
        ("issuer-twice", r#"{"issuer":"https://evil.test","issuer":"I","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-twice-last", r#"{"issuer":"I","issuer":"https://evil.test","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("uri-twice", r#"{"issuer":"I","jwks_uri":"E/jwks","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-slash", r#"{"issuer":"I/","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-case", r#"{"issuer":"HTTPS://localhost:P","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-blank", r#"{"issuer":"I ","jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-list", r#"{"issuer":["I"],"jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-none", r#"{"jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("issuer-null", r#"{"issuer":null,"jwks_uri":"I/jwks"}"#, "", Some(false)),
        ("uri-relative", r#"{"issuer":"I","jwks_uri":"/jwks"}"#, "", Some(false)),
        ("uri-http", r#"{"issuer":"I","jwks_uri":"http://localhost:P/jwks"}"#, "", Some(false)),
        ("uri-http-listed", r#"{"issuer":"I","jwks_uri":"H/jwks"}"#, ", jwksHosts: [\"127.0.0.1:HP\"]", Some(false)),
        ("uri-userinfo", r#"{"issuer":"I","jwks_uri":"https://u:p@localhost:P/jwks"}"#, "", Some(false)),
        ("uri-upper-host", r#"{"issuer":"I","jwks_uri":"https://LOCALHOST:P/jwks"}"#, "", None),
        ("uri-other-port", r#"{"issuer":"I","jwks_uri":"E/jwks"}"#, "", Some(false)),
        (
            "uri-other-port-listed",
            r#"{"issuer":"I","jwks_uri":"E/jwks"}"#,
            ", jwksHosts: [\"localhost:EP\"]",
            Some(true),
        ),
        (
            "uri-other-port-host-listed",
            r#"{"issuer":"I","jwks_uri":"E/jwks"}"#,
            ", jwksHosts: [localhost]",
            Some(false),
        ),
        (
            "uri-metadata",
            r#"{"issuer":"I","jwks_uri":"https://169.254.169.254/jwks"}"#,
            ", jwksHosts: [\"other.test\"]",
            Some(false),
        ),
        ("uri-list", r#"{"issuer":"I","jwks_uri":["I/jwks"]}"#, "", Some(false)),
        ("uri-empty", r#"{"issuer":"I","jwks_uri":""}"#, "", Some(false)),
        ("inline-keys", r#"{"issuer":"I","keys":[]}"#, "", Some(false)),
    ];
    let plain = Issuer::start();
    let elsewhere = Issuer::https(&["ES256"], &ca);
    let mut issuers = Vec::new();
    let mut entries = String::new();
    for (name, document, more, _) in cases {
        let issuer = Issuer::https(&["ES256"], &ca);
        let document = document
            .replace("IREST", issuer.url().strip_prefix('h').unwrap())
            .replace("HTTPS", "@")
            .replace("\"I", &format!("\"{}", issuer.url()))
            .replace("\"E/", &format!("\"{}/", elsewhere.url()))
            .replace("\"H/", &format!("\"{}/", plain.url()))
            .replace(":P", &format!(":{}", issuer.port()))
            .replace('@', if name.contains("case") { "HTTPS" } else { "@" });
        issuer.fault(DISCOVERY, Some(Fault::Body(document.into_bytes())));
        let more = more.replace("HP", plain.port()).replace("EP", elsewhere.port());
        entries += &entry(name, &issuer, &format!(", caFile: \"{ca_file}\"{more}"));
        issuers.push(issuer);
    }
    let grants: Vec<_> = cases.iter().map(|(name, ..)| (*name, *name)).collect();
    let table = Table::new(&table_of(&entries, &grants));
    let credence = Credence::serve(table.path()).start_unready();
    for ((name, _, _, expected), issuer) in cases.iter().zip(&issuers) {
        let state = eventually("the end of a fetch", || {
            let state = state(&credence, name);
            (state["keys"].as_u64().unwrap_or(0) > 0 || state["last_error"].is_string()).then_some(state)
        });
        let used = state["keys"].as_u64().unwrap_or(0) > 0;
        if let Some(expected) = expected {
            findings.expect(used == *expected, format!("{name}: used={used} {}", state["last_error"]))
        }
        if used && !name.contains("port") {
            findings.same(name, &reason(&credence, name, &token(issuer)), "ok");
        }
    }
    findings.expect(plain.all_hits() == 0, "a plain http jwks_uri of an https issuer was asked");
    findings.end();
}

#[test]
fn a_subject_that_begins_like_a_spiffe_id_must_be_one_whatever_the_profile() {
    let mut findings = Findings::default();
    let ci = Issuer::start();
    let table = Table::new(&table_of(&entry("ci", &ci, ""), &[("ci", "ci")]));
    let credence = Credence::serve(table.path()).start();
    for (sub, expected) in [
        ("spiffe://a.test/w", "grant_none"),
        ("SPIFFE://a.test/w", "claims_malformed"),
        ("Spiffe:x", "claims_malformed"),
        ("spiffe:", "claims_malformed"),
        ("spiffe://a.test/../w", "claims_malformed"),
        ("spiffe://A.test/w", "claims_malformed"),
        ("spiffe://a.test/w?x", "claims_malformed"),
        ("xspiffe://A", "grant_none"),
    ] {
        findings.same(sub, &reason(&credence, "ci", &ci.token(sub, API).mint()), expected);
    }
    findings.end();
}

#[test]
fn a_probe_of_an_iss_with_a_slash_too_much_is_a_mismatch() {
    let mut findings = Findings::default();
    let issuer = Issuer::start();
    let under = format!("{}/realms/b2b", issuer.url());
    // Served below a path: where the typed URL with and without its slash leads to one document.
    issuer.fault(
        "/realms/b2b/.well-known/openid-configuration",
        Some(Fault::Body(json!({"issuer": under, "jwks_uri": issuer.jwks_uri()}).to_string().into_bytes())),
    );
    for (typed, expected) in [(under.clone(), 0), (format!("{under}/"), 1), (format!("{}/", issuer.url()), 1)] {
        let output = crate::support::credence::run(&["issuer", "probe", &typed]);
        let code = output.status.code().unwrap();
        findings.expect(code == expected, format!("{typed}: exit {code}, expected {expected}"));
    }
    let output = crate::support::credence::run(&["issuer", "probe", "-o", "json", issuer.url()]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    findings.expect(told.is_object(), format!("-o json: {}", String::from_utf8_lossy(&output.stdout)));
    let _ = (Command::new("true"), KEPT);
    findings.end();
}
