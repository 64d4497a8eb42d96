//! The page on traces, by its own objects: credence's span is the child of the gateway's question, in the client's trace.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::envoy_gateway::Gateway;
use crate::kubernetes::Api;
use crate::render::{NAMESPACES, manifests, rendered};
use crate::scene::{BY_ROUTE, Reached, Scene, get};
use crate::support::collector::{Collector, Manner, hex};
use crate::support::credence::Serve;
use crate::support::eventually;

const PAGE: &str = include_str!("../../docs/install/traces.md");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What a client sends along that wants to be found again.
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The YAML of the page in which this stands, with every request recorded instead of some.
pub(crate) fn block(with: &str) -> String {
    let block = PAGE.split("```yaml\n").find(|block| block.contains(with)).unwrap();
    let text = block.split("```").next().unwrap();
    text.replace("samplingRate: 5\n", "samplingRate: 100\n").replace("Percentage: 5\n", "Percentage: 100\n")
}

/// credence that sends its spans there, soon.
pub(crate) fn traced(serve: Serve, to: &Collector) -> Serve {
    serve
        .shell("OTEL_BSP_SCHEDULE_DELAY=5 OTEL_EXPORTER_OTLP_PROTOCOL=grpc exec \"$@\"")
        .arg(&format!("--otlp-endpoint={}", to.url()))
}

/// The span of this decision hangs in the gateway's question, that in a span of the gateway's, all in the client's trace.
pub(crate) fn is_joined(collector: &Collector, decision: &str) {
    let ours = collector.span(decision);
    let parent_of = |span: &Span| -> Span {
        let found = || collector.spans().into_iter().map(|(_, one)| one).find(|one| one.span_id == span.parent_span_id);
        eventually("the parent of a span", found)
    };
    let question = parent_of(&ours);
    assert!(question.name.contains("envoy.service.auth.v3.Authorization.Check"), "{question:?}");
    let entrance = parent_of(&question);
    for span in [&ours, &question, &entrance] {
        assert_eq!(hex(&span.trace_id), TRACE);
    }
}

#[test]
fn the_pages_envoy_proxy_joins_credences_span_to_the_gateways() {
    let collector = Collector::grpc(Manner::Take);
    let scene = Scene::serving(BY_ROUTE, |text| text, |serve| traced(serve, &collector));
    // The collector's Service, and where it is.
    let service = format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: otel-collector, namespace: observability}}
spec:
  clusterIP: None
  ports: [{{name: grpc, port: 4317, targetPort: grpc, appProtocol: grpc}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: otel-collector-1, namespace: observability, labels: {{kubernetes.io/service-name: otel-collector}}}}
addressType: FQDN
endpoints: [{{addresses: [otel-collector.localhost], conditions: {{ready: true}}}}]
ports: [{{name: grpc, port: {}}}]
",
        collector.address().port()
    );
    let page = block("kind: EnvoyProxy");
    let telemetry = page.split_once("spec:\n").unwrap().1;
    let manifests = manifests(&scene, &rendered(&scene, &["--tls", "insecure"]))
        .with("  provider: {type: Host", &format!("{telemetry}  provider: {{type: Host"))
        .and(&service);
    let api = Api::start(&[&NAMESPACES[..], &["observability"]].concat());
    let gateway = Gateway::in_cluster(&api, manifests);
    let call = get("partners.acme.test", "/orders/4711").bearer(scene.token()).header("traceparent", TRACEPARENT);
    let outcome = scene.send(&gateway, call);
    assert_eq!(outcome.reached, Reached::Orders, "{:?}", outcome.response);
    is_joined(&collector, outcome.echo().one("x-credence-decision-id"));
}
