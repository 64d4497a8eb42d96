//! The example with everything real, and beside its gateway others that are set up as none should be.
//!
//! Every object is there before an istiod starts, and a gateway starts after it: none is ever seen half configured.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use serde_json::{Value, json};

use super::mesh::{Istiod, Mesh, documents};
use super::traps::{STRIPPED, TRAPS};
use crate::manifests::Manifests;
use crate::support::collector::{Collector, Manner};
use crate::support::credence::{Credence, run};
use crate::support::envoy::Envoy;
use crate::support::http::{Request, Response};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::upstream::{Echo, MARK, Upstream};
use crate::system::free_port;
use crate::traces::{block, traced};

/// The issuers of the example's table.
pub(super) const ACME: &str = "https://login.acme.test";
pub(super) const GLOBEX: &str = "https://idp.globex.test";

/// The gateway of the example.
pub(super) const EDGE: &str = "ingressgateway";

/// One mesh for all tests.
pub(super) struct World {
    acme: Issuer,
    globex: Issuer,
    pub(super) credence: Credence,
    pub(super) collector: Collector,
    upstream: Upstream,
    mesh: Mesh,
    gateways: HashMap<&'static str, Place>,
    careful: Istiod,
    careless: Istiod,
    _table: Table,
}

/// Which istiod a gateway listens to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// The one with the example's values.
    Carefully,
    /// The one that was told nothing but where credence is.
    Carelessly,
}

/// A gateway that is started when it is first asked for, once: two on one port would share what comes in.
struct Place {
    port: u16,
    told: Told,
    running: OnceLock<Gateway>,
}

impl Place {
    fn new(told: Told) -> Self {
        Self { port: free_port(), told, running: OnceLock::new() }
    }
}

pub(super) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::start);
    &WORLD
}

/// A file of the example.
fn file(name: &str) -> Manifests {
    Manifests::file(&format!("examples/istio/{name}"))
}

/// The mesh configuration of the example.
fn mesh_config() -> Value {
    let mut config = documents(file("istiod-values.yaml").as_str())[0]["meshConfig"].clone();
    let traces = &documents(&block("opentelemetry:"))[0]["meshConfig"];
    config["enableTracing"] = traces["enableTracing"].clone();
    // For the traps: the same, where nobody is, and where credence is on a port that nobody says is gRPC.
    let providers = config["extensionProviders"].as_array_mut().unwrap();
    for name in ["gone", "unnamed"] {
        let mut other = providers[0].clone();
        other["name"] = json!(name);
        other["envoyExtAuthzGrpc"]["service"] = json!(format!("{name}.credence.svc.cluster.local"));
        providers.push(other);
    }
    providers.extend(traces["extensionProviders"].as_array().unwrap().iter().cloned());
    config
}

/// What somebody writes who reads no further than what is required.
fn careless_config() -> Value {
    let provider = |name: &str| json!({"service": format!("{name}.credence.svc.cluster.local"), "port": 9191});
    let mut open = provider("gone");
    open["failOpen"] = json!(true);
    json!({"extensionProviders": [
        {"name": "credence", "envoyExtAuthzGrpc": provider("credence")},
        {"name": "gone", "envoyExtAuthzGrpc": open},
        {"name": "silent", "envoyExtAuthzGrpc": provider("gone")},
    ]})
}

/// What `credence render` prints for the example after the part for the mesh configuration; credence is on loopback here, see
/// `mutual` for TLS.
pub(super) fn rendered(gateway: &str) -> String {
    render(&["--gateway", gateway, "--tls", "insecure"]).1
}

/// What it prints with these flags: the part for the mesh configuration, the objects.
pub(super) fn render(flags: &[&str]) -> (String, String) {
    let output = run(&[&["render", "--to", "istio", "--trust", "examples/istio/trust.yaml"], flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (mesh, objects) = text.split_once("\n---\n").unwrap();
    (mesh.to_owned(), objects.to_owned())
}

/// The table of the example, with these two as its issuers.
pub(super) fn table(acme: &Issuer, globex: &Issuer) -> Table {
    let mut table = file("trust.yaml").with(": 2027-", ": 2099-");
    for (iss, issuer) in [(ACME, acme), (GLOBEX, globex)] {
        let line = format!("    issuer: {iss}\n");
        table = table.with(&line, &format!("{line}    jwksUri: {}\n", issuer.jwks_uri()));
    }
    Table::raw(table.as_str().as_bytes())
}

/// A token of the settler, who may append to the ledger.
pub(super) fn settler(acme: &Issuer) -> Token {
    Token::new(&acme.key(), ACME, "payments-settler", "https://ledger.acme.test")
}

impl World {
    fn start() -> Self {
        let (acme, globex, upstream) = (Issuer::start(), Issuer::start(), Upstream::start());
        let table = table(&acme, &globex);
        let collector = Collector::grpc(Manner::Take);
        let credence = traced(Credence::serve(table.path()), &collector).start();

        let mesh = Mesh::start();
        let port = credence.grpc().parse::<SocketAddr>().unwrap().port();
        mesh.service("credence.credence.svc.cluster.local", 9191, "GRPC", port);
        mesh.service("unnamed.credence.svc.cluster.local", 9191, "TCP", port);
        mesh.service("gone.credence.svc.cluster.local", 9191, "GRPC", free_port());
        for service in ["ledger.finance", "invoices.billing", "orders.sales"] {
            mesh.service(&format!("{service}.svc.cluster.local"), 8080, "HTTP", upstream.address().port());
        }
        let mut gateways = HashMap::from([(EDGE, Place::new(Told::Carefully))]);
        let server = format!("- bind: 127.0.0.1\n    port: {{number: {},", gateways[EDGE].port);
        mesh.pod(EDGE);
        mesh.apply(file("gateway.yaml").with("- port: {number: 80,", &server).as_str());
        mesh.apply(&rendered(EDGE));
        mesh.service("otel-collector.observability.svc.cluster.local", 4317, "GRPC", collector.address().port());
        mesh.apply(&block("kind: Telemetry"));
        for trap in &TRAPS {
            let place = Place::new(trap.told);
            mesh.pod(trap.gateway);
            mesh.apply(&trap.objects(place.port));
            gateways.insert(trap.gateway, place);
        }
        let mut strip = documents(&rendered(STRIPPED)).remove(0);
        assert_eq!(strip["kind"], "EnvoyFilter");
        strip["metadata"]["name"] = json!(STRIPPED);
        mesh.apply(&strip.to_string());
        let careful = mesh.istiod("careful", mesh_config());
        let careless = mesh.istiod("careless", careless_config());
        Self { acme, globex, credence, collector, upstream, mesh, gateways, careful, careless, _table: table }
    }

    /// The gateway of this name.
    pub(super) fn gateway(&self, name: &str) -> &Gateway {
        let place = self.gateways.get(name).unwrap_or_else(|| panic!("no gateway {name}"));
        place.running.get_or_init(|| {
            let istiod = match place.told {
                Told::Carefully => &self.careful,
                Told::Carelessly => &self.careless,
            };
            let envoy = istiod.gateway(name);
            let address = envoy.address(&format!("127.0.0.1_{}", place.port));
            Gateway { envoy, address }
        })
    }

    /// Signs these claims as their `iss` does; as acme does where they have another one.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let issuer = if claims["iss"] == GLOBEX { &self.globex } else { &self.acme };
        Token::new(&issuer.key(), "", "", "").raw_claims(claims.to_string()).mint()
    }

    /// A token of the settler, who may append to the ledger.
    pub(super) fn settler(&self) -> Token {
        settler(&self.acme)
    }

    /// What the istiod with the example's values wrote.
    pub(super) fn istiod_log(&self) -> String {
        self.careful.log()
    }

    /// What the API server says to this object.
    pub(super) fn dry_run(&self, object: &Value) -> (u16, Value) {
        self.mesh.dry_run(object)
    }
}

/// A running gateway.
pub(super) struct Gateway {
    envoy: Envoy,
    address: SocketAddr,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) response: Response,
    /// What the upstream saw, if it saw anything.
    pub(super) echo: Option<Echo>,
}

impl Gateway {
    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request.
    pub(super) fn send(&self, request: Request) -> Outcome {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("istio-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let response = request.header(MARK, &mark).send(self.address);
        let echo = world().upstream.saw(&mark).then(|| Echo::of(&response));
        Outcome { response, echo }
    }

    /// Sends a request that credence has to refuse; its line of the decision log.
    pub(super) fn refused(&self, request: Request) -> Value {
        let Outcome { response, echo } = self.send(request);
        assert!(echo.is_none() && response.status >= 400, "let through: {response:?}");
        let id = response.json()["decision_id"].as_str().unwrap().to_owned();
        world().credence.decision(&id)
    }

    /// The filters of its listener, in their order, as istiod wrote them.
    pub(super) fn filters(&self) -> Vec<Value> {
        let dump = self.envoy.admin("/config_dump?resource=dynamic_listeners").json();
        let listener = &dump["configs"][0]["active_state"]["listener"];
        listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].as_array().unwrap().clone()
    }

    /// What istiod wrote of the filter that asks credence.
    pub(super) fn ext_authz(&self) -> Value {
        let is_it = |filter: &&Value| filter["name"] == "envoy.filters.http.ext_authz";
        self.filters().iter().find(is_it).unwrap()["typed_config"].clone()
    }
}
