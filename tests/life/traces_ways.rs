//! The way of a span to its collector: packed, through a proxy, with a key in the query; and from a metric to it.

use crate::support::collector::{Collector, FAR, Manner, hex};
use crate::support::credence::Credence;
use crate::support::http::Request;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::traces::traced;
use crate::world::{call, table, token};

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Its spans go to `endpoint`, with `variables`.
fn sending(table: &Table, endpoint: &str, variables: &str) -> Credence {
    let script = format!("OTEL_BSP_SCHEDULE_DELAY=5 {variables} exec \"$@\"");
    Credence::serve(table.path()).shell(&script).arg(&format!("--otlp-endpoint={endpoint}")).start()
}

#[test]
fn spans_are_packed_where_the_operator_says_so() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let (http, grpc) = (Collector::http(Manner::Take), Collector::grpc(Manner::Take));
    for (compression, encoding) in [("none", None), ("gzip", Some("gzip"))] {
        for (collector, protocol) in [(&http, "http/protobuf"), (&grpc, "grpc")] {
            let variables =
                format!("OTEL_EXPORTER_OTLP_PROTOCOL={protocol} OTEL_EXPORTER_OTLP_COMPRESSION={compression}");
            let credence = traced(&file, collector, &variables);
            collector.span(&credence.check(&call("own", &token(&ci))).decision_id());
        }
        assert_eq!(http.heads().last().unwrap().header("content-encoding"), encoding);
        assert_eq!(grpc.encodings().last().unwrap().as_deref(), encoding);
    }
}

#[test]
fn the_proxy_of_the_environment_is_asked_for_a_collector_elsewhere_and_for_none_on_this_machine() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let (proxy, near) = (Collector::http(Manner::Take), Collector::http(Manner::Take));
    let through = format!("http_proxy={0} HTTP_PROXY={0}", proxy.url());
    let credence = sending(&file, FAR, &through);
    proxy.span(&credence.check(&call("own", &token(&ci))).decision_id());
    assert_eq!(proxy.heads()[0].target, format!("{FAR}/v1/traces"));

    let credence = sending(&file, &near.url(), &through);
    near.span(&credence.check(&call("own", &token(&ci))).decision_id());
    assert_eq!(proxy.requests(), 1);
}

#[test]
fn grpc_over_tls_goes_through_a_tunnel_of_the_proxy() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let proxy = Collector::http(Manner::Refuse(502));
    let through = format!("HTTPS_PROXY={} OTEL_EXPORTER_OTLP_PROTOCOL=grpc", proxy.url());
    let credence = sending(&file, "https://collector.test", &through);
    credence.check(&call("own", &token(&ci)));
    let first = crate::support::eventually("a request for a tunnel", || proxy.refused().into_iter().next());
    assert_eq!((first.method.as_str(), first.target.as_str()), ("CONNECT", "collector.test:443"));
    assert!(first.header("authorization").is_none() && first.body.is_empty(), "{first:?}");
}

#[test]
fn a_key_in_the_query_reaches_the_collector_and_no_log() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Refuse(400)));
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = sending(&file, &format!("{}?key=query-secret", collector.url()), "");
    credence.check(&call("own", &token(&ci)));
    let told = || credence.stderr().contains("traces cannot be delivered").then_some(());
    crate::support::eventually("a word of the refusal", told);
    collector.set(Manner::Take);
    collector.span(&credence.check(&call("own", &token(&ci))).decision_id());
    assert!(credence.stop().success());
    assert_eq!(collector.heads()[0].target, "/v1/traces?key=query-secret");
    let stderr = credence.stderr();
    assert!(stderr.contains("traces are delivered again") && !stderr.contains("query-secret"), "{stderr}");
}

#[test]
fn an_exemplar_names_the_span_that_was_recorded_and_none_that_was_not() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let credence = traced(&file, &collector, "");
    let exemplar = |id: &str| {
        let asked = Request::get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0");
        let text = asked.send(credence.admin_address()).text();
        let line = text.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("no exemplar in {text}"));
        line.split_once(" # ").unwrap().1.split_once(' ').unwrap().0.to_owned()
    };
    let id = credence.check(&call("own", &token(&ci))).decision_id();
    let span = collector.span(&id);
    let (trace_id, span_id) = (hex(&span.trace_id), hex(&span.span_id));
    assert_eq!(exemplar(&id), format!("{{decision_id=\"{id}\",trace_id=\"{trace_id}\",span_id=\"{span_id}\"}}"));
    let id = credence.check(&call("own", &token(&ci)).header("traceparent", UNSAMPLED)).decision_id();
    assert_eq!(exemplar(&id), format!("{{decision_id=\"{id}\"}}"));
}
