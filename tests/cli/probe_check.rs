//! `check --probe`: the keys of every issuer of a table, and no credential unless asked.

use crate::support::issuer::{DISCOVERY, Fault, Issuer, JWKS};
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
