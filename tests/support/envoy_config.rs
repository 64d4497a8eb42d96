//! Envoy's configuration, written from the few things that tests vary.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// The name of the authorization filter; also the namespace of its dynamic metadata.
pub const EXT_AUTHZ: &str = "envoy.filters.http.ext_authz";

const TYPE: &str = "type.googleapis.com/envoy.extensions";

/// One listener on a free port with the authorization filter in front of the upstreams.
#[derive(Debug, Clone)]
pub struct Listener {
    pub(super) name: String,
    authz: Value,
    manager: Value,
    filters: Vec<Value>,
    routes: Vec<Value>,
}

impl Listener {
    /// A listener whose filter asks the cluster `authz`. Paths are handed on as the client wrote them, which is
    /// Envoy's default.
    pub fn new(name: &str, authz: &str) -> Self {
        let authz = json!({
            "@type": format!("{TYPE}.filters.http.ext_authz.v3.ExtAuthz"),
            "transport_api_version": "V3",
            "failure_mode_allow": false,
            "status_on_error": {"code": "ServiceUnavailable"},
            "grpc_service": {"envoy_grpc": {"cluster_name": authz}, "timeout": "10s"},
        });
        Self { name: name.into(), authz, manager: json!({}), filters: Vec::new(), routes: Vec::new() }
    }

    /// Sets a field of the authorization filter.
    #[must_use]
    pub fn authz(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.authz[field] = value.into();
        self
    }

    /// Sets a field of the HTTP connection manager.
    #[must_use]
    pub fn manager(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.manager[field] = value.into();
        self
    }

    /// Lets requests through when the filter gets no verdict. Never do this; here it shows that there always is one.
    #[must_use]
    pub fn failure_mode_allow(self) -> Self {
        self.authz("failure_mode_allow", true)
    }

    /// Sends up to this many bytes of the body along, cut when there are more.
    #[must_use]
    pub fn with_request_body(self, most: usize) -> Self {
        self.authz(
            "with_request_body",
            json!({"max_request_bytes": most, "allow_partial_message": true, "pack_as_bytes": true}),
        )
    }

    /// Shows the filter only these request headers (and the pseudo-headers).
    #[must_use]
    pub fn allowed_headers(self, names: &[&str]) -> Self {
        let patterns: Vec<Value> = names.iter().map(|name| json!({"exact": name, "ignore_case": true})).collect();
        self.authz("allowed_headers", json!({ "patterns": patterns }))
    }

    /// Removes what a client sends in the name of credence before any filter runs, in every spelling.
    #[must_use]
    pub fn early_strip(self) -> Self {
        self.manager(
            "early_header_mutation_extensions",
            json!([{
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": format!("{TYPE}.http.early_header_mutation.header_mutation.v3.HeaderMutation"),
                    "mutations": [{"remove_on_match": {"key_matcher": {"safe_regex": {"regex": "x[-_.]credence[-_.].*"}}}}],
                },
            }]),
        )
    }

    /// Adds a filter between authorization and router.
    #[must_use]
    pub fn filter(mut self, name: &str, typed_config: Value) -> Self {
        self.filters.push(json!({"name": name, "typed_config": typed_config}));
        self
    }

    /// Lets pass only the pair (iss, sub) that the dynamic metadata names.
    #[must_use]
    pub fn rbac_pair(self, iss: &str, sub: &str) -> Self {
        let is = |key: &str, value: &str| {
            let path = [json!({"key": "credence"}), json!({"key": "principal"}), json!({ "key": key })];
            json!({"sourced_metadata": {"metadata_source": "DYNAMIC", "metadata_matcher":
                {"filter": EXT_AUTHZ, "path": path, "value": {"string_match": {"exact": value}}}}})
        };
        let policy = json!({"permissions": [{"any": true}], "principals": [{"and_ids": {"ids": [is("iss", iss), is("sub", sub)]}}]});
        self.filter(
            "envoy.filters.http.rbac",
            json!({"@type": format!("{TYPE}.filters.http.rbac.v3.RBAC"), "rules": {"action": "ALLOW", "policies": {"pair": policy}}}),
        )
    }

    /// Adds a route before the one to the echo upstream.
    #[must_use]
    pub fn route(mut self, route: Value) -> Self {
        self.routes.push(route);
        self
    }

    /// Routes `prefix` to the echo upstream and tells the filter `context_extensions`.
    #[must_use]
    pub fn context(self, prefix: &str, context: Value) -> Self {
        let per_route = json!({"@type": format!("{TYPE}.filters.http.ext_authz.v3.ExtAuthzPerRoute"),
            "check_settings": {"context_extensions": context}});
        self.route(json!({"match": {"prefix": prefix}, "route": {"cluster": "echo"}, "typed_per_filter_config": {EXT_AUTHZ: per_route}}))
    }

    fn json(&self, access_log: &Path) -> Value {
        let mut filters = vec![json!({"name": EXT_AUTHZ, "typed_config": self.authz})];
        filters.extend(self.filters.iter().cloned());
        filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {"@type": format!("{TYPE}.filters.http.router.v3.Router")}}));
        let mut routes = self.routes.clone();
        routes.push(json!({"match": {"prefix": "/grpc.health.v1.Health/"}, "route": {"cluster": "grpc"}}));
        routes.push(json!({"match": {"prefix": "/"}, "route": {"cluster": "echo"}}));
        let mut manager = json!({
            "@type": format!("{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": self.name,
            "codec_type": "AUTO",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http_filters": filters,
            "access_log": [access_log_json(access_log)],
            // RFC 9112 leaves the `*` of `OPTIONS *` to the route; everything else begins with a slash.
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        });
        for (field, value) in self.manager.as_object().into_iter().flatten() {
            manager[field] = value.clone();
        }
        json!({
            "name": self.name,
            // More than Envoy's own 1 MiB, so that a large body reaches the filter and not Envoy's limit.
            "per_connection_buffer_limit_bytes": 64 << 20,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        })
    }
}

/// One line of JSON a request: what was answered, and what credence told about it.
fn access_log_json(path: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": format!("{TYPE}.access_loggers.file.v3.FileAccessLog"),
            "path": path,
            "log_format": {"json_format": {
                "mark": "%REQ(X-TEST-MARK)%",
                "listener": "%PROTOCOL%",
                "code": "%RESPONSE_CODE%",
                "details": "%RESPONSE_CODE_DETAILS%",
                "flags": "%RESPONSE_FLAGS%",
                "path": "%REQ(:PATH)%",
                "metadata": format!("%DYNAMIC_METADATA({EXT_AUTHZ})%"),
            }},
        },
    })
}

/// Something that Envoy talks to.
#[derive(Debug, Clone)]
pub struct Cluster(Value);

impl Cluster {
    /// HTTP/1.1 at a TCP address.
    pub fn http1(name: &str, address: SocketAddr) -> Self {
        Self::new(name, tcp(address), false)
    }

    /// HTTP/2 without TLS at a TCP address: what gRPC wants.
    pub fn grpc(name: &str, address: SocketAddr) -> Self {
        Self::new(name, tcp(address), true)
    }

    /// HTTP/2 without TLS at `host:port` or `unix:PATH`, the two forms in which credence says where it listens.
    pub fn credence(name: &str, listening: &str) -> Self {
        match listening.strip_prefix("unix:") {
            Some(path) => Self::new(name, json!({"pipe": {"path": path}}), true),
            None => Self::grpc(name, listening.parse().unwrap()),
        }
    }

    /// Over TLS: believes servers that the authority in `ca` vouches for under `host`, and shows the certificate and key
    /// at these paths.
    #[must_use]
    pub fn over_tls(mut self, host: &str, ca: &str, shows: Option<&(String, String)>) -> Self {
        let mut common = json!({
            "alpn_protocols": ["h2"],
            "validation_context": {
                "trusted_ca": {"filename": ca},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
            },
        });
        if let Some((certificate, key)) = shows {
            common["tls_certificates"] =
                json!([{"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}]);
        }
        self.0["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TYPE}.transport_sockets.tls.v3.UpstreamTlsContext"),
                "sni": host,
                "common_tls_context": common,
            },
        });
        self
    }

    fn new(name: &str, address: Value, http2: bool) -> Self {
        let protocol = if http2 { "http2_protocol_options" } else { "http_protocol_options" };
        let options = format!("{TYPE}.upstreams.http.v3.HttpProtocolOptions");
        Self(json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [{"max_requests": 10_000, "max_pending_requests": 10_000, "max_connections": 10_000}]},
            "typed_extension_protocol_options":
                {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": options, "explicit_http_config": {protocol: {}}}},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        }))
    }
}

fn tcp(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// The whole bootstrap. `clusters` must hold `echo` and `grpc`, to which every listener routes.
pub fn bootstrap(listeners: &[Listener], clusters: &[Cluster], access_log: &Path) -> Value {
    json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        // Where a listener is traced, spans are sent as they end.
        "layered_runtime": {"layers": [{"name": "tests", "static_layer": {"tracing.opentelemetry.min_flush_spans": 1}}]},
        "static_resources": {
            "listeners": listeners.iter().map(|listener| listener.json(access_log)).collect::<Vec<_>>(),
            "clusters": clusters.iter().map(|cluster| cluster.0.clone()).collect::<Vec<_>>(),
        },
    })
}
