//! The files of TLS: what is refused at the start, and what happens when they change under a running server.

use std::fs;
use std::path::Path;

use crate::support::answer::Answer;
use crate::support::credence::Credence;
use crate::support::issuer::Ca;
use crate::support::tls::{Client, HOST, replace};
use crate::support::{eventually, now, runtime};
use crate::tls::{ENVOY, Setting};
use crate::world::{call, ends, token};

const EXPIRES: &str = "credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}";
const STARTS: &str = "credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}";
const RELOADED: &str = "credence_config_last_reload_successful{kind=\"tls\"}";

const DAY: i64 = 86_400;

/// Whether this time is so many seconds from now, by the clocks of two processes and a test that takes a while.
fn is_from_now(time: f64, seconds: i64) -> bool {
    (time - now() as f64 - seconds as f64).abs() < 120.0
}

/// `serve` with these arguments comes to an end that has to come.
fn refused(setting: &Setting, listen: &str, args: &[String]) -> String {
    let trust = setting.file.path().display().to_string();
    let fixed =
        ["serve", "--trust", &trust, "--listen", listen, "--admin-listen", "127.0.0.1:0", "--decision-log", "off"];
    let args: Vec<&str> = fixed.into_iter().chain(args.iter().map(String::as_str)).collect();
    let (code, said) = ends(&args);
    assert_eq!(code, Some(2), "{args:?}: {said}");
    said
}

fn says(credence: &Credence, words: &str) {
    eventually(words, || credence.stderr().contains(words).then_some(()));
}

/// Waits until new connections are shown this certificate.
fn shows(client: &Client, credence: &Credence, der: &[u8]) {
    eventually("the new certificate to be shown", || {
        let (shown, _) = client.enter(credence.grpc()).ok()?;
        (shown == der).then_some(())
    });
}

#[test]
fn flags_that_do_not_stand_together_are_refused_with_what_is_missing() {
    let setting = Setting::new();
    let (cert, key) =
        (format!("--tls-cert={}", setting.path("server.pem")), format!("--tls-key={}", setting.path("server.key")));
    let (ca, peer) = (format!("--tls-client-ca={}", setting.path("ca.pem")), format!("--allow-peer={ENVOY}"));
    let any = "--allow-peer=any".to_owned();
    for (args, words) in [
        (&[&cert][..], "--tls-cert needs --tls-key FILE"),
        (&[&key], "--tls-key needs --tls-cert FILE"),
        (&[&ca, &peer], "--tls-client-ca needs --tls-cert and --tls-key"),
        (&[&peer], "--allow-peer needs --tls-cert, --tls-key and --tls-client-ca"),
        (&[&cert, &key, &peer], "--allow-peer needs --tls-client-ca FILE"),
        (&[&cert, &key, &ca], "--allow-peer any"),
        (&[&cert, &key, &ca, &peer, &any], "`any`"),
        (&[&cert, &key, &ca, &"--allow-peer=*.acme.test".to_owned()], "no wildcards"),
        (&[&cert, &key, &ca, &"--allow-peer=spiffe://Acme.test/x".to_owned()], "not a SPIFFE ID"),
    ] {
        let args: Vec<String> = args.iter().map(|arg| (*arg).clone()).collect();
        let said = refused(&setting, "127.0.0.1:0", &args);
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

#[test]
fn only_mutual_tls_opens_an_address_that_others_reach() {
    let setting = Setting::new();
    let one_sided =
        [format!("--tls-cert={}", setting.path("server.pem")), format!("--tls-key={}", setting.path("server.key"))];
    let said = refused(&setting, "0.0.0.0:0", &one_sided);
    assert!(said.contains("clients show no certificate") && said.contains("--insecure-listen"), "{said}");
    let said = refused(&setting, &format!("unix:{}", setting.path("c.sock")), &one_sided);
    assert!(said.contains("needs no TLS"), "{said}");
    let open = setting.mutual(ENVOY).listen("0.0.0.0:0").start();
    let port = open.grpc().rsplit(':').next().unwrap().to_owned();
    assert!(setting.client(&[ENVOY]).enter(&format!("127.0.0.1:{port}")).is_ok());
}

#[test]
fn files_that_cannot_be_used_are_refused_by_name_and_without_a_word_of_the_key() {
    let setting = Setting::new();
    let (server, other) = (setting.servers.issue(&[HOST]), setting.servers.issue(&[HOST]));
    let (pem, key) = server.write(setting.dir.path(), "s");
    let (_, other_key) = other.write(setting.dir.path(), "o");
    let write = |name: &str, text: &str| {
        fs::write(setting.path(name), text).unwrap();
        setting.path(name)
    };
    let empty = write("empty", "");
    let text = server.key_pem();
    let cut = write("cut.key", &text.chars().take(text.len() / 2).collect::<String>());
    let broken = write("broken.key", &text.replace("-----END PRIVATE KEY-----", "-----BEGIN"));
    let no_der = write("no-der.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = setting.path("missing.pem");
    for (cert, key, words) in [
        (&missing, &key, format!("--tls-cert {missing}: cannot be read")),
        (&empty, &key, format!("--tls-cert {empty}: holds no certificate")),
        (&key, &key, format!("--tls-cert {key}: holds no certificate")),
        (&no_der, &key, format!("--tls-cert {no_der}: the first certificate cannot be read")),
        (&broken, &key, format!("--tls-cert {broken}")),
        (&pem, &missing, format!("--tls-key {missing}: cannot be read")),
        (&pem, &empty, format!("--tls-key {empty}: holds no private key")),
        (&pem, &pem, format!("--tls-key {pem}: holds no private key")),
        (&pem, &cut, format!("--tls-key {cut}: holds no private key")),
        (&pem, &broken, format!("--tls-key {broken}: holds no private key")),
        (&pem, &other_key, format!("--tls-key {other_key}: is not the key of the first certificate")),
    ] {
        let said = refused(&setting, "127.0.0.1:0", &[format!("--tls-cert={cert}"), format!("--tls-key={key}")]);
        assert!(said.contains(&words), "{words}: {said}");
        assert!(!text.lines().skip(1).any(|line| !line.starts_with('-') && said.contains(line)), "{said}");
    }
    let base = [format!("--tls-cert={pem}"), format!("--tls-key={key}"), format!("--allow-peer={ENVOY}")];
    for (file, words) in [(&missing, "cannot be read"), (&empty, "holds no certificate"), (&no_der, "no authority")] {
        let args = base.iter().cloned().chain([format!("--tls-client-ca={file}")]).collect::<Vec<_>>();
        let said = refused(&setting, "127.0.0.1:0", &args);
        assert!(said.contains(&format!("--tls-client-ca {file}")) && said.contains(words), "{said}");
    }
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_while_old_ones_go_on() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let client = setting.client(&[ENVOY]);
    let mut old = client.grpc(&credence);
    let mut ask = || {
        let message = call("own", &token(&setting.ci)).message();
        let answer = Answer(runtime().block_on(async { old.check(message).await }).unwrap().into_inner());
        credence.decision(&answer.decision_id())["proxy"]["peer"].as_str().unwrap().to_owned()
    };
    let before = ask();
    let renewed = setting.servers.issue_for(&[HOST], -60, 90 * DAY);
    renewed.write(setting.dir.path(), "server");
    shows(&client, &credence, &renewed.der());
    assert_eq!(ask(), before, "it is the same connection");
    says(&credence, "new TLS files are in force");
    eventually("the metric", || credence.metric(EXPIRES).filter(|at| is_from_now(*at, 90 * DAY)));
    assert_eq!(credence.metric(RELOADED), Some(1.0));
}

#[test]
fn sighup_reads_the_files_too() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let renewed = setting.servers.issue(&[HOST]);
    renewed.write(setting.dir.path(), "server");
    credence.signal("HUP");
    shows(&setting.client(&[ENVOY]), &credence, &renewed.der());
}

#[test]
fn a_renewed_authority_of_clients_lets_in_its_own_and_no_longer_those_of_the_old() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let (old, next) = (setting.client(&[ENVOY]), Ca::new());
    let new = Client::new(&setting.servers, Some(&next.issue(&[ENVOY])));
    assert!(old.enter(credence.grpc()).is_ok());
    assert!(new.enter(credence.grpc()).is_err());
    // Both at once, as a rotation goes, then the new one alone.
    let authority = setting.path("ca.pem");
    replace(Path::new(&authority), &format!("{}{}", setting.clients.pem(), next.pem()));
    eventually("the new authority to count", || new.enter(credence.grpc()).ok());
    assert!(old.enter(credence.grpc()).is_ok());
    replace(Path::new(&authority), &next.pem());
    eventually("the old authority to be gone", || old.enter(credence.grpc()).err());
    assert!(new.enter(credence.grpc()).is_ok());
}

#[test]
fn bad_new_files_change_nothing_and_are_told_once() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let client = setting.client(&[ENVOY]);
    let (first, _) = client.enter(credence.grpc()).unwrap();
    let other = setting.servers.issue(&[HOST]);
    // A certificate whose key has not come yet.
    let text = other.key_pem();
    let (certificate, _) = other.write(setting.dir.path(), "next");
    fs::rename(certificate, setting.path("server.pem")).unwrap();
    says(&credence, "is not the key of the first certificate");
    assert_eq!(credence.metric(RELOADED), Some(0.0));
    assert_eq!(client.enter(credence.grpc()).unwrap().0, first);
    // Nor does an authority that is no longer there lock anybody out, or let anybody in.
    fs::remove_file(setting.path("ca.pem")).unwrap();
    says(&credence, "ca.pem: cannot be read");
    assert!(client.enter(credence.grpc()).is_ok());
    assert!(Client::new(&setting.servers, None).enter(credence.grpc()).is_err());
    let told = credence.stderr().matches("were not taken").count();
    // Two more looks at the same say nothing more; the next good state is taken.
    for _ in 0..2 {
        credence.signal("HUP");
    }
    setting.clients.write(setting.dir.path());
    fs::rename(setting.path("next.key"), setting.path("server.key")).unwrap();
    shows(&client, &credence, &other.der());
    eventually("the metric", || credence.metric(RELOADED).filter(|taken| *taken == 1.0));
    let said = credence.stderr();
    // Between the two renames a look may see one more state, which is told once as well.
    assert!(said.matches("were not taken").count() <= told + 1, "{said}");
    assert!(!text.lines().any(|line| !line.starts_with('-') && said.contains(line)), "{said}");
}

#[test]
fn a_certificate_that_ends_soon_is_told_ahead_and_one_that_has_ended_is_an_error_and_still_shown() {
    let setting = Setting::new();
    for (from, until, words) in [
        (-80 * DAY, 10 * DAY, Some("WARN the certificate of --tls-cert ends soon")),
        (-5 * 3600, 3600, Some("WARN the certificate of --tls-cert ends soon")),
        (-2 * DAY, -DAY, Some("ERROR the certificate of --tls-cert has ended")),
        (DAY, 90 * DAY, Some("WARN the certificate of --tls-cert is not valid yet")),
        (-DAY, 89 * DAY, None),
        (-60, 3600, None),
    ] {
        setting.servers.issue_for(&[HOST], from, until).write(setting.dir.path(), "server");
        let credence = setting.mutual(ENVOY).start();
        match words {
            Some(words) => says(&credence, words),
            None => assert!(!credence.stderr().contains("the certificate of --tls-cert")),
        }
        for (time, seconds) in [(STARTS, from), (EXPIRES, until)] {
            let at = credence.metric(time).unwrap();
            assert!(is_from_now(at, seconds), "{time}: {at}");
        }
        if until < 0 {
            // Whether to believe it is the proxy's to decide: this one does not.
            let refusal = setting.client(&[ENVOY]).enter(credence.grpc()).unwrap_err().to_string();
            assert!(refusal.contains("xpired"), "{refusal}");
        }
    }
}

#[test]
fn without_tls_there_is_no_series_of_a_certificate() {
    let setting = Setting::new();
    let credence = Credence::serve(setting.file.path()).start();
    assert_eq!((credence.metric(STARTS), credence.metric(EXPIRES)), (None, None));
    assert_eq!(credence.metric(RELOADED), None);
}
