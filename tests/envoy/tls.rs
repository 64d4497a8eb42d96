//! A real Envoy that asks over mutual TLS.

use std::path::Path;
use std::process::Command;

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::issuer::{Ca, Issuer};
use crate::support::scratch;
use crate::support::table::Table;
use crate::support::tls::HOST;
use crate::support::upstream::{Echo, Upstream, grpc_upstream};
use crate::world::{API, API_HOST, SUBJECT, api, issuers, mark};

const ENVOY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";

/// The commands of the page, and where it puts what they make.
const PAGE: &str = include_str!("../../docs/install/certificates.md");

#[test]
fn an_envoy_with_the_named_certificate_is_answered_and_any_other_denies_everything() {
    let (ci, upstream, servers, clients, dir) = (Issuer::start(), Upstream::start(), Ca::new(), Ca::new(), scratch());
    let grant = format!("{{issuer: ci, resource: api, subject: \"{SUBJECT}\", methods: [GET], paths: any}}");
    let table = Table::new(&format!(
        "{}resources:\n  api: {{audience: {API}, hosts: [{API_HOST}]}}\ngrants:\n  own: {grant}\n",
        issuers(&[("ci", &ci)])
    ));
    let (certificate, key) = servers.issue(&[HOST]).write(dir.path(), "server");
    let client_ca = clients.write(dir.path());
    let credence = Credence::serve(table.path())
        .arg(&format!("--tls-cert={certificate}"))
        .arg(&format!("--tls-key={key}"))
        .arg(&format!("--tls-client-ca={client_ca}"))
        .arg(&format!("--allow-peer={ENVOY}"))
        .start();

    let server_ca = dir.path().join("servers.pem");
    std::fs::write(&server_ca, servers.pem()).unwrap();
    let server_ca = server_ca.display().to_string();
    let named = clients.issue(&[ENVOY]).write(dir.path(), "named");
    let other = clients.issue(&["spiffe://acme.test/ns/gateways/sa/other"]).write(dir.path(), "other");
    let stranger = Ca::new().issue(&[ENVOY]).write(dir.path(), "stranger");
    let asks = |name: &str, shows| Cluster::credence(name, credence.grpc()).over_tls(HOST, &server_ca, shows);
    let names = ["named", "other", "stranger", "nameless", "plain"];
    let clusters = [
        asks("named", Some(&named)),
        asks("other", Some(&other)),
        asks("stranger", Some(&stranger)),
        asks("nameless", None),
        Cluster::credence("plain", credence.grpc()),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&names.map(|name| Listener::new(name, name)), &clusters);

    let request = || api("GET", "/v1/x", &mark()).bearer(ci.token(SUBJECT, API));
    for name in ["other", "stranger", "nameless", "plain"] {
        assert_eq!(request().send(envoy.address(name)).status, 503, "{name}");
    }
    assert!(credence.decisions().is_empty(), "none of them could ask");
    let echo = Echo::of(&request().send(envoy.address("named")));
    assert_eq!(echo.one("x-credence-subject"), SUBJECT);
    assert_eq!(api("GET", "/v1/x", &mark()).send(envoy.address("named")).status, 401);
    let first = crate::support::eventually("a line of the log", || credence.decisions().into_iter().next());
    let peer = first["proxy"]["peer"].as_str().unwrap().to_owned();
    assert!(peer.starts_with(ENVOY), "{peer}");
}

/// Runs the page's lines in this directory.
pub(crate) fn made_by_the_page(dir: &Path) {
    let script =
        PAGE.split("```sh\n").find(|block| block.contains("openssl req")).unwrap().split("```").next().unwrap();
    let made = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn the_certificates_that_the_page_makes_by_hand_let_the_gateway_in_and_nobody_else() {
    let (ci, upstream, dir) = (Issuer::start(), Upstream::start(), scratch());
    made_by_the_page(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    // What the page puts into Secrets and ConfigMaps is what was made.
    let files = PAGE.split("--from-file=").skip(1).map(|rest| rest.split_whitespace().next().unwrap());
    let files: Vec<_> = files.map(|file| file.rsplit('=').next().unwrap().trim_end_matches('`')).collect();
    assert!(files.len() >= 7 && files.iter().all(|file| dir.path().join(file).is_file()), "{files:?}");
    let peer = PAGE.split("URI:").nth(1).unwrap().split_whitespace().next().unwrap();

    let grant = format!("{{issuer: ci, resource: api, subject: \"{SUBJECT}\", methods: [GET], paths: any}}");
    let table = Table::new(&format!(
        "{}resources:\n  api: {{audience: {API}, hosts: [{API_HOST}]}}\ngrants:\n  own: {grant}\n",
        issuers(&[("ci", &ci)])
    ));
    let credence = Credence::serve(table.path())
        .arg(&format!("--tls-cert={}", path("credence.crt")))
        .arg(&format!("--tls-key={}", path("credence.key")))
        .arg(&format!("--tls-client-ca={}", path("ca.crt")))
        .arg(&format!("--allow-peer={peer}"))
        .start();
    let asks = |name: &str, shows: Option<&str>| {
        let shows = shows.map(|shows| (path(&format!("{shows}.crt")), path(&format!("{shows}.key"))));
        Cluster::credence(name, credence.grpc()).over_tls("credence.credence.svc", &path("ca.crt"), shows.as_ref())
    };
    let names = ["gateway", "credence", "nameless"];
    let clusters = [
        asks("gateway", Some("gateway")),
        asks("credence", Some("credence")),
        asks("nameless", None),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&names.map(|name| Listener::new(name, name)), &clusters);
    let request = || api("GET", "/v1/x", &mark()).bearer(ci.token(SUBJECT, API));
    assert_eq!(request().send(envoy.address("gateway")).status, 200);
    for name in ["credence", "nameless"] {
        assert_eq!(request().send(envoy.address(name)).status, 503, "{name}");
    }
}
