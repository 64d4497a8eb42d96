//! What `credence render --to envoy-gateway` prints, given to a real Kubernetes API server word for word, and enforced.

use crate::envoy_gateway::Gateway;
use crate::kubernetes::Api;
use crate::manifests::Manifests;
use crate::scene::{BY_ROUTE, MANIFESTS, Reached, Scene, get};
use crate::support::credence::run;
use crate::support::http::Request;
use crate::tls::{Certificates, GATEWAY};

/// Two more namespaces: a resource by host alone, and one by its route together with what the route's policy says.
const MORE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: partner-gateway, namespace: gateways}]
  hostnames: [web.acme.test]
  rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: shop}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: gold, namespace: shop}
spec:
  parentRefs: [{name: partner-gateway, namespace: gateways}]
  hostnames: [gold.acme.test]
  rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: shop}]}]
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: shop, namespace: shop}
spec:
  endpoints: [{ip: {address: 127.0.0.1, port: 10001}}]
";

/// What stands for the release of the chart: its Service, and where its pods are.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: credence, namespace: credence}
spec:
  clusterIP: None
  ports: [{name: grpc, port: 9191, targetPort: grpc, appProtocol: grpc}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: credence-1, namespace: credence, labels: {kubernetes.io/service-name: credence}}
addressType: FQDN
endpoints: [{addresses: [credence.localhost], conditions: {ready: true}}]
ports: [{name: grpc, port: 9191}]
";

/// The example's table with a resource of each way to be picked; credence as the chart has it by default.
fn scene(certificates: &Certificates) -> Scene {
    let change = |text: String| {
        let resources = "resources:
  web: {audience: https://web.acme.test, hosts: [web.acme.test]}
  gold: {audience: https://gold.acme.test, route: {namespace: shop, name: gold}, context: {tier: gold}}
";
        let grants = "grants:
  globex-web: {issuer: partner-globex, resource: web, subject: globex-order-bot, methods: [GET], paths: any}
  globex-gold: {issuer: partner-globex, resource: gold, subject: globex-order-bot, methods: [GET], paths: any}
";
        let comment = text.lines().find(|line| line.starts_with("resources:")).unwrap().to_owned();
        text.replace(&format!("{comment}\n"), resources).replace("grants:\n", grants)
    };
    Scene::serving(BY_ROUTE, change, |serve| certificates.served(serve))
}

/// What is printed for the example's Gateway and its EnvoyProxy, with these flags besides.
pub(crate) fn rendered(scene: &Scene, flags: &[&str]) -> Manifests {
    let table = scene.table().display().to_string();
    let names = ["--gateway", "partner-gateway", "--gateway-namespace", "gateways"];
    let output = run(&[&["render", "--to", "envoy-gateway", "--trust", &table], &names[..], flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Manifests::text(String::from_utf8(output.stdout).unwrap())
}

/// The example's Gateway, routes and services, with what was rendered in the place of its own policies.
pub(crate) fn manifests(scene: &Scene, rendered: &Manifests) -> Manifests {
    let port = scene.credence.grpc().rsplit(':').next().unwrap().to_owned();
    let service = Manifests::text(SERVICE)
        .with("ports: [{name: grpc, port: 9191}]", &format!("ports: [{{name: grpc, port: {port}}}]"));
    let all = Manifests::file(MANIFESTS).and(MORE);
    scene
        .leading_here(all)
        .without("kind: ClientTrafficPolicy")
        .without("kind: SecurityPolicy")
        .without("metadata: {name: credence, namespace: gateways}\nspec:\n  endpoints")
        .and(service.as_str())
        .and(rendered.as_str())
}

/// That the GatewayClass of the example has an EnvoyProxy.
pub(crate) const OWN_PROXY: [&str; 2] = ["--envoy-proxy", "envoy"];

pub(crate) const NAMESPACES: [&str; 5] = ["gateways", "credence", "orders", "invoices", "shop"];

#[test]
fn what_render_prints_is_taken_word_for_word_and_enforced() {
    let certificates = Certificates::new();
    let (mut scene, api) = (scene(&certificates), Api::start(&NAMESPACES));
    let rendered = rendered(&scene, &OWN_PROXY);
    let given = certificates.given(&certificates.clients.issue(&[GATEWAY]));
    let gateway = Gateway::in_cluster(&api, manifests(&scene, &rendered).and(&given));
    let mut policies = 0;
    for policy in rendered.documents().filter(|document| document.contains("Policy\nmetadata")) {
        let (accepted, message) = api.accepted(policy);
        assert!(accepted, "{message}\n{policy}");
        policies += 1;
    }
    assert_eq!(policies, 4, "for the Gateway, for its clients, for TLS, and for the route with context");

    let call = |host: &str, path: &str, aud: &str| get(host, path).bearer(scene.token().claim("aud", aud));
    for (host, path, aud) in [
        ("partners.acme.test", "/orders/1", "https://orders.acme.test"),
        ("web.acme.test", "/", "https://web.acme.test"),
        ("gold.acme.test", "/", "https://gold.acme.test"),
    ] {
        let forged = |request: Request| request.header("x-credence-realm", "root").header("x-credence.subject", "root");
        let outcome = scene.send(&gateway, forged(call(host, path, aud)));
        assert_eq!(outcome.reached, Reached::Orders, "{host}: {:?}", outcome.response);
        let echo = outcome.echo();
        assert!(echo.headers().iter().all(|(_, value)| *value != "root"), "{:?}", echo.headers());
        let line = scene.credence.decision(echo.one("x-credence-decision-id"));
        assert!(line["proxy"]["peer"].as_str().unwrap().starts_with(GATEWAY), "{line}");
        scene.refused(&gateway, forged(get(host, path)), "no_token");
    }
    scene.refused(&gateway, call("partners.acme.test", "/invoices/1", "https://orders.acme.test"), "grant_none");
    scene.refused(&gateway, call("gold.acme.test", "/", "https://web.acme.test"), "audience_mismatch");
    let underscored = call("web.acme.test", "/", "https://web.acme.test").header("x_credence_subject", "root");
    assert_eq!(scene.send(&gateway, underscored).response.status, 400);

    scene.credence.stop();
    let outcome = scene.send(&gateway, get("web.acme.test", "/").bearer(scene.token()));
    assert_eq!((outcome.reached, outcome.response.status), (Reached::Neither, 503), "with credence gone");
}

#[test]
fn without_the_reference_grant_every_route_answers_500() {
    let certificates = Certificates::new();
    let (scene, api) = (scene(&certificates), Api::start(&NAMESPACES));
    let rendered = rendered(&scene, &OWN_PROXY);
    let without = rendered.clone().without("kind: ReferenceGrant");
    let given = certificates.given(&certificates.clients.issue(&[GATEWAY]));
    let gateway = Gateway::in_cluster(&api, manifests(&scene, &without).and(&given));
    let policy = without.document("kind: SecurityPolicy\nmetadata: {name: \"credence\",");
    let (accepted, message) = api.accepted(&policy);
    assert!(!accepted && message.contains("ReferenceGrant"), "{message}");
    let outcome = scene.send(&gateway, get("partners.acme.test", "/orders/1").bearer(scene.token()));
    assert_eq!((outcome.reached, outcome.response.status), (Reached::Neither, 500), "{:?}", outcome.response);
}
