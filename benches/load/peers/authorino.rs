//! Authorino: one AuthConfig from a stand-in for its Kubernetes API, which is also the issuer's discovery and key set.
//! Authorino looks at neither `iss` nor `aud` by itself, so both are patterns to match. No identity cache: its default.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::kubernetes::{self, API};
use super::{Belief, Program, free_port};
use crate::Outcome;
use crate::contestant::{Contestant, Speaks};
use crate::judge::{Expect, SUBJECT};
use crate::support::process::Process;
use crate::support::scratch;
use crate::world::HOST;

/// It listens on every address: it has no option for less.
pub(super) fn start(program: &Path, belief: &Belief) -> Outcome<Contestant> {
    let (needs, port) = (scratch(), free_port()?);
    let (issuer, audience) = (belief.issuer.clone(), belief.audience.clone());
    let api = kubernetes::start(belief.jwks.clone(), move |url| auth_config(&issuer, &audience, url));
    let kubeconfig = needs.path().join("kubeconfig");
    std::fs::write(&kubeconfig, kube_config(&format!("http://{}", api.address())).to_string())?;
    let ports =
        [("--ext-auth-grpc-port", port), ("--ext-auth-http-port", free_port()?), ("--oidc-http-port", free_port()?)];
    let off = ["--metrics-addr", "0", "--health-probe-addr", "0", "--log-level", "error"].map(str::to_owned);
    let words = [format!("KUBECONFIG={}", kubeconfig.display()), program.display().to_string(), "server".to_owned()];
    let words = words.into_iter().chain(ports.into_iter().flat_map(|(name, port)| [name.to_owned(), port.to_string()]));
    // `env` becomes the program: its process id is the program's.
    let process = Process::start("env", words.chain(off));
    Ok(Contestant {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        pids: vec![process.pid()],
        speaks: Speaks::Grpc { yes: Expect::OtherAllow, no: Expect::OtherRefuse },
        running: Box::new(Program { process, _needs: (needs, api) }),
    })
}

fn auth_config(issuer: &str, audience: &str, url: &str) -> Value {
    let is = |claim: &str, operator: &str, value: &str| json!({"selector": format!("auth.identity.{claim}"), "operator": operator, "value": value});
    let patterns = [is("iss", "eq", issuer), is("aud", "eq", audience)];
    json!({
        "apiVersion": API, "kind": "AuthConfig",
        "metadata": {"name": "bench", "namespace": "bench", "uid": "0c3a3c51-95a5-4a2b-8d4c-6f3f3a3ef0ad",
            "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "hosts": [HOST],
            "authentication": {"issuer": {"jwt": {"issuerUrl": url}}},
            "authorization": {"claims": {"patternMatching": {"patterns": patterns}}},
            "response": {"success": {"headers": {SUBJECT: {"plain": {"selector": "auth.identity.sub"}}}}},
        },
    })
}

fn kube_config(server: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": server}}],
        "users": [{"name": "bench", "user": {}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    })
}
