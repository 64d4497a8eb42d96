//! Settings of Envoy Gateway with which the door is open, each beside the setting with which it is not.

use crate::envoy_gateway::Gateway;
use crate::manifests::Manifests;
use crate::scene::{BY_ROUTE, Reached, Scene, get};
use crate::support::http::Request;

const STRIP: &str = "kind: ClientTrafficPolicy";

fn orders() -> Request {
    get("partners.acme.test", "/orders/4711")
}

fn forged() -> Request {
    orders().header("x-credence-subject", "root")
}

/// What a service is told of a caller who forges.
fn believed(scene: &Scene, gateway: &Gateway, request: Request) -> Vec<String> {
    let outcome = scene.send(gateway, request);
    assert_eq!(outcome.reached, Reached::Orders, "{:?}", outcome.response);
    let echo = outcome.echo();
    echo.headers().into_iter().filter(|(_, value)| *value == "root").map(|(name, _)| name.to_owned()).collect()
}

fn setting(manifests: Manifests, more: &str) -> Manifests {
    manifests.with("    failOpen: false", &format!("    {more}\n    failOpen: false"))
}

#[test]
fn a_route_that_no_policy_is_for_is_not_checked_at_all() {
    let scene = Scene::with(BY_ROUTE);
    let only_orders = scene
        .manifests()
        .with(
            "kind: SecurityPolicy\nmetadata: {name: credence, namespace: gateways}",
            "kind: SecurityPolicy\nmetadata: {name: credence, namespace: orders}",
        )
        .with(
            "kind: Backend\nmetadata: {name: credence, namespace: gateways}",
            "kind: Backend\nmetadata: {name: credence, namespace: orders}",
        )
        .with("kind: Gateway, name: partner-gateway}]\n  extAuth", "kind: HTTPRoute, name: api}]\n  extAuth");
    let gateway = Gateway::of(only_orders);
    scene.refused(&gateway, orders(), "no_token");
    let decided = scene.credence.decisions().len();
    let open = scene.send(&gateway, get("partners.acme.test", "/invoices/7").header("x-credence-subject", "root"));
    assert_eq!(open.reached, Reached::Invoices, "{:?}", open.response);
    assert_eq!(open.echo().identity_headers(), [], "the strip is all that holds there");
    assert_eq!(scene.credence.decisions().len(), decided, "nobody was asked, and nothing tells of it");
}

#[test]
fn without_the_gateways_policy_everything_is_open() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests().without("kind: SecurityPolicy"));
    assert_eq!(believed(&scene, &gateway, forged()), [""; 0]);
    drop(gateway);
    let gateway = Gateway::of(scene.manifests().without("kind: SecurityPolicy").without(STRIP));
    assert_eq!(believed(&scene, &gateway, forged()), ["x-credence-subject"]);
}

#[test]
fn fail_open_lets_everybody_in_as_whoever_they_say_when_credence_is_gone() {
    let mut scene = Scene::with(BY_ROUTE);
    scene.credence.stop();
    let gateway = Gateway::of(scene.manifests());
    let closed = scene.send(&gateway, forged());
    assert_eq!((closed.reached, closed.response.status), (Reached::Neither, 503), "{:?}", closed.response);
    drop(gateway);
    let open = |manifests: Manifests| Gateway::of(manifests.with("failOpen: false", "failOpen: true"));
    let gateway = open(scene.manifests());
    assert_eq!(believed(&scene, &gateway, forged()), [""; 0]);
    drop(gateway);
    let gateway = open(scene.manifests().without(STRIP));
    assert_eq!(believed(&scene, &gateway, forged()), ["x-credence-subject"]);
}

#[test]
fn fail_open_lets_everybody_in_when_the_policy_names_a_backend_that_is_not_there() {
    let scene = Scene::with(BY_ROUTE);
    let misspelt = || scene.manifests().with("kind: Backend, name: credence}]", "kind: Backend, name: credense}]");
    let gateway = Gateway::of(misspelt());
    let closed = scene.send(&gateway, orders().bearer(scene.token()));
    assert_eq!((closed.reached, closed.response.status), (Reached::Neither, 500), "{:?}", closed.response);
    drop(gateway);
    let gateway = Gateway::of(misspelt().with("failOpen: false", "failOpen: true"));
    assert_eq!(scene.send(&gateway, orders()).reached, Reached::Orders);
}

#[test]
fn what_headers_to_ext_auth_leaves_out_is_neither_judged_nor_removed() {
    let scene = Scene::with(BY_ROUTE);
    let odd = || orders().header("x-credence.subject", "root").bearer(scene.token());
    let limited = |manifests: Manifests| Gateway::of(setting(manifests, "headersToExtAuth: [authorization]"));

    let gateway = limited(scene.manifests().without(STRIP));
    assert_eq!(believed(&scene, &gateway, odd()), ["x-credence.subject"]);
    drop(gateway);
    let gateway = limited(scene.manifests());
    assert_eq!(believed(&scene, &gateway, odd()), [""; 0]);
    drop(gateway);
    let gateway = Gateway::of(scene.manifests().without(STRIP));
    assert_eq!(believed(&scene, &gateway, odd()), [""; 0]);
    drop(gateway);
    // A list without the token's header: every caller comes without a token.
    let gateway = Gateway::of(setting(scene.manifests(), "headersToExtAuth: [x-request-id]"));
    scene.refused(&gateway, orders().bearer(scene.token()), "no_token");
}

#[test]
fn recompute_route_lets_a_call_go_to_another_route_than_the_one_that_was_judged() {
    let scene = Scene::with(BY_ROUTE);
    // The route of the partner asks for a header that credence takes away; the neighbour's does not.
    let manifests = || {
        let bearer = "headers: [{type: RegularExpression, name: authorization, value: \"Bearer .*\"}]";
        let path = "path: {type: PathPrefix, value: /orders}}]";
        let manifests =
            scene.manifests().with(path, &format!("path: {{type: PathPrefix, value: /orders}}, {bearer}}}]"));
        manifests.with("value: /orders/archive}", "value: /orders}")
    };
    let call = || orders().bearer(scene.token());
    let gateway = Gateway::of(manifests());
    assert_eq!(scene.send(&gateway, call()).reached, Reached::Orders);
    drop(gateway);
    let gateway = Gateway::of(setting(manifests(), "recomputeRoute: true"));
    let outcome = scene.send(&gateway, call());
    let line = scene.credence.decision(outcome.echo().one("x-credence-decision-id"));
    assert_eq!((outcome.reached, &line["resource"]), (Reached::Invoices, &"orders".into()), "{line}");
}

#[test]
fn without_the_metadata_of_routes_no_resource_is_known_and_everything_is_refused() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests().with("includeRouteMetadata: true", "includeRouteMetadata: false"));
    scene.refused(&gateway, orders().bearer(scene.token()), "resource_unknown");
}

#[test]
fn without_the_settings_for_paths_a_slash_in_disguise_is_unfolded_by_a_redirect() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests().without(STRIP));
    let call = get("partners.acme.test", "/orders/..%2finvoices/7").bearer(scene.token());
    let outcome = scene.send(&gateway, call);
    assert_eq!((outcome.reached, outcome.response.status), (Reached::Neither, 307), "{:?}", outcome.response);
    assert_eq!(outcome.response.header("location"), Some("/invoices/7"));
}
