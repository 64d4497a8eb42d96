//! A real Envoy that asks over mutual TLS.

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::issuer::{Ca, Issuer};
use crate::support::scratch;
use crate::support::table::Table;
use crate::support::tls::HOST;
use crate::support::upstream::{Echo, Upstream, grpc_upstream};
use crate::world::{API, API_HOST, SUBJECT, api, issuers, mark};

const ENVOY: &str = "spiffe://acme.test/ns/gateway/sa/envoy";

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
    let other = clients.issue(&["spiffe://acme.test/ns/gateway/sa/other"]).write(dir.path(), "other");
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
