//! A real Envoy that asks an authorizer about each request and answers by itself: what the whole hop costs.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Outcome;
use crate::support::http::Request;
use crate::support::process::Process;
use crate::support::{eventually, root, scratch};

const TYPE: &str = "type.googleapis.com/envoy.extensions";
/// Answers show it if the authorizer named a caller.
pub(crate) const SEEN: &str = "x-seen-principal";

/// A running Envoy with one worker.
pub(crate) struct Envoy {
    process: Process,
    pub(crate) address: SocketAddr,
    _scratch: TempDir,
}

impl Envoy {
    /// Starts one that asks the authorizer at this address; brings the program first where it is missing.
    pub(crate) fn start(authorizer: SocketAddr) -> Outcome<Self> {
        let brought = Command::new(root().join("scripts/envoy.sh")).output()?;
        if !brought.status.success() {
            return Err(format!("no Envoy: {}", String::from_utf8_lossy(&brought.stderr)).into());
        }
        let binary = String::from_utf8(brought.stdout)?.trim().to_owned();
        let scratch = scratch();
        let at = |name: &str| scratch.path().join(name).display().to_string();
        let (config, admin) = (at("envoy.json"), at("admin"));
        std::fs::write(&config, bootstrap(authorizer).to_string())?;
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

fn bootstrap(authorizer: SocketAddr) -> Value {
    let local = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let authz = json!({
        "@type": format!("{TYPE}.filters.http.ext_authz.v3.ExtAuthz"),
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}, "timeout": "1s"},
        "status_on_error": {"code": "ServiceUnavailable"},
    });
    let route = json!({
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}},
        "response_headers_to_add": [{"header": {"key": SEEN, "value": "%REQ(x-credence-principal)%"}}],
    });
    let manager = json!({
        "@type": format!("{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.ext_authz", "typed_config": authz},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": format!("{TYPE}.filters.http.router.v3.Router")}},
        ],
    });
    let many = json!({"max_requests": 10_000, "max_pending_requests": 10_000, "max_connections": 10_000});
    let http2 = json!({"@type": format!("{TYPE}.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": {"http2_protocol_options": {}}});
    json!({
        "admin": {"address": local(0)},
        "static_resources": {
            "listeners": [{"name": "in", "address": local(0), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{
                "name": "authz", "type": "STATIC", "connect_timeout": "1s",
                "circuit_breakers": {"thresholds": [many]},
                "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
                "load_assignment": {"cluster_name": "authz", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": local(authorizer.port())}}]}]},
            }],
        },
    })
}
