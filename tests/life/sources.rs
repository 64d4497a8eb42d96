//! Where keys may come from, and what is shown on the way there.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::support::credence::{Credence, run};
use crate::support::issuer::{Ca, DISCOVERY, Fault, Issuer, JWKS};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::{eventually, http, scratch};
use crate::world::{API, KEPT, ends, entry, error, reason, state, table_of, token, until};

/// The issuer `ci`, at a URL of its own authority, with more fields.
fn private(ci: &Issuer, ca_file: &str, more: &str) -> String {
    table_of(&entry("ci", ci, &format!(", caFile: \"{ca_file}\", {more}")), &[("own", "ci")])
}

#[test]
fn a_bearer_token_is_shown_to_the_configured_origin_alone_and_may_rotate() {
    let (ca, secrets) = (Ca::new(), scratch());
    let (ci, elsewhere) = (Issuer::https(&["ES256"], &ca), Issuer::https(&["ES256"], &ca));
    let ca_file = ca.write(secrets.path());
    let bearer = secrets.path().join("token");
    fs::write(&bearer, "old-secret\n").unwrap();
    ci.demand("new-secret");
    ci.discovery(json!({"issuer": ci.url(), "jwks_uri": elsewhere.jwks_uri()}));
    elsewhere.publish(&[ci.key()]);
    let hosts = format!("bearerTokenFile: \"{}\", jwksHosts: [\"localhost:{}\"]", bearer.display(), elsewhere.port());
    let file = Table::new(&private(&ci, &ca_file, &hosts));
    let credence = Credence::serve(file.path())
        .arg("--secrets-dir")
        .arg(&secrets.path().display().to_string())
        .keyless("ci")
        .start();
    assert!(error(&credence, "ci").contains("answered 401"));
    fs::write(&bearer, "new-secret\n").unwrap();
    until(&credence, "own", &token(&ci), "ok");
    assert!(ci.shown().iter().all(|(_, shown)| shown.as_deref().is_some_and(|shown| shown.starts_with("Bearer "))));
    assert_eq!(elsewhere.shown(), [(JWKS.to_owned(), None)], "listed or not, another origin is shown nothing");
    let told = credence.stderr() + &credence.admin("/readyz").text() + &credence.admin("/metrics").text();
    assert!(!told.contains("old-secret") && !told.contains("new-secret"), "{told}");
}

#[test]
fn a_table_cannot_send_a_file_that_the_operator_did_not_open() {
    let (ca, secrets, outside) = (Ca::new(), scratch(), scratch());
    let ci = Issuer::https(&["ES256"], &ca);
    let ca_file = ca.write(outside.path());
    let precious = outside.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let table = |path: &str| Table::new(&private(&ci, &ca_file, &format!("bearerTokenFile: \"{path}\"")));

    // Named as it is, with and without a directory that is open: the table does not load.
    let file = table(&precious.display().to_string());
    let trust = file.path().display().to_string();
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let (code, told) = ends(&[&["serve", "--trust", &trust], &listen[..]].concat());
    assert!(code == Some(2) && told.contains("--secrets-dir"), "{told}");
    let open = secrets.path().display().to_string();
    let (code, told) = ends(&[&["serve", "--trust", &trust, "--secrets-dir", &open], &listen[..]].concat());
    assert!(code == Some(2) && told.contains(&open), "{told}");
    let dotted = table(&format!("{open}/../precious"));
    let trust = dotted.path().display().to_string();
    let (code, _) = ends(&[&["serve", "--trust", &trust, "--secrets-dir", &open], &listen[..]].concat());
    assert_eq!(code, Some(2), "a way out");

    // By a link that lies inside: it loads, and nothing is sent.
    std::os::unix::fs::symlink(&precious, secrets.path().join("link")).unwrap();
    let file = table(&format!("{open}/link"));
    let credence = Credence::serve(file.path()).arg("--secrets-dir").arg(&open).keyless("ci").start();
    let told = error(&credence, "ci");
    assert!(told.contains("link") && !told.contains("precious\n"), "{told}");
    assert_eq!(ci.all_hits(), 0);
}

#[test]
fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let (ca, clients, secrets) = (Ca::new(), Ca::new(), scratch());
    let ci = Issuer::https_mutual(&["ES256"], &ca, &clients);
    let ca_file = ca.write(secrets.path());
    let (certificate, key) = clients.issue(&["credence.acme.test"]).write(secrets.path(), "client");
    let shows = format!("clientCertFile: \"{certificate}\", clientKeyFile: \"{key}\"");
    let open = secrets.path().display().to_string();
    let file = Table::new(&private(&ci, &ca_file, &shows));
    let credence = Credence::serve(file.path()).arg("--secrets-dir").arg(&open).start();
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let plain = Table::new(&private(&ci, &ca_file, "maxTokenAge: 1h"));
    let credence = Credence::serve(plain.path()).keyless("ci").start();
    error(&credence, "ci");
    assert_eq!(reason(&credence, "own", &token(&ci)), "keys_unavailable");
}

#[test]
fn in_a_cluster_the_service_account_opens_the_api_servers_keys() {
    let (ca, account) = (Ca::new(), scratch());
    let api = Issuer::https(&["ES256"], &ca);
    api.jwks_at("/openid/v1/jwks");
    api.demand("service-account-token");
    fs::write(account.path().join("ca.crt"), ca.pem()).unwrap();
    fs::write(account.path().join("token"), "service-account-token").unwrap();
    let iss = "https://kubernetes.default.svc.cluster.local";
    let entries = format!("  cluster: {{profile: kubernetes, issuer: \"{iss}\", kubernetes: inCluster, {KEPT}}}\n");
    let subject = "system:serviceaccount:ci:deployer";
    let table =
        table_of(&entries, &[("own", "cluster")]).replace("subject: deployer", &format!("subject: \"{subject}\""));
    let file = Table::new(&table);
    let environment =
        format!("export KUBERNETES_SERVICE_HOST=localhost KUBERNETES_SERVICE_PORT={}; exec \"$@\"", api.port());
    let account = account.path().display().to_string();
    let serve = || Credence::serve(file.path()).arg("--service-account-dir").arg(&account);
    let credence = serve().shell(&environment).start();
    let mint = api.token(subject, crate::world::API).claim("iss", iss).without_header("typ").mint();
    assert_eq!(reason(&credence, "own", &mint), "ok");
    assert_eq!(api.shown(), [("/openid/v1/jwks".to_owned(), Some("Bearer service-account-token".to_owned()))]);

    let outside = serve().keyless("cluster").start();
    assert!(error(&outside, "cluster").contains("does not run in a Kubernetes pod"));
}

/// A proxy that opens tunnels to one port, whatever host is asked for. Counts them.
fn proxy(port: &str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, target) = (format!("http://{}", listener.local_addr().unwrap()), format!("127.0.0.1:{port}"));
    let tunnels = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tunnels);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (count, target) = (Arc::clone(&count), target.clone());
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let Ok(head) = http::read_head(&mut reader) else { return };
                assert!(format!("{head:?}").contains("CONNECT"), "{head:?}");
                count.fetch_add(1, Ordering::SeqCst);
                let (mut client, server) = (stream, TcpStream::connect(target).unwrap());
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let mut server = server;
                let _ = std::io::copy(&mut reader, &mut server);
            });
        }
    });
    (url, tunnels)
}

#[test]
fn keys_come_through_the_proxy_of_the_environment_or_of_the_entry() {
    let (ca, dir) = (Ca::new(), scratch());
    let host = "idp.acme.test";
    let ci = Issuer::https_as(host, &["ES256"], &ca);
    let (url, tunnels) = proxy(ci.port());
    let ca_file = ca.write(dir.path());
    let iss = format!("https://{host}");
    let entries = |more: &str| {
        let entry =
            format!("  ci: {{issuer: \"{iss}\", jwksUri: \"{iss}/jwks\", caFile: \"{ca_file}\", {KEPT}{more}}}\n");
        Table::new(&table_of(&entry, &[("own", "ci")]))
    };
    let mint = ci.token(crate::world::SUBJECT, crate::world::API).claim("iss", &*iss).mint();
    let plain = entries("");
    let credence = Credence::serve(plain.path()).shell(&format!("export HTTPS_PROXY={url}; exec \"$@\"")).start();
    assert_eq!(reason(&credence, "own", &mint), "ok");
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
    let written = entries(&format!(", proxy: \"{url}\""));
    let credence = Credence::serve(written.path()).start();
    assert_eq!(reason(&credence, "own", &mint), "ok");
    assert_eq!(tunnels.load(Ordering::SeqCst), 2);
    let script = format!("export HTTPS_PROXY={url} NO_PROXY=.acme.test; exec \"$@\"");
    let credence = Credence::serve(plain.path()).shell(&script).keyless("ci").start();
    error(&credence, "ci");
    assert_eq!(tunnels.load(Ordering::SeqCst), 2, "NO_PROXY is obeyed");
}

#[test]
fn past_max_stale_the_last_good_keys_no_longer_count_and_new_ones_do() {
    let ci = Issuer::start();
    let file = Table::new(&table_of(&entry("ci", &ci, ", maxStale: 1s"), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    let token = token(&ci);
    for path in [DISCOVERY, JWKS] {
        ci.fault(path, Some(Fault::Status(500)));
    }
    until(&credence, "own", &token, "keys_unavailable");
    let told = "older than maxStale and are no longer used";
    eventually("a loud line", || credence.stderr().contains(told).then_some(()));
    for path in [DISCOVERY, JWKS] {
        ci.fault(path, None);
    }
    until(&credence, "own", &token, "ok");
}

#[test]
fn a_longer_max_stale_is_in_force_with_the_table_and_loses_no_key() {
    let ci = Issuer::start();
    let table = |stale: &str| table_of(&entry("ci", &ci, &format!(", maxStale: {stale}")), &[("own", "ci")]);
    let file = Table::new(&table("30m"));
    let credence = Credence::serve(file.path()).start();
    for path in [DISCOVERY, JWKS] {
        ci.fault(path, Some(Fault::Status(500)));
    }
    let hits = ci.all_hits();
    file.replace(&table("72h"));
    eventually("the new table", || (crate::world::in_force(&credence).0 == 2).then_some(()));
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    assert_eq!(ci.all_hits(), hits);
}

#[test]
fn readiness_waits_for_the_keys_of_a_required_issuer_and_for_no_other() {
    let (ci, partner) = (Issuer::start(), Issuer::start());
    for issuer in [&ci, &partner] {
        issuer.fault(DISCOVERY, Some(Fault::Status(500)));
    }
    let own = Issuer::start();
    let entries = entry("ci", &ci, ", required: true") + &entry("partner", &partner, "") + &entry("own", &own, "");
    let file = Table::new(&table_of(&entries, &[("own", "own"), ("ci", "ci")]));
    let credence = Credence::serve(file.path()).start_unready();
    let ready = credence.admin("/readyz");
    assert_eq!((ready.status, &ready.json()["awaited"]), (503, &json!(["ci"])));
    until(&credence, "own", &token(&own), "ok");
    assert_eq!(credence.admin("/readyz").status, 503);
    assert!(!credence.is_serving());
    // As an exec probe asks.
    let status = |more: &[&str]| {
        let url = format!("http://{}", credence.admin_address());
        let output = run(&[&["status", "--timeout", "0", &url], more].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = status(&["--ready"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not ready: it waits for the keys of ci\n"), "{said}");
    assert!(status(&["--ready", "-o", "json"]).1.contains("\"readiness\""));
    assert_eq!(status(&[]).0, Some(0), "it has its table in force");
    ci.fault(DISCOVERY, None);
    until(&credence, "ci", &token(&ci), "ok");
    eventually("readiness", || (credence.admin("/readyz").status == 200).then_some(()));
    eventually("health", || credence.is_serving().then_some(()));
    assert_eq!(status(&["--ready"]).0, Some(0));
    assert!(state(&credence, "partner")["last_error"].is_string());
    // Once ready it stays so, also under a table that requires more.
    let entries = entries.replace("partner: {", "partner: {required: true, ");
    file.replace(&table_of(&entries, &[("own", "own"), ("ci", "ci")]));
    eventually("the new table", || (crate::world::in_force(&credence).0 == 2).then_some(()));
    assert_eq!(credence.admin("/readyz").status, 200);
}

#[test]
fn a_cluster_rotates_to_an_algorithm_that_its_namesake_does_not_allow() {
    let folder = scratch();
    let us = Issuer::with(&["RS256"]);
    let [eu, new] = [("eu", "RS256"), ("new", "ES256")].map(|(kid, alg)| Arc::new(Key::generate(kid, alg)));
    let path = folder.path().join("eu.json");
    fs::write(&path, json!({"keys": [eu.jwk()]}).to_string()).unwrap();
    let iss = "https://kubernetes.default.svc.cluster.local";
    let subject = "system:serviceaccount:ci:deployer";
    let entries = format!(
        "  eu: {{profile: kubernetes, issuer: \"{iss}\", realm: eu, signingAlgs: [RS256], jwksFile: \"{}\", {KEPT}}}\n  \
           us: {{profile: kubernetes, issuer: \"{iss}\", realm: us, jwksUri: \"{}\", {KEPT}}}\n",
        path.display(),
        us.jwks_uri()
    );
    let table = table_of(&entries, &[("own", "us")]).replace("subject: deployer", &format!("subject: \"{subject}\""));
    let file = Table::new(&table);
    let credence = Credence::serve(file.path()).start();
    us.publish(&[Arc::clone(&new)]);
    let rotated = Token::new(&new, iss, subject, API).without_header("typ").mint();
    until(&credence, "own", &rotated, "ok");
    let weak = Token::new(&eu, iss, subject, API).without_header("typ").header("alg", "HS256").mint();
    assert_eq!(reason(&credence, "own", &weak), "alg_not_allowed");
}

#[test]
fn readiness_does_not_wait_for_a_required_issuer_that_has_ended() {
    let (gone, own) = (Issuer::start(), Issuer::start());
    gone.fault(DISCOVERY, Some(Fault::Status(500)));
    let ended = entry("gone", &gone, ", required: true, expires: 2020-01-01").replace("reviewBy: 2099-01-01, ", "");
    let file = Table::new(&table_of(&(ended + &entry("own", &own, "")), &[("own", "own"), ("gone", "gone")]));
    let credence = Credence::serve(file.path()).keyless("gone").start();
    eventually("readiness", || (credence.admin("/readyz").status == 200).then_some(()));
    assert_eq!(reason(&credence, "gone", &token(&gone)), "issuer_expired");
}
