//! `render`: what a gateway must be told so that it asks credence about the resources of a table.

mod envoy;
mod envoy_gateway;
mod istio;
mod snippet;
#[cfg(test)]
mod tests;
mod tls;

use std::net::{IpAddr, Ipv6Addr};

use clap::{Args, ValueEnum};

use self::snippet::Value;
use self::tls::Tls;
use super::output::{diagnostic, result, trouble};
use super::trust::Trust;
use super::{NO, YES};
use crate::table::Snapshot;

/// Print the configuration with which a gateway asks credence about the resources of a table.
///
/// For Envoy the fields of a listener and the cluster, for Envoy Gateway and Istio the objects to apply. The same table and
/// names print the same bytes. Questions go over mutual TLS unless `--tls insecure` says otherwise. A line with `# CHANGE:`
/// holds what no flag said, and tells what belongs there; what the gateway cannot do is said in comments too.
///
/// Exit code: 0 printed, 1 printed, but the gateway cannot tell credence what some resource is picked by, 2 could not run.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence render --to envoy-gateway --trust trust.yaml --namespace credence")]
pub(super) struct Render {
    /// For which gateway.
    #[arg(long, env = "CREDENCE_TO", value_enum)]
    to: Target,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    tls: Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Plain Envoy.
    Envoy,
    /// Envoy Gateway: ClientTrafficPolicy, BackendTLSPolicy, EnvoyProxy, SecurityPolicy, ReferenceGrant.
    EnvoyGateway,
    /// Istio: a part of the mesh configuration, EnvoyFilter, DestinationRule, AuthorizationPolicy.
    Istio,
}

/// Where credence is, and what stands in front.
#[derive(Debug, Clone, Args)]
struct Names {
    /// Name of the Service of credence; for plain Envoy its host name, IPv4 or IPv6 address, or `unix:PATH` [default: credence; plain Envoy:
    /// credence.NAMESPACE.svc].
    #[arg(long, env = "CREDENCE_SERVICE", value_name = "NAME", value_parser = service)]
    service: Option<String>,
    /// Namespace of the Service.
    #[arg(long, env = "CREDENCE_NAMESPACE", value_name = "NAME", default_value = "credence", value_parser = name)]
    namespace: String,
    /// Port of the gRPC service.
    #[arg(long, env = "CREDENCE_PORT", value_name = "PORT", default_value_t = 9191, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Name of the Gateway; for Istio the value of the label `istio` on the gateway's pods.
    #[arg(long, env = "CREDENCE_GATEWAY", value_name = "NAME", value_parser = name)]
    gateway: Option<String>,
    /// Namespace of the Gateway, or of the gateway's pods.
    #[arg(long, env = "CREDENCE_GATEWAY_NAMESPACE", value_name = "NAME", value_parser = name)]
    gateway_namespace: Option<String>,
}

impl Names {
    /// That no flag was given in vain, and none stands for what this gateway cannot ask at.
    fn check(&self, to: Target) -> Result<(), String> {
        if to != Target::Envoy {
            if self.socket().is_some() {
                return Err("`--service unix:PATH` is for plain Envoy: a Service has a name".to_owned());
            }
            if self.service.as_deref().is_some_and(|service| service.parse::<IpAddr>().is_ok()) {
                return Err("an address as `--service` is for plain Envoy: say the name of the Service".to_owned());
            }
            return Ok(());
        }
        for (flag, given) in [("--gateway", &self.gateway), ("--gateway-namespace", &self.gateway_namespace)] {
            if given.is_some() {
                return Err(format!(
                    "`{flag}` is of Envoy Gateway and Istio, plain Envoy has no such object: leave it out"
                ));
            }
        }
        Ok(())
    }

    /// The unix socket on which plain Envoy asks.
    fn socket(&self) -> Option<&str> {
        self.service.as_deref()?.strip_prefix(SOCKET)
    }

    /// The Service in Kubernetes.
    fn service_name(&self) -> &str {
        self.service.as_deref().unwrap_or("credence")
    }

    /// The Gateway and its namespace, where nobody says them these.
    fn gateway_or(&self, gateway: &str, namespace: &str) -> [Value; 2] {
        [Value::or(self.gateway.as_deref(), gateway), Value::or(self.gateway_namespace.as_deref(), namespace)]
    }
}

/// What a unix socket begins with, as in `serve --listen`.
const SOCKET: &str = "unix:";

/// What is printed, and what cannot be had.
#[derive(Debug, Default)]
struct Rendered {
    text: String,
    /// Resources that no request would reach, each with why.
    lost: Vec<String>,
}

pub(super) fn run(render: &Render) -> u8 {
    if let Err(error) = render.names.check(render.to).and_then(|()| render.tls.check(render.to, &render.names)) {
        return trouble(error);
    }
    let loaded = match render.trust.load() {
        Ok(loaded) => loaded,
        Err(error) => return trouble(error),
    };
    let rendered = of(render.to, &loaded.snapshot, &render.names, &render.tls);
    result(&rendered.text);
    for lost in &rendered.lost {
        diagnostic(&format!("warning: {lost}"));
    }
    if rendered.lost.is_empty() { YES } else { NO }
}

fn of(to: Target, snapshot: &Snapshot, names: &Names, tls: &Tls) -> Rendered {
    match to {
        Target::Envoy => envoy::render(snapshot, names, tls),
        Target::EnvoyGateway => envoy_gateway::render(snapshot, names, tls),
        Target::Istio => istio::render(snapshot, names, tls),
    }
}

/// A DNS name, an address: nothing that YAML or a comment could take for something else.
fn name(text: &str) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let ends = |at: Option<u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let fits = text.len() <= 253 && text.bytes().all(good) && ends(text.bytes().next()) && ends(text.bytes().last());
    if fits { Ok(text.to_owned()) } else { Err("expected a name of letters, digits, `-` and `.`".to_owned()) }
}

/// The same, an IPv6 address (in brackets or not), or a unix socket.
fn service(text: &str) -> Result<String, String> {
    if let Some(socket) = text.strip_prefix(SOCKET) {
        return tls::path(socket).map(|socket| format!("{SOCKET}{socket}"));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    name(text).map_err(|_| "expected a host name, an address or `unix:PATH`; the port is `--port`".to_owned())
}
