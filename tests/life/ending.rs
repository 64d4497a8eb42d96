//! How it ends: what was accepted is answered, whoever watches is told, the exit code is 0.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::answer::Answer;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, runtime};
use crate::tls::{ENVOY, Setting};
use crate::world::{API, call, reason, table, token};

const CHECKS: &str = "envoy.service.auth.v3.Authorization";

fn health(credence: &Credence) -> HealthClient<Channel> {
    let _inside = runtime().enter();
    HealthClient::new(Endpoint::from_shared(format!("http://{}", credence.grpc())).unwrap().connect_lazy())
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

/// Under load, the signal comes; afterwards every decision that was made must have reached the one who asked.
fn every_accepted_call_is_answered(signal: &str) {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let client = credence.client();
    no_verdict_is_lost(credence, &[client], &token(&ci), signal);
}

fn no_verdict_is_lost(mut credence: Credence, clients: &[AuthorizationClient<Channel>], token: &str, signal: &str) {
    let asked = Arc::new(AtomicUsize::new(0));
    let askers: Vec<_> = (0..16)
        .map(|number| {
            let (asked, message) = (Arc::clone(&asked), call("own", token).message());
            let mut client = clients[number % clients.len()].clone();
            runtime().spawn(async move {
                let mut answers = Vec::new();
                // Until the door is closed: the connection is told to go away, and no new one is accepted.
                while let Ok(answer) = client.check(message.clone()).await {
                    answers.push(Answer(answer.into_inner()));
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                answers
            })
        })
        .collect();
    eventually("some traffic", || (asked.load(Ordering::SeqCst) > 200).then_some(()));
    credence.signal(signal);
    assert_eq!(credence.process().wait().code(), Some(0), "{}", credence.stderr());
    let mut answered = BTreeSet::new();
    for asker in askers {
        for answer in runtime().block_on(asker).unwrap() {
            assert_eq!(answer.reason(), "ok");
            answered.insert(answer.decision_id());
        }
    }
    let decided: BTreeSet<_> =
        credence.decisions().iter().map(|line| line["decision_id"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = decided.difference(&answered).collect();
    assert!(lost.is_empty(), "{} of {} verdicts were made and never arrived: {lost:?}", lost.len(), decided.len());
    assert_eq!(decided.len(), answered.len(), "each verdict is in the log");
    assert!(credence.stderr().contains("every call was answered"), "{}", credence.stderr());
}

#[test]
fn sigterm_under_load_loses_no_call() {
    every_accepted_call_is_answered("TERM");
}

#[test]
fn sigterm_under_load_loses_no_call_over_tls() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    let client = setting.client(&[ENVOY]).grpc(&credence);
    no_verdict_is_lost(credence, &[client], &token(&setting.ci), "TERM");
}

#[test]
fn sigterm_under_load_loses_no_call_of_any_worker() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).arg("--workers").arg("3").start();
    let clients: Vec<_> = (0..4).map(|_| credence.another_client()).collect();
    no_verdict_is_lost(credence, &clients, &token(&ci), "TERM");
}

#[test]
fn sigint_under_load_loses_no_call() {
    every_accepted_call_is_answered("INT");
}

#[test]
fn health_is_told_for_the_server_and_the_service_and_nothing_else() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let mut health = health(&credence);
    runtime().block_on(async {
        for service in ["", CHECKS] {
            let answer = health.check(about(service)).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
        }
        let unknown = health.check(about("no.such.Service")).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    });
}

#[test]
fn whoever_watches_health_hears_of_the_drain() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = Credence::serve(file.path()).start();
    let mut health = health(&credence);
    for service in ["", CHECKS] {
        let (mut watch, first) = runtime().block_on(async {
            let mut watch = health.watch(about(service)).await.unwrap().into_inner();
            let first = watch.message().await.unwrap().unwrap();
            (watch, first.status())
        });
        assert_eq!(first, ServingStatus::Serving);
        if service.is_empty() {
            continue;
        }
        credence.signal("TERM");
        let rest = runtime().block_on(async {
            let mut rest = Vec::new();
            while let Ok(Some(status)) = watch.message().await {
                rest.push(status.status());
            }
            rest
        });
        assert_eq!(rest.first(), Some(&ServingStatus::NotServing));
        assert!(!rest.contains(&ServingStatus::Serving), "{rest:?}");
    }
    assert_eq!(credence.process().wait().code(), Some(0));
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = Credence::serve(file.path()).start();
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let _silent = std::net::TcpStream::connect(credence.grpc()).unwrap();
    assert_eq!(credence.stop().code(), Some(0));
}

/// The reader of standard error leaves as soon as credence listens; what is written there from then on fails.
const NOBODY_READS: &str = r#"exec bash -c 'exec "$@" 2> >(sed "/listening/q" >&2)' sh "$@""#;

#[test]
fn a_log_that_nobody_reads_any_more_stops_neither_reloads_nor_the_end() {
    let resource = |name: &str| format!("resources:\n  {name}: {{audience: {API}, hosts: [{name}.acme.test]}}\n");
    let table = Table::new(&resource("first"));
    let mut credence = Credence::serve(table.path()).shell(NOBODY_READS).start_unready();
    for (name, generation) in [("second", 2), ("third", 3), ("fourth", 4)] {
        table.replace(&resource(name));
        eventually("the new table", || {
            (credence.admin("/readyz").json()["table"]["generation"] == generation).then_some(())
        });
    }
    assert_eq!(credence.stop().code(), Some(0));
}
