//! A trust domain: SPIRE's server, and its agent and OIDC discovery provider where a test wants them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::issuer::Ca;
use crate::support::process::Process;
use crate::support::scratch;
use crate::system::{free_port, home, ready, run};
use crate::web::Web;

/// How the bundle endpoint proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// With a certificate of an ordinary authority.
    Web,
    /// With the server's own X.509-SVID.
    Spiffe,
}

/// A running server.
pub(crate) struct Domain {
    name: String,
    port: u16,
    bundle_port: u16,
    endpoint: Endpoint,
    ca: Ca,
    _server: Process,
    dir: TempDir,
}

impl Domain {
    /// A fresh trust domain that signs by ES256.
    pub(crate) fn start(name: &str, endpoint: Endpoint) -> Self {
        Self::with(name, endpoint, "")
    }

    /// The same with these settings of the server besides: `jwt_issuer`, `jwt_key_type`.
    pub(crate) fn with(name: &str, endpoint: Endpoint, settings: &str) -> Self {
        let (dir, ca) = (scratch(), Ca::new());
        ca.write(dir.path());
        let (certificate, key) = ca.write_server(dir.path(), "localhost");
        let (port, bundle_port) = (free_port(), free_port());
        let profile = match endpoint {
            Endpoint::Spiffe => "profile \"https_spiffe\" {}".to_owned(),
            // Without an interval the server does not start.
            Endpoint::Web => format!(
                "profile \"https_web\" {{ serving_cert_file {{ cert_file_path = \"{certificate}\" key_file_path = \"{key}\" \
                 file_sync_interval = \"1h\" }} }}"
            ),
        };
        let at = dir.path().display();
        let config = format!(
            r#"server {{
                trust_domain = "{name}"
                bind_address = "127.0.0.1"
                bind_port = "{port}"
                socket_path = "{at}/server.sock"
                data_dir = "{at}"
                {settings}
                federation {{ bundle_endpoint {{ address = "127.0.0.1" port = {bundle_port} {profile} }} }}
            }}
            plugins {{
                DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{at}/db.sqlite3" }} }}
                KeyManager "disk" {{ plugin_data {{ keys_path = "{at}/keys.json" }} }}
                NodeAttestor "join_token" {{ plugin_data {{}} }}
            }}"#
        );
        let file = dir.path().join("server.conf");
        std::fs::write(&file, config).unwrap();
        let mut server = Process::start(program("spire-server"), ["run", "-config", &file.display().to_string()]);
        let socket = dir.path().join("server.sock");
        ready("the SPIRE server", &mut server, || {
            let check = ["healthcheck", "-socketPath", socket.to_str()?];
            let output = std::process::Command::new(program("spire-server")).args(check).output().ok()?;
            output.status.success().then_some(())
        });
        let domain = Self { name: name.into(), port, bundle_port, endpoint, ca, _server: server, dir };
        std::fs::write(domain.file("bundle.pem"), domain.server(&["bundle", "show"])).unwrap();
        domain
    }

    /// The SPIFFE ID of a workload.
    pub(crate) fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.name)
    }

    /// Where the bundle endpoint is.
    pub(crate) fn bundle_url(&self) -> String {
        format!("https://localhost:{}", self.bundle_port)
    }

    /// The authority of the bundle endpoint's certificate: an ordinary one, or this domain's for X.509-SVIDs.
    pub(crate) fn ca_file(&self) -> String {
        self.file(if self.endpoint == Endpoint::Web { "ca.pem" } else { "bundle.pem" })
    }

    /// What is served at a URL by whoever has a certificate of this domain's ordinary authority: status and body.
    pub(crate) fn get(&self, url: &str) -> (u16, Value) {
        Web::new(&self.ca.pem()).get(url)
    }

    /// The bundle, by the server's administrator: keys for X.509-SVIDs and for JWT-SVIDs in one key set.
    pub(crate) fn bundle(&self) -> Value {
        serde_json::from_str(&self.server(&["bundle", "show", "-format", "spiffe"])).unwrap()
    }

    /// A JWT-SVID for a workload, minted at the server by the key that is active.
    pub(crate) fn mint(&self, path: &str, audience: &str) -> String {
        self.server(&["jwt", "mint", "-spiffeID", &self.id(path), "-audience", audience]).trim().to_owned()
    }

    /// Makes a new key for JWT-SVIDs and signs with it from now on. The one before stays published.
    pub(crate) fn rotate(&self) {
        self.server(&["localauthority", "jwt", "prepare"]);
        self.server(&["localauthority", "jwt", "activate", "-authorityID", &self.authority("prepared")]);
    }

    /// Withdraws the key that signed before the active one.
    pub(crate) fn revoke_old(&self) {
        let old = self.authority("old");
        for step in ["taint", "revoke"] {
            self.server(&["localauthority", "jwt", step, "-authorityID", &old]);
        }
    }

    fn authority(&self, state: &str) -> String {
        let shown = self.server(&["localauthority", "jwt", "show", "-output", "json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown[state]["authority_id"].as_str().unwrap_or_else(|| panic!("no {state} authority in {shown}")).to_owned()
    }

    /// The private key, in PKCS#8, of the authority for X.509-SVIDs.
    pub(crate) fn x509_authority_key(&self) -> Vec<u8> {
        let file = std::fs::read_to_string(self.dir.path().join("keys.json")).unwrap();
        let file: Value = serde_json::from_str(&file).unwrap();
        let key = file["keys"]["x509-CA-A"].as_str().expect("the key of the X.509 authority");
        STANDARD.decode(key).unwrap()
    }

    /// A command of the server's own tool.
    fn server(&self, args: &[&str]) -> String {
        let socket = self.file("server.sock");
        let program = program("spire-server");
        // The socket's flag stands behind the names of the command.
        let names = args.iter().take_while(|arg| !arg.starts_with('-')).count();
        let (command, flags) = args.split_at(names);
        run(&program, &[command, &["-socketPath", &socket], flags].concat())
    }

    fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Starts an agent that knows every process of this user as the workload `path`.
    pub(crate) fn agent(&self, path: &str) -> Agent {
        let (node, user) = (self.id("/node"), std::fs::metadata(self.dir.path()).unwrap().uid());
        let token: Value =
            serde_json::from_str(&self.server(&["token", "generate", "-spiffeID", &node, "-output", "json"])).unwrap();
        let selector = format!("unix:uid:{user}");
        let workload = self.id(path);
        self.server(&["entry", "create", "-parentID", &node, "-spiffeID", &workload, "-selector", &selector]);
        let config = format!(
            r#"agent {{
                trust_domain = "{name}"
                server_address = "127.0.0.1"
                server_port = "{port}"
                socket_path = "{at}/agent.sock"
                data_dir = "{at}/agent"
                trust_bundle_path = "{at}/bundle.pem"
                join_token = "{token}"
            }}
            plugins {{
                KeyManager "memory" {{ plugin_data {{}} }}
                NodeAttestor "join_token" {{ plugin_data {{}} }}
                WorkloadAttestor "unix" {{ plugin_data {{}} }}
            }}"#,
            name = self.name,
            port = self.port,
            at = self.dir.path().display(),
            token = token["value"].as_str().unwrap(),
        );
        std::fs::write(self.file("agent.conf"), config).unwrap();
        let process = Process::start(program("spire-agent"), ["run", "-config", &self.file("agent.conf")]);
        Agent { process, socket: self.file("agent.sock") }
    }

    /// Starts the OIDC discovery provider at `https://localhost:PORT`, with a certificate of this domain's ordinary
    /// authority.
    pub(crate) fn discovery_provider(&self, port: u16) -> Process {
        let issuer = format!("https://localhost:{port}");
        let config = format!(
            r#"domains = ["localhost"]
            jwt_issuer = "{issuer}"
            serving_cert_file {{ addr = "127.0.0.1:{port}" cert_file_path = "{at}/server.pem" key_file_path = "{at}/server.key" }}
            server_api {{ address = "unix://{at}/server.sock" poll_interval = "1s" }}"#,
            at = self.dir.path().display(),
        );
        std::fs::write(self.file("oidc.conf"), config).unwrap();
        let mut process = Process::start(program("oidc-discovery-provider"), ["-config", &self.file("oidc.conf")]);
        ready("the OIDC discovery provider", &mut process, || {
            (self.get(&format!("{issuer}/.well-known/openid-configuration")).0 == 200).then_some(())
        });
        process
    }
}

/// A running agent.
pub(crate) struct Agent {
    process: Process,
    socket: String,
}

impl Agent {
    /// What a workload gets over the Workload API.
    pub(crate) fn jwt_svid(&mut self, audience: &str) -> String {
        let socket = &self.socket;
        ready("the SPIRE agent", &mut self.process, || {
            let args = ["api", "fetch", "jwt", "-socketPath", socket, "-audience", audience, "-output", "json"];
            let output = std::process::Command::new(program("spire-agent")).args(args).output().ok()?;
            let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
            Some(answer.pointer("/0/svids/0/svid")?.as_str()?.to_owned())
        })
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(&home("spire")).join("bin").join(name)
}
