//! Mutual TLS between Envoy Gateway and credence, by what `render` prints and the Secrets that the page for operators names.

use tempfile::TempDir;

use crate::envoy_gateway::Gateway;
use crate::kubernetes::Api;
use crate::manifests::Manifests;
use crate::render::{NAMESPACES, OWN_PROXY, manifests, rendered};
use crate::scene::{BY_ROUTE, Reached, Scene, get};
use crate::support::credence::Serve;
use crate::support::issuer::Ca;
use crate::support::scratch;
use crate::support::tls::Identity;

/// The name that credence lets in.
pub(crate) const GATEWAY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";

/// An authority for credence, another one for gateways.
pub(crate) struct Certificates {
    servers: Ca,
    pub(crate) clients: Ca,
    dir: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self { servers: Ca::new(), clients: Ca::new(), dir: scratch() }
    }

    /// Credence as the chart starts it, with a certificate such as cert-manager makes for the chart.
    pub(crate) fn served(&self, serve: Serve) -> Serve {
        let (chain, key) = self.servers.issue(&["credence", "credence.credence.svc"]).write(self.dir.path(), "server");
        let clients = self.clients.write(self.dir.path());
        let flags = ["--tls-cert", &chain, "--tls-key", &key, "--tls-client-ca", &clients, "--allow-peer", GATEWAY];
        flags.iter().fold(serve, |serve, flag| serve.arg(flag))
    }

    /// The Secrets that `render` takes for granted: credence's own, and what the gateway shows.
    pub(crate) fn given(&self, shown: &Identity) -> String {
        let own = self.servers.issue(&["credence.credence.svc"]);
        let known = secret("credence-tls", "credence", &own, self.dir.path(), Some(&self.servers));
        Manifests::text(known)
            .and(&secret("credence-client", "gateways", shown, self.dir.path(), None))
            .as_str()
            .to_owned()
    }
}

/// A Secret of certificate and key, and who has signed it.
fn secret(name: &str, namespace: &str, identity: &Identity, dir: &std::path::Path, authority: Option<&Ca>) -> String {
    let (chain, key) = identity.write(dir, name);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let indented = |pem: &str| -> String { pem.lines().map(|line| format!("    {line}\n")).collect() };
    let mut text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ntype: kubernetes.io/tls\nstringData:\n"
    );
    text += &format!("  tls.crt: |\n{}  tls.key: |\n{}", indented(&read(&chain)), indented(&read(&key)));
    if let Some(authority) = authority {
        text += &format!("  ca.crt: |\n{}", indented(&authority.pem()));
    }
    text
}

#[test]
fn a_gateway_with_another_certificate_or_none_may_not_ask_and_lets_nothing_through() {
    let certificates = Certificates::new();
    let Certificates { clients, .. } = &certificates;
    let scene = Scene::serving(BY_ROUTE, |text| text, |serve| certificates.served(serve));
    let printed = || rendered(&scene, &OWN_PROXY);
    let named = || certificates.given(&clients.issue(&[GATEWAY]));
    for (what, printed, given) in [
        ("another name", printed(), certificates.given(&clients.issue(&["spiffe://acme.test/ns/other/sa/envoy"]))),
        ("another authority", printed(), certificates.given(&Ca::new().issue(&[GATEWAY]))),
        ("no certificate", printed().without("kind: EnvoyProxy\n"), named()),
        ("no TLS", rendered(&scene, &["--tls", "insecure"]), named()),
        ("a server of another name", printed().with("hostname: \"credence.", "hostname: \"other."), named()),
    ] {
        let api = Api::start(&NAMESPACES);
        let gateway = Gateway::in_cluster(&api, manifests(&scene, &printed).and(&given));
        let outcome = scene.send(&gateway, get("partners.acme.test", "/orders/4711").bearer(scene.token()));
        assert_eq!(
            (outcome.reached, outcome.response.status),
            (Reached::Neither, 503),
            "{what}: {:?}",
            outcome.response
        );
    }
    assert!(scene.credence.decisions().is_empty(), "none of them could ask");
}
