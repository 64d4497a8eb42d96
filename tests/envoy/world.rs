//! The world of these tests: two issuers that vouch, one that hangs, three credences, one Envoy, one upstream.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::Request;
use crate::support::issuer::{DISCOVERY, Fault, Issuer};
use crate::support::table::Table;
use crate::support::upstream::{MARK, Upstream, grpc_upstream};
use crate::support::visit::{Talks, Visit};

/// The subject that both issuers vouch for: the pair tells them apart, `sub` alone does not.
pub(crate) const SUBJECT: &str = "repo:acme/payments";
/// Audience and host of the resource `api`.
pub(crate) const API: &str = "https://api.acme.test";
pub(crate) const API_HOST: &str = "api.acme.test";

/// Everything that runs.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    pub(crate) upstream: Upstream,
    pub(crate) credence: Credence,
    /// Asked over a unix socket; same table as `credence`.
    pub(crate) by_socket: Credence,
    /// Its table is `moving_table`, which tests change while it serves.
    pub(crate) moving: Credence,
    pub(crate) moving_table: Table,
    pub(crate) ci: Issuer,
    pub(crate) partner: Issuer,
    pub(crate) hanging: Issuer,
    _table: Table,
}

impl Talks for World {
    fn said(&self) -> Vec<(&'static str, String)> {
        vec![("credence", self.credence.stderr()), ("moving", self.moving.stderr()), ("Envoy", self.envoy.stderr())]
    }
}

/// The world; the first caller starts it.
pub(crate) fn world() -> Visit<World> {
    static WORLD: LazyLock<World> = LazyLock::new(build);
    Visit(&WORLD)
}

/// A mark by which one request is found again at the upstream and in Envoy's access log.
pub(crate) fn mark() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("mark-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `method target` at the resource `api`, marked.
pub(crate) fn api(method: &str, target: &str, mark: &str) -> Request {
    Request::new(method, target).host(API_HOST).header(MARK, mark)
}

/// The `issuers:` of every table here.
pub(crate) fn issuers(entries: &[(&str, &Issuer)]) -> String {
    let entry = |(name, issuer): &(&str, &Issuer)| {
        format!("  {name}: {{issuer: \"{}\", owner: team@acme.test, reviewBy: 2099-01-01}}\n", issuer.url())
    };
    format!("issuers:\n{}", entries.iter().map(entry).collect::<String>())
}

const PLACES: &str = r#"
resources:
  api:
    audience: https://api.acme.test
    hosts: [api.acme.test]
    anonymous:
      - {preflight: true, paths: [/v1/**], reason: browsers ask before they send a credential}
      - {methods: [GET], paths: [/healthz], reason: probes carry no credential}
  kept: {audience: https://kept.acme.test, hosts: [kept.acme.test], forwardToken: true, forwardOverrides: true}
  shared: {audience: https://shared.acme.test, hosts: [shared.acme.test]}
  health: {audience: https://grpc.acme.test, hosts: [grpc.acme.test]}
  chat: {audience: https://chat.acme.test, hosts: [chat.acme.test]}
  payments: {audience: https://payments.acme.test, context: {resource: payments}}
  refunds: {audience: https://refunds.acme.test, context: {resource: refunds}}
grants:
  ci-writes: {issuer: ci, resource: api, subject: "repo:acme/payments", methods: [GET, POST], paths: [/v1/**], scopes: [write, read]}
  ci-odd: {issuer: ci, resource: api, subject: "Zoë #1%", methods: [GET], paths: [/v1/**]}
  hanging-writes: {issuer: hanging, resource: api, subject: "repo:acme/payments", methods: [GET, POST], paths: [/v1/**]}
  ci-kept: {issuer: ci, resource: kept, subject: "repo:acme/payments", methods: [GET], paths: any}
  ci-shared: {issuer: ci, resource: shared, subject: "repo:acme/payments", methods: [GET], paths: any}
  partner-shared: {issuer: partner, resource: shared, subject: "repo:acme/payments", methods: [GET], paths: any}
  ci-health: {issuer: ci, resource: health, subject: "repo:acme/payments", methods: [POST], paths: [/grpc.health.v1.Health/Check]}
  ci-chat: {issuer: ci, resource: chat, subject: "repo:acme/payments", methods: [GET], paths: [/room]}
  ci-payments: {issuer: ci, resource: payments, subject: "repo:acme/payments", methods: [GET], paths: any}
  ci-refunds: {issuer: ci, resource: refunds, subject: "repo:acme/payments", methods: [GET], paths: any}
"#;

fn build() -> World {
    let (ci, partner, hanging, upstream) = (Issuer::start(), Issuer::start(), Issuer::start(), Upstream::start());
    hanging.fault(DISCOVERY, Some(Fault::Hang));
    let table =
        Table::new(&format!("{}{PLACES}", issuers(&[("ci", &ci), ("partner", &partner), ("hanging", &hanging)])));
    let credence = Credence::serve(table.path()).keyless("hanging").start();
    let by_socket = Credence::serve(table.path()).keyless("hanging").listen_on(&table.dir().join("authz.sock")).start();
    let moving_table = Table::new(&crate::reload::table(&ci, true));
    let moving = Credence::serve(moving_table.path()).start();

    let contexts = |listener: Listener| {
        listener
            .context("/payments", json!({"resource": "payments"}))
            .context("/refunds", json!({"resource": "refunds"}))
    };
    let unlimited = json!({"max_headers_count": 10_000});
    let open = |name: &str| {
        let listener = Listener::new(name, "credence").failure_mode_allow().manager("max_request_headers_kb", 4096);
        listener.manager("common_http_protocol_options", unlimited.clone())
    };
    let listeners = [
        contexts(Listener::new("plain", "credence")),
        Listener::new("raw", "credence").authz("encode_raw_headers", true),
        Listener::new("strip", "credence").early_strip(),
        Listener::new("few", "credence").allowed_headers(&["authorization"]),
        Listener::new("few-strip", "credence").allowed_headers(&["authorization"]).early_strip(),
        Listener::new("rbac", "credence").rbac_pair(ci.url(), SUBJECT),
        open("open"),
        open("open-raw").authz("encode_raw_headers", true),
        open("open-body").with_request_body(24 << 20).manager("stream_idle_timeout", "60s"),
        Listener::new("socket", "by-socket"),
        Listener::new("moving", "moving"),
    ];
    let clusters = [
        Cluster::credence("credence", credence.grpc()),
        Cluster::credence("by-socket", by_socket.grpc()),
        Cluster::credence("moving", moving.grpc()),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&listeners, &clusters);
    World { envoy, upstream, credence, by_socket, moving, moving_table, ci, partner, hanging, _table: table }
}
