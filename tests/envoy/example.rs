//! The configuration that the README shows is the one that is tested here, byte for byte but for the ports.

use crate::support::envoy::Envoy;
use crate::support::upstream::{Echo, MARK};
use crate::world::{API, API_HOST, SUBJECT, World, mark, world};

use crate::support::http::Request;

const EXAMPLE: &str = include_str!("../../examples/envoy/envoy.yaml");

fn envoy(world: &World) -> Envoy {
    start(world, EXAMPLE)
}

fn start(world: &World, example: &str) -> Envoy {
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    let config = example
        .replace("port_value: 9191", &format!("port_value: {}", port(world.credence.grpc())))
        .replace("port_value: 8080", &format!("port_value: {}", world.upstream.address().port()))
        .replace("port_value: 10000", "port_value: 0");
    Envoy::start_by_hand(&config)
}

#[test]
fn the_example_hands_on_the_pair_and_takes_away_the_credential_and_the_overrides() {
    let world = world();
    let envoy = envoy(&world);
    let request = Request::new("GET", "/v1/x").host(API_HOST).header(MARK, mark()).bearer(world.ci.token(SUBJECT, API));
    let request =
        request.header("x-credence-realm", "forged").header("x-original-url", "/admin").header("cookie", "a=1");
    let echo = Echo::of(&request.send(envoy.address("ingress")));
    assert_eq!(echo.one("x-credence-issuer"), world.ci.url());
    assert_eq!(echo.one("x-credence-subject"), SUBJECT);
    assert_eq!(echo.one("cookie"), "a=1");
    for gone in ["authorization", "x-credence-realm", "x-original-url"] {
        assert!(echo.all(gone).is_empty(), "{gone}");
    }
}

#[test]
fn the_example_refuses_what_is_not_granted_and_headers_with_underscores() {
    let world = world();
    let envoy = envoy(&world);
    let call = || Request::new("GET", "/v1/x").host(API_HOST).header(MARK, mark());
    assert_eq!(call().send(envoy.address("ingress")).status, 401);
    let forged = call().bearer(world.ci.token(SUBJECT, API)).header("x_credence_subject", "forged");
    assert_eq!(forged.send(envoy.address("ingress")).status, 400);
}

#[test]
fn a_cluster_name_that_is_no_authority_does_no_harm() {
    let world = world();
    let odd = EXAMPLE.replace("cluster_name: credence", "cluster_name: \"outbound|9191||credence.ns.svc\"");
    let odd = odd.replace("- name: credence\n", "- name: \"outbound|9191||credence.ns.svc\"\n");
    let odd = odd.replace("failure_mode_allow: false", "failure_mode_allow: true");
    assert_eq!(odd.matches("outbound|9191").count(), 3);
    let call = || Request::new("GET", "/v1/x").host(API_HOST).header(MARK, mark());
    let envoy = start(&world, &odd);
    for _ in 0..3 {
        assert_eq!(call().send(envoy.address("ingress")).status, 401);
        assert_eq!(call().bearer(world.ci.token(SUBJECT, API)).send(envoy.address("ingress")).status, 200);
    }
}

#[test]
fn the_readme_shows_this_very_filter() {
    let readme = include_str!("../../README.md");
    let filter = EXAMPLE.lines().skip_while(|line| !line.ends_with("- name: envoy.filters.http.ext_authz"));
    let filter = filter.take_while(|line| !line.ends_with("- name: envoy.filters.http.router"));
    let shown: String = filter.map(|line| format!("{}\n", line.strip_prefix("          ").unwrap())).collect();
    assert!(readme.contains(&shown), "README.md does not hold:\n{shown}");
}

#[test]
fn without_the_filter_the_example_still_takes_every_spelling_of_an_identity_away() {
    let world = world();
    let (before, rest) = EXAMPLE.split_once("          - name: envoy.filters.http.ext_authz\n").unwrap();
    let (_, after) = rest.split_once("          - name: envoy.filters.http.router\n").unwrap();
    let open = start(&world, &format!("{before}          - name: envoy.filters.http.router\n{after}"));
    let call = || Request::new("GET", "/v1/x").host(API_HOST).header(MARK, mark());
    let forged = ["x-credence-subject", "X-Credence.Subject", "x.credence.subject", "X-CREDENCE-REALM"];
    let request = forged.into_iter().fold(call(), |request, name| request.header(name, "forged"));
    let echo = Echo::of(&request.send(open.address("ingress")));
    assert_eq!(echo.identity_headers(), []);
}
