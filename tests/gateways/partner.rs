//! Scenario S3 on Envoy Gateway: a partner may call one service namespace.

use crate::envoy_gateway::Gateway;
use crate::scene::{BY_ROUTE, Reached, Scene};
use crate::support::http::Request;

/// `GET` of a URL, path as written.
pub(crate) fn get(host: &str, path: &str) -> Request {
    Request::get(path).host(host)
}

#[test]
fn s3_the_partners_token_is_good_in_its_namespace_and_the_same_token_nowhere_else() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests());
    let token = scene.token();

    for host in ["partners.acme.test", "orders.acme.test", "PARTNERS.acme.test:443"] {
        let outcome = scene.send(&gateway, get(host, "/orders/4711").bearer(&token));
        assert_eq!(outcome.reached, Reached::Orders, "{host}: {:?}", outcome.response);
        assert_eq!(outcome.echo().one("x-credence-subject"), "globex-order-bot");
    }
    for (by, host, path) in [
        ("path", "partners.acme.test", "/invoices/7"),
        ("host", "invoices.acme.test", "/orders/4711"),
        ("route", "partners.acme.test", "/orders/archive/1"),
        ("a path that climbs", "partners.acme.test", "/orders/../invoices/7"),
        ("a path that climbs in disguise", "partners.acme.test", "/orders/%2e%2e/invoices/7"),
    ] {
        let line = scene.refused(&gateway, get(host, path).bearer(&token), "audience_mismatch");
        assert_eq!(line["resource"], "invoices", "by {by}: {line}");
        let both = token.clone().claim("aud", vec!["https://orders.acme.test", "https://invoices.acme.test"]);
        scene.refused(&gateway, get(host, path).bearer(&both), "grant_none");
    }
    scene.refused(&gateway, get("partners.acme.test", "/orders/4711"), "no_token");
}
