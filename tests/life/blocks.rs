//! Blocks in the life of the program: at the start, on SIGHUP, and as the operator sees them.

use crate::support::blocks::{Blocks, serve};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{ends, in_force, reason, table, token, until};

fn does_not_start(blocks: &str) -> String {
    let ci = Issuer::start();
    let table = Table::new(&table(&ci, &["always"]));
    let trust = table.path().display().to_string();
    let at = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let (code, said) = ends(&[&["serve", "--trust", &trust, "--blocks", blocks], at.as_slice()].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("listening grpc="), "{said}");
    assert!(said.contains("not started: the blocks do not load"), "{said}");
    said
}

#[test]
fn nothing_starts_without_the_blocks_that_were_named() {
    let missing = does_not_start("/nowhere/blocks.yaml");
    assert!(missing.contains("no such file or directory"), "{missing}");
    let slip = Blocks::new(&["a: {issuer: ci}"]);
    let said = does_not_start(&slip.path().display().to_string());
    assert!(said.contains("block \"a\" has no `reason`"), "{said}");
}

#[test]
fn the_operator_sees_which_blocks_are_in_force_and_the_digest_of_the_table_stays() {
    let ci = Issuer::start();
    let (table, blocks) = (Table::new(&table(&ci, &["always"])), Blocks::new(&[]));
    let credence = serve(table.path(), blocks.path()).start();
    let (before, token) = (in_force(&credence), token(&ci));
    let state = || credence.admin("/readyz").json()["blocks"].clone();
    let first = state();
    assert_eq!((&first["generation"], &first["entries"]), (&1.into(), &0.into()));
    blocks.replace(&["a: {issuer: ci, reason: incident}"]);
    until(&credence, "always", &token, "blocked");
    let second = state();
    assert_eq!((&second["generation"], &second["entries"]), (&2.into(), &1.into()));
    assert_ne!(first["sha256"], second["sha256"]);
    assert_eq!(in_force(&credence), before);
    assert_eq!(credence.metric(&format!("credence_config_info{{sha256=\"{}\"}}", before.1)), Some(1.0));
    assert_eq!(credence.metric("credence_table_entries{kind=\"blocks\"}"), Some(1.0));
    let decisions = "credence_decisions_total{decision=\"deny\",reason=\"blocked\",issuer=\"ci\"}";
    assert!(credence.metric(decisions).is_some_and(|count| count > 0.0));
}

#[test]
fn without_blocks_there_is_nothing_to_see_of_them() {
    let ci = Issuer::start();
    let table = Table::new(&table(&ci, &["always"]));
    let credence = crate::support::credence::Credence::serve(table.path()).start();
    assert!(credence.admin("/readyz").json()["blocks"].is_null());
    assert_eq!(credence.metric("credence_config_last_reload_successful{kind=\"blocks\"}"), None);
    assert_eq!(reason(&credence, "always", &token(&ci)), "ok");
}

#[test]
fn sighup_reads_the_blocks_again_even_what_did_not_change() {
    let ci = Issuer::start();
    let (table, blocks) = (Table::new(&table(&ci, &["always"])), Blocks::new(&[]));
    let credence = serve(table.path(), blocks.path()).start();
    credence.signal("HUP");
    eventually("the next generation", || (credence.admin("/readyz").json()["blocks"]["generation"] == 2).then_some(()));
}
