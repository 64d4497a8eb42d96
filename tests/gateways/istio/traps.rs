//! What looks protected and is not: each trap of docs/install/istio.md, shown.

use super::world::{Gateway, Outcome, Told, world};
use crate::support::eventually;
use crate::support::http::Request;

/// A gateway for any host, in front of the ledger, without what strips identity headers; and its policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trap {
    pub(super) gateway: &'static str,
    pub(super) told: Told,
    /// What its listener speaks: `HTTP` or `TCP`.
    protocol: &'static str,
    namespace: &'static str,
    annotations: &'static str,
    /// What follows `spec` in the policy.
    rest: &'static str,
}

const fn trap(gateway: &'static str, rest: &'static str) -> Trap {
    Trap { gateway, told: Told::Carefully, protocol: "HTTP", namespace: "istio-system", annotations: "{}", rest }
}

/// The gateway that asks about nothing, and strips what clients send all the same.
pub(super) const STRIPPED: &str = "stripped";

const EVERY: &str = "{provider: {name: credence}, rules: [{}]}";
const PATHS: &str = "{provider: {name: credence}, rules: [{to: [{operation: {paths: [/admin, /admin/*]}}]}]}";
const GONE: &str = "{provider: {name: gone}, rules: [{}]}";

/// `every` is none: it has the policy that is rendered.
pub(super) const TRAPS: [Trap; 16] = [
    trap("not-paths", "{provider: {name: credence}, rules: [{to: [{operation: {notPaths: [/healthz]}}]}]}"),
    trap("paths", PATHS),
    Trap { told: Told::Carelessly, ..trap("paths-careless", PATHS) },
    trap(
        "hosts",
        "{provider: {name: credence}, rules: [{to: [{operation: {hosts: [ledger.acme.test, 'ledger.acme.test:*']}}]}]}",
    ),
    trap("no-rules", "{provider: {name: credence}}"),
    trap("unknown", "{provider: {name: credense}, rules: [{}]}"),
    trap("gone", GONE),
    Trap { told: Told::Carelessly, ..trap("gone-open", GONE) },
    Trap { told: Told::Carelessly, ..trap("gone-silent", "{provider: {name: silent}, rules: [{}]}") },
    Trap { annotations: "{istio.io/dry-run: 'true'}", ..trap("dry-run", EVERY) },
    Trap { namespace: "finance", ..trap("elsewhere", EVERY) },
    trap("unnamed", "{provider: {name: unnamed}, rules: [{}]}"),
    trap(STRIPPED, "{provider: {name: credence}}"),
    Trap { protocol: "TCP", ..trap("tcp", EVERY) },
    trap("every", EVERY),
    Trap { told: Told::Carelessly, ..trap("every-careless", EVERY) },
];

impl Trap {
    /// Its objects, with the gateway on this port.
    pub(super) fn objects(&self, port: u16) -> String {
        let Self { gateway, protocol, namespace, annotations, rest, .. } = self;
        let spec = rest.strip_prefix('{').unwrap();
        format!(
            "{}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {gateway}, namespace: {namespace}, annotations: {annotations}}}
spec: {{selector: {{matchLabels: {{istio: {gateway}}}}}, action: CUSTOM, {spec}
",
            front(gateway, protocol, port)
        )
    }
}

/// A gateway on this port, for any host in front of the ledger.
pub(super) fn front(gateway: &str, protocol: &str, port: u16) -> String {
    let routes = protocol.to_lowercase();
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {gateway}, namespace: istio-system}}
spec:
  selector: {{istio: {gateway}}}
  servers: [{{bind: 127.0.0.1, port: {{number: {port}, name: main, protocol: {protocol}}}, hosts: ['*']}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {gateway}, namespace: istio-system}}
spec:
  hosts: ['*']
  gateways: [{gateway}]
  {routes}: [{{route: [{{destination: {{host: ledger.finance.svc.cluster.local, port: {{number: 8080}}}}}}]}}]
"
    )
}

pub(super) const HOST: &str = "ledger.acme.test";

fn get(host: &str, path: &str) -> Request {
    Request::get(path).host(host).header("x-credence-subject", "forged")
}

/// Nobody asked credence, and the upstream believes whoever came.
fn unchecked(gateway: &Gateway, host: &str, path: &str) {
    let Outcome { response, echo } = gateway.send(get(host, path));
    let echo = echo.unwrap_or_else(|| panic!("{host}{path}: {response:?}"));
    assert_eq!(echo.identity_headers(), [("x-credence-subject", "forged")], "{host}{path}");
}

/// Credence was asked and said no, in whatever words.
fn asked(gateway: &Gateway, host: &str, path: &str) {
    let line = gateway.refused(get(host, path));
    assert_eq!(line["decision"], "deny", "{host}{path}: {line}");
}

#[test]
fn trap_a_path_that_is_left_out_is_left_out_in_every_spelling_of_it() {
    let gateway = world().gateway("not-paths");
    for path in ["/healthz", "/%68ealthz", "/x/../healthz", "/%2e/healthz", "/healthz?as=admin"] {
        unchecked(gateway, HOST, path);
    }
    asked(gateway, HOST, "/v1/entries");
}

#[test]
fn trap_a_rule_on_paths_leaves_out_what_the_upstream_may_take_for_them() {
    let gateway = world().gateway("paths");
    for path in ["/Admin/x", "/admin%2fx", "/admin;/x", "/admin%5cx", "/v1/entries"] {
        unchecked(gateway, HOST, path);
    }
    for path in ["/admin/x", "/%61dmin/x", "//admin/x", "/x/../admin/x", "/admin\\x"] {
        asked(gateway, HOST, path);
    }
    // Without MERGE_SLASHES, one more.
    let gateway = world().gateway("paths-careless");
    unchecked(gateway, HOST, "//admin/x");
    asked(gateway, HOST, "/admin/x");
}

#[test]
fn trap_a_rule_on_hosts_leaves_out_a_dot_at_the_end_where_a_route_answers_for_any_host() {
    let gateway = world().gateway("hosts");
    for host in ["ledger.acme.test.", "other.acme.test"] {
        unchecked(gateway, host, "/v1/entries");
    }
    for host in [HOST, "LEDGER.acme.test", "ledger.acme.test:443"] {
        asked(gateway, host, "/v1/entries");
    }
}

#[test]
fn trap_a_policy_without_rules_asks_about_nothing() {
    unchecked(world().gateway("no-rules"), HOST, "/v1/entries");
}

#[test]
fn trap_a_policy_in_another_namespace_than_the_gateway_asks_about_nothing() {
    unchecked(world().gateway("elsewhere"), HOST, "/v1/entries");
}

#[test]
fn a_rule_that_fits_everything_leaves_nothing_out() {
    for name in ["every", "every-careless"] {
        let gateway = world().gateway(name);
        for path in ["/healthz;x", "/Admin/x", "/admin%2fx", "/admin;/x", "/admin%5cx", "//admin/x", "/v1/entries"] {
            asked(gateway, HOST, path);
        }
        for host in ["ledger.acme.test.", "other.acme.test", "ledger.acme.test:443"] {
            asked(gateway, host, "/v1/entries");
        }
    }
}

#[test]
fn what_clients_send_is_stripped_also_where_nobody_is_asked() {
    let gateway = world().gateway(STRIPPED);
    let echo = gateway
        .send(get(HOST, "/v1/entries").header("X-CREDENCE-PRINCIPAL", "forged").header("x.credence.realm", "forged"))
        .echo
        .unwrap();
    assert!(echo.identity_headers().is_empty(), "{:?}", echo.headers());
}

#[test]
fn a_listener_that_is_not_http_lets_nothing_through() {
    let before = world().credence.decisions().len();
    let answer = get(HOST, "/v1/entries").try_send(world().gateway("tcp").address());
    assert!(answer.is_err(), "{answer:?}");
    let line = eventually("credence to be asked about the connection", || {
        let lines = world().credence.decisions();
        lines.into_iter().skip(before).find(|line| line["http"]["path"].is_null())
    });
    assert_eq!(line["reason"], "malformed_request", "{line}");
}

#[test]
fn a_provider_that_the_mesh_does_not_know_lets_nothing_through() {
    let Outcome { response, echo } = world().gateway("unknown").send(get(HOST, "/v1/entries"));
    assert_eq!((response.status, echo.is_none()), (403, true), "{response:?}");
    assert_eq!(response.text(), "RBAC: access denied", "istiod has denied it, nobody asked credence");
    let told = "failed to process CUSTOM action for provider credense";
    assert!(world().istiod_log().contains(told), "docs/install/istio.md says what to look for in istiod's log");
}

#[test]
fn trap_a_dry_run_of_the_policy_is_none_and_refuses_all() {
    let Outcome { response, echo } = world().gateway("dry-run").send(get(HOST, "/v1/entries"));
    assert_eq!((response.status, echo.is_none()), (403, true), "{response:?}");
    assert_eq!(response.text(), "RBAC: access denied");
}
