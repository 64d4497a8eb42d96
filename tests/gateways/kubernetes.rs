//! A real Kubernetes API server that knows the objects of the Gateway API and of Envoy Gateway, and judges each strictly.

use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::cluster::{ADMIN, Cluster};
use crate::manifests::Manifests;
use crate::support::{eventually, runtime};
use crate::system::home;

pub(crate) struct Api {
    cluster: Cluster,
    client: Client,
}

impl Api {
    /// With these namespaces.
    pub(crate) fn start(namespaces: &[&str]) -> Self {
        let cluster = Cluster::start();
        let authority = Certificate::from_pem(&std::fs::read(cluster.ca_file()).unwrap()).unwrap();
        let client = Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        let api = Self { cluster, client };
        for entry in std::fs::read_dir(home("envoy-gateway").join("definitions")).unwrap() {
            let file = Manifests::text(std::fs::read_to_string(entry.unwrap().path()).unwrap());
            for definition in
                file.documents().filter(|document| document.contains("\nkind: CustomResourceDefinition\n"))
            {
                api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
            }
        }
        for name in namespaces {
            api.create("/api/v1/namespaces", &json!({"metadata": {"name": name}}).to_string());
        }
        api
    }

    /// Applies every object on the server's side, each as somebody else: the server has to take it, an unknown field is an
    /// error, and so is a field that another one has set otherwise. Of an object that is there the other fields stay.
    pub(crate) fn apply(&self, manifests: &Manifests) {
        for (number, document) in manifests.documents().enumerate() {
            let query = format!("fieldManager=test-{number}&fieldValidation=Strict");
            let path = format!("{}/{}?{query}", collection(document), field(document, "name"));
            let (status, answer) = self.send("PATCH", &path, document);
            assert!([200, 201].contains(&status), "{}\n{document:.500}", answer["message"]);
        }
    }

    /// What Envoy Gateway has written of a policy, as soon as it has: the condition `Accepted` of its only ancestor.
    pub(crate) fn accepted(&self, document: &str) -> (bool, String) {
        let path = format!("{}/{}", collection(document), field(document, "name"));
        eventually("the status of a policy", || {
            let (_, object) = self.call("GET", &path, None);
            let conditions = object["status"]["ancestors"][0]["conditions"].as_array()?.clone();
            let accepted = conditions.into_iter().find(|condition| condition["type"] == "Accepted")?;
            Some((accepted["status"] == "True", accepted["message"].as_str()?.to_owned()))
        })
    }

    /// What the server would say to an object: status and message.
    pub(crate) fn would_say(&self, document: &str) -> (u16, String) {
        let path = format!("{}?dryRun=All&fieldValidation=Strict", collection(document));
        let (status, answer) = self.send("POST", &path, document);
        (status, answer["message"].as_str().unwrap_or_default().to_owned())
    }

    fn create(&self, path: &str, document: &str) {
        let (status, answer) = self.send("POST", path, document);
        assert_eq!(status, 201, "{}\n{document:.500}", answer["message"]);
    }

    /// A kind is served a moment after it was defined; until then its path is unknown.
    fn send(&self, method: &str, path: &str, document: &str) -> (u16, Value) {
        eventually(path, || {
            Some(self.call(method, path, Some(document)))
                .filter(|(status, answer)| *status != 404 || answer.is_object())
        })
    }

    /// Status and answer to a request of the administrator with a YAML document.
    fn call(&self, method: &str, path: &str, document: Option<&str>) -> (u16, Value) {
        let url = format!("https://127.0.0.1:{}{path}", self.cluster.port());
        let request = self.client.request(method.parse().unwrap(), url).bearer_auth(ADMIN);
        let format = if method == "PATCH" { "application/apply-patch+yaml" } else { "application/yaml" };
        let request = match document {
            Some(document) => request.header("content-type", format).body(document.to_owned()),
            None => request,
        };
        let text = async { request.send().await.map(|answer| (answer.status().as_u16(), answer.text())) };
        runtime().block_on(async {
            let Ok((status, text)) = text.await else { return (0, Value::Null) };
            (status, serde_json::from_str(&text.await.unwrap_or_default()).unwrap_or_default())
        })
    }

    /// A configuration of a client of this server.
    pub(crate) fn kubeconfig(&self) -> String {
        self.cluster.kubeconfig()
    }
}

/// Where objects of this kind are made.
fn collection(document: &str) -> String {
    let value = |name: &str| document.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (version, kind) = (value("apiVersion: "), value("kind: ").to_lowercase());
    let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    let plural = match kind.as_str() {
        "gatewayclass" => return format!("{root}/gatewayclasses"),
        "validatingadmissionpolicybinding" => return format!("{root}/validatingadmissionpolicybindings"),
        "validatingadmissionpolicy" => return format!("{root}/validatingadmissionpolicies"),
        "gateway" => "gateways".to_owned(),
        kind => kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies")),
    };
    format!("{root}/namespaces/{}/{plural}", field(document, "namespace"))
}

/// A field of `metadata: {…}`.
fn field(document: &str, name: &str) -> String {
    let metadata = document.lines().find(|line| line.starts_with("metadata: {")).unwrap();
    let rest = metadata.split(&format!("{name}: ")).nth(1).unwrap_or_else(|| panic!("no {name} in {metadata}"));
    rest.split([',', '}']).next().unwrap().trim_matches('"').to_owned()
}
