//! A changed table is in force within a second, however it was changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::{Table, document};
use crate::support::{eventually, scratch};
use crate::world::{RELOADED, decided_by, entry, in_force, reason, table, table_of, token, until};

/// A credence whose table has the grants `always` and `sometimes`, and a token for them.
fn wide(ci: &Issuer) -> (Table, Credence, String) {
    let file = Table::new(&table(ci, &["always", "sometimes"]));
    let credence = Credence::serve(file.path()).start();
    (file, credence, token(ci))
}

/// Waits until `sometimes` has this verdict, tells how long that took, and checks that the digest moved with it.
fn moves(what: &str, credence: &Credence, token: &str, expected: &str, change: impl FnOnce()) {
    let (generation, sha256) = in_force(credence);
    let since = Instant::now();
    change();
    let answer = until(credence, "sometimes", token, expected);
    eprintln!("{what}: {expected} after {:?}", since.elapsed());
    let (new_generation, new_sha256) = decided_by(&answer);
    assert!(new_generation > generation, "{what}: generation {generation} → {new_generation}");
    assert_ne!(new_sha256, sha256, "{what}");
    assert_eq!(in_force(credence), (new_generation, new_sha256), "{what}");
    assert_eq!(credence.metric(RELOADED), Some(1.0), "{what}");
    assert_eq!(reason(credence, "always", token), "ok", "{what}");
}

#[test]
fn a_grant_taken_away_is_refused_and_one_given_back_is_allowed() {
    let ci = Issuer::start();
    let (file, credence, token) = wide(&ci);
    let (narrow, wide) = (table(&ci, &["always"]), table(&ci, &["always", "sometimes"]));
    assert_eq!(in_force(&credence).0, 1);
    moves("an edit in place", &credence, &token, "grant_none", || file.edit_in_place(&narrow));
    moves("an edit in place", &credence, &token, "ok", || file.edit_in_place(&wide));
    moves("a rename", &credence, &token, "grant_none", || file.replace(&narrow));
    moves("a rename", &credence, &token, "ok", || file.replace(&wide));
    let hup = |text: &str| {
        file.replace(text);
        credence.signal("HUP");
    };
    moves("SIGHUP", &credence, &token, "grant_none", || hup(&narrow));
    moves("SIGHUP", &credence, &token, "ok", || hup(&wide));
    let away = file.dir().join("away.yaml");
    moves("another file moved there after a gap", &credence, &token, "grant_none", || {
        fs::write(&away, document(&narrow)).unwrap();
        fs::remove_file(file.path()).unwrap();
        fs::rename(&away, file.path()).unwrap();
    });
    assert_eq!(ci.hits(crate::support::issuer::JWKS), 1, "no reload fetches keys that are there");
}

#[test]
fn the_digest_is_of_the_meaning_and_comes_back_with_it() {
    let ci = Issuer::start();
    let (file, credence, token) = wide(&ci);
    let (_, before) = in_force(&credence);
    file.replace(&format!("# only a remark\n{}", table(&ci, &["sometimes", "always"])));
    credence.signal("HUP");
    eventually("the next generation", || (in_force(&credence).0 > 1).then_some(()));
    assert_eq!(in_force(&credence).1, before, "order and remarks mean nothing");
    moves("a grant less", &credence, &token, "grant_none", || file.replace(&table(&ci, &["always"])));
    file.replace(&table(&ci, &["always", "sometimes"]));
    assert_eq!(decided_by(&until(&credence, "sometimes", &token, "ok")).1, before);
}

#[test]
fn sighup_reads_again_even_what_did_not_change() {
    let ci = Issuer::start();
    let (_file, credence, token) = wide(&ci);
    let (generation, sha256) = in_force(&credence);
    credence.signal("HUP");
    eventually("the next generation", || (in_force(&credence).0 > generation).then_some(()));
    assert_eq!(in_force(&credence).1, sha256);
    assert_eq!(reason(&credence, "sometimes", &token), "ok");
}

/// Makes `volume/..data` point to a new directory with this table, as the kubelet does, and removes the old one.
fn swap(volume: &Path, name: &str, yaml: &str) {
    let old = fs::read_link(volume.join("..data")).ok();
    let new = volume.join(name);
    fs::create_dir(&new).unwrap();
    fs::write(new.join("trust.yaml"), document(yaml)).unwrap();
    symlink(name, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}

/// A mounted ConfigMap, named as a file or as its directory.
fn config_map(as_directory: bool) {
    let ci = Issuer::start();
    let (narrow, wide) = (table(&ci, &["always"]), table(&ci, &["always", "sometimes"]));
    let scratch = scratch();
    let volume = scratch.path();
    swap(volume, "..2026_11_21_12_00_00.1", &wide);
    symlink("..data/trust.yaml", volume.join("trust.yaml")).unwrap();
    let trust = if as_directory { volume.to_owned() } else { volume.join("trust.yaml") };
    let (credence, token) = (Credence::serve(trust).start(), token(&ci));
    assert_eq!(reason(&credence, "sometimes", &token), "ok");
    let taken = "a ConfigMap's swap";
    moves(taken, &credence, &token, "grant_none", || swap(volume, "..2026_11_21_12_01_00.2", &narrow));
    moves(taken, &credence, &token, "ok", || swap(volume, "..2026_11_21_12_02_00.3", &wide));
    moves(taken, &credence, &token, "grant_none", || swap(volume, "..2026_11_21_12_03_00.4", &narrow));
}

#[test]
fn a_config_map_is_swapped_again_and_again_under_a_file() {
    config_map(false);
}

#[test]
fn a_config_map_is_swapped_again_and_again_as_a_directory() {
    config_map(true);
}

#[test]
fn in_a_directory_a_file_more_adds_and_a_file_less_takes_away_and_none_changes_nothing() {
    let ci = Issuer::start();
    let scratch = scratch();
    let dir = scratch.path().join("trust.d");
    fs::create_dir(&dir).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.join(name), document(text)).unwrap();
    let grant = |name: &str| {
        let whole = table_of(&entry("ci", &ci, ""), &[(name, "ci")]);
        format!("grants:{}", whole.split_once("grants:").unwrap().1)
    };
    write("10-base.yaml", &table(&ci, &["always"]));
    // None of these is part of the table.
    write(".hidden.yaml", &grant("hidden"));
    write("notes.txt", &grant("noted"));
    fs::create_dir(dir.join("below")).unwrap();
    write("below/more.yaml", &grant("below"));
    let (credence, token) = (Credence::serve(&dir).start(), token(&ci));
    for nothing in ["hidden", "noted", "below", "sometimes"] {
        assert_eq!(reason(&credence, nothing, &token), "grant_none", "{nothing}");
    }
    moves("a file more", &credence, &token, "ok", || write("20-more.yml", &grant("sometimes")));
    moves("a file less", &credence, &token, "grant_none", || fs::remove_file(dir.join("20-more.yml")).unwrap());
    moves("a file more", &credence, &token, "ok", || write("30-again.yaml", &grant("sometimes")));

    // A name twice spoils the reload, not the service.
    write("40-twice.yaml", &grant("sometimes"));
    eventually("the double name to be told", || (credence.metric(RELOADED) == Some(0.0)).then_some(()));
    let error = credence.admin("/readyz").json()["last_reload_error"].as_str().unwrap().to_owned();
    assert!(error.contains("CR004") && error.contains("40-twice.yaml"), "{error}");
    fs::remove_file(dir.join("40-twice.yaml")).unwrap();
    eventually("the good directory to be taken", || (credence.metric(RELOADED) == Some(1.0)).then_some(()));

    // Without a single file there is no table: the last good one stays.
    for name in ["10-base.yaml", "30-again.yaml"] {
        fs::rename(dir.join(name), scratch.path().join(name)).unwrap();
    }
    eventually("the empty directory to be told", || {
        let error = credence.admin("/readyz").json()["last_reload_error"].as_str()?.to_owned();
        error.contains("no *.yaml").then_some(())
    });
    assert_eq!(reason(&credence, "always", &token), "ok");
    // The directory itself goes and comes back.
    fs::remove_dir_all(&dir).unwrap();
    eventually("the vanished directory to be told", || {
        let error = credence.admin("/readyz").json()["last_reload_error"].as_str()?.to_owned();
        error.contains("no such file or directory").then_some(())
    });
    assert_eq!(reason(&credence, "always", &token), "ok");
    moves("the directory comes back", &credence, &token, "grant_none", || {
        fs::create_dir(&dir).unwrap();
        write("10-base.yaml", &table(&ci, &["always"]));
    });
}

#[test]
fn a_server_that_is_killed_while_tables_change_starts_again_cleanly() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let dir = scratch();
    let socket = dir.path().join("authz.sock");
    for round in 0..3 {
        let mut killed = Credence::serve(file.path()).listen_on(&socket).start();
        for n in 0..5 {
            file.replace(&table(&ci, &["own", &format!("more-{round}-{n}")]));
        }
        killed.signal("KILL");
        assert_ne!(killed.process().wait().code(), Some(0));
    }
    let credence = Credence::serve(file.path()).listen_on(&socket).start();
    for grant in ["own", "more-2-4"] {
        assert_eq!(reason(&credence, grant, &token(&ci)), "ok");
    }
}
