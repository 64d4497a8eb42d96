//! The gateway of the example, and what `render` prints for its table.

use credence::clock::Time;
use credence::request::split_url;
use credence::table::{Vector, Vectors};
use serde_json::{Value, json};

use super::mesh::documents;
use super::world::{ACME, EDGE, Gateway, Outcome, World, render, world};
use crate::support::http::Request;
use crate::support::{now, root};
use crate::traces::{TRACEPARENT, is_joined};

/// The settler's call, as the ledger wants it.
fn append(world: &World) -> Request {
    Request::post("/v1/entries").host("ledger.acme.test").bearer(world.settler())
}

#[test]
fn the_api_server_takes_what_is_rendered_under_any_name_and_refuses_a_slip_in_it() {
    let world = world();
    for gateway in [EDGE, "other-gateway"] {
        for mut object in documents(&render(&["--gateway", gateway]).1) {
            object["metadata"]["name"] = json!("another");
            let (status, answer) = world.dry_run(&object);
            assert_eq!(status, 201, "{answer:#}");
            object["spec"]["slip"] = json!(true);
            assert_eq!(world.dry_run(&object).0, 400, "an unknown field: {object:#}");
        }
    }
}

#[test]
fn the_page_shows_objects_that_the_api_server_takes_and_tests_that_are_there() {
    let page = include_str!("../../../docs/install/istio.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let objects: Vec<_> = blocks.filter(|block| block.starts_with("apiVersion:")).flat_map(documents).collect();
    assert_eq!(objects.len(), 2);
    for object in objects {
        let (status, answer) = world().dry_run(&object);
        assert_eq!(status, 201, "{answer:#}");
    }
    let tests = [include_str!("traps.rs"), include_str!("outage.rs")].concat();
    let rows = page.split_once("## Traps").unwrap().1.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let named: Vec<_> = cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`')).collect();
    assert!(named.len() >= 9, "{named:?}");
    for test in named {
        assert!(tests.contains(&format!("fn {test}()")), "there is no test {test}");
    }
    for test in tests.lines().filter_map(|line| line.strip_prefix("fn trap_")?.split('(').next()) {
        assert!(page.contains(&format!("`trap_{test}`")), "docs/install/istio.md does not tell of trap_{test}");
    }
}

#[test]
fn every_case_of_the_example_holds_through_istio() {
    let world = world();
    let gateway = world.gateway(EDGE);
    let (vectors, report) = Vectors::read(&root().join("examples/istio/trust_test.yaml"));
    let cases = vectors.unwrap_or_else(|| panic!("{}", report.render(false))).cases;
    assert!(cases.len() >= 12);
    for case in &cases {
        holds(world, gateway, case);
    }
}

fn holds(world: &World, gateway: &Gateway, case: &Vector) {
    let claims = case.token.claims(Time::from_seconds(now() as f64), "id").map(|claims| json!(claims));
    let (host, target) = split_url(&case.request.url).unwrap();
    let mut request = Request::new(&case.request.method, target).host(host).header("x-credence-subject", "forged");
    if let Some(claims) = &claims {
        request = request.bearer(world.sign(claims));
    }
    let name = &case.name;
    if target.contains("%68") {
        // Istio's gateway decodes it before it asks, and hands on what it asked about.
        let echo = gateway.send(request).echo.unwrap();
        assert_eq!(echo.path(), "/healthz", "{name}");
        return;
    }
    if !case.expect.allowed {
        let line = gateway.refused(request);
        assert_eq!(line["reason"], json!(case.expect.reason), "{name}: {line}");
        return;
    }
    let Outcome { response, echo } = gateway.send(request);
    let echo = echo.unwrap_or_else(|| panic!("{name}: {response:?}"));
    let names: Vec<_> = echo.identity_headers().into_iter().map(|(name, _)| name).collect();
    let Some(claims) = claims else {
        assert_eq!(names, ["x-credence-decision-id"], "{name}: nobody is known");
        return;
    };
    let principal = format!("{}#{}", claims["iss"].as_str().unwrap(), claims["sub"].as_str().unwrap());
    assert_eq!(echo.one("x-credence-principal"), principal, "{name}");
    assert_eq!(json!(echo.one("x-credence-subject")), claims["sub"], "{name}");
    assert!(echo.all("authorization").is_empty(), "{name}: the credential went on");
}

#[test]
fn the_upstream_gets_identity_headers_from_credence_alone() {
    let world = world();
    let gateway = world.gateway(EDGE);
    let forged = ["x-credence-principal", "X-Credence-Scopes", "x-credence-realm", "x-credence-claim-role"];
    let request = forged.iter().fold(append(world), |request, name| request.header(name, "forged"));
    let echo = gateway.send(request).echo.unwrap();
    assert_eq!(echo.one("x-credence-principal"), format!("{ACME}#payments-settler"));
    assert_eq!(echo.one("x-credence-scopes"), "ledger:append");
    assert!(echo.identity_headers().iter().all(|(_, value)| *value != "forged"), "{:?}", echo.headers());
    for odd in ["x_credence_subject", "x-credence_subject"] {
        let Outcome { response, echo } = gateway.send(append(world).header(odd, "forged"));
        assert_eq!((response.status, echo.is_none()), (400, true), "{odd}: {response:?}");
    }
}

#[test]
fn a_host_is_the_same_with_a_port_or_in_capitals_and_no_other_host_has_a_way_in() {
    let world = world();
    let gateway = world.gateway(EDGE);
    for host in ["ledger.acme.test:80", "LEDGER.acme.test", "ledger.acme.test:443"] {
        let call = || Request::post("/v1/entries").host(host);
        assert!(gateway.send(call().bearer(world.settler())).echo.is_some(), "{host}");
        assert_eq!(gateway.refused(call())["reason"], "no_token", "{host}");
    }
    // The gateway asks first and looks for a route afterwards: whoever is nobody does not learn which hosts there are.
    for host in ["ledger.acme.test.", "other.acme.test", "ledger.acme.test.evil.test"] {
        let Outcome { response, echo } = gateway.send(Request::get("/").host(host));
        assert!(echo.is_none() && response.status >= 400, "{host}: {response:?}");
    }
}

#[test]
fn istiod_hands_on_every_setting_that_is_rendered() {
    let gateway = world().gateway(EDGE);
    let filter = gateway.ext_authz();
    assert_eq!(filter["grpc_service"]["timeout"], "0.250s");
    assert_eq!(filter["status_on_error"]["code"], "ServiceUnavailable");
    assert_eq!(filter["validate_mutations"], true);
    assert_eq!(filter["decoder_header_mutation_rules"]["disallow_all"], true);
    assert_eq!(filter["failure_mode_allow"], Value::Null, "which is false");
    // Istio itself says nothing about route or context.
    assert_eq!(filter["route_metadata_context_namespaces"], Value::Null);
    let names: Vec<_> = gateway.filters().iter().map(|filter| filter["name"].clone()).collect();
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert!(
        at("envoy.filters.http.ext_authz") < at("envoy.filters.http.cors"),
        "a preflight is asked about: {names:?}"
    );
}

#[test]
fn the_pages_telemetry_joins_credences_span_to_the_gateways() {
    let world = world();
    let outcome = world.gateway(EDGE).send(append(world).header("traceparent", TRACEPARENT));
    let echo = outcome.echo.unwrap_or_else(|| panic!("{:?}", outcome.response));
    is_joined(&world.collector, echo.one("x-credence-decision-id"));
}
