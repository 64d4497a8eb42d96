//! Credence is not there.

use super::world::{Outcome, world};
use crate::support::http::Request;

fn call() -> Request {
    Request::get("/v1/entries").host("ledger.acme.test").header("x-credence-subject", "forged")
}

#[test]
fn without_credence_every_request_is_refused_with_the_status_that_the_example_sets() {
    let gateway = world().gateway("gone");
    let Outcome { response, echo } = gateway.send(call());
    assert_eq!((response.status, echo.is_none()), (503, true), "{response:?}");
}

#[test]
fn trap_with_fail_open_a_forged_identity_arrives_as_soon_as_credence_is_gone() {
    let gateway = world().gateway("gone-open");
    let echo = gateway.send(call()).echo.expect("let through");
    assert_eq!(echo.one("x-credence-subject"), "forged");
}

#[test]
fn trap_without_a_status_of_its_own_an_outage_looks_like_a_refusal() {
    let Outcome { response, echo } = world().gateway("gone-silent").send(call());
    assert_eq!((response.status, echo.is_none()), (403, true), "{response:?}");
}

#[test]
fn trap_a_port_of_the_service_that_is_not_said_to_be_grpc_gets_no_question() {
    let Outcome { response, echo } = world().gateway("unnamed").send(call());
    assert_eq!((response.status, response.text().as_str(), echo.is_none()), (503, "", true), "{response:?}");
}

#[test]
fn trap_without_a_timeout_a_gateway_waits_for_ten_minutes() {
    let gateway = world().gateway("every-careless");
    assert_eq!(gateway.ext_authz()["grpc_service"]["timeout"], "600s");
}
