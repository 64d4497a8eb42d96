//! One Kubernetes API server with its etcd: no nodes, no controllers, everything that issues tokens.

use std::path::PathBuf;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::issuer::Ca;
use crate::support::process::Process;
use crate::support::scratch;
use crate::system::{free_port, home, ready};
use crate::web::Web;

/// The issuer that every cluster has whose operator does not choose one.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Whoever may do everything in a test's cluster.
pub(crate) const ADMIN: &str = "the-token-of-the-administrator";

/// A running cluster.
pub(crate) struct Cluster {
    port: u16,
    etcd_port: u16,
    web: Web,
    ca_file: String,
    /// Files of the key pairs that sign tokens, the signing one last.
    keys: Vec<PathBuf>,
    server: Option<Process>,
    // Dropped after the server, which waits for its store when it ends.
    _etcd: Process,
    dir: TempDir,
}

impl Cluster {
    /// A fresh cluster that signs by RS256.
    pub(crate) fn start() -> Self {
        let (dir, home) = (scratch(), home("kubernetes"));
        let ca = Ca::new();
        let ca_file = ca.write(dir.path());
        ca.write_server(dir.path(), "localhost");
        std::fs::write(dir.path().join("users.csv"), format!("{ADMIN},admin,1,system:masters\n")).unwrap();
        let (etcd_port, peer) = (free_port(), free_port());
        let etcd = Process::start(
            home.join("bin/etcd"),
            [
                format!("--data-dir={}", dir.path().join("etcd").display()),
                format!("--listen-client-urls=http://127.0.0.1:{etcd_port}"),
                format!("--advertise-client-urls=http://127.0.0.1:{etcd_port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
                "--unsafe-no-fsync".into(),
            ],
        );
        let mut cluster = Self {
            port: free_port(),
            etcd_port,
            web: Web::new(&ca.pem()),
            ca_file,
            keys: Vec::new(),
            server: None,
            _etcd: etcd,
            dir,
        };
        cluster.rotate("RS256", false);
        cluster
    }

    /// Restarts the API server with a new signing key for this algorithm; with `overlap` the public halves of the
    /// earlier ones stay published.
    pub(crate) fn rotate(&mut self, alg: &str, overlap: bool) {
        let pair = match alg {
            "RS256" => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            _ => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        };
        let pair = pair.unwrap();
        if !overlap {
            self.keys.clear();
        }
        let number = std::fs::read_dir(self.dir.path()).unwrap().count();
        let file = self.dir.path().join(format!("{number}.key"));
        std::fs::write(&file, pair.serialize_pem()).unwrap();
        std::fs::write(file.with_extension("pub"), pair.public_key_pem()).unwrap();
        self.keys.push(file);
        self.serve();
    }

    fn serve(&mut self) {
        // The one before gives its port back.
        drop(self.server.take());
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let mut args = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            "--service-cluster-ip-range=10.96.0.0/24".into(),
            format!("--secure-port={}", self.port),
            format!("--tls-cert-file={}", file("server.pem")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--token-auth-file={}", file("users.csv")),
            "--authorization-mode=RBAC".into(),
            // Needs a controller that makes the default account of each namespace.
            "--disable-admission-plugins=ServiceAccount".into(),
            format!("--service-account-issuer={ISSUER}"),
            format!("--service-account-signing-key-file={}", self.keys.last().unwrap().display()),
        ];
        let public = |key: &PathBuf| format!("--service-account-key-file={}", key.with_extension("pub").display());
        args.extend(self.keys.iter().map(public));
        let mut server = Process::start(home("kubernetes").join("bin/kube-apiserver"), args);
        ready("the Kubernetes API server", &mut server, || {
            let (status, _) = self.admin("GET", "/readyz", None);
            (status == 200).then_some(())
        });
        self.server = Some(server);
    }

    /// A request of the administrator.
    fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.web.call(method, &self.url(path), ADMIN, body)
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Creates an account, and its namespace if need be; its `uid`.
    pub(crate) fn create_account(&self, namespace: &str, name: &str) -> String {
        let (status, answer) =
            self.admin("POST", "/api/v1/namespaces", Some(&json!({"metadata": {"name": namespace}})));
        assert!([201, 409].contains(&status), "{answer}");
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let (status, account) = self.admin("POST", &path, Some(&json!({"metadata": {"name": name}})));
        assert_eq!(status, 201, "{account}");
        account["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// Deletes an account.
    pub(crate) fn delete_account(&self, namespace: &str, name: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        let (status, answer) = self.admin("DELETE", &path, None);
        assert_eq!(status, 200, "{answer}");
    }

    /// A token by TokenRequest; the server grants ten minutes at the least.
    pub(crate) fn token(&self, namespace: &str, account: &str, audience: &str, seconds: u32) -> String {
        self.request_token(namespace, account, &json!({"audiences": [audience], "expirationSeconds": seconds}))
    }

    /// A token that ends with a pod.
    pub(crate) fn pod_token(&self, namespace: &str, pod: &str, account: &str, audience: &str, seconds: u32) -> String {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "name": pod});
        let spec = json!({"audiences": [audience], "expirationSeconds": seconds, "boundObjectRef": pod});
        self.request_token(namespace, account, &spec)
    }

    fn request_token(&self, namespace: &str, account: &str, spec: &Value) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let (status, answer) = self.admin("POST", &path, Some(&json!({"spec": spec})));
        assert_eq!(status, 201, "{answer}");
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Creates a pod of an account. No node will ever run it.
    pub(crate) fn create_pod(&self, namespace: &str, name: &str, account: &str) {
        let container = json!({"name": "main", "image": "none.test/none"});
        let pod =
            json!({"metadata": {"name": name}, "spec": {"serviceAccountName": account, "containers": [container]}});
        let (status, answer) = self.admin("POST", &format!("/api/v1/namespaces/{namespace}/pods"), Some(&pod));
        assert_eq!(status, 201, "{answer}");
    }

    /// Lets every service account read the keys, as a cluster's installer may, and makes an account `reader` for it.
    pub(crate) fn publish_keys_to_accounts(&self) {
        self.create_account("kube-public", "reader");
        let binding = json!({
            "metadata": {"name": "discovery"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}],
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let (status, answer) = self.admin("POST", path, Some(&binding));
        assert_eq!(status, 201, "{answer}");
    }

    /// A token of the account `reader` for the API server itself.
    pub(crate) fn reader_token(&self) -> String {
        self.token("kube-public", "reader", ISSUER, 3600)
    }

    /// Where the API server listens on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// A configuration of the administrator's clients.
    pub(crate) fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": self.url(""),
                "certificate-authority": self.ca_file,
            }}],
            "users": [{"name": "u", "user": {"token": ADMIN}}],
        })
        .to_string()
    }

    /// Where the keys are.
    pub(crate) fn jwks_uri(&self) -> String {
        self.url("/openid/v1/jwks")
    }

    /// The published keys, asked for with this token (an empty one for none).
    pub(crate) fn key_set(&self, bearer: &str) -> (u16, Value) {
        if bearer.is_empty() {
            self.web.get(&self.jwks_uri())
        } else {
            self.web.call("GET", &self.jwks_uri(), bearer, None)
        }
    }

    /// The published keys, as the administrator sees them.
    pub(crate) fn keys(&self) -> Value {
        self.key_set(ADMIN).1
    }

    /// The certificate of the authority that only this cluster has.
    pub(crate) fn ca_file(&self) -> &str {
        &self.ca_file
    }
}
