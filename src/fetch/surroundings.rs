//! What the operator of this process gave it beside the trust table.

use std::path::{Path, PathBuf};

use super::error::FetchError;
use super::proxy::Proxies;
use super::url::KeyUrl;
use crate::keys::FetchResult;

/// Where a pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The outside that a table refers to, but may not choose. The default has no secrets, no proxy and no cluster.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The only directory that `bearerTokenFile` and `clientKeyFile` are read from; without it they are refused.
    pub secrets_dir: Option<PathBuf>,
    /// Where `ca.crt` and `token` of the service account are; without it where Kubernetes puts them.
    pub service_account_dir: Option<PathBuf>,
    pub(super) proxies: Proxies,
    /// Host and port of the API server of the cluster around.
    pub(super) cluster: Option<(String, String)>,
}

impl Surroundings {
    /// What the environment variables of this process say: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` (in either case),
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
    pub fn of_process() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same from any variables; an empty one counts as absent.
    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let cluster = variable("KUBERNETES_SERVICE_HOST").zip(variable("KUBERNETES_SERVICE_PORT"));
        Self { proxies: Proxies::from_variables(variable), cluster, ..Self::default() }
    }

    pub(super) fn service_account(&self) -> &Path {
        self.service_account_dir.as_deref().unwrap_or(Path::new(SERVICE_ACCOUNT))
    }

    /// Where the API server publishes the keys of its service account tokens (`kubectl get --raw /openid/v1/jwks`).
    pub(super) fn cluster_keys(&self) -> Result<KeyUrl, FetchError> {
        let Some((host, port)) = &self.cluster else {
            let what = "credence does not run in a Kubernetes pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT \
                        are not set): write jwksUri or jwksFile instead";
            return Err(FetchError::new(FetchResult::Url, "kubernetes: inCluster", what));
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        KeyUrl::parse(&format!("https://{host}:{port}/openid/v1/jwks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(host: &str, port: &str) -> Surroundings {
        let variable = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some(host.to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some(port.to_owned()),
            _ => None,
        };
        Surroundings::from_variables(variable)
    }

    #[test]
    fn the_api_server_is_where_the_variables_say() {
        for (host, url) in [
            ("10.0.0.1", "https://10.0.0.1:6443/openid/v1/jwks"),
            ("fd00::1", "https://[fd00::1]:6443/openid/v1/jwks"),
            ("api.test", "https://api.test:6443/openid/v1/jwks"),
        ] {
            assert_eq!(cluster(host, "6443").cluster_keys().unwrap().to_string(), url);
        }
        for (host, port) in [("", "443"), ("10.0.0.1", ""), ("10.0.0.1", "x"), ("169.254.169.254", "443")] {
            assert!(cluster(host, port).cluster_keys().is_err(), "{host}:{port}");
        }
        let told = Surroundings::default().cluster_keys().unwrap_err().to_string();
        assert!(told.contains("KUBERNETES_SERVICE_HOST"), "{told}");
    }
}
