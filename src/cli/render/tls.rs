//! How the gateway and credence know one another: the flags, and what they come to for each gateway.

use std::net::IpAddr;

use clap::{Args, ValueEnum};

use super::snippet::Value;
use super::{Names, Target, name};

/// As `tls.mode` of the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Both ends show a certificate.
    Mtls,
    /// No TLS: whoever reaches the port may ask.
    Insecure,
}

/// Certificates, and where they are.
#[derive(Debug, Clone, Args)]
pub(super) struct Tls {
    /// How questions travel, as `tls.mode` of the chart: `mtls`, or `insecure` for a credence with `--insecure-listen` or on
    /// loopback. Over a unix socket there is no TLS.
    #[arg(long, env = "CREDENCE_TLS", value_name = "MODE", value_enum, default_value_t = Mode::Mtls)]
    pub(super) tls: Mode,
    /// DNS name that credence's certificate must carry [default: SERVICE.NAMESPACE.svc; plain Envoy: the host name of
    /// `--service`].
    #[arg(long, env = "CREDENCE_SERVER_NAME", value_name = "NAME", value_parser = name)]
    server_name: Option<String>,
    /// Plain Envoy: where it has the authority of credence's certificate [default: /etc/envoy/credence/ca.crt].
    #[arg(long, env = "CREDENCE_CA_FILE", value_name = "FILE", value_parser = path)]
    ca_file: Option<String>,
    /// Plain Envoy: where it has the certificate that it shows [default: /etc/envoy/credence/tls.crt].
    #[arg(long, env = "CREDENCE_CLIENT_CERT_FILE", value_name = "FILE", value_parser = path)]
    client_cert_file: Option<String>,
    /// Plain Envoy: where it has the key of that certificate [default: /etc/envoy/credence/tls.key].
    #[arg(long, env = "CREDENCE_CLIENT_KEY_FILE", value_name = "FILE", value_parser = path)]
    client_key_file: Option<String>,
    /// Envoy Gateway: the Secret beside the Service whose `ca.crt` is the authority of credence's certificate [default:
    /// SERVICE-tls, that of the chart].
    #[arg(long, env = "CREDENCE_CA_SECRET", value_name = "NAME", value_parser = name)]
    ca_secret: Option<String>,
    /// Envoy Gateway: instead, a ConfigMap beside the Service with that `ca.crt`.
    #[arg(long, env = "CREDENCE_CA_CONFIGMAP", value_name = "NAME", value_parser = name, conflicts_with = "ca_secret")]
    ca_configmap: Option<String>,
    /// Envoy Gateway and Istio: the Secret in the gateway's namespace with the certificate that it shows, `tls.crt` and
    /// `tls.key`; for Istio with `ca.crt` too, the authority of credence's [default: credence-client].
    #[arg(long, env = "CREDENCE_CLIENT_SECRET", value_name = "NAME", value_parser = name)]
    client_secret: Option<String>,
    /// Envoy Gateway: the EnvoyProxy in the Gateway's namespace that the Gateway or its class names in `parametersRef`
    /// [default: credence].
    #[arg(long, env = "CREDENCE_ENVOY_PROXY", value_name = "NAME", value_parser = name)]
    envoy_proxy: Option<String>,
}

impl Tls {
    /// That no flag was given in vain: it would look as if it had been obeyed.
    pub(super) fn check(&self, to: Target, names: &Names) -> Result<(), String> {
        for (flag, given, targets) in self.flags() {
            if !given {
                continue;
            }
            if names.socket().is_some() {
                return Err(format!("over a unix socket there is no TLS: leave `{flag}` out"));
            }
            if self.tls == Mode::Insecure {
                return Err(format!("`{flag}` is of mutual TLS: leave it or `--tls insecure` out"));
            }
            if !targets.contains(&to) {
                let own = if to == Target::Envoy { "--client-cert-file" } else { "--client-secret" };
                return Err(format!("`{flag}` is not of this gateway, whose certificates come by `{own}`"));
            }
        }
        Ok(())
    }

    /// Each flag of mutual TLS, whether it was given, and for which gateways it is.
    fn flags(&self) -> [(&'static str, bool, &'static [Target]); 8] {
        use Target::{Envoy, EnvoyGateway, Istio};
        [
            ("--server-name", self.server_name.is_some(), &[Envoy, EnvoyGateway, Istio]),
            ("--ca-file", self.ca_file.is_some(), &[Envoy]),
            ("--client-cert-file", self.client_cert_file.is_some(), &[Envoy]),
            ("--client-key-file", self.client_key_file.is_some(), &[Envoy]),
            ("--ca-secret", self.ca_secret.is_some(), &[EnvoyGateway]),
            ("--ca-configmap", self.ca_configmap.is_some(), &[EnvoyGateway]),
            ("--client-secret", self.client_secret.is_some(), &[EnvoyGateway, Istio]),
            ("--envoy-proxy", self.envoy_proxy.is_some(), &[EnvoyGateway]),
        ]
    }

    /// Whether questions travel over TLS.
    pub(super) fn is_mutual(&self, names: &Names) -> bool {
        self.tls == Mode::Mtls && names.socket().is_none()
    }

    /// The name in credence's certificate. What plain Envoy connects to says it where it is a name.
    pub(super) fn server_name(&self, to: Target, names: &Names) -> Value {
        let host = names.service.as_deref().filter(|host| host.parse::<IpAddr>().is_err());
        match (&self.server_name, to, host) {
            (Some(name), ..) => Value::given(name),
            (None, Target::Envoy, Some(host)) => Value::given(host),
            (None, Target::Envoy, None) => Value::guessed(format!("credence.{}.svc", names.namespace)),
            (None, ..) => Value::given(&format!("{}.{}.svc", names.service_name(), names.namespace)),
        }
    }

    /// For plain Envoy: the files of authority, certificate and key.
    pub(super) fn files(&self) -> [Value; 3] {
        let file = |given: &Option<String>, name| Value::or(given.as_deref(), &format!("/etc/envoy/credence/{name}"));
        [file(&self.ca_file, "ca.crt"), file(&self.client_cert_file, "tls.crt"), file(&self.client_key_file, "tls.key")]
    }

    /// The object with the authority of credence's certificate: its kind and its name.
    pub(super) fn authority(&self, names: &Names) -> (&'static str, Value) {
        match &self.ca_configmap {
            Some(name) => ("ConfigMap", Value::given(name)),
            None => ("Secret", Value::or(self.ca_secret.as_deref(), &format!("{}-tls", names.service_name()))),
        }
    }

    /// The Secret with what the gateway shows.
    pub(super) fn client_secret(&self) -> Value {
        Value::or(self.client_secret.as_deref(), "credence-client")
    }

    /// The EnvoyProxy that shows it.
    pub(super) fn envoy_proxy(&self) -> Value {
        Value::or(self.envoy_proxy.as_deref(), "credence")
    }
}

/// What is said where nothing is encrypted.
pub(super) const INSECURE: &str =
    "# Questions travel without TLS: whoever reaches credence's port may ask, and learns who may do what.\n";

/// A path: nothing that a line of YAML or a comment could be ended by.
pub(super) fn path(text: &str) -> Result<String, String> {
    let fits = text.starts_with('/') && text.len() < 4096 && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("expected an absolute path".to_owned()) }
}
