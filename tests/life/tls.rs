//! TLS on the gRPC listener: who is let in, and what those who are not can do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tempfile::TempDir;
use tokio_rustls::rustls::HandshakeKind;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::{Credence, Serve};
use crate::support::issuer::{Ca, Issuer};
use crate::support::table::Table;
use crate::support::tls::{Client, HOST, Identity};
use crate::support::{eventually, runtime, scratch};
use crate::world::{call, table, token};

/// The peer that may ask.
pub(crate) const ENVOY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";

/// Authorities, the files of a server, and what it serves.
pub(crate) struct Setting {
    /// Vouches for the server.
    pub(crate) servers: Ca,
    /// Vouches for clients.
    pub(crate) clients: Ca,
    pub(crate) ci: Issuer,
    pub(crate) file: Table,
    pub(crate) dir: TempDir,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let ci = Issuer::start();
        let file = Table::new(&table(&ci, &["own"]));
        let setting = Self { servers: Ca::new(), clients: Ca::new(), ci, file, dir: scratch() };
        setting.servers.issue(&[HOST]).write(setting.dir.path(), "server");
        setting.clients.write(setting.dir.path());
        setting
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// `serve` with a certificate, but asking clients for none.
    pub(crate) fn one_sided(&self) -> Serve {
        Credence::serve(self.file.path())
            .arg(&format!("--tls-cert={}", self.path("server.pem")))
            .arg(&format!("--tls-key={}", self.path("server.key")))
    }

    /// `serve` for these peers.
    pub(crate) fn mutual(&self, peers: &str) -> Serve {
        self.one_sided().arg(&format!("--tls-client-ca={}", self.path("ca.pem"))).arg(&format!("--allow-peer={peers}"))
    }

    /// A client that shows what the clients' authority signed for these names.
    pub(crate) fn client(&self, names: &[&str]) -> Client {
        Client::new(&self.servers, Some(&self.clients.issue(names)))
    }

    pub(crate) fn ask(&self, client: &Client, credence: &Credence) -> Answer {
        check(client, credence, &call("own", &token(&self.ci)))
    }
}

fn check(client: &Client, credence: &Credence, call: &Call) -> Answer {
    let mut grpc = client.grpc(credence);
    Answer(runtime().block_on(async { grpc.check(call.message()).await }).unwrap().into_inner())
}

/// The client does not get in, in TLS 1.3 and 1.2.
fn is_refused(setting: &Setting, credence: &Credence, shows: Option<&Identity>, what: &str) {
    for client in [Client::new(&setting.servers, shows), Client::tls12(&setting.servers, shows)] {
        let Err(error) = client.enter(credence.grpc()) else { panic!("{what}: let in") };
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{what}: {error}");
    }
}

#[test]
fn the_named_peer_is_let_in_and_the_log_names_it() {
    let setting = Setting::new();
    let credence = setting.mutual(&format!("{ENVOY},gw.acme.test")).start();
    for (names, told) in [(&[ENVOY][..], ENVOY), (&["other.acme.test", "gw.acme.test"], "gw.acme.test")] {
        let shows = setting.clients.issue(names);
        for client in [Client::new(&setting.servers, Some(&shows)), Client::tls12(&setting.servers, Some(&shows))] {
            let answer = setting.ask(&client, &credence);
            assert_eq!(answer.reason(), "ok");
            let peer = credence.decision(&answer.decision_id())["proxy"]["peer"].as_str().unwrap().to_owned();
            let (name, address) = peer.split_once(' ').unwrap();
            assert_eq!(name, told);
            assert!(address.starts_with("127.0.0.1:"), "{peer}");
        }
    }
}

#[test]
fn whoever_has_not_exactly_that_name_from_that_authority_is_refused_in_the_handshake() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let stranger = Ca::new();
    let ca = &setting.clients;
    for (what, shows) in [
        ("without a certificate", None),
        ("another name of the authority", Some(ca.issue(&["spiffe://acme.test/ns/gateways/sa/other"]))),
        ("a longer name", Some(ca.issue(&[&format!("{ENVOY}2")]))),
        ("the name and a NUL", Some(ca.issue(&[&format!("{ENVOY}\0.evil.test")]))),
        ("a DNS name", Some(ca.issue(&["gw.acme.test"]))),
        ("no name", Some(ca.issue(&[]))),
        ("two URIs", Some(ca.issue(&[ENVOY, "spiffe://acme.test/ns/gateways/sa/other"]))),
        ("the right name from another authority", Some(stranger.issue(&[ENVOY]))),
        ("the right name from the servers' authority", Some(setting.servers.issue(&[ENVOY]))),
        ("the right name, ended", Some(ca.issue_for(&[ENVOY], -7200, -3600))),
        ("the right name, not yet begun", Some(ca.issue_for(&[ENVOY], 3600, 7200))),
    ] {
        is_refused(&setting, &credence, shows.as_ref(), what);
    }
    let answer = setting.ask(&setting.client(&[ENVOY]), &credence);
    assert_eq!(answer.reason(), "ok");
    credence.decision(&answer.decision_id());
    assert_eq!(credence.decisions().len(), 1, "nobody else could ask");
    // Why, for whoever wonders at three in the morning; seldom, and free of control characters.
    eventually("the reason", || credence.stderr().contains("a TLS handshake failed").then_some(()));
    let said = credence.stderr();
    assert!(said.matches("a TLS handshake failed").count() < 20, "{said}");
}

#[test]
fn a_refused_name_is_told_in_the_programs_log() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    is_refused(&setting, &credence, Some(&setting.clients.issue(&["gw.acme.test"])), "a DNS name");
    eventually("the refusal to be told", || {
        credence.stderr().contains("is for gw.acme.test, which no --allow-peer allows").then_some(())
    });
}

#[test]
fn any_lets_in_what_the_authority_signed_and_nobody_else() {
    let setting = Setting::new();
    let credence = setting.mutual("any").start();
    let answer = setting.ask(&setting.client(&["whoever.acme.test"]), &credence);
    let peer = credence.decision(&answer.decision_id())["proxy"]["peer"].as_str().unwrap().to_owned();
    assert!(peer.starts_with("whoever.acme.test 127.0.0.1:"), "{peer}");
    is_refused(&setting, &credence, None, "without a certificate");
    is_refused(&setting, &credence, Some(&Ca::new().issue(&[ENVOY])), "another authority");
}

#[test]
fn one_sided_tls_asks_clients_for_no_certificate() {
    let setting = Setting::new();
    let credence = setting.one_sided().start();
    let answer = setting.ask(&Client::new(&setting.servers, None), &credence);
    assert_eq!(answer.reason(), "ok");
    let peer = credence.decision(&answer.decision_id())["proxy"]["peer"].as_str().unwrap().to_owned();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
}

#[test]
fn every_connection_shows_its_certificate_anew() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let shows = setting.clients.issue(&[ENVOY]);
    for client in [Client::new(&setting.servers, Some(&shows)), Client::tls12(&setting.servers, Some(&shows))] {
        // The client keeps every session that it is offered for the next time.
        for _ in 0..3 {
            let (_, stream) = client.enter(credence.grpc()).unwrap();
            assert_ne!(stream.conn.handshake_kind(), Some(HandshakeKind::Resumed));
            assert_eq!(stream.conn.tls13_tickets_received(), 0);
        }
    }
}

#[test]
fn only_http_2_is_spoken() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let client = setting.client(&[ENVOY]);
    assert!(client.clone().offering("http/1.1").enter(credence.grpc()).is_err());
    assert!(client.enter(credence.grpc()).is_ok());
}

#[test]
fn plain_text_to_the_tls_port_gets_no_answer_of_credence() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let asked = runtime().block_on(async {
        let message = call("own", &token(&setting.ci)).message();
        credence.client().check(message).await
    });
    assert!(asked.is_err(), "{asked:?}");
    let mut socket = TcpStream::connect(credence.grpc()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    _ = socket.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    assert!(credence.decisions().is_empty());
    assert_eq!(setting.ask(&setting.client(&[ENVOY]), &credence).reason(), "ok");
}

#[test]
fn a_thousand_bad_connections_to_the_tls_port_keep_nobody_out_and_do_not_hold_up_the_end() {
    let setting = Setting::new();
    let mut credence = setting.mutual(ENVOY).start();
    // The first bytes of a ClientHello that announces more than ever comes, and worse.
    let beginnings: [&[u8]; 4] =
        [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n", b"\0\0\0"];
    let crowd: Vec<_> = (0..1000)
        .map(|n| {
            let mut socket = TcpStream::connect(credence.grpc()).unwrap();
            _ = socket.write_all(beginnings[n % 4]);
            socket
        })
        .collect();
    let client = setting.client(&[ENVOY]);
    for _ in 0..5 {
        assert_eq!(setting.ask(&client, &credence).reason(), "ok");
    }
    assert_eq!(credence.stop().code(), Some(0));
    drop(crowd);
}
