//! A Keycloak with an in-memory database, and its admin interface.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{AUDIENCE, CLIENT};
use crate::support::issuer::Ca;
use crate::support::process::Process;
use crate::support::scratch;
use crate::system::{home, ready};
use crate::web::Web;

/// What clients, the user and the administrator authenticate with.
const SECRET: &str = "not-a-secret-only-a-test";

/// A running Keycloak.
pub(crate) struct Keycloak {
    url: String,
    web: Web,
    ca_file: String,
    _process: Process,
    _dir: TempDir,
}

impl Keycloak {
    /// Without a realm but its own.
    pub(crate) fn start() -> Self {
        let (dir, dist) = (scratch(), home("keycloak").join("dist").display().to_string());
        let ca = Ca::new();
        let ca_file = ca.write(dir.path());
        let (certificate, key) = ca.write_server(dir.path(), "localhost");
        // The program itself and not its start script, which would stand between it and its end.
        let program = [
            "KC_BOOTSTRAP_ADMIN_USERNAME=admin".to_owned(),
            format!("KC_BOOTSTRAP_ADMIN_PASSWORD={SECRET}"),
            "java".into(),
            "-Xmx512m".into(),
            format!("-Dkc.home.dir={dist}"),
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager".into(),
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=\
             io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
                .into(),
            format!("-Dquarkus.transaction-manager.object-store.directory={}", dir.path().display()),
            "--add-opens=java.base/java.util=ALL-UNNAMED".into(),
            "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED".into(),
            "--add-opens=java.base/java.security=ALL-UNNAMED".into(),
            "--add-opens=java.base/java.lang=ALL-UNNAMED".into(),
            format!("--class-path={dist}/lib/quarkus-run.jar"),
            "io.quarkus.bootstrap.runner.QuarkusEntryPoint".into(),
            "start".into(),
            "--optimized".into(),
            "--cache=local".into(),
            "--http-host=127.0.0.1".into(),
            "--https-port=0".into(),
            "--hostname-strict=false".into(),
            format!("--https-certificate-file={certificate}"),
            format!("--https-certificate-key-file={key}"),
        ];
        let mut process = Process::start("env", program);
        let stdout = process.stdout();
        let port = ready("Keycloak", &mut process, || {
            let output = std::fs::read_to_string(&stdout).ok()?;
            let (_, rest) = output.split_once("Listening on: https://127.0.0.1:")?;
            Some(rest.split_once('\n')?.0.to_owned())
        });
        let url = format!("https://localhost:{port}");
        Self { url, web: Web::new(&ca.pem()), ca_file, _process: process, _dir: dir }
    }

    /// Makes a realm with one client, which may also ask for the tokens of the realm's only user, `alice`.
    pub(crate) fn create_realm(&self, realm: &str) {
        let audience = json!({
            "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            // Also in ID tokens: then nothing but their kind tells them from access tokens.
            "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true", "id.token.claim": "true"},
        });
        let client = json!({
            "clientId": CLIENT, "secret": SECRET, "enabled": true, "publicClient": false, "standardFlowEnabled": false,
            "serviceAccountsEnabled": true, "directAccessGrantsEnabled": true, "protocolMappers": [audience],
        });
        let alice = json!({
            "username": "alice", "enabled": true, "email": "alice@acme.test", "emailVerified": true, "firstName": "A",
            "lastName": "A", "credentials": [{"type": "password", "value": SECRET, "temporary": false}],
        });
        let realm = json!({"realm": realm, "enabled": true, "clients": [client], "users": [alice]});
        assert_eq!(self.admin("POST", "", Some(&realm)).0, 201);
    }

    /// A request to the admin interface, below `/admin/realms`.
    fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let fields =
            [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", SECRET)];
        let (_, answer) = self.web.form(&self.token_endpoint("master"), &[], &fields);
        let bearer = answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}"));
        self.web.call(method, &format!("{}/admin/realms{path}", self.url), bearer, body)
    }

    fn token_endpoint(&self, realm: &str) -> String {
        format!("{}/protocol/openid-connect/token", self.issuer(realm))
    }

    /// The `iss` of a realm's tokens.
    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.url)
    }

    /// Where the certificate of its authority is.
    pub(crate) fn ca_file(&self) -> &str {
        &self.ca_file
    }

    /// An access token of the client for itself (RFC 6749 §4.4).
    pub(crate) fn access_token(&self, realm: &str) -> String {
        let answer = self.ask(realm, &[("grant_type", "client_credentials")]);
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// What the client gets for alice's password: `access_token`, `id_token`, `refresh_token`.
    pub(crate) fn tokens_of_alice(&self, realm: &str) -> Value {
        let fields = [("grant_type", "password"), ("username", "alice"), ("password", SECRET), ("scope", "openid")];
        self.ask(realm, &fields)
    }

    fn ask(&self, realm: &str, fields: &[(&str, &str)]) -> Value {
        let secret = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        self.web.form(&self.token_endpoint(realm), &[("authorization", &secret)], fields).1
    }

    /// The published key set.
    pub(crate) fn key_set(&self, realm: &str) -> Value {
        self.web.get(&format!("{}/protocol/openid-connect/certs", self.issuer(realm))).1
    }

    /// Adds an RSA key that signs from now on, because its priority is the highest.
    pub(crate) fn add_key(&self, realm: &str, priority: u32) {
        let (_, about) = self.admin("GET", &format!("/{realm}"), None);
        let one = |value: &str| json!([value]);
        let component = json!({
            "name": format!("rsa-{priority}"), "providerId": "rsa-generated", "parentId": about["id"],
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": one(&priority.to_string()), "enabled": one("true"), "active": one("true"), "algorithm": one("RS256")},
        });
        let (status, answer) = self.admin("POST", &format!("/{realm}/components"), Some(&component));
        assert_eq!(status, 201, "{answer}");
    }

    /// Withdraws the key with this `kid`.
    pub(crate) fn remove_key(&self, realm: &str, kid: &str) {
        let (_, about) = self.admin("GET", &format!("/{realm}/keys"), None);
        let key = about["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).expect("this key");
        let path = format!("/{realm}/components/{}", key["providerId"].as_str().unwrap());
        assert_eq!(self.admin("DELETE", &path, None).0, 204);
    }
}
