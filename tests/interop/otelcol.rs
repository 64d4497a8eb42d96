//! The Collector of OpenTelemetry: spans over gRPC and HTTP, as its debug exporter writes them down.

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::process::Process;
use crate::support::runtime;
use crate::support::table::Table;
use crate::support::{eventually, scratch};
use crate::system;

const PROXY: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What was written of the span of this decision: from one heading to the next.
fn written(collector: &Process, decision_id: &str) -> String {
    eventually("a span at the Collector", || {
        let text = collector.stderr();
        text.split("Span #").find(|span| span.contains(decision_id)).map(str::to_owned)
    })
}

#[test]
#[ignore = "the Collector is built in some minutes: scripts/interop/otelcol.sh, then cargo test --test interop -- --ignored otelcol"]
fn the_collector_takes_our_spans_over_grpc_and_over_http() {
    let program = system::home("otelcol").join("bin/otelcol");
    let (grpc, http) = (system::free_port(), system::free_port());
    let dir = scratch();
    let config = dir.path().join("config.yaml");
    let text = format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"127.0.0.1:{grpc}\"}}, http: {{endpoint: \"127.0.0.1:{http}\"}}}}}}}}\n\
         exporters: {{debug: {{verbosity: detailed}}}}\n\
         service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut collector = Process::start(&program, ["--config".to_owned(), config.display().to_string()]);
    system::ready("the Collector", &mut collector, || {
        let listens = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        (listens(grpc) && listens(http)).then_some(())
    });

    let ci = Issuer::start();
    let table = Table::new(&format!(
        "issuers:\n  ci: {{issuer: \"{}\", owner: a@acme.test, reviewBy: 2099-01-01}}\n\
         resources:\n  api: {{audience: https://api.acme.test, hosts: [api.acme.test]}}\n\
         grants:\n  own: {{issuer: ci, resource: api, subject: deployer, methods: [GET], paths: any}}\n",
        ci.url()
    ));
    for (protocol, port) in [("grpc", grpc), ("http/protobuf", http)] {
        let credence = Credence::serve(table.path())
            .shell(&format!("OTEL_BSP_SCHEDULE_DELAY=5 OTEL_EXPORTER_OTLP_PROTOCOL={protocol} exec \"$@\""))
            .arg(&format!("--otlp-endpoint=http://127.0.0.1:{port}"))
            .start();
        let token = ci.token("deployer", "https://api.acme.test").mint();
        let mut request = tonic::Request::new(Call::get("https://api.acme.test/x").bearer(token).message());
        request.metadata_mut().insert("traceparent", PROXY.parse().unwrap());
        request.metadata_mut().insert("tracestate", "vendor=1".parse().unwrap());
        let answer = Answer(runtime().block_on(async { credence.client().check(request).await }).unwrap().into_inner());
        let span = written(&collector, &answer.decision_id());
        for part in [
            "0af7651916cd43dd8448eb211c80319c",
            "b7ad6b7169203331",
            "vendor=1",
            "envoy.service.auth.v3.Authorization/Check",
            "Server",
            "credence.reason: Str(ok)",
            "credence.grants: Slice([\"own\"])",
            "credence.table.generation: Int(1)",
        ] {
            assert!(span.contains(part), "{protocol}: no {part} in {span}");
        }
        let delivered =
            || credence.metric("credence_trace_spans_total{result=\"exported\"}").filter(|count| *count >= 1.0);
        eventually("the Collector's word", delivered);
    }
}
