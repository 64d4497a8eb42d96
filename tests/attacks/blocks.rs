//! Somebody who is blocked, and everything that could let them in all the same.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::support::blocks::{Blocks, document, serve};
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::key::Key;
use crate::support::small::{API, SUBJECT, call, entry, reason, table_of, token, until};
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::{eventually, now, scratch};
use crate::world::by;

/// Says whether the last change of the blocks was taken.
const TAKEN: &str = "credence_config_last_reload_successful{kind=\"blocks\"}";
/// The whole pipeline, whatever it presents.
const PIPELINE: &str = "pipeline: {issuer: ci, subject: deployer, reason: incident 4711}";

/// An issuer that may read below `/always/`, and a credence with these blocks.
struct Gate {
    ci: Issuer,
    table: Table,
    blocks: Blocks,
    credence: Credence,
}

fn gate(blocks: &[&str]) -> Gate {
    let ci = Issuer::start();
    let table = Table::new(&table_of(&entry("ci", &ci, ""), &[("always", "ci")]));
    let blocks = Blocks::new(blocks);
    let credence = serve(table.path(), blocks.path()).start();
    Gate { ci, table, blocks, credence }
}

impl Gate {
    fn token(&self) -> Token {
        self.ci.token(SUBJECT, API)
    }

    fn reason(&self, token: &Token) -> String {
        reason(&self.credence, "always", &token.mint())
    }

    fn until(&self, token: &str, expected: &str) {
        until(&self.credence, "always", token, expected);
    }
}

#[test]
fn a_token_that_was_allowed_a_moment_ago_and_is_remembered_as_verified() {
    let gate = gate(&[]);
    let token = token(&gate.ci);
    for _ in 0..3 {
        assert_eq!(reason(&gate.credence, "always", &token), "ok");
    }
    gate.blocks.replace(&[PIPELINE]);
    gate.until(&token, "blocked");
    gate.blocks.replace(&[]);
    gate.until(&token, "ok");
    assert_eq!(gate.credence.metric(TAKEN), Some(1.0));
}

#[test]
fn a_bad_table_to_hold_a_block_back() {
    let gate = gate(&[]);
    let token = token(&gate.ci);
    gate.table.replace("issuers: [nonsense");
    eventually("the bad table to be told", || {
        (gate.credence.metric("credence_config_last_reload_successful{kind=\"table\"}") == Some(0.0)).then_some(())
    });
    assert_eq!(reason(&gate.credence, "always", &token), "ok");
    gate.blocks.replace(&[PIPELINE]);
    gate.until(&token, "blocked");
    let ready = gate.credence.admin("/readyz").json();
    assert!(ready["last_reload_error"].is_string() && ready["last_blocks_error"].is_null(), "{ready}");
}

#[test]
fn a_bad_table_in_the_directory_of_the_blocks() {
    let (ci, dir) = (Issuer::start(), scratch());
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let table = table_of(&entry("ci", &ci, ""), &[("always", "ci")]);
    write("trust.yaml", &crate::support::table::document(&table));
    write("blocks.yaml", &document(&[]));
    let credence = serve(dir.path(), dir.path()).start();
    let token = token(&ci);
    assert_eq!(reason(&credence, "always", &token), "ok");
    write("trust.yaml", "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers: [nonsense\n");
    write("blocks.yaml", &document(&[PIPELINE]));
    until(&credence, "always", &token, "blocked");
}

#[test]
fn a_good_table_to_lift_a_block() {
    let gate = gate(&[PIPELINE]);
    let token = token(&gate.ci);
    assert_eq!(reason(&gate.credence, "always", &token), "blocked");
    gate.table.replace(&table_of(&entry("ci", &gate.ci, ""), &[("always", "ci"), ("another", "ci")]));
    until(&gate.credence, "another", &token, "blocked");
    eventually("the next table", || (gate.credence.admin("/readyz").json()["table"]["generation"] == 2).then_some(()));
    assert_eq!(reason(&gate.credence, "always", &token), "blocked");
}

#[test]
fn an_entry_that_is_renamed_to_slip_out_from_under_its_block() {
    let gate = gate(&[]);
    let token = token(&gate.ci);
    let exact = format!("pipeline: {{issuer: \"{}\", subject: {SUBJECT}, reason: incident}}", gate.ci.url());
    gate.blocks.replace(&[&exact]);
    gate.until(&token, "blocked");
    let renamed = table_of(&entry("renamed", &gate.ci, ""), &[("always", "renamed")]);
    gate.table.replace(&renamed);
    eventually("the renamed entry", || {
        (gate.credence.admin("/readyz").json()["issuers"][0]["name"] == "renamed").then_some(())
    });
    assert_eq!(reason(&gate.credence, "always", &token), "blocked", "an exact iss is no name");
    gate.blocks.replace(&[PIPELINE]);
    eventually("the name that is gone to be told", || {
        gate.credence.stderr().contains("no issuer of the table is \"ci\"").then_some(())
    });
}

/// Spoils the file of blocks; those before stand, and the operator is told. Then it is mended.
fn lifts_nothing(what: &str, told: &str, spoil: impl FnOnce(&Path)) {
    let gate = gate(&[PIPELINE]);
    let token = token(&gate.ci);
    assert_eq!(reason(&gate.credence, "always", &token), "blocked");
    let before = gate.credence.admin("/readyz").json()["blocks"].clone();
    spoil(&gate.blocks.path());
    eventually(&format!("{what} to be told"), || (gate.credence.metric(TAKEN) == Some(0.0)).then_some(()));
    assert_eq!(reason(&gate.credence, "always", &token), "blocked", "{what}");
    let ready = gate.credence.admin("/readyz").json();
    assert_eq!(ready["blocks"], before, "{what}");
    assert!(ready["last_blocks_error"].as_str().is_some_and(|said| said.contains(told)), "{what}: {ready}");
    assert!(gate.credence.stderr().contains("the changed blocks were not taken"), "{what}");
    assert_eq!(gate.credence.metric("credence_table_entries{kind=\"blocks\"}"), Some(1.0), "{what}");
    // A directory may stand where the file was.
    let _ = std::fs::remove_dir(gate.blocks.path());
    gate.blocks.replace(&[]);
    gate.until(&token, "ok");
    assert_eq!(gate.credence.metric(TAKEN), Some(1.0), "{what}");
    assert!(gate.credence.admin("/readyz").json()["last_blocks_error"].is_null(), "{what}");
}

fn bytes(text: &str) -> impl FnOnce(&Path) {
    let text = text.to_owned();
    move |path| std::fs::write(path, text).unwrap()
}

#[test]
fn a_file_that_vanishes() {
    lifts_nothing("a vanished file", "no such file", |path| std::fs::remove_file(path).unwrap());
}

#[test]
fn a_directory_in_the_place_of_the_file() {
    lifts_nothing("an empty directory", "CR005", |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    });
}

#[test]
fn an_empty_file() {
    lifts_nothing("an empty file", "CR00", bytes(""));
}

#[test]
fn a_file_that_is_cut_off_above_its_first_block() {
    lifts_nothing("a head", "CR002", bytes("apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\n"));
    lifts_nothing("no value", "CR002", bytes("apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:\n"));
}

#[test]
fn a_half_written_file() {
    let whole = document(&[PIPELINE, "other: {jti: x, reason: incident}"]);
    lifts_nothing("half a line", "CR005", bytes(whole.rsplit_once(", reason").unwrap().0));
}

#[test]
fn a_block_with_a_slip_beside_a_good_one() {
    lifts_nothing("a slip", "CR001", bytes(&document(&["other: {isuer: ci, reason: incident}"])));
    lifts_nothing("no condition", "CR002", bytes(&document(&["other: {reason: incident}"])));
}

#[test]
fn a_table_in_the_place_of_the_blocks() {
    lifts_nothing("a table", "CR006", bytes("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n"));
}

/// Makes `volume/..data` point to a new directory with these files, as the kubelet does.
fn swap(volume: &Path, name: &str, files: &[(&str, &[&str])]) {
    let new = volume.join(name);
    std::fs::create_dir(&new).unwrap();
    for (file, blocks) in files {
        std::fs::write(new.join(file), document(blocks)).unwrap();
        if !volume.join(file).exists() {
            symlink(Path::new("..data").join(file), volume.join(file)).unwrap();
        }
    }
    symlink(name, volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_config_map_that_loses_a_file() {
    let (ci, volume) = (Issuer::start(), scratch());
    let table = Table::new(&table_of(&entry("ci", &ci, ""), &[("always", "ci")]));
    swap(volume.path(), "..1", &[("a.yaml", &["a: {jti: elsewhere, reason: r}"]), ("b.yaml", &[])]);
    let credence = serve(table.path(), volume.path()).start();
    let token = token(&ci);
    assert_eq!(reason(&credence, "always", &token), "ok");
    swap(volume.path(), "..2", &[("a.yaml", &["a: {jti: elsewhere, reason: r}"]), ("b.yaml", &[PIPELINE])]);
    until(&credence, "always", &token, "blocked");
    swap(volume.path(), "..3", &[("a.yaml", &["a: {jti: elsewhere, reason: r}"])]);
    std::fs::remove_file(volume.path().join("b.yaml")).unwrap();
    eventually("the lost file to be told", || (credence.metric(TAKEN) == Some(0.0)).then_some(()));
    assert_eq!(reason(&credence, "always", &token), "blocked");
    let said = credence.admin("/readyz").json()["last_blocks_error"].as_str().unwrap().to_owned();
    assert!(said.contains("block \"pipeline\" would be gone with it"), "{said}");
    swap(volume.path(), "..4", &[("a.yaml", &["a: {jti: elsewhere, reason: r}"]), ("b.yaml", &[])]);
    until(&credence, "always", &token, "ok");
}

/// A directory with these blocks in `a.yaml` and `b.yaml`, served.
fn two_files(ci: &Issuer, a: &[&str], b: &[&str]) -> (tempfile::TempDir, Table, Credence) {
    let (dir, table) = (scratch(), Table::new(&table_of(&entry("ci", ci, ""), &[("always", "ci")])));
    std::fs::write(dir.path().join("a.yaml"), document(a)).unwrap();
    std::fs::write(dir.path().join("b.yaml"), document(b)).unwrap();
    let credence = serve(table.path(), dir.path()).start();
    (dir, table, credence)
}

fn said(credence: &Credence) -> String {
    credence.admin("/readyz").json()["last_blocks_error"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_colleagues_slip_in_another_file_to_hold_a_block_back() {
    let ci = Issuer::start();
    let (dir, _table, credence) = two_files(&ci, &[], &["old: {issuer: ci, jti: stolen, reason: r}"]);
    let (token, stolen) = (token(&ci), ci.token(SUBJECT, API).claim("jti", "stolen").mint());
    assert_eq!(
        (reason(&credence, "always", &token), reason(&credence, "always", &stolen)),
        ("ok".into(), "blocked".into())
    );
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("b.yaml", &document(&["old: {isuer: ci, jti: stolen, reason: r}"]));
    eventually("the slip to be told", || (credence.metric(TAKEN) == Some(0.0)).then_some(()));
    write("a.yaml", &document(&[PIPELINE]));
    until(&credence, "always", &token, "blocked");
    eventually("what was added", || said(&credence).contains("added all the same: pipeline").then_some(()));
    assert_eq!((reason(&credence, "always", &stolen), credence.metric(TAKEN)), ("blocked".into(), Some(0.0)));
    // What is not wrong any more lifts what it does not have.
    write("a.yaml", &document(&[]));
    write("b.yaml", &document(&[]));
    until(&credence, "always", &token, "ok");
    assert_eq!((reason(&credence, "always", &stolen), said(&credence)), ("ok".into(), String::new()));
}

#[test]
fn a_file_that_vanishes_as_another_one_with_a_new_block_comes() {
    let ci = Issuer::start();
    let (dir, _table, credence) = two_files(&ci, &["old: {issuer: ci, jti: stolen, reason: r}"], &[]);
    let (token, stolen) = (token(&ci), ci.token(SUBJECT, API).claim("jti", "stolen").mint());
    assert_eq!(reason(&credence, "always", &token), "ok");
    std::fs::remove_file(dir.path().join("a.yaml")).unwrap();
    std::fs::write(dir.path().join("b.yaml"), document(&[PIPELINE])).unwrap();
    until(&credence, "always", &token, "blocked");
    eventually("the lost file to be told", || said(&credence).contains("would be gone with it").then_some(()));
    assert_eq!(reason(&credence, "always", &stolen), "blocked");
}

#[test]
fn a_changed_block_in_a_good_file_narrows_nothing_while_another_file_is_bad() {
    let ci = Issuer::start();
    let (dir, _table, credence) = two_files(&ci, &[PIPELINE], &[]);
    let token = token(&ci);
    assert_eq!(reason(&credence, "always", &token), "blocked");
    std::fs::write(dir.path().join("b.yaml"), document(&["slip: {isuer: x, reason: r}"])).unwrap();
    std::fs::write(dir.path().join("a.yaml"), document(&["pipeline: {issuer: ci, jti: other, reason: r}"])).unwrap();
    eventually("the bad file to be told", || (credence.metric(TAKEN) == Some(0.0)).then_some(()));
    std::fs::write(dir.path().join("c.yaml"), document(&["more: {jti: other, reason: r}"])).unwrap();
    eventually("another one", || said(&credence).contains("added all the same: more").then_some(()));
    assert_eq!(reason(&credence, "always", &token), "blocked");
}

#[test]
fn a_blocked_agent_who_acts_for_somebody_who_is_not() {
    let ci = Issuer::start();
    let table = Table::new(&format!(
        "issuers:\n{}resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n  \
         always: {{issuer: ci, resource: api, subject: {SUBJECT}, actor: {{subject: [agent, relay], maxDepth: 3}}, \
         methods: [GET], paths: [/always/**]}}\n",
        entry("ci", &ci, "")
    ));
    let blocks = Blocks::new(&["agent: {issuer: ci, subject: agent, reason: incident}"]);
    let credence = serve(table.path(), blocks.path()).start();
    let ask = |act| reason(&credence, "always", &ci.token(SUBJECT, API).claim("act", act).mint());
    assert_eq!(ask(json!({"sub": "relay"})), "ok");
    assert_eq!(ask(json!({"sub": "agent"})), "blocked");
    assert_eq!(ask(json!({"sub": "relay", "act": {"sub": "agent"}})), "blocked", "deeper in the chain");
    assert_eq!(ask(json!({"sub": "relay", "act": {"sub": "x", "act": {"sub": "agent"}}})), "blocked");
    assert_eq!(ask(json!({"sub": "relay", "act": {"sub": "agent", "iss": "https://elsewhere.test"}})), "blocked");
}

#[test]
fn a_blocked_workload_that_acts_by_the_word_of_another_issuer() {
    let ci = Issuer::start();
    let workload = "spiffe://prod.acme.test/agent";
    let mut key = Key::generate("svid", "ES256").bare_jwk();
    key["use"] = json!("jwt-svid");
    key["kid"] = json!("svid");
    let bundle = json!({"keys": [key]});
    let table = Table::new(&format!(
        "issuers:\n{}  mesh: {{profile: spiffe, with: {{trustDomain: prod.acme.test}}, jwks: {bundle}, \
         owner: a, reviewBy: 2099-01-01}}\nresources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n  \
         always: {{issuer: ci, resource: api, subject: {SUBJECT}, actor: {{subject: [\"{workload}\", relay], maxDepth: 3}}, \
         methods: [GET], paths: [/always/**]}}\n",
        entry("ci", &ci, ""),
    ));
    for issuer in ["mesh", "spiffe://prod.acme.test"] {
        let blocks = Blocks::new(&[]);
        let credence = serve(table.path(), blocks.path()).start();
        let ask = |act| reason(&credence, "always", &ci.token(SUBJECT, API).claim("act", act).mint());
        assert_eq!(ask(json!({"sub": workload})), "ok");
        blocks.replace(&[&format!("agent: {{issuer: \"{issuer}\", subject: \"{workload}\", reason: incident}}")]);
        until(&credence, "always", &ci.token(SUBJECT, API).claim("act", json!({"sub": workload})).mint(), "blocked");
        let named = json!({"sub": "relay", "act": {"sub": workload, "iss": "spiffe://prod.acme.test"}});
        assert_eq!(ask(named), "blocked", "{issuer}: deeper, and with its issuer");
        assert_eq!(ask(json!({"sub": "relay"})), "ok", "{issuer}");
    }
}

#[test]
fn the_same_subject_at_another_issuer_is_somebody_else() {
    let (ci, other) = (Issuer::start(), Issuer::start());
    let entries = format!("{}{}", entry("ci", &ci, ""), entry("other", &other, ""));
    let table = Table::new(&table_of(&entries, &[("always", "ci"), ("elsewhere", "other")]));
    let blocks = Blocks::new(&[PIPELINE]);
    let credence = serve(table.path(), blocks.path()).start();
    assert_eq!(reason(&credence, "always", &token(&ci)), "blocked");
    assert_eq!(reason(&credence, "elsewhere", &token(&other)), "ok");
}

#[test]
fn an_old_token_and_one_that_does_not_say_how_old_it_is() {
    let gate = gate(&["old: {issuer: ci, issuedBefore: \"2021-01-01T00:00:00Z\", reason: incident}"]);
    assert_eq!(gate.reason(&gate.token()), "ok");
    assert_eq!(gate.reason(&gate.token().without("iat")), "blocked");
    let since = credence::clock::Time::from_seconds(now() as f64 - 30.0);
    let block = format!("old: {{issuer: ci, issuedBefore: \"{since}\", reason: incident}}");
    gate.blocks.replace(&[&block]);
    gate.until(&gate.token().claim("iat", now() - 60).mint(), "blocked");
    assert_eq!(gate.reason(&gate.token().claim("iat", now() - 10)), "ok");
}

#[test]
fn a_key_that_leaked_beside_one_that_did_not() {
    let gate = gate(&[]);
    let leaked = gate.ci.key();
    let fresh = Arc::new(Key::generate("fresh", "ES256"));
    gate.ci.publish(&[Arc::clone(&leaked), Arc::clone(&fresh)]);
    let (old, new) = (gate.token(), by(gate.token(), &fresh));
    eventually("the fresh key", || (gate.reason(&new) == "ok").then_some(()));
    for key in [leaked.thumbprint(), leaked.kid.clone()] {
        let block = format!("leaked: {{issuer: ci, key: \"{key}\", reason: incident}}");
        gate.blocks.replace(&[&block]);
        gate.until(&old.mint(), "blocked");
        assert_eq!(gate.reason(&new), "ok", "{key}");
        let elsewise = new.clone().header("kid", leaked.kid.as_str());
        assert_eq!(gate.reason(&elsewise), "signature_invalid", "what it says of its key has no say");
        gate.blocks.replace(&[]);
        gate.until(&old.mint(), "ok");
    }
}

#[test]
fn a_forger_who_would_be_blocked_learns_nothing_of_it() {
    let gate = gate(&[PIPELINE]);
    let forged = gate.token().signed_by(&Arc::new(Key::generate("forged", "ES256")));
    assert_eq!(gate.reason(&forged), "signature_invalid");
}

#[test]
fn one_token_is_blocked_and_the_next_is_not() {
    let stolen = "stolen: {issuer: ci, jti: run-4711, reason: incident}";
    let gate = gate(&[stolen]);
    assert_eq!(gate.reason(&gate.token().claim("jti", "run-4711")), "blocked");
    for other in ["run-4712", "RUN-4711", "run-4711 ", "run-471"] {
        assert_eq!(gate.reason(&gate.token().claim("jti", other)), "ok", "{other}");
    }
    assert_eq!(gate.reason(&gate.token().without("jti")), "ok");
}

#[test]
fn a_shadow_grant_beside_the_block() {
    let ci = Issuer::start();
    let table = Table::new(&format!(
        "issuers:\n{}resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n  \
         always: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/always/**]}}\n  \
         shadow: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/shadow/**], mode: shadow}}\n",
        entry("ci", &ci, "")
    ));
    let blocks = Blocks::new(&[PIPELINE]);
    let credence = serve(table.path(), blocks.path()).start();
    for path in ["always", "shadow"] {
        let answer = credence.check(&call(path, &token(&ci)));
        assert_eq!(answer.reason(), "blocked", "{path}");
        assert!(credence.decision(&answer.decision_id())["shadow"].is_null(), "{path}: nothing would have allowed it");
    }
}

#[test]
fn a_token_with_a_wrong_pin_is_told_that_it_is_blocked() {
    let ci = Issuer::start();
    let table = Table::new(&table_of(&entry("ci", &ci, ", pin: {claims: {tenant: acme}}"), &[("always", "ci")]));
    let blocks = Blocks::new(&[PIPELINE]);
    let credence = serve(table.path(), blocks.path()).start();
    assert_eq!(reason(&credence, "always", &token(&ci)), "blocked", "before the pins are looked at");
    blocks.replace(&[]);
    until(&credence, "always", &token(&ci), "pin_mismatch");
}

#[test]
fn the_name_of_the_block_is_in_the_log_and_nowhere_else() {
    let ci = Issuer::start();
    let table = Table::new(&table_of(&entry("ci", &ci, ""), &[("always", "ci")]));
    let blocks = Blocks::new(&["secret-name: {issuer: ci, reason: secret-reason}"]);
    let credence = serve(table.path(), blocks.path()).arg("--deny-detail").arg("reason").start();
    let answer = credence.check(&call("always", &token(&ci)));
    assert_eq!((answer.status(), answer.reason().as_str()), (401, "blocked"));
    let told = format!("{:?} {} {}", answer.headers(), answer.body(), answer.metadata());
    assert!(!told.contains("secret"), "{told}");
    assert!(answer.body().contains("blocked"), "{}", answer.body());
    let line = credence.decision(&answer.decision_id());
    assert_eq!((&line["block"], &line["verified"]["sub"]), (&json!("secret-name"), &json!(SUBJECT)));
    assert!(!line.to_string().contains("secret-reason"), "{line}");
}

#[test]
fn a_block_ends_by_itself_when_it_says_so_and_not_before() {
    let ends = credence::clock::Time::from_seconds(now() as f64 + 3.0);
    let gate = gate(&[&format!("short: {{issuer: ci, expires: \"{ends}\", reason: incident}}")]);
    let token = token(&gate.ci);
    let answer = until(&gate.credence, "always", &token, "ok");
    let line = gate.credence.decision(&answer.decision_id());
    let decided = credence::clock::Time::from_rfc3339(line["ts"].as_str().unwrap()).unwrap();
    assert!(decided >= ends, "{decided} {ends}");
    assert_eq!(gate.credence.admin("/readyz").json()["blocks"]["generation"], 1, "nobody touched the file");
}
