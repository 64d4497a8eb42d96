//! Mutual TLS between Istio's gateway and credence, by what `render` prints: istiod hands the certificates of a Secret to its gateway.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::mesh::{Istiod, Mesh, ROOT, documents};
use super::traps::{HOST, front};
use super::world::{EDGE, render, settler, table};
use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::http::{Request, Response};
use crate::support::issuer::{Ca, Issuer};
use crate::support::scratch;
use crate::support::table::Table;
use crate::support::tls::Identity;
use crate::support::upstream::{Echo, MARK, Upstream};
use crate::system::free_port;

/// The name that credence lets in.
const GATEWAY: &str = "spiffe://acme.test/ns/istio-system/sa/istio-ingressgateway";

/// A gateway and how it asks; each asks at a Service of its own name, behind which is the same credence.
struct Asker {
    gateway: &'static str,
    flags: &'static [&'static str],
    /// What is changed in what is printed, and to what.
    change: (&'static str, &'static str),
}

/// Everything as it is printed.
const fn asker(gateway: &'static str, flags: &'static [&'static str]) -> Asker {
    Asker { gateway, flags, change: ("", "") }
}

const REFUSED: [Asker; 6] = [
    asker("other-name", &["--client-secret", "other-name"]),
    asker("foreign", &["--client-secret", "foreign"]),
    asker("plain", &["--tls", "insecure"]),
    // It believes nobody: its Secret has another authority, or credence's certificate another name.
    asker("misled", &["--client-secret", "misled"]),
    asker("elsewhere", &["--server-name", "elsewhere.credence.svc"]),
    Asker { change: ("mode: MUTUAL", "mode: SIMPLE"), ..asker("without", &[]) },
];

/// A credence that asks for certificates, and a mesh around it.
struct Secured {
    acme: Issuer,
    upstream: Upstream,
    credence: Credence,
    istiod: Istiod,
    ports: Vec<(&'static str, u16)>,
    _rest: (Mesh, Issuer, Table, TempDir),
}

impl Secured {
    fn start() -> Self {
        let (acme, globex, upstream, dir) = (Issuer::start(), Issuer::start(), Upstream::start(), scratch());
        let (table, servers, clients) = (table(&acme, &globex), Ca::new(), Ca::new());
        // What cert-manager writes for the chart, as far as it matters here.
        let (chain, key) = servers.issue(&["credence", "credence.credence.svc"]).write(dir.path(), "server");
        let clients_file = clients.write(dir.path());
        let flags =
            ["--tls-cert", &chain, "--tls-key", &key, "--tls-client-ca", &clients_file, "--allow-peer", GATEWAY];
        let serve = flags.iter().fold(Credence::serve(table.path()), |serve, flag| serve.arg(flag));
        let credence = serve.start();
        let port = credence.grpc().rsplit(':').next().unwrap().parse().unwrap();

        let mesh = Mesh::start();
        mesh.service("ledger.finance.svc.cluster.local", 8080, "HTTP", upstream.address().port());
        for (name, shown, authority) in [
            ("credence-client", clients.issue(&[GATEWAY]), &servers),
            ("other-name", clients.issue(&["spiffe://acme.test/ns/other/sa/envoy"]), &servers),
            ("foreign", Ca::new().issue(&[GATEWAY]), &servers),
            ("misled", clients.issue(&[GATEWAY]), &clients),
        ] {
            mesh.apply(&secret(name, &shown, authority, &dir));
        }
        let (mut providers, mut ports) = (Vec::new(), Vec::new());
        for Asker { gateway, flags, change: (from, to) } in std::iter::once(&asker(EDGE, &[])).chain(&REFUSED) {
            let at = free_port();
            // The first is asked for by no flag at all.
            let own = if *gateway == EDGE { vec![] } else { vec!["--gateway", gateway, "--service", gateway] };
            // A name of credence's certificate, whatever the Service is called.
            let named = ["--server-name", "credence.credence.svc"];
            let named = if own.is_empty() || flags.iter().any(|flag| ["--tls", "--server-name"].contains(flag)) {
                &[][..]
            } else {
                &named
            };
            let (part, objects) = render(&[&own, *flags, named].concat());
            assert!(objects.contains(from), "no {from:?} in\n{objects}");
            let mut provider = documents(&part)[0]["extensionProviders"][0].clone();
            let service = provider["envoyExtAuthzGrpc"]["service"].as_str().unwrap();
            mesh.service(service, 9191, "GRPC", port);
            if *gateway == EDGE {
                mesh.apply(&objects);
            } else {
                // There can be only one of each name.
                provider["name"] = json!(gateway);
                for mut object in documents(&objects.replace(from, to)) {
                    object["metadata"]["name"] = json!(gateway);
                    if object["kind"] == "AuthorizationPolicy" {
                        object["spec"]["provider"]["name"] = json!(gateway);
                    }
                    mesh.apply(&object.to_string());
                }
            }
            providers.push(provider);
            mesh.pod(gateway);
            mesh.apply(&front(gateway, "HTTP", at));
            ports.push((*gateway, at));
        }
        let istiod = mesh.istiod_that_gives_secrets("secured", json!({"extensionProviders": providers}));
        Self { acme, upstream, credence, istiod, ports, _rest: (mesh, globex, table, dir) }
    }

    /// Starts the gateway of this name.
    fn gateway(&self, name: &str) -> Envoy {
        self.istiod.gateway(name)
    }

    /// What comes of a request of the settler's, and whether the ledger saw it.
    fn send(&self, gateway: &Envoy, name: &str, bearer: bool) -> (Response, bool) {
        let (_, port) = self.ports.iter().find(|(other, _)| *other == name).unwrap();
        let mark = format!("mutual-{name}-{bearer}");
        let mut request = Request::post("/v1/entries").host(HOST).header(MARK, &mark);
        request = request.header("x-credence-subject", "forged");
        if bearer {
            request = request.bearer(settler(&self.acme));
        }
        let response = request.send(gateway.address(&format!("127.0.0.1_{port}")));
        (response, self.upstream.saw(&mark))
    }
}

/// A Secret as the page for operators wants it.
fn secret(name: &str, shown: &Identity, authority: &Ca, dir: &TempDir) -> String {
    let (chain, key) = shown.write(dir.path(), name);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let data = json!({"tls.crt": read(&chain), "tls.key": read(&key), "ca.crt": authority.pem()});
    let metadata = json!({"name": name, "namespace": ROOT});
    let object: Value = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "stringData": data,
    });
    object.to_string()
}

#[test]
fn what_is_rendered_asks_over_mutual_tls_and_a_gateway_with_another_certificate_or_none_lets_nothing_through() {
    let secured = Secured::start();
    for Asker { gateway: name, .. } in &REFUSED {
        let (response, reached) = secured.send(&secured.gateway(name), name, true);
        assert_eq!((response.status, reached), (503, false), "{name}: {response:?}");
    }
    assert!(secured.credence.decisions().is_empty(), "none of them could ask");

    let gateway = secured.gateway(EDGE);
    let (response, reached) = secured.send(&gateway, EDGE, true);
    assert!(reached, "{response:?}");
    let echo = Echo::of(&response);
    assert_eq!(echo.one("x-credence-subject"), "payments-settler");
    let line = secured.credence.decision(echo.one("x-credence-decision-id"));
    assert!(line["proxy"]["peer"].as_str().unwrap().starts_with(GATEWAY), "{line}");
    let (response, reached) = secured.send(&gateway, EDGE, false);
    assert_eq!((response.status, reached), (401, false), "{response:?}");
}
