//! A real API server takes what is rendered: by strict server-side dry run, by `helm install`, and under the restricted
//! Pod Security Standard. No node runs anything.

use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::cluster::{ADMIN, Cluster};
use crate::helm::{NAMESPACE, RELEASE, Release, brought, examples};
use crate::objects::{documents, item};
use crate::support::{eventually, runtime};
use crate::web::Web;

struct Server {
    cluster: Cluster,
    web: Web,
}

impl Server {
    /// With the namespaces of the examples, and the objects that operators define.
    fn start() -> Self {
        let cluster = Cluster::start();
        let web = Web::new(&std::fs::read_to_string(cluster.ca_file()).unwrap());
        let server = Self { cluster, web };
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        for name in [NAMESPACE, "trust-system"] {
            server.create("/api/v1/namespaces", &json!({"metadata": {"name": name, "labels": restricted}}));
        }
        for entry in std::fs::read_dir(brought("helm-schemas/definitions")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for mut definition in documents(&text).into_iter().filter(Value::is_object) {
                // Where the file is a template of a chart, its labels are.
                definition["metadata"] = json!({"name": definition["metadata"]["name"]});
                server.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
            }
        }
        for kind in ["monitoring.coreos.com/v1/prometheusrules", "cert-manager.io/v1/certificates"] {
            eventually(kind, || (server.call("GET", &format!("/apis/{kind}"), None).0 == 200).then_some(()));
        }
        server
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.web.call(method, &format!("https://127.0.0.1:{}{path}", self.cluster.port()), ADMIN, body)
    }

    fn create(&self, path: &str, object: &Value) {
        let (status, answer) = self.call("POST", path, Some(object));
        assert_eq!(status, 201, "{answer}");
    }

    /// Lays a strategic merge patch over an object; what comes out.
    fn patch(&self, path: &str, patch: &Value) -> Value {
        let authority = std::fs::read(self.cluster.ca_file()).unwrap();
        let authority = Certificate::from_pem(&authority).unwrap();
        let client = Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        let request = client
            .patch(format!("https://127.0.0.1:{}{path}?fieldValidation=Strict", self.cluster.port()))
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("content-type", "application/strategic-merge-patch+json")
            .body(patch.to_string());
        let text = runtime().block_on(async { request.send().await.unwrap().text().await.unwrap() });
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["kind"], "Deployment", "{answer:#}");
        answer
    }

    /// What it would say to this object, every unknown field an error.
    fn dry_run(&self, object: &Value) -> (u16, Value) {
        self.call("POST", &format!("{}?dryRun=All&fieldValidation=Strict", path(object)), Some(object))
    }

    /// A configuration of helm's for this server.
    fn kubeconfig(&self) -> String {
        self.cluster.kubeconfig()
    }
}

/// Where objects of this kind are made.
fn path(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    match kind.as_str() {
        "clusterrolebinding" => format!("{root}/{plural}"),
        _ => format!("{root}/namespaces/{}/{plural}", object["metadata"]["namespace"].as_str().unwrap_or(NAMESPACE)),
    }
}

#[test]
fn the_api_server_takes_every_object_of_every_example() {
    let server = Server::start();
    for example in examples() {
        for object in Release::of(&example).render().iter() {
            let (status, answer) = server.dry_run(object);
            assert_eq!(status, 201, "{example}: {}: {answer:#}", object["kind"]);
        }
    }
    // It does look: a slip is refused.
    let mut slip = Release::of("inline").render().only("Deployment").clone();
    slip["spec"]["template"]["spec"]["containers"][0]["readOnly"] = json!(true);
    assert_eq!(server.dry_run(&slip).0, 400);
    // What the chart refuses of a DaemonSet's rollout is refused here, too.
    let mut daemons = Release::of("daemonset-tcp").render().only("DaemonSet").clone();
    for (surge, away, status) in [(1, 0, 201), (1, 1, 422), (0, 0, 422)] {
        daemons["spec"]["updateStrategy"]["rollingUpdate"] = json!({"maxSurge": surge, "maxUnavailable": away});
        assert_eq!(server.dry_run(&daemons).0, status, "{surge} {away}");
    }

    the_pods_are_restricted(&server);
    a_gateway_takes_the_sidecar(&server);
    helm_installs_upgrades_and_removes(&server);
    an_upgrade_leaves_the_blocks_that_an_incident_added(&server);
}

fn a_gateway_takes_the_sidecar(server: &Server) {
    let labels = json!({"app": "gateway"});
    let envoy = json!({"name": "envoy", "image": "images.acme.test/envoy:1", "volumeMounts": [{"name": "own", "mountPath": "/own"}]});
    let own = json!([{"name": "own", "image": "images.acme.test/own:1"}]);
    let pod = json!({"initContainers": own, "containers": [envoy], "volumes": [{"name": "own", "emptyDir": {}}]});
    let spec = json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}});
    let deployments = "/apis/apps/v1/namespaces/trust/deployments";
    server.create(deployments, &json!({"metadata": {"name": "gateway"}, "spec": spec}));
    let objects = Release::of("sidecar").render();
    let patch = &objects.named("ConfigMap", "rel-credence-sidecar")["data"]["patch.yaml"];
    let patched = server.patch(&format!("{deployments}/gateway"), &documents(patch.as_str().unwrap())[0]);
    let pod = &patched["spec"]["template"]["spec"];
    let names = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&pod["containers"], "name"), ["envoy"]);
    let mut starting = names(&pod["initContainers"], "name");
    starting.retain(|name| name != "own");
    assert_eq!(starting, ["check-trust", "credence"], "in this order");
    assert_eq!(pod["initContainers"].as_array().unwrap().len(), 3, "its own is kept");
    assert_eq!(item(&pod["initContainers"], "credence")["restartPolicy"], "Always");
    let gateway = item(&pod["containers"], "envoy");
    assert_eq!(gateway["image"], "images.acme.test/envoy:1");
    let mut mounts = names(&gateway["volumeMounts"], "mountPath");
    mounts.sort();
    assert_eq!(mounts, ["/own", "/run/credence"], "its own are kept");
    assert_eq!(server.call("DELETE", &format!("{deployments}/gateway"), None).0, 200);
}

fn the_pods_are_restricted(server: &Server) {
    for example in examples() {
        let objects = Release::of(&example).render();
        for workload in objects.of("Deployment").chain(objects.of("DaemonSet")) {
            let mut pod = workload["spec"]["template"].clone();
            pod["apiVersion"] = json!("v1");
            pod["kind"] = json!("Pod");
            pod["metadata"]["name"] = json!("pod");
            pod["metadata"]["namespace"] = json!(NAMESPACE);
            // Classes of a real cluster, and other people's containers.
            for list in ["containers", "initContainers"] {
                let own = |container: &Value| container["image"].as_str().unwrap().contains("/credence");
                pod["spec"][list].as_array_mut().unwrap().retain(own);
            }
            let (status, answer) = server.dry_run(&pod);
            if example == "daemonset-socket" {
                // A directory of the node is never restricted; docs/install/kubernetes.md says so.
                assert!(answer["message"].as_str().unwrap().contains("hostPath"), "{answer:#}");
            } else {
                assert_eq!(status, 201, "{example}: {answer:#}");
            }
        }
    }
}

fn helm_installs_upgrades_and_removes(server: &Server) {
    for example in ["inline", "several", "sidecar", "replay"] {
        let release = Release::of(example);
        release.kubeconfig(&server.kubeconfig());
        let run = |verb: &[&str]| {
            let output = release.run(verb);
            assert!(output.status.success(), "{example} {verb:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["install", "--dry-run=server", RELEASE]);
        run(&["install", RELEASE]);
        let status = run(&["upgrade", RELEASE]);
        assert!(status.contains("REVISION: 2") && status.contains("STATUS: deployed"), "{status}");
        assert!(status.contains("credence explain --trust"), "the notes: {status}");
        let (status, account) = server.call("GET", "/api/v1/namespaces/trust/configmaps/rel-credence-blocks", None);
        assert!(status == 200 || example == "several", "{account}");
        release.uninstall();
        let (_, left) = server.call("GET", "/apis/apps/v1/namespaces/trust/deployments", None);
        assert_eq!(left["items"], json!([]), "{example}");
    }
}

/// As docs/install/kubernetes.md says it of blocks.
fn an_upgrade_leaves_the_blocks_that_an_incident_added(server: &Server) {
    let block =
        "apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:\n  incident: {jti: stolen, reason: incident}\n";
    let release = Release::of("inline");
    let moved = Release::of("inline").with(&json!({"blocks": {"inline": block}}).to_string());
    for release in [&release, &moved] {
        release.kubeconfig(&server.kubeconfig());
    }
    let run = |release: &Release, verb: &str| {
        let output = release.run(&[verb, RELEASE]);
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let path = "/api/v1/namespaces/trust/configmaps/rel-credence-blocks";
    run(&release, "install");
    let (_, mut blocks) = server.call("GET", path, None);
    let own = blocks["data"]["blocks.yaml"].clone();
    assert!(own.as_str().unwrap().contains("blocks: {}"), "{blocks:#}");
    blocks["data"]["incident.yaml"] = json!(block);
    blocks["data"]["blocks.yaml"] = json!(block);
    assert_eq!(server.call("PUT", path, Some(&blocks)).0, 200);
    run(&release, "upgrade");
    let (_, blocks) = server.call("GET", path, None);
    assert_eq!(blocks["data"], json!({"blocks.yaml": own, "incident.yaml": block}), "its own file, and no other");

    run(&moved, "upgrade");
    let (_, mut blocks) = server.call("GET", path, None);
    let dir = crate::support::scratch();
    let check = |data: &Value| {
        for (name, text) in data.as_object().unwrap() {
            std::fs::write(dir.path().join(name), text.as_str().unwrap()).unwrap();
        }
        crate::support::credence::run(&["check", &dir.path().display().to_string()])
    };
    let twice = check(&blocks["data"]);
    let said = String::from_utf8_lossy(&twice.stderr);
    assert!(!twice.status.success() && said.contains("CR004"), "{said}");
    blocks["data"].as_object_mut().unwrap().remove("incident.yaml");
    assert_eq!(server.call("PUT", path, Some(&blocks)).0, 200);
    std::fs::remove_file(dir.path().join("incident.yaml")).unwrap();
    assert!(check(&blocks["data"]).status.success());
    release.uninstall();
}
