use super::mesh::Mesh;
use super::world::*;
use crate::support::http::Request;
use crate::support::upstream::{Echo, MARK};
use crate::system::free_port;
use serde_json::json;

#[test]
fn explore() {
    let w = world();
    let port = free_port();
    w.mesh.pod("ingressgateway");
    let gw = file("gateway.yaml").with("number: 80,", &format!("number: {port},")).with("  servers:\n  - port", "  servers:\n  - bind: 127.0.0.1\n    port");
    w.mesh.apply(gw.as_str());
    let out = crate::support::credence::run(&["render", "--to", "istio", "--trust", "examples/istio/trust.yaml"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let (_, objects) = text.split_once("\n---\n").unwrap();
    w.mesh.apply(objects);
    let traps = [
        ("notpaths", "rules: [{to: [{operation: {notPaths: [/healthz]}}]}]", ""),
        ("paths", "rules: [{to: [{operation: {paths: [/admin, /admin/*]}}]}]", ""),
        ("hosts", "rules: [{to: [{operation: {hosts: [api.acme.test, \"api.acme.test:*\"]}}]}]", ""),
        ("norules", "", ""),
        ("all", "rules: [{}]", ""),
        ("noprovider", "rules: [{}]", "nobody"),
        ("dryrun", "rules: [{}]", "dry"),
    ];
    let mut ports = vec![];
    for (name, rules, kind) in traps {
        let p = free_port();
        ports.push((name, p));
        w.mesh.pod(name);
        let provider = if kind == "nobody" { "nobody" } else { "credence" };
        let ann = if kind == "dry" { ", annotations: {istio.io/dry-run: \"true\"}" } else { "" };
        w.mesh.apply(&format!("
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: istio-system}}
spec:
  selector: {{istio: {name}}}
  servers: [{{bind: 127.0.0.1, port: {{number: {p}, name: http, protocol: HTTP}}, hosts: [\"*\"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: istio-system}}
spec: {{hosts: [\"*\"], gateways: [{name}], http: [{{route: [{{destination: {{host: ledger.finance.svc.cluster.local, port: {{number: 8080}}}}}}]}}]}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: istio-system{ann}}}
spec:
  selector: {{matchLabels: {{istio: {name}}}}}
  action: CUSTOM
  provider: {{name: {provider}}}
  {rules}
"));
    }
    let bare = w.mesh.istiod("bare", json!({"extensionProviders": [{"name": "credence", "envoyExtAuthzGrpc": {"service": "credence.credence.svc.cluster.local", "port": 9191}}]}));
    let none = w.mesh.istiod("none", json!({"pathNormalization": {"normalization": "NONE"}, "extensionProviders": [{"name": "credence", "envoyExtAuthzGrpc": {"service": "credence.credence.svc.cluster.local", "port": 9191}}]}));
    let decode = w.mesh.istiod("decode", json!({"pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"}, "extensionProviders": [{"name": "credence", "envoyExtAuthzGrpc": {"service": "credence.credence.svc.cluster.local", "port": 9191}}]}));
    let envoy = w.istiod.gateway("ingressgateway");
    let to = envoy.address(&format!("127.0.0.1_{port}"));
    let dump = envoy.admin("/config_dump");
    std::fs::write("/tmp/istio-dump.json", dump.text()).unwrap();
    let mut n = 0;
    let mut send = |to, host: &str, path: &str, token: Option<String>, what: &str| {
        n += 1;
        let mut r = Request::get(path).host(host).header(MARK, n.to_string()).header("x-credence-subject", "forged");
        if let Some(t) = token { r = r.bearer(t); }
        let a = r.send(to);
        let seen = w.upstream.received(&n.to_string());
        println!("{what} {host}{path} -> {} {} upstream: {:?}", a.status, a.text().chars().take(60).collect::<String>(), seen.map(|s| (s.target.clone(), s.headers.iter().filter(|h| h.0.starts_with("x-cred")).cloned().collect::<Vec<_>>())));
    };
    for (host, path) in [("ledger.acme.test", "/healthz"), ("ledger.acme.test", "/%68ealthz"), ("ledger.acme.test:443", "/v1/entries"), ("LEDGER.acme.test", "/v1/entries"), ("ledger.acme.test.", "/v1/entries"), ("other.acme.test", "/")] {
        send(to, host, path, None, "edge");
    }
    for (mode, istiod) in [("merge", &w.istiod), ("base", &bare), ("none", &none), ("decode", &decode)] {
        for (name, p) in &ports {
            let envoy = istiod.gateway(name);
            let to = envoy.address(&format!("127.0.0.1_{p}"));
            let what = format!("{mode} {name}");
            if ["notpaths", "paths"].contains(name) || *name == "all" && mode == "merge" {
                for path in ["/healthz", "/%68ealthz", "/healthz/", "/healthz;x", "/healthz?x", "/healthz%2f..%2fadmin", "/x/../healthz", "/admin/x", "/%61dmin/x", "//admin/x", "/Admin/x", "/admin%2fx", "/admin;/x", "/x/%2e%2e/admin/x", "/healthz/../admin/x", "/admin%5cx", "/admin\\x"] {
                    send(to, "api.acme.test", path, None, &what);
                }
            } else if mode == "merge" || *name == "hosts" {
                for host in ["api.acme.test", "api.acme.test:443", "API.acme.test", "api.acme.test.", "api.acme.test:", "api.acme.test:443.", "other.test"] {
                    send(to, host, "/x", None, &what);
                }
            }
        }
    }
}
