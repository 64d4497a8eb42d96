//! What `credence render --to envoy` prints, in an Envoy that takes it as it is.

use std::path::Path;
use std::process::Command;

use crate::support::credence::{Credence, Serve, run};
use crate::support::envoy::{Envoy, binary};
use crate::support::http::Request;
use crate::support::issuer::{Ca, Issuer};
use crate::support::scratch;
use crate::support::table::Table;
use crate::support::upstream::{Echo, MARK, Upstream};
use crate::tls::made_by_the_page;
use crate::world::{API, API_HOST, SUBJECT, issuers, mark};

const ENVOY: &str = "spiffe://acme.test/ns/gateways/sa/envoy";
/// What the chart's certificate says by default.
const SERVER: &str = "credence.credence.svc";

/// What is printed for a table: the fields of a listener's connection manager, the clusters.
fn rendered(table: &Path, flags: &[&str]) -> (String, String) {
    let table = table.display().to_string();
    let output = run(&[&["render", "--to", "envoy", "--trust", &table], flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (manager, clusters) = text.split_once("---\n").unwrap();
    (manager.to_owned(), clusters.to_owned())
}

/// A configuration of nothing else but a listener, its routes and an upstream.
fn config((manager, clusters): &(String, String), upstream: &Upstream) -> String {
    let indented =
        |text: &str, by: usize| -> String { text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect() };
    format!(
        "static_resources:
  listeners:
  - name: ingress
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config: {{virtual_hosts: [{{name: all, domains: [\"*\"], routes: [{{match: {{prefix: /}}, route: {{cluster: upstream}}}}]}}]}}
{}          - name: envoy.filters.http.router
            typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
{}  - name: upstream
    type: STATIC
    load_assignment: {{cluster_name: upstream, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}}}]}}]}}
",
        indented(manager, 10),
        indented(clusters, 2),
        upstream.address().port()
    )
}

/// Tables, certificates, an upstream, and a credence with these arguments.
struct Scene {
    ci: Issuer,
    upstream: Upstream,
    table: Table,
    credence: Credence,
}

impl Scene {
    fn start(arguments: impl FnOnce(Serve) -> Serve) -> Self {
        let (ci, upstream) = (Issuer::start(), Upstream::start());
        let grant = format!("{{issuer: ci, resource: api, subject: \"{SUBJECT}\", methods: [GET], paths: any}}");
        let table = Table::new(&format!(
            "{}resources:\n  api: {{audience: {API}, hosts: [{API_HOST}]}}\ngrants:\n  own: {grant}\n",
            issuers(&[("ci", &ci)])
        ));
        let credence = arguments(Credence::serve(table.path())).start();
        Self { ci, upstream, table, credence }
    }

    /// An Envoy that was told what is printed with these flags.
    fn envoy(&self, flags: &[&str]) -> Envoy {
        Envoy::start_by_hand(&config(&rendered(&self.table.path(), flags), &self.upstream))
    }

    fn call(&self) -> Request {
        Request::get("/v1/x").host(API_HOST).header(MARK, mark()).bearer(self.ci.token(SUBJECT, API))
    }

    /// The token is good and credence was asked; without one it refuses.
    fn is_asked(&self, envoy: &Envoy) {
        let call = self.call().header("x-credence-realm", "forged");
        let echo = Echo::of(&call.send(envoy.address("ingress")));
        assert_eq!(echo.one("x-credence-subject"), SUBJECT);
        assert!(echo.all("x-credence-realm").is_empty() && echo.all("authorization").is_empty());
        let nobody = Request::get("/v1/x").host(API_HOST).header(MARK, mark());
        assert_eq!(nobody.send(envoy.address("ingress")).status, 401);
    }
}

#[test]
fn the_rendered_cluster_asks_over_mutual_tls_and_any_other_certificate_denies_everything() {
    let (servers, clients, dir) = (Ca::new(), Ca::new(), scratch());
    let (certificate, key) = servers.issue(&[SERVER]).write(dir.path(), "server");
    let client_ca = clients.write(dir.path());
    let scene = Scene::start(|serve| {
        serve
            .arg(&format!("--tls-cert={certificate}"))
            .arg(&format!("--tls-key={key}"))
            .arg(&format!("--tls-client-ca={client_ca}"))
            .arg(&format!("--allow-peer={ENVOY}"))
    });
    let write = |name: &str, pem: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let (good, foreign) = (write("servers.pem", servers.pem()), write("others.pem", Ca::new().pem()));
    let envoy = |ca: &str, (shown, key): &(String, String), server: &str| {
        let port = scene.credence.grpc().rsplit(':').next().unwrap();
        let at = ["--service", "127.0.0.1", "--port", port, "--server-name", server];
        let files = ["--ca-file", ca, "--client-cert-file", shown, "--client-key-file", key];
        scene.envoy(&[at, files].concat())
    };
    let named = clients.issue(&[ENVOY]).write(dir.path(), "named");
    for (what, ca, shown, server) in [
        ("another name", &good, &clients.issue(&["spiffe://acme.test/ns/b/sa/b"]).write(dir.path(), "other"), SERVER),
        ("another authority", &good, &Ca::new().issue(&[ENVOY]).write(dir.path(), "stranger"), SERVER),
        ("a server that another authority vouches for", &foreign, &named, SERVER),
        ("a server of another name", &good, &named, "other.credence.svc"),
    ] {
        let response = scene.call().send(envoy(ca, shown, server).address("ingress"));
        assert_eq!(response.status, 503, "{what}: {response:?}");
    }
    assert!(scene.credence.decisions().is_empty(), "none of them could ask");
    scene.is_asked(&envoy(&good, &named, SERVER));
    let peer = scene.credence.decisions()[0]["proxy"]["peer"].as_str().unwrap().to_owned();
    assert!(peer.starts_with(ENVOY), "{peer}");
}

#[test]
fn what_the_page_on_envoy_says_of_tls_fits_what_the_page_on_certificates_makes() {
    let dir = scratch();
    made_by_the_page(dir.path());
    let page = include_str!("../../docs/install/envoy.md");
    // The flags of a command of the page, with the files where the other page makes them.
    let flags = |command: &str, home: &str, flags: &[&str]| -> Vec<String> {
        let line = page.split(command).nth(1).unwrap_or_else(|| panic!("no {command:?}")).split("```").next().unwrap();
        let words: Vec<_> = line.split_whitespace().filter(|word| *word != "\\").collect();
        let pairs = words.windows(2).filter(|pair| flags.contains(&pair[0])).flatten();
        let found: Vec<_> = pairs.map(|word| word.replace(home, &dir.path().display().to_string())).collect();
        assert_eq!(found.len(), 2 * flags.len(), "{words:?}");
        found
    };
    let served = flags(
        "\ncredence serve --trust trust.yaml --listen 0.0.0.0:9191",
        "/run/credence",
        &["--tls-cert", "--tls-key", "--tls-client-ca", "--allow-peer"],
    );
    let scene = Scene::start(|serve| served.iter().fold(serve, |serve, word| serve.arg(word)));
    let files = ["--server-name", "--ca-file", "--client-cert-file", "--client-key-file"];
    let mut asked = flags("\n$ credence render --to envoy", "/run/envoy", &files);
    let port = scene.credence.grpc().rsplit(':').next().unwrap();
    asked.extend(["--service", "127.0.0.1", "--port", port].map(str::to_owned));
    scene.is_asked(&scene.envoy(&asked.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn over_a_unix_socket_and_on_loopback_the_rendered_cluster_asks_without_tls() {
    let dir = scratch();
    let socket = dir.path().join("authz.sock");
    let scene = Scene::start(|serve| serve.listen_on(&socket));
    scene.is_asked(&scene.envoy(&["--service", &format!("unix:{}", socket.display())]));
    let scene = Scene::start(|serve| serve);
    let port = scene.credence.grpc().rsplit(':').next().unwrap();
    scene.is_asked(&scene.envoy(&["--service", "127.0.0.1", "--port", port, "--tls", "insecure"]));
}

#[test]
fn envoy_takes_what_is_rendered_with_no_flag_at_all_but_for_the_files_it_has_to_have() {
    let (authority, dir) = (Ca::new(), scratch());
    let upstream = Upstream::start();
    let printed = rendered(&crate::support::root().join("examples/istio/trust.yaml"), &[]);
    let (shown, key) = authority.issue(&[ENVOY]).write(dir.path(), "tls");
    let ca = authority.write(dir.path());
    let whole = config(&printed, &upstream);
    let there = [("ca.crt", &ca), ("tls.crt", &shown), ("tls.key", &key)].iter().fold(whole, |text, (name, file)| {
        let guess = format!("/etc/envoy/credence/{name}");
        assert!(text.contains(&guess), "no {guess} in\n{text}");
        text.replace(&guess, file)
    });
    let validate = |text: &str| {
        let file = dir.path().join("envoy.yaml");
        std::fs::write(&file, text).unwrap();
        Command::new(binary()).args(["--mode", "validate", "-c"]).arg(file).output().unwrap()
    };
    let said = validate(&there);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let slip = validate(&there.replace("match_typed_subject_alt_names", "match_typed_subject_alt_name"));
    assert!(!slip.status.success(), "Envoy looks at every field");
}
