//! `diff`: what another table would change, by meaning.

use serde_json::Value;

use crate::questions::TABLE;
use crate::support::table::Table;
use crate::world::{Ended, run};

/// Compares the table with another; the paths of both files are told as `OLD` and `NEW`.
fn diff(new: &str, more: &[&str]) -> Ended {
    let (old, new) = (Table::new(TABLE), Table::new(new));
    let (from, to) = (old.path().display().to_string(), new.path().display().to_string());
    let mut ended = run(&[&["diff", "--at", "2026-11-21T12:00:00Z"], more, &[&from, &to]].concat());
    ended.out = ended.out.replace(&from, "OLD").replace(&to, "NEW");
    ended
}

#[test]
fn what_widens_comes_first_and_fails_where_it_was_asked_for() {
    let new = TABLE
        .replace(
            "methods: [GET], paths: [/v1/**], scopes: [pull]",
            "methods: [GET, PUT], paths: [/v1/**], scopes: [pull]",
        )
        .replace(", mode: shadow", "")
        .replace("  pushes:", "  uploads:")
        .replace("org: acme", "org: [acme, globex]")
        .replace("expires: 2026-12-31", "expires: 2026-11-30");
    let ended = diff(&new, &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.out,
        "widened  issuer partner `pin.claims` lets more through  [NEW:5:3]
         pin.claims: org: \"acme\" -> org: one of \"acme\", \"globex\"
widened  grant reads allows what was not allowed  [NEW:13:3]
         methods: GET -> GET PUT
widened  grant watched allows what was not allowed  [NEW:14:3]
         mode: - shadow
narrowed issuer partner `expires` lets less through  [NEW:5:3]
         expires: 2026-12-31 -> 2026-11-30
changed  grant uploads is the new name of grant pushes  [NEW:12:3]
3 widened, 1 narrowed, 1 changed
"
    );
    assert_eq!(diff(&new, &["--fail-on", "widened"]).code, 1);
    let told: Value = serde_json::from_str(&diff(&new, &["-o", "json"]).out).unwrap();
    assert_eq!(told["changes"][1]["details"][0]["new"], "GET PUT");
    let markdown = diff(&new, &["-o", "markdown"]).out;
    assert!(markdown.contains("| **widened** | grant reads |"), "{markdown}");
}

#[test]
fn a_narrower_table_widens_nothing() {
    let new = TABLE.replace("paths: [/v1/**], scopes: [push]", "paths: [/v1/x/**], scopes: [push]");
    let ended = diff(&new, &["--fail-on", "widened"]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(ended.out.starts_with("narrowed grant pushes no longer allows all that it did"), "{}", ended.out);
    assert_eq!(diff(&new, &["--fail-on", "changed"]).code, 1);
}

#[test]
fn the_same_meaning_is_no_difference() {
    let new = TABLE.replace(
        "methods: [PUT], paths: [/v1/**], scopes: [push]",
        "scopes: [push], paths: [/v1/**, /v1/a], methods: [PUT]",
    );
    let ended = diff(&new, &["--fail-on", "changed"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "no difference in meaning\n"), "{}", ended.err);
}

#[test]
fn a_removed_resource_that_uncovers_a_wider_one_is_a_widening() {
    let deep = TABLE.replace(
        "grants:\n",
        "  vault: {audience: https://vault.acme.test, hosts: [registry.acme.test], paths: [/v1/vault/**]}\ngrants:\n",
    );
    let (old, new) = (Table::new(&deep), Table::new(TABLE));
    let (from, to) = (old.path().display().to_string(), new.path().display().to_string());
    let ended = run(&["diff", "--fail-on", "widened", &from, &to]);
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.out.contains("reaches: + registry.acme.test/v1/vault/**"), "{}", ended.out);
}

#[test]
fn a_table_that_does_not_load_is_told_and_compares_to_nothing() {
    let ended = diff("issuers: {}\n", &[]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("does not load"), "{}", ended.err);
}

#[test]
fn a_host_struck_out_of_jwks_hosts_narrows_and_one_written_in_widens() {
    let with = |hosts: &str| {
        TABLE.replace(
            "issuer: https://build.acme.test,",
            &format!("issuer: https://build.acme.test, jwksHosts: [{hosts}],"),
        )
    };
    let compare = |old: &str, new: &str| {
        let (old, new) = (Table::new(&with(old)), Table::new(&with(new)));
        run(&["diff", &old.path().display().to_string(), &new.path().display().to_string()]).out
    };
    let out = compare("k.acme.test, l.acme.test", "k.acme.test");
    assert!(out.starts_with("narrowed issuer build `jwksHosts` lets less through"), "{out}");
    for (old, new) in [("k.acme.test", "k.acme.test, l.acme.test"), ("k.acme.test, l.acme.test", "m.acme.test")] {
        let out = compare(old, new);
        assert!(out.starts_with("widened  issuer build `jwksHosts` lets more through"), "{out}");
    }
    let moved = with("k.acme.test")
        .replace("https://build.acme.test,", "https://build.acme.test, discoveryUrl: https://other.acme.test/d,");
    let (old, new) = (Table::new(&with("k.acme.test, l.acme.test")), Table::new(&moved));
    let out = run(&["diff", &old.path().display().to_string(), &new.path().display().to_string()]).out;
    assert!(out.starts_with("widened  issuer build `the source of its keys`"), "{out}");
}
