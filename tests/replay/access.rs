//! How a store is reached: passwords, TLS, sentinels.

use crate::support::credence::run;
use crate::support::issuer::Ca;
use crate::support::redis::{Redis, Sentinel, free_port};
use crate::support::tls::replace;
use crate::support::{eventually, root, scratch};
use crate::world::{World, is_up, logged, reason, settled, told};

#[test]
fn a_wrong_password_closes_and_the_file_corrected_opens_and_neither_is_ever_told() {
    let world = World::of(Redis::with_password("right-horse"));
    let dir = scratch();
    let file = dir.path().join("password");
    replace(&file, "wrong-horse\n");
    let path = file.display().to_string();
    let credence = world.serve_at(&world.redis.url()).arg("--replay-password-file").arg(&path).start();
    eventually("the trouble", || told(&credence, "trouble").contains("--replay-password-file").then_some(()));
    assert_eq!(reason(&credence, "once", &world.token()), "replay_unavailable");
    replace(&file, "right-horse\n");
    settled(&credence);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
    assert_eq!(logged(&credence, "horse"), 0, "{}", credence.stderr());

    let without = world.serve_at(&world.redis.url()).start();
    eventually("the trouble", || told(&without, "trouble").contains("asks for a password").then_some(()));
}

#[test]
fn a_password_in_the_address_is_refused_and_not_repeated() {
    let output = run(&["serve", "--trust", "x.yaml", "--replay-store", "redis://:hunter2@127.0.0.1"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("--replay-password-file") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn files_that_cannot_be_used_stop_the_start() {
    let world = World::new();
    let table = world.path();
    for flag in ["--replay-password-file", "--replay-ca-file"] {
        let scheme = if flag == "--replay-ca-file" { "rediss" } else { "redis" };
        let store = format!("{scheme}://127.0.0.1:{}", world.redis.port());
        let args = ["serve", "--trust", &table, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let output = run(&[&args[..], &["--replay-store", &store, flag, "/nowhere/file"]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(flag) && stderr.contains("/nowhere/file"), "{stderr}");
    }
}

#[test]
fn tls_believes_its_own_authority_and_no_other() {
    let (ca, other, dir) = (Ca::new(), Ca::new(), scratch());
    let (certificate, key) = ca.issue(&["localhost"]).write(dir.path(), "server");
    let (shown, shown_key) = ca.issue(&["credence"]).write(dir.path(), "client");
    let (own, wrong) = (dir.path().join("own"), dir.path().join("wrong"));
    for (directory, ca) in [(&own, &ca), (&wrong, &other)] {
        std::fs::create_dir(directory).unwrap();
        ca.write(directory);
    }
    let (own, wrong) = (ca.write(&own), other.write(&wrong));
    let port = free_port().to_string();
    let world = World::of(Redis::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &own,
        "--tls-auth-clients",
        "yes",
    ]));
    let serve =
        |ca: &str, host: &str| world.serve_at(&format!("rediss://{host}:{port}")).arg("--replay-ca-file").arg(ca);
    let shows = |ca: &str, host: &str| {
        let serve = serve(ca, host).arg("--replay-client-cert").arg(&shown);
        serve.arg("--replay-client-key").arg(&shown_key).start()
    };
    let good = shows(&own, "localhost");
    settled(&good);
    assert_eq!(reason(&good, "once", &world.token()), "ok");
    for (credence, why) in [
        (shows(&wrong, "localhost"), "another authority"),
        (shows(&own, "127.0.0.1"), "another name"),
        (serve(&own, "localhost").start(), "no certificate shown"),
    ] {
        eventually(why, || (!told(&credence, "trouble").is_empty()).then_some(()));
        is_up(&credence, false);
        assert_eq!(reason(&credence, "once", &world.token()), "replay_unavailable", "{why}");
    }
}

#[test]
fn a_user_needs_no_more_than_the_guide_says() {
    let guide = std::fs::read_to_string(root().join("docs/replay.md")).unwrap();
    let user = guide.lines().find_map(|line| line.strip_prefix("user credence ")).unwrap();
    let world = World::new();
    assert_eq!(world.redis.ask(&format!("ACL SETUSER credence {}", user.replace("PASSWORD", "horse"))), "+OK");
    let (dir, port) = (scratch(), world.redis.port());
    let file = dir.path().join("password");
    replace(&file, "horse");
    for database in ["", "/1"] {
        let serve = world.serve_at(&format!("redis://credence@127.0.0.1:{port}{database}"));
        let credence = serve.arg("--replay-password-file").arg(&file.display().to_string()).start();
        settled(&credence);
        assert_eq!(reason(&credence, "once", &world.token()), "ok");
    }
    assert_eq!(world.redis.ask("ACL SETUSER credence -set"), "+OK");
    let credence = world.serve_at(&format!("redis://credence@127.0.0.1:{port}"));
    let credence = credence.arg("--replay-password-file").arg(&file.display().to_string()).start();
    eventually("the trouble", || told(&credence, "trouble").contains("does not permit").then_some(()));
    assert_eq!(reason(&credence, "once", &world.token()), "replay_unavailable");
}

#[test]
fn sentinels_name_the_primary() {
    let world = World::new();
    let sentinel = Sentinel::watching(&world.redis);
    let (by_name, direct) = (world.serve_at(&sentinel.url()).start(), world.credence());
    settled(&by_name);
    let token = world.token();
    assert_eq!((reason(&by_name, "once", &token), reason(&direct, "once", &token)), ("ok".into(), "replayed".into()));
}
