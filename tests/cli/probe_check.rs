//! `check --probe`: the keys of every issuer of a table, and no credential unless asked.

use std::sync::Arc;

use crate::support::issuer::{DISCOVERY, Fault, Issuer, JWKS};
use crate::support::key::Key;
use crate::support::scratch;
use crate::support::table::Table;
use crate::world::run;

/// Grants and resources do not matter to keys.
fn table(issuers: &[(&str, &str)]) -> Table {
    let entries: String = issuers
        .iter()
        .map(|(name, fields)| format!("  {name}: {{{fields}, owner: a, reviewBy: 2099-01-01}}\n"))
        .collect();
    Table::new(&format!(
        "issuers:\n{entries}resources:\n  api: {{audience: https://api.acme.test, hosts: [api.acme.test]}}\n"
    ))
}

#[test]
fn check_fetches_only_when_asked_and_tells_each_issuer() {
    let (good, bad) = (Issuer::start(), Issuer::start());
    bad.fault(DISCOVERY, Some(Fault::Status(500)));
    let fields = |issuer: &Issuer| format!("issuer: \"{}\"", issuer.url());
    let table = table(&[("good", &fields(&good)), ("bad", &fields(&bad))]);
    let path = table.path().display().to_string();
    let ended = run(&["check", &path]);
    assert_eq!((ended.code, good.all_hits(), bad.all_hits()), (0, 0, 0), "{}", ended.all());
    let ended = run(&["check", "--probe", &path]);
    assert_eq!((ended.code, good.hits(JWKS), bad.all_hits()), (1, 1, 1), "{}", ended.all());
    assert!(ended.out.contains(&format!("issuer good ({}): ok: 1 keys, ES256", good.url())), "{}", ended.out);
    assert!(ended.out.contains("issuer bad (") && ended.out.contains("FAILED: ") && ended.out.contains("answered 500"));
    bad.fault(DISCOVERY, None);
    assert_eq!(run(&["check", "--probe", &path]).code, 0);
    let ended = run(&["check", "--with-credentials", &path]);
    assert!(ended.code == 2 && ended.err.contains("--probe"), "{}", ended.all());
}

#[test]
fn check_sends_no_credential_unless_asked() {
    let (issuer, dir) = (Issuer::start(), scratch());
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret-token\n").unwrap();
    let fields = format!("issuer: \"{}\", bearerTokenFile: \"{}\"", issuer.url(), token.display());
    let table = table(&[("closed", &fields)]);
    let (path, dir) = (table.path().display().to_string(), dir.path().display().to_string());
    let ended = run(&["check", "--probe", "--secrets-dir", &dir, &path]);
    assert_eq!((ended.code, issuer.all_hits()), (0, 0), "{}", ended.all());
    assert!(ended.out.contains("issuer closed (") && ended.out.contains("skipped: it needs bearerTokenFile"));
    let ended = run(&["check", "--probe", "--with-credentials", "--secrets-dir", &dir, &path]);
    assert_eq!((ended.code, issuer.credentials().len()), (0, 2), "{}", ended.all());
    assert!(!ended.all().contains("s3cret-token"), "{}", ended.all());
}

#[test]
fn a_name_of_two_keys_and_an_algorithm_that_is_not_allowed_fail() {
    let issuer = Issuer::start();
    let table = |more: &str| table(&[("one", &format!("issuer: \"{}\"{more}", issuer.url()))]);
    let check = |more: &str| run(&["check", "--probe", &table(more).path().display().to_string()]);
    let ended = check(", signingAlgs: [RS256, PS256]");
    assert!(
        ended.code == 1 && ended.out.contains("keys are for ES256, and signingAlgs allow RS256 PS256"),
        "{}",
        ended.all()
    );

    let key = |kid: &str| Arc::new(Key::generate(kid, "ES256"));
    issuer.publish(&[key("same"), key("same"), key("other")]);
    let ended = check("");
    assert_eq!(ended.code, 1, "{}", ended.all());
    for word in ["FAILED: two keys are named \"same\"", "1 other keys can be used"] {
        assert!(ended.out.contains(word), "no {word} in {}", ended.out);
    }
}
