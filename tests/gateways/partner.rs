//! Scenario S3 on Envoy Gateway: a partner may call one service namespace, and what a neighbour of that namespace can do.

use crate::envoy_gateway::Gateway;
use crate::kubernetes::Api;
use crate::manifests::Manifests;
use crate::scene::{BY_HOST, BY_ROUTE, Reached, Scene, get};
use crate::support::token::Token;
use crate::support::{eventually, scratch};

/// Whoever writes in the namespace `invoices` writes this too: a policy of its own, for its own route.
const OWN_POLICY: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: own, namespace: invoices}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}]
  cors: {allowOrigins: [\"https://app.acme.test\"]}
";

#[test]
fn the_pages_admission_policy_lets_no_namespace_switch_credence_off() {
    let page = include_str!("../../docs/install/envoy-gateway.md");
    let block = page.split("```yaml\n").find(|block| block.contains("kind: ValidatingAdmissionPolicy")).unwrap();
    let api = Api::start(&["gateways", "invoices"]);
    assert_eq!(api.would_say(OWN_POLICY).0, 201);
    api.apply(&Manifests::text(block.split("```").next().unwrap()));
    // The server takes the policy up a moment later.
    let message = eventually("the admission policy", || {
        Some(api.would_say(OWN_POLICY)).filter(|(status, _)| *status != 201).map(|(_, message)| message)
    });
    assert!(message.contains("would switch credence off here"), "{message}");
    let merged = OWN_POLICY.replace("spec:\n", "spec:\n  mergeType: StrategicMerge\n");
    assert_eq!(api.would_say(&merged).0, 201);
    let open = merged.replace(
        "  cors:",
        "  extAuth: {failOpen: true, grpc: {backendRefs: [{name: credence, port: 9191}]}}\n  cors:",
    );
    assert!(api.would_say(&open).1.contains("would switch credence off here"));
    assert_eq!(api.would_say(&OWN_POLICY.replace("namespace: invoices", "namespace: gateways")).0, 201);
}

#[test]
fn a_backend_that_is_a_unix_socket_is_asked() {
    let dir = scratch();
    let scene = Scene::serving(BY_ROUTE, |text| text, |serve| serve.listen_on(&dir.path().join("authz.sock")));
    let manifests = scene.manifests();
    // The page's Backend is this one, but for the path.
    let page = include_str!("../../docs/install/kubernetes.md");
    let mut blocks = page.split("```yaml\n").filter_map(|block| block.split("```").next());
    let shown = blocks.find(|block| block.contains("kind: Backend\n")).unwrap();
    let socket = format!("{}/authz.sock", dir.path().display());
    let shown = shown.replace("/run/credence/authz.sock", &socket);
    let manifests =
        manifests.without("metadata: {name: credence, namespace: gateways}\nspec:\n  endpoints").and(&shown);
    let gateway = Gateway::of(manifests);
    let orders = || get("partners.acme.test", "/orders/4711");
    let outcome = scene.send(&gateway, orders().bearer(scene.token()));
    assert_eq!(outcome.reached, Reached::Orders, "{:?}", outcome.response);
    scene.refused(&gateway, orders(), "no_token");
}

#[test]
fn s3_the_partners_token_is_good_in_its_namespace_and_the_same_token_nowhere_else() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests());
    let token = scene.token();
    for host in ["partners.acme.test", "orders.acme.test", "PARTNERS.acme.test:443"] {
        let outcome = scene.send(&gateway, get(host, "/orders/4711").bearer(&token));
        assert_eq!(outcome.reached, Reached::Orders, "{host}: {:?}", outcome.response);
    }
    let both = token.clone().claim("aud", vec!["https://orders.acme.test", "https://invoices.acme.test"]);
    for (by, host, path) in [
        ("path", "partners.acme.test", "/invoices/7"),
        ("host", "invoices.acme.test", "/orders/4711"),
        ("the namespace of the route", "partners.acme.test", "/orders/archive/1"),
        ("a path that climbs", "partners.acme.test", "/orders/../invoices/7"),
        ("a path that climbs in disguise", "partners.acme.test", "/orders/%2e%2e/invoices/7"),
        ("a path with more slashes", "partners.acme.test", "//invoices///7"),
    ] {
        for token in [&token, &both] {
            let line = scene.refused(&gateway, get(host, path).bearer(token), "grant_none");
            assert_eq!(line["resource"], "invoices", "by {by}: {line}");
        }
    }
    let escaped = scene.send(&gateway, get("partners.acme.test", "/orders/..%2finvoices/7").bearer(&token));
    assert_eq!((escaped.reached, escaped.response.status), (Reached::Neither, 400), "{:?}", escaped.response);

    let orders = || get("partners.acme.test", "/orders/4711");
    let other = |change: fn(Token) -> Token| orders().bearer(change(scene.token()));
    scene.refused(&gateway, orders(), "no_token");
    scene.refused(&gateway, other(|token| token.claim("aud", "https://invoices.acme.test")), "audience_mismatch");
    scene.refused(&gateway, other(|token| token.claim("sub", "globex-intern")), "grant_none");
}

#[test]
fn what_the_services_are_told_of_the_caller_comes_from_credence_alone() {
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests());
    let forged = || {
        let request = get("partners.acme.test", "/orders/4711").bearer(scene.token());
        let names = ["x-credence-subject", "X-Credence-Principal", "x-credence-realm", "x-credence-actor-subject"];
        names.into_iter().fold(request, |request, name| request.header(name, "root"))
    };
    let outcome = scene.send(&gateway, forged().header("x-credence.subject", "root"));
    let echo = outcome.echo();
    let id = echo.one("x-credence-decision-id");
    let mut seen = echo.identity_headers();
    seen.sort_unstable();
    let principal = format!("{}#globex-order-bot", scene.iss());
    let told = [
        ("x-credence-decision-id", id),
        ("x-credence-grants", "globex-orders"),
        ("x-credence-issuer", scene.iss()),
        ("x-credence-principal", &principal),
        ("x-credence-scopes", "orders:submit"),
        ("x-credence-subject", "globex-order-bot"),
    ];
    assert_eq!(seen, told);
    assert!(echo.all("authorization").is_empty(), "the token is not the service's to have");
    assert_eq!(scene.credence.decision(id)["reason"], "ok");

    let underscored = scene.send(&gateway, forged().header("x_credence_subject", "root"));
    assert_eq!((underscored.reached, underscored.response.status), (Reached::Neither, 400));
}

#[test]
fn a_neighbours_route_takes_the_partners_calls_away_where_the_table_goes_by_host_and_path() {
    let scene = Scene::with(BY_HOST);
    let gateway = Gateway::of(scene.manifests());
    let call = || get("partners.acme.test", "/orders/archive/1").bearer(scene.token());
    let outcome = scene.send(&gateway, call());
    let line = scene.credence.decision(outcome.echo().one("x-credence-decision-id"));
    assert_eq!((outcome.reached, &line["resource"]), (Reached::Invoices, &"orders".into()), "{line}");
    // By path and by host it is told apart all the same.
    for (host, reason) in [("partners.acme.test", "grant_none"), ("invoices.acme.test", "grant_none")] {
        scene.refused(&gateway, get(host, "/invoices/7").bearer(scene.token()), reason);
    }
    drop(gateway);
    // The namespace of the route says where the call really goes.
    let scene = Scene::with(BY_ROUTE);
    let gateway = Gateway::of(scene.manifests());
    let call = get("partners.acme.test", "/orders/archive/1").bearer(scene.token());
    scene.refused(&gateway, call, "grant_none");
}

#[test]
fn a_neighbours_policy_can_say_any_context_but_not_another_namespace() {
    let by_context = |text: String| {
        let text = text.replace("route: {namespace: orders}", "context: {namespace: orders}");
        text.replace("route: {namespace: invoices}", "context: {namespace: invoices}")
    };
    // The neighbour says in its own policy that its route is of the other namespace.
    let lying = |manifests: Manifests| {
        let (credence, policy) =
            (manifests.document("{name: credence, namespace: gateways}\nspec:\n  endpoints"), OWN_POLICY);
        let ext_auth = "  extAuth:\n    includeRouteMetadata: true\n    contextExtensions: [{name: namespace, type: Value, value: orders}]\n    \
                        grpc: {backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: credence}]}\n";
        let policy = policy.trim_start().lines().filter(|line| !line.contains("cors:")).collect::<Vec<_>>().join("\n");
        manifests
            .and(&credence.replace("namespace: gateways", "namespace: invoices"))
            .and(&format!("{policy}\n{ext_auth}"))
    };
    let call = |scene: &Scene| get("partners.acme.test", "/invoices/7").bearer(scene.token());

    let scene = Scene::rewritten(BY_ROUTE, by_context);
    let gateway = Gateway::of(lying(scene.manifests()));
    let outcome = scene.send(&gateway, call(&scene).header("x-path", "/orders"));
    // The grant names the path too, which the neighbour cannot change.
    assert_eq!(outcome.reached, Reached::Neither, "{:?}", outcome.response);
    drop(gateway);

    let scene = Scene::rewritten(BY_ROUTE, |text| by_context(text).replace("paths: [/orders/**]", "paths: any"));
    let gateway = Gateway::of(lying(scene.manifests()));
    assert_eq!(scene.send(&gateway, call(&scene)).reached, Reached::Invoices);
    drop(gateway);

    let scene = Scene::rewritten(BY_ROUTE, |text| text.replace("paths: [/orders/**]", "paths: any"));
    let gateway = Gateway::of(lying(scene.manifests()));
    scene.refused(&gateway, call(&scene), "grant_none");
}

#[test]
fn a_policy_on_a_route_takes_the_place_of_the_gateways_unless_it_is_merged() {
    let scene = Scene::with(BY_ROUTE);
    let call = || get("partners.acme.test", "/invoices/7").header("x-credence-subject", "root");
    let gateway = Gateway::of(scene.manifests().and(OWN_POLICY));
    let outcome = scene.send(&gateway, call());
    assert_eq!(outcome.reached, Reached::Invoices, "without any token: {:?}", outcome.response);
    assert_eq!(outcome.echo().identity_headers(), [], "the strip is before any route");
    // The policy is for one route; the others are asked about as before.
    scene.refused(&gateway, get("partners.acme.test", "/orders/4711"), "no_token");
    drop(gateway);

    let merged = OWN_POLICY.replace("spec:\n", "spec:\n  mergeType: StrategicMerge\n");
    let gateway = Gateway::of(scene.manifests().and(&merged));
    scene.refused(&gateway, call(), "no_token");
}
