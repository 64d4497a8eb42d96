//! A collector that is down, slow, refusing or gone: no decision notices, and nothing is lost without being counted.

use tokio::net::TcpSocket;

use crate::support::collector::{Collector, Manner};
use crate::support::credence::{Credence, binary};
use crate::support::eventually;
use crate::support::issuer::{Ca, Issuer};
use crate::support::process::Process;
use crate::support::table::Table;
use crate::traces::traced;
use crate::world::{ends, reason, table, token};

fn spans(credence: &Credence, result: &str) -> u32 {
    let count = credence.metric(&format!("credence_trace_spans_total{{result=\"{result}\"}}")).unwrap();
    count.to_string().parse().unwrap()
}

/// How often the log tells that traces do not arrive.
fn told(credence: &Credence) -> usize {
    credence.stderr().matches("traces cannot be delivered").count()
}

#[test]
fn a_collector_that_hangs_holds_up_no_decision_and_no_end() {
    let (ci, collector) = (Issuer::start(), Collector::http(Manner::Hang));
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = traced(&file, &collector, "OTEL_BSP_MAX_QUEUE_SIZE=8 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4");
    let token = token(&ci);
    eventually("a request that is never answered", || {
        assert_eq!(reason(&credence, "own", &token), "ok");
        (collector.requests() > 0).then_some(())
    });
    for _ in 0..100 {
        assert_eq!(reason(&credence, "own", &token), "ok");
    }
    // Eight wait and at most four are in hand; all others found no room.
    assert!(spans(&credence, "dropped") >= 88, "{}", spans(&credence, "dropped"));
    assert_eq!((spans(&credence, "exported"), spans(&credence, "failed")), (0, 0));
    assert_eq!(credence.stderr().matches("more spans than the collector takes").count(), 1);
    credence.signal("TERM");
    assert_eq!(credence.process().wait().code(), Some(0));
    let stderr = credence.stderr();
    let lost =
        stderr.split_once("spans could not be sent before the end lost=").unwrap_or_else(|| panic!("{stderr}")).1;
    // Those that wait and those in hand.
    assert!((9..=12).contains(&lost.lines().next().unwrap().parse::<u32>().unwrap()), "{stderr}");
}

#[test]
fn a_collector_that_is_down_is_told_of_once_and_counted() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let collector = Collector::http(Manner::Refuse(400));
    let credence = traced(&file, &collector, "");
    let token = token(&ci);
    for already in 1..4 {
        assert_eq!(reason(&credence, "own", &token), "ok");
        eventually("the loss to be counted", || (spans(&credence, "failed") == already).then_some(()));
    }
    assert_eq!(told(&credence), 1, "{}", credence.stderr());
    assert!(credence.stderr().contains("it answers with HTTP 400"), "{}", credence.stderr());
    collector.set(Manner::Take);
    assert_eq!(reason(&credence, "own", &token), "ok");
    eventually("the delivery", || (spans(&credence, "exported") == 1).then_some(()));
    eventually("a word of it", || credence.stderr().contains("traces are delivered again").then_some(()));
    collector.set(Manner::Reject(1));
    assert_eq!(reason(&credence, "own", &token), "ok");
    eventually("the rejected one to be counted", || (spans(&credence, "failed") == 4).then_some(()));
}

#[test]
fn what_may_pass_is_tried_again_over_http_and_grpc() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    for (collector, variables) in [
        (Collector::http(Manner::Refuse(503)), ""),
        (Collector::grpc(Manner::Refuse(503)), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
    ] {
        let credence = traced(&file, &collector, variables);
        let answer = credence.check(&crate::world::call("own", &token(&ci)));
        eventually("a first try", || (collector.requests() > 0 && told(&credence) == 1).then_some(()));
        collector.set(Manner::Take);
        collector.span(&answer.decision_id());
        eventually("the delivery", || (spans(&credence, "exported") == 1).then_some(()));
        assert_eq!((spans(&credence, "failed"), told(&credence)), (0, 1));
    }
}

#[test]
fn what_is_exhausted_is_tried_again_when_the_collector_says_so_and_no_sooner() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let token = token(&ci);
    let grpc = "OTEL_EXPORTER_OTLP_PROTOCOL=grpc";
    // Without a word of when, gRPC means that it is lost.
    let lost = Collector::grpc(Manner::Throttle(None));
    let credence = traced(&file, &lost, grpc);
    assert_eq!(reason(&credence, "own", &token), "ok");
    eventually("the loss to be counted", || (spans(&credence, "failed") == 1).then_some(()));
    assert!(credence.stderr().contains("it answers with gRPC status 8"), "{}", credence.stderr());
    assert_eq!(lost.requests(), 1);

    // Two are asked to wait for a minute, one is not: by the time that it has come four times, with seconds between, so would they have.
    let patient =
        [(Collector::http(Manner::Throttle(Some(60))), ""), (Collector::grpc(Manner::Throttle(Some(60))), grpc)];
    let patient = patient.map(|(collector, variables)| (traced(&file, &collector, variables), collector));
    let ids: Vec<_> = patient
        .iter()
        .map(|(credence, collector)| {
            let id = credence.check(&crate::world::call("own", &token)).decision_id();
            eventually("a first try", || (collector.requests() == 1 && told(credence) == 1).then_some(()));
            collector.set(Manner::Take);
            id
        })
        .collect();
    let other = Collector::http(Manner::Throttle(None));
    let restless = traced(&file, &other, "");
    assert_eq!(reason(&restless, "own", &token), "ok");
    eventually("three tries", || (other.requests() == 3).then_some(()));
    other.set(Manner::Take);
    eventually("the delivery", || (spans(&restless, "exported") == 1).then_some(()));
    for ((mut credence, collector), id) in patient.into_iter().zip(ids) {
        assert_eq!(collector.requests(), 1, "it came back before it was to");
        // The end waits for nothing.
        assert!(credence.stop().success());
        collector.span(&id);
    }
}

#[test]
fn nobody_listens_there() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    // Bound, so that nobody else gets the port, and never listening: connections are refused.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap();
    let mut credence = Credence::serve(file.path())
        .shell("OTEL_BSP_SCHEDULE_DELAY=5 exec \"$@\"")
        .arg(&format!("--otlp-endpoint=http://{address}"))
        .start();
    let token = token(&ci);
    assert_eq!(reason(&credence, "own", &token), "ok");
    eventually("a word of it", || (told(&credence) == 1).then_some(()));
    assert!(credence.stderr().contains("Connection refused"), "{}", credence.stderr());
    assert_eq!(reason(&credence, "own", &token), "ok");
    assert!(credence.stop().success());
}

#[test]
fn an_endpoint_that_is_none_does_not_start_and_a_variable_that_is_none_is_told() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let path = file.path().display().to_string();
    let serve = |endpoint: &str| {
        let endpoint = format!("--otlp-endpoint={endpoint}");
        ends(&["serve", "--trust", &path, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", &endpoint])
    };
    let (code, stderr) = serve("collector:4317");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--otlp-endpoint: expected http://HOST:PORT or https://HOST:PORT"), "{stderr}");
    let (code, stderr) = serve("http://127.0.0.1:4317/?key=query-secret");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("--otlp-endpoint: a gRPC call has no query") && !stderr.contains("query-secret"),
        "{stderr}"
    );
    let credence = Credence::serve(file.path()).shell("OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317 exec \"$@\"").start();
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let stderr = credence.stderr();
    assert!(
        stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT")
            && stderr.contains("no traces are sent"),
        "{stderr}"
    );
}

#[test]
fn a_collector_over_tls_is_believed_by_the_authority_that_is_named_and_by_no_other() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let (ca, other) = (Ca::new(), Ca::new());
    let (good, bad) = (file.dir().join("good"), file.dir().join("bad"));
    std::fs::write(&good, ca.pem()).unwrap();
    std::fs::write(&bad, other.pem()).unwrap();
    let collector = Collector::https(&ca, Manner::Take);
    let start = |authority: &std::path::Path| {
        let variables = format!("OTEL_BSP_SCHEDULE_DELAY=5 OTEL_EXPORTER_OTLP_CERTIFICATE={}", authority.display());
        let endpoint = format!("--otlp-endpoint=https://localhost:{}", collector.address().port());
        let serve = Credence::serve(file.path()).shell(&format!("{variables} exec \"$@\"")).arg(&endpoint);
        serve.arg("--drain-seconds=2").start()
    };
    let wary = start(&bad);
    assert_eq!(reason(&wary, "own", &token(&ci)), "ok");
    eventually("a word of it", || wary.stderr().contains("invalid peer certificate").then_some(()));
    let credence = start(&good);
    let answer = credence.check(&crate::world::call("own", &token(&ci)));
    collector.span(&answer.decision_id());
    assert_eq!(collector.spans().len(), 1);

    let path = file.path().display().to_string();
    let script = format!("OTEL_EXPORTER_OTLP_CERTIFICATE={path} exec \"$@\"");
    let mut process = Process::start(
        "sh",
        ["-c", &script, "sh", &binary().display().to_string(), "serve", "--trust", &path, "--listen=127.0.0.1:0"]
            .into_iter()
            .chain(["--admin-listen=127.0.0.1:0", "--otlp-endpoint=https://localhost:1"]),
    );
    assert_eq!(process.wait().code(), Some(2));
    assert!(process.stderr().contains("OTEL_EXPORTER_OTLP_CERTIFICATE: "), "{}", process.stderr());
}
