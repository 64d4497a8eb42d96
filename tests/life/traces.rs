//! Traces: a span for each decision, in the trace of its request, and nothing in it that is a secret or a person.

use credence::proto::envoy::service::auth::v3::CheckRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tonic::metadata::{Ascii, MetadataValue};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::collector::{Collector, Manner, hex, text};
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::runtime;
use crate::support::table::Table;
use crate::world::{SUBJECT, call, in_force, table, token};

/// What the proxy says of its span, and what the client says of its own.
const PROXY: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CLIENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NO_TRACE: &str = "";

/// A credence that sends its spans there at once.
pub(crate) fn traced(table: &Table, collector: &Collector, variables: &str) -> Credence {
    let script = format!("OTEL_BSP_SCHEDULE_DELAY=5 {variables} exec \"$@\"");
    let endpoint = format!("--otlp-endpoint={}", collector.url());
    Credence::serve(table.path()).shell(&script).arg(&endpoint).arg("--drain-seconds=2").start()
}

/// Asks with these values in the metadata of the call itself.
fn ask(credence: &Credence, message: CheckRequest, metadata: &[(&'static str, &[u8])]) -> Answer {
    let mut request = tonic::Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().append(*name, MetadataValue::<Ascii>::try_from(*value).unwrap());
    }
    Answer(runtime().block_on(async { credence.client().check(request).await }).unwrap().into_inner())
}

/// `trace-parent`, as a traceparent would name it.
fn place(span: &Span) -> (String, String) {
    (hex(&span.trace_id), hex(&span.parent_span_id))
}

fn ids(traceparent: &str) -> (String, String) {
    let mut fields = traceparent.split('-').skip(1).map(str::to_owned);
    (fields.next().unwrap(), fields.next().unwrap())
}

#[test]
fn a_decision_is_a_span_in_the_trace_of_its_request_and_its_line_in_the_log_names_it() {
    let (ci, collector) = (Issuer::start(), Collector::grpc(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let names =
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_SERVICE_NAME=authz OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=credence-0";
    let credence = traced(&file, &collector, names);
    let own = call("own", &token(&ci)).header("traceparent", CLIENT);
    let answer = ask(&credence, own.message(), &[("traceparent", PROXY.as_bytes()), ("tracestate", b"vendor=1, b=2")]);
    assert_eq!(answer.reason(), "ok");
    let span = collector.span(&answer.decision_id());

    // The proxy's own word counts before the client's.
    assert_eq!(place(&span), ids(PROXY));
    assert_eq!((span.trace_state.as_str(), span.flags), ("vendor=1,b=2", 0x301));
    assert_eq!((span.name.as_str(), span.kind()), ("envoy.service.auth.v3.Authorization/Check", SpanKind::Server));
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.status.is_none(), "{span:?}");
    let (generation, sha256) = in_force(&credence);
    let told = |key: &str| text(&span.attributes, key).unwrap_or_default();
    for (key, expected) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "envoy.service.auth.v3.Authorization/Check"),
        ("rpc.response.status_code", "OK"),
        ("credence.decision", "allow"),
        ("credence.reason", "ok"),
        ("credence.status", "200"),
        ("credence.issuer", "ci"),
        ("credence.resource", "api"),
        ("credence.grants", "own"),
        ("credence.table.generation", &generation.to_string()),
        ("credence.table.sha256", &sha256),
    ] {
        assert_eq!(told(key), expected, "{key}");
    }
    assert_eq!(span.attributes.len(), 12, "nothing else: {:?}", span.attributes);
    let process = collector.spans()[0].0.clone();
    assert_eq!(text(&process, "service.name").unwrap(), "authz");
    assert_eq!(text(&process, "k8s.pod.name").unwrap(), "credence-0");

    let line = credence.decision(&answer.decision_id());
    assert_eq!(
        (line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap()),
        (&*hex(&span.trace_id), &*hex(&span.span_id))
    );
}

#[test]
fn without_a_word_of_the_proxy_the_clients_counts_and_without_any_a_trace_begins() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let credence = traced(&file, &collector, "");
    let token = token(&ci);
    let by_client = credence.check(&call("own", &token).header("traceparent", CLIENT));
    assert_eq!(place(&collector.span(&by_client.decision_id())), ids(CLIENT));
    let roots = [credence.check(&call("own", &token)), credence.check(&call("other", &token))];
    let [first, second] = roots.map(|answer| collector.span(&answer.decision_id()));
    assert!(first.parent_span_id.is_empty() && second.parent_span_id.is_empty());
    assert!(first.trace_id != second.trace_id && first.span_id != second.span_id);
    assert_eq!(text(&second.attributes, "credence.reason").unwrap(), "grant_none");
    assert!(second.status.is_none(), "a refusal is no error: {second:?}");
}

#[test]
fn a_call_that_cannot_be_read_has_a_span_too_and_what_is_our_fault_is_an_error() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let credence = traced(&file, &collector, "");
    let empty = ask(&credence, CheckRequest::default(), &[("traceparent", PROXY.as_bytes())]);
    assert_eq!(empty.reason(), "malformed_request");
    let span = collector.span(&empty.decision_id());
    assert_eq!((place(&span), span.status.is_none()), (ids(PROXY), true));

    let unready = Credence::serve(file.path())
        .arg("--max-concurrent=0")
        .arg(&format!("--otlp-endpoint={}", collector.url()))
        .start();
    let answer = unready.check(&call("own", &token(&ci)));
    assert_eq!(answer.reason(), "overloaded");
    drop(unready);
    let span = collector.span(&answer.decision_id());
    assert_eq!(span.status.unwrap().message, "overloaded");
    assert_eq!(text(&span.attributes, "error.type").unwrap(), "overloaded");
}

#[test]
fn a_parent_that_is_not_sampled_has_no_children_and_the_log_still_names_its_trace() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = traced(&file, &collector, "");
    let token = token(&ci);
    let unsampled = PROXY.replace("-01", "-00");
    let answers: Vec<_> = (0..20)
        .map(|_| {
            ask(
                &credence,
                call("own", &token).header("traceparent", CLIENT).message(),
                &[("traceparent", unsampled.as_bytes())],
            )
        })
        .collect();
    let line = credence.decision(&answers[19].decision_id());
    assert_eq!(
        (line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap()),
        (ids(PROXY).0.as_str(), ids(PROXY).1.as_str())
    );
    let last = credence.check(&call("own", &token).header("traceparent", CLIENT));
    collector.span(&last.decision_id());
    // What waits is sent at the end.
    let end = credence.check(&call("own", &token).header("traceparent", CLIENT));
    assert!(credence.stop().success());
    collector.span(&end.decision_id());
    assert_eq!(collector.spans().len(), 2);
}

#[test]
fn a_trace_that_cannot_be_read_is_ignored_and_decides_nothing() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let credence = traced(&file, &collector, "");
    let token = token(&ci);
    let own = || call("own", &token);
    let huge = format!("{PROXY}{}", "0".repeat(32 << 10));
    let huge_state = format!("a={}", "x".repeat(32 << 10));
    let good = PROXY.as_bytes();
    for metadata in [
        vec![("traceparent", huge.as_bytes())],
        vec![("traceparent", b"\xff\xfe\xfd".as_slice())],
        vec![("traceparent", good), ("traceparent", CLIENT.as_bytes())],
        vec![("traceparent", NO_TRACE.as_bytes())],
    ] {
        let answer = ask(&credence, own().message(), &metadata);
        let span = collector.span(&answer.decision_id());
        assert!(answer.allowed() && span.parent_span_id.is_empty() && span.trace_state.is_empty(), "{metadata:?}");
    }
    for state in [huge_state.as_bytes(), b"a=\xff", b"no state"] {
        let answer = ask(&credence, own().message(), &[("traceparent", good), ("tracestate", state)]);
        let span = collector.span(&answer.decision_id());
        assert!(answer.allowed() && place(&span) == ids(PROXY) && span.trace_state.is_empty());
    }
    let by_client: [Call; 4] = [
        own().header("traceparent", &huge),
        own().header("traceparent", b"\xff\xfe").raw_headers(),
        own().header("traceparent", PROXY).header("traceparent", PROXY).raw_headers(),
        own().header("traceparent", PROXY).header("Traceparent", CLIENT).raw_headers(),
    ];
    for call in by_client {
        let answer = credence.check(&call);
        let span = collector.span(&answer.decision_id());
        assert!(answer.allowed() && span.parent_span_id.is_empty(), "{call:?}");
        assert!(credence.decision(&answer.decision_id())["trace_id"].is_string());
    }
}

#[test]
fn no_part_of_a_token_no_claim_no_subject_and_no_path_leaves_in_a_span() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Take));
    let file = Table::new(&table(&ci, &["own"]));
    let headers = "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20collector-secret";
    let mut credence = traced(&file, &collector, headers);
    let good = ci.token(SUBJECT, crate::world::API).claim("email", "who@acme.test").mint();
    let bad = ci.token("somebody", "https://elsewhere.test").mint_with_signature(b"not the signature");
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let mut last = String::new();
    for token in [&good, &bad] {
        for state in [format!("a={token}"), format!("a={}", parts(token)[0]), format!("{}=1", parts(token)[1])] {
            let secret = Call::get(&format!("{}/own/path-secret?token={token}", crate::world::API)).bearer(token);
            let secret =
                secret.header("traceparent", CLIENT).header("tracestate", &state).header("cookie", "cookie-secret");
            let answer = ask(
                &credence,
                secret.message(),
                &[("tracestate", state.as_bytes()), ("authorization", b"metadata-secret")],
            );
            last = answer.decision_id();
        }
    }
    let trouble = credence.check(&Call::get(&good).bearer(&bad).header("traceparent", good.as_bytes()));
    collector.span(&trouble.decision_id());
    collector.span(&last);
    assert!(credence.stop().success());
    let bodies = collector.bodies().concat();
    let holds = |text: &str| bodies.windows(text.len()).any(|window| window == text.as_bytes());
    let parts = [parts(&good), parts(&bad)].concat();
    for secret in parts.iter().map(String::as_str).chain([
        "eyJ",
        SUBJECT,
        "somebody",
        "elsewhere",
        "who@acme.test",
        ci.url(),
        "path-secret",
        "cookie-secret",
        "metadata-secret",
        "collector-secret",
        "acme.test",
    ]) {
        assert!(!holds(secret), "{secret:?} was sent");
    }
    assert!(holds("ci") && holds("credence.reason") && holds("signature_invalid"), "the search finds what is there");
    // It reaches the collector as the header that it is, and nobody else.
    assert!(collector.heads().iter().all(|head| head.header("authorization") == Some("Bearer collector-secret")));
    assert!(!credence.stderr().contains("collector-secret"), "{}", credence.stderr());
}

#[test]
fn without_an_endpoint_nothing_is_sent_and_no_series_is_there() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let answer = credence.check(&call("own", &token(&ci)).header("traceparent", CLIENT));
    let line = credence.decision(&answer.decision_id());
    assert_eq!(
        (line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap()),
        (ids(CLIENT).0.as_str(), ids(CLIENT).1.as_str())
    );
    assert!(!credence.admin("/metrics").text().contains("trace_spans"));
    assert!(!credence.stderr().contains("trace"), "{}", credence.stderr());
}
