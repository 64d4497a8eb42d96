//! What the variables say, without a collector.

use std::collections::HashMap;
use std::time::Duration;

use super::endpoint::Protocol;
use super::environment::Tracing;
use super::queue::Batch;
use super::sampler::Sampler;
use crate::proto::otlp::any_value::Value;

fn read(flag: Option<&str>, variables: &[(&str, &str)]) -> (Option<Tracing>, Vec<String>) {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Tracing::from_environment(flag, &|name| variables.get(name).map(|value| (*value).to_owned())).unwrap()
}

fn url(variables: &[(&str, &str)]) -> (String, Protocol) {
    let (tracing, told) = read(None, variables);
    assert!(told.is_empty(), "{told:?}");
    let tracing = tracing.unwrap();
    (tracing.url.to_string(), tracing.protocol)
}

const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

#[test]
fn without_an_endpoint_there_is_no_exporter() {
    for variables in [&[][..], &[(ALL, "")], &[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "always_on")]] {
        assert!(matches!(read(None, variables), (None, told) if told.is_empty()), "{variables:?}");
    }
}

#[test]
fn the_endpoint_means_what_the_specification_says() {
    let export = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
    for (variables, expected, protocol) in [
        (&[(ALL, "http://c:4318")][..], "http://c:4318/v1/traces", Protocol::Http),
        (&[(ALL, "https://c/tenant/")], "https://c/tenant/v1/traces", Protocol::Http),
        (&[(TRACES, "http://c:4318/as/it/is")], "http://c:4318/as/it/is", Protocol::Http),
        (&[(ALL, "http://all"), (TRACES, "http://c/")], "http://c/", Protocol::Http),
        (&[(ALL, "http://c/tenant/?key=a&b")], "http://c/tenant/v1/traces?key=a&b", Protocol::Http),
        (&[(TRACES, "http://c/in?key=a")], "http://c/in?key=a", Protocol::Http),
        (&[(ALL, "http://c:4317")], &format!("http://c:4317/{export}"), Protocol::Grpc),
        (
            &[(ALL, "http://c:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
            "http://c:4317/v1/traces",
            Protocol::Http,
        ),
        (
            &[(ALL, "https://c"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")],
            &format!("https://c/{export}"),
            Protocol::Grpc,
        ),
    ] {
        assert_eq!(url(variables), (expected.to_owned(), protocol), "{variables:?}");
    }
    let (flagged, _) = read(Some("http://flag:1"), &[(TRACES, "http://other"), ("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(flagged.unwrap().url.as_str(), "http://flag:1/v1/traces", "the flag is for credence alone");
}

#[test]
fn a_variable_that_cannot_be_used_is_told_without_its_value_and_stops_nothing() {
    let secret = "hunter2";
    for bad in [
        "collector:4317",
        "ftp://c",
        "http://",
        &format!("http://u:{secret}@c"),
        &format!("http://c/#{secret}"),
        "unix:///run/otel.sock",
    ] {
        let (tracing, told) = read(None, &[(ALL, bad)]);
        assert!(tracing.is_none() && told.len() == 1 && !told[0].contains(secret), "{bad}: {told:?}");
        let flag = Tracing::from_environment(Some(bad), &|_| None).unwrap_err().to_string();
        assert!(flag.starts_with("--otlp-endpoint: expected http://HOST:PORT") && !flag.contains(secret), "{flag}");
    }
    let (tracing, told) = read(
        None,
        &[
            (ALL, "http://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2, hunter2 ,x y=1,b=%zz"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ],
    );
    let tracing = tracing.unwrap();
    assert_eq!(told.len(), 8, "{told:#?}");
    assert!(!told.concat().contains(secret) && !format!("{tracing:?}").contains(secret));
    assert_eq!((tracing.headers.len(), &tracing.headers["authorization"]), (1, &"Bearer hunter2".parse().unwrap()));
    assert!(!tracing.is_gzip);
    assert_eq!((tracing.timeout, tracing.sampler), (Duration::from_secs(10), Sampler::default()));
    assert_eq!(tracing.batch, Batch::default());
}

#[test]
fn a_query_is_refused_of_a_grpc_endpoint_and_never_shown() {
    let secret = "http://c:4317/?key=hunter2";
    let (tracing, told) = read(None, &[(TRACES, secret)]);
    assert!(tracing.is_none() && told.len() == 1, "{told:?}");
    let flag = Tracing::from_environment(Some(secret), &|_| None).unwrap_err().to_string();
    for message in [&told[0], &flag] {
        assert!(message.contains("a gRPC call has no query") && !message.contains("hunter2"), "{message}");
    }
    assert!(flag.starts_with("--otlp-endpoint: ") && told[0].starts_with(TRACES), "{flag} {told:?}");
    let (tracing, _) = read(None, &[(TRACES, secret), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]);
    let shown = format!("{tracing:?}");
    assert!(shown.contains("http://c:4317/") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn gzip_is_spoken_when_asked_for() {
    for (variables, expected) in [
        (&[][..], false),
        (&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")], true),
        (&[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")], false),
        (&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none")], false),
    ] {
        let all: Vec<_> = [(ALL, "http://c")].into_iter().chain(variables.iter().copied()).collect();
        let (tracing, told) = read(None, &all);
        assert_eq!((tracing.unwrap().is_gzip, told.len()), (expected, 0), "{variables:?}");
    }
}

#[test]
fn traces_can_be_switched_off() {
    for (name, value, told) in
        [("OTEL_SDK_DISABLED", "true", 0), ("OTEL_TRACES_EXPORTER", "none", 0), ("OTEL_TRACES_EXPORTER", "zipkin", 1)]
    {
        let off = read(None, &[(ALL, "http://c"), (name, value)]);
        assert!(off.0.is_none() && off.1.len() == told, "{name}={value}: {off:?}");
    }
    assert!(read(None, &[(ALL, "http://c"), ("OTEL_TRACES_EXPORTER", "console,otlp")]).0.is_some());
}

#[test]
fn the_process_says_who_it_is() {
    let resource = |variables: &[(&str, &str)]| {
        let all: Vec<_> = [(ALL, "http://c")].into_iter().chain(variables.iter().copied()).collect();
        let pairs = read(None, &all).0.unwrap().resource;
        let text = |value| if let Some(Value::StringValue(text)) = value { text } else { panic!("no text") };
        pairs.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value))).collect::<HashMap<_, _>>()
    };
    let usual = resource(&[]);
    assert_eq!(
        (usual["service.name"].as_str(), usual["service.version"].as_str()),
        ("credence", env!("CARGO_PKG_VERSION"))
    );
    let named = resource(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,k8s.pod.name=credence-0,note=a%2Cb,service.instance.id=7"),
        ("OTEL_SERVICE_NAME", "authz"),
    ]);
    assert_eq!(named.len(), 5, "{named:?}");
    for (key, value) in
        [("service.name", "authz"), ("k8s.pod.name", "credence-0"), ("note", "a,b"), ("service.instance.id", "7")]
    {
        assert_eq!(named[key], value);
    }
}
