//! One trace through a real Envoy: the client's request, Envoy's question, our decision, the upstream.

use opentelemetry_proto::tonic::trace::v1::Span;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::json;

use crate::support::collector::{Collector, Manner, hex, text};
use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::upstream::{Upstream, grpc_upstream};
use crate::world::{API, SUBJECT, api, issuers, mark};
use crate::yaml;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[test]
fn our_span_is_the_child_of_envoys_question_in_the_trace_of_the_client() {
    let (ci, upstream, collector) = (Issuer::start(), Upstream::start(), Collector::grpc(Manner::Take));
    let grants =
        "grants:\n  own: {issuer: ci, resource: api, subject: \"repo:acme/payments\", methods: [GET], paths: any}\n";
    let places = format!("resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\n{grants}");
    let table = Table::new(&(issuers(&[("ci", &ci)]) + &places));
    let credence = Credence::serve(table.path())
        .shell("OTEL_BSP_SCHEDULE_DELAY=5 OTEL_EXPORTER_OTLP_PROTOCOL=grpc exec \"$@\"")
        .arg(&format!("--otlp-endpoint={}", collector.url()))
        .start();
    // As the page for operators writes it, whose collector is called so.
    let page = include_str!("../../docs/install/traces.md");
    let block = page.split("```yaml\n").find(|block| block.contains("envoy.tracers.opentelemetry")).unwrap();
    let block = Yaml::load_from_str(block.split("```").next().unwrap()).unwrap();
    let mut tracing = yaml::json(&block[0])["tracing"].clone();
    tracing["random_sampling"]["value"] = json!(100);
    let clusters = [
        Cluster::credence("credence", credence.grpc()),
        Cluster::grpc("otel-collector", collector.address()),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&[Listener::new("traced", "credence").manager("tracing", tracing)], &clusters);
    let ask = |flags: &str| {
        let mark = mark();
        let request = api("GET", "/v1/x", &mark).bearer(ci.token(SUBJECT, API).mint());
        let request = request.header("traceparent", format!("00-{TRACE}-{CLIENT}-{flags}"));
        assert_eq!(request.send(envoy.address("traced")).status, 200);
        let metadata = envoy.access(&mark)["metadata"]["credence"].clone();
        (mark, metadata["decision_id"].as_str().unwrap().to_owned())
    };

    let (_, unsampled) = ask("00");
    let (mark, sampled) = ask("01");
    let ours = collector.span(&sampled);
    let by_id = |id: &[u8]| -> Span {
        let of_envoy = || collector.spans().into_iter().map(|(_, span)| span).find(|span| span.span_id == id);
        eventually("a span of Envoy's", of_envoy)
    };
    let question = by_id(&ours.parent_span_id);
    assert!(question.name.contains("envoy.service.auth.v3.Authorization.Check"), "{question:?}");
    let entrance = by_id(&question.parent_span_id);
    assert_eq!(hex(&entrance.parent_span_id), CLIENT);
    for span in [&ours, &question, &entrance] {
        assert_eq!(hex(&span.trace_id), TRACE);
    }
    let upstream = eventually("the request at the upstream", || upstream.received(&mark));
    assert!(upstream.header("traceparent").unwrap().starts_with(&format!("00-{TRACE}-")));
    assert_eq!(credence.decision(&sampled)["span_id"].as_str().unwrap(), hex(&ours.span_id));

    // What the client does not have recorded, neither of us records; the log knows its trace all the same.
    assert_eq!(credence.decision(&unsampled)["trace_id"].as_str().unwrap(), TRACE);
    let ids = collector.spans().into_iter().filter_map(|(_, span)| text(&span.attributes, "credence.decision_id"));
    assert_eq!(ids.collect::<Vec<_>>(), [sampled]);
}
