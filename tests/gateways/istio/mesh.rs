//! A real API server with Istio's objects, a real istiod that reads them, and stock Envoys as its gateways.
//!
//! No node runs anything: a Pod is an object that gives a gateway its labels, a ServiceEntry stands for each Service.

use reqwest::Client;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{ADMIN, Cluster};
use crate::support::envoy::Envoy;
use crate::support::issuer::Ca;
use crate::support::process::Process;
use crate::support::{eventually, runtime, scratch};
use crate::system::{free_port, home, ready};
use crate::web::Web;

/// Where the control plane and the gateways are.
pub(super) const ROOT: &str = "istio-system";

/// What Istio's own proxy has and a stock Envoy has not, and what needs certificates from istiod.
const WITHOUT: [&str; 13] = [
    "PILOT_ENABLE_METADATA_EXCHANGE=false",
    "PILOT_ENABLE_ALPN_FILTER=false",
    "PILOT_ENABLE_AMBIENT=false",
    "PILOT_CERT_PROVIDER=none",
    "ENABLE_CA_SERVER=false",
    "ENABLE_LEADER_ELECTION=false",
    "INJECTION_WEBHOOK_CONFIG_NAME=",
    "VALIDATION_WEBHOOK_CONFIG_NAME=",
    "ISTIOD_CUSTOM_HOST=",
    "CLUSTER_ID=Kubernetes",
    "POD_NAMESPACE=istio-system",
    "POD_NAME=istiod-0",
    "GOMAXPROCS=2",
];

/// Who a gateway is to istiod, which gives Secrets to none that it does not know.
const ACCOUNT: &str = "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway";

/// What Istio's own chart of a gateway gives to that account.
const MAY_READ_SECRETS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: istio-ingressgateway, namespace: istio-system}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get, watch, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: istio-ingressgateway, namespace: istio-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: istio-ingressgateway}
subjects: [{kind: ServiceAccount, name: istio-ingressgateway, namespace: istio-system}]
";

/// A cluster that knows Istio's objects.
pub(super) struct Mesh {
    cluster: Cluster,
    web: Web,
    dir: TempDir,
}

impl Mesh {
    pub(super) fn start() -> Self {
        let cluster = Cluster::start();
        let web = Web::new(&std::fs::read_to_string(cluster.ca_file()).unwrap());
        let mesh = Self { cluster, web, dir: scratch() };
        for name in [ROOT, "credence", "finance"] {
            mesh.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"));
        }
        let definitions = std::fs::read_to_string(home("istio").join("definitions.yaml")).unwrap();
        mesh.apply(&definitions);
        for definition in documents(&definitions) {
            let (spec, plural) = (&definition["spec"], &definition["spec"]["names"]["plural"]);
            for version in spec["versions"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let path = format!("/apis/{}/{}/{}", text(&spec["group"]), text(&version["name"]), text(plural));
                eventually(&path, || (mesh.call("GET", &path, None).0 == 200).then_some(()));
            }
        }
        std::fs::write(mesh.dir.path().join("kubeconfig"), mesh.cluster.kubeconfig()).unwrap();
        mesh
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.web.call(method, &format!("https://127.0.0.1:{}{path}", self.cluster.port()), ADMIN, body)
    }

    /// Creates each object of these documents, as `kubectl create` does: an unknown field is an error.
    pub(super) fn apply(&self, yaml: &str) {
        for object in documents(yaml) {
            let (status, answer) =
                self.call("POST", &format!("{}?fieldValidation=Strict", path(&object)), Some(&object));
            assert_eq!(status, 201, "{answer:#}\n{object:#}");
        }
    }

    /// What it would say to this object, every unknown field an error.
    pub(super) fn dry_run(&self, object: &Value) -> (u16, Value) {
        self.call("POST", &format!("{}?dryRun=All&fieldValidation=Strict", path(object)), Some(object))
    }

    /// A Pod that never runs: what istiod knows of the gateway of this name.
    pub(super) fn pod(&self, name: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": ROOT, "labels": {"istio": name}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "none.test/none"}]},
        });
        self.apply(&object.to_string());
    }

    /// Makes a Service's name known, and that it is on this port of 127.0.0.1.
    pub(super) fn service(&self, host: &str, number: u16, protocol: &str, at: u16) {
        let name = host.split('.').next().unwrap();
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": ROOT},
            "spec": {
                "hosts": [host], "location": "MESH_INTERNAL", "resolution": "STATIC",
                "ports": [{"number": number, "name": "main", "protocol": protocol}],
                "endpoints": [{"address": "127.0.0.1", "ports": {"main": at}}],
            },
        });
        self.apply(&object.to_string());
    }

    /// An istiod with this mesh configuration that has read every object so far.
    pub(super) fn istiod(&self, name: &str, config: Value) -> Istiod {
        self.discovery(name, config, None)
    }

    /// The same over mutual TLS: it knows its gateways by their certificates, and gives them the Secrets that they may read.
    pub(super) fn istiod_that_gives_secrets(&self, name: &str, config: Value) -> Istiod {
        self.apply(MAY_READ_SECRETS);
        let (authority, dir) = (Ca::new(), self.dir.path());
        let files = Files {
            authority: authority.write(dir),
            istiod: authority.issue(&["istiod"]).write(dir, "istiod"),
            gateway: authority.issue(&[ACCOUNT]).write(dir, "gateway"),
        };
        self.discovery(name, config, Some(files))
    }

    fn discovery(&self, name: &str, mut config: Value, files: Option<Files>) -> Istiod {
        config["rootNamespace"] = json!(ROOT);
        config["enableAutoMtls"] = json!(false);
        if config["enableTracing"].is_null() {
            config["enableTracing"] = json!(false);
        }
        let file = self.dir.path().join(name);
        std::fs::write(&file, config.to_string()).unwrap();
        let (plain, secure, http) = (free_port(), free_port(), free_port());
        let program = home("istio").join("bin/pilot-discovery").display().to_string();
        let mut args = vec![
            "discovery".to_owned(),
            format!("--kubeconfig={}", self.dir.path().join("kubeconfig").display()),
            format!("--meshConfig={}", file.display()),
            "--registries=Kubernetes".to_owned(),
            format!("--httpAddr=127.0.0.1:{http}"),
            format!("--grpcAddr=127.0.0.1:{plain}"),
            format!("--monitoringAddr=127.0.0.1:{}", free_port()),
            "--httpsAddr=".to_owned(),
        ];
        let grpc = if let Some(Files { authority, istiod: (chain, key), .. }) = &files {
            args.push(format!("--secureGRPCAddr=127.0.0.1:{secure}"));
            args.push(format!("--caCertFile={authority}"));
            args.push(format!("--tlsCertFile={chain}"));
            args.push(format!("--tlsKeyFile={key}"));
            secure
        } else {
            args.push("--secureGRPCAddr=".to_owned());
            plain
        };
        let mut process = Process::start("env", WITHOUT.map(str::to_owned).into_iter().chain([program]).chain(args));
        let client = Client::builder().no_proxy().build().unwrap();
        let address = format!("http://127.0.0.1:{http}/ready");
        let is_ready = || {
            let asked = runtime().block_on(async { client.get(&address).send().await });
            asked.is_ok_and(|answer| answer.status() == 200).then_some(())
        };
        ready("istiod", &mut process, is_ready);
        Istiod { grpc, files, process }
    }
}

/// By which an istiod and its gateways know one another: an authority, and certificate and key of each.
struct Files {
    authority: String,
    istiod: (String, String),
    gateway: (String, String),
}

/// A running control plane.
pub(super) struct Istiod {
    grpc: u16,
    files: Option<Files>,
    process: Process,
}

impl Istiod {
    /// What it wrote so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.process.stdout()).unwrap_or_default() + &self.process.stderr()
    }

    /// A stock Envoy that takes all it does from here, as the gateway of this name.
    pub(super) fn gateway(&self, name: &str) -> Envoy {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let http2 = json!({"@type": format!("type.googleapis.com/{options}"), "explicit_http_config": {"http2_protocol_options": {}}});
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": self.grpc}});
        let ads = json!({"ads": {}, "resource_api_version": "V3"});
        let mut xds = json!({
            "name": "xds", "type": "STATIC", "connect_timeout": "1s",
            "typed_extension_protocol_options": {options: http2},
            "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        });
        if let Some(Files { authority, gateway: (chain, key), .. }) = &self.files {
            xds["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "istiod",
                "common_tls_context": {
                    "alpn_protocols": ["h2"],
                    "tls_certificates": [{"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}],
                    "validation_context": {"trusted_ca": {"filename": authority}},
                },
            }});
        }
        let bootstrap = json!({
            "node": {
                "id": format!("router~127.0.0.1~{name}.{ROOT}~{ROOT}.svc.cluster.local"),
                "cluster": name,
                "metadata": {"NAMESPACE": ROOT, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.30.0"},
            },
            "dynamic_resources": {
                "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]},
                "lds_config": ads,
                "cds_config": ads,
            },
            "static_resources": {"clusters": [xds]},
        });
        Envoy::start_by_hand(&fields(&bootstrap))
    }
}

/// The members of an object as lines of YAML, so that more of them can follow.
fn fields(object: &Value) -> String {
    object.as_object().unwrap().iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

/// Each YAML document as JSON; the empty ones are left out.
pub(super) fn documents(yaml: &str) -> Vec<Value> {
    let documents = Yaml::load_from_str(yaml).unwrap_or_else(|error| panic!("{error} in\n{yaml}"));
    documents.iter().map(crate::yaml::json).filter(Value::is_object).collect()
}

/// Where objects of this kind are created.
fn path(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with('a') => format!("{stem}ies"),
        _ => format!("{kind}s"),
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{plural}"),
    }
}
