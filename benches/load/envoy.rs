//! A real Envoy that has each request judged, by an authorizer or by itself, and answers it: what the whole hop costs.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Outcome;
use crate::judge::SUBJECT;
use crate::support::http::Request;
use crate::support::process::Process;
use crate::support::{eventually, root, scratch};

const TYPE: &str = "type.googleapis.com/envoy.extensions";
/// Answers show it if a caller was named.
pub(crate) const SEEN: &str = "x-seen-principal";

/// Who judges the requests.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// Nobody.
    None,
    /// The authorizer at this address, by ext_authz.
    Authorizer(SocketAddr),
    /// Envoy's own jwt_authn.
    JwtAuthn {
        issuer: String,
        audience: String,
        jwks: Value,
        /// Tokens that each worker may remember (`jwt_cache_config`); 0: none, which is Envoy's default.
        cached: u32,
    },
}

impl Filter {
    /// What stands before the router, and the header in which it names the caller.
    fn typed(&self) -> Option<(&'static str, Value, &'static str)> {
        match self {
            Self::None => None,
            Self::Authorizer(_) => Some(("envoy.filters.http.ext_authz", ext_authz(), "x-credence-principal")),
            Self::JwtAuthn { issuer, audience, jwks, cached } => {
                let mut provider = json!({
                    "issuer": issuer,
                    "audiences": [audience],
                    "local_jwks": {"inline_string": jwks.to_string()},
                    "claim_to_headers": [{"header_name": SUBJECT, "claim_name": "sub"}],
                    "payload_in_metadata": "payload",
                });
                if *cached > 0 {
                    let cache = json!({"jwt_cache_size": cached, "jwt_max_token_size": 4096});
                    provider.as_object_mut().map(|provider| provider.insert("jwt_cache_config".into(), cache));
                }
                let filter = json!({
                    "@type": format!("{TYPE}.filters.http.jwt_authn.v3.JwtAuthentication"),
                    "providers": {"issuer": provider},
                    "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
                });
                Some(("envoy.filters.http.jwt_authn", filter, SUBJECT))
            }
        }
    }
}

fn ext_authz() -> Value {
    json!({
        "@type": format!("{TYPE}.filters.http.ext_authz.v3.ExtAuthz"),
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}, "timeout": "1s"},
        "status_on_error": {"code": "ServiceUnavailable"},
    })
}

/// A running Envoy with one worker.
pub(crate) struct Envoy {
    process: Process,
    pub(crate) address: SocketAddr,
    _scratch: TempDir,
}

impl Envoy {
    /// Starts one with this filter; brings the program first where it is missing.
    pub(crate) fn start(filter: &Filter) -> Outcome<Self> {
        let brought = Command::new(root().join("scripts/envoy.sh")).output()?;
        if !brought.status.success() {
            return Err(format!("no Envoy: {}", String::from_utf8_lossy(&brought.stderr)).into());
        }
        let binary = String::from_utf8(brought.stdout)?.trim().to_owned();
        let scratch = scratch();
        let at = |name: &str| scratch.path().join(name).display().to_string();
        let (config, admin) = (at("envoy.json"), at("admin"));
        std::fs::write(&config, bootstrap(filter).to_string())?;
        let fixed = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
        let named = ["-c", &config, "--admin-address-path", &admin];
        let mut process = Process::start(binary, named.into_iter().chain(fixed));
        let admin: SocketAddr = eventually("Envoy's admin address", || {
            let ended = process.ended().map(|status| Err(format!("Envoy ended with {status}: {}", process.stderr())));
            ended.or_else(|| Some(Ok(std::fs::read_to_string(&admin).ok()?.parse().ok()?)))
        })?;
        let live = || Request::get("/ready").try_send(admin).ok().filter(|answer| answer.text().starts_with("LIVE"));
        eventually("Envoy to be live", live);
        let bound = Request::get("/listeners?format=json").send(admin).json();
        let port =
            bound.pointer("/listener_statuses/0/local_address/socket_address/port_value").and_then(Value::as_u64);
        let port = u16::try_from(port.ok_or("Envoy has no listener")?)?;
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)), _scratch: scratch })
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.process.pid()
    }
}

fn bootstrap(filter: &Filter) -> Value {
    let local = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let router = json!({"@type": format!("{TYPE}.filters.http.router.v3.Router")});
    let mut filters = vec![json!({"name": "envoy.filters.http.router", "typed_config": router})];
    let mut seen = json!([]);
    if let Some((name, config, header)) = filter.typed() {
        filters.insert(0, json!({"name": name, "typed_config": config}));
        seen = json!([{"header": {"key": SEEN, "value": format!("%REQ({header})%")}}]);
    }
    let route = json!({
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}},
        "response_headers_to_add": seen,
    });
    let manager = json!({
        "@type": format!("{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    });
    let Filter::Authorizer(authorizer) = filter else { return listening(&manager, &[], &local(0)) };
    let many = json!({"max_requests": 10_000, "max_pending_requests": 10_000, "max_connections": 10_000});
    let http2 = json!({"@type": format!("{TYPE}.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": {"http2_protocol_options": {}}});
    let cluster = json!({
        "name": "authz", "type": "STATIC", "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [many]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {"cluster_name": "authz", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": local(authorizer.port())}}]}]},
    });
    listening(&manager, &[cluster], &local(0))
}

fn listening(manager: &Value, clusters: &[Value], anywhere: &Value) -> Value {
    json!({
        "admin": {"address": anywhere},
        "static_resources": {
            "listeners": [{"name": "in", "address": anywhere, "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": clusters,
        },
    })
}
