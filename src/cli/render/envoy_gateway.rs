//! For Envoy Gateway.

use std::collections::BTreeSet;

use super::snippet::{Value, change, quoted};
use super::tls::INSECURE;
use super::{Names, Rendered, Target, Tls};
use crate::resource::Resource;
use crate::table::Snapshot;

/// A SecurityPolicy: where it stands, and whom it is for.
struct Policy<'t> {
    name: String,
    namespace: &'t str,
    kind: &'static str,
    target: &'t str,
    note: String,
    resource: Option<&'t Resource>,
}

/// What to put where a Gateway is only guessed.
const GATEWAY: &str = "the Gateway that clients reach, and its namespace (--gateway, --gateway-namespace)";

pub(super) fn render(snapshot: &Snapshot, names: &Names, tls: &Tls) -> Rendered {
    let at = names.gateway_or("eg", "default");
    let [gateway, home] = at.each_ref().map(|value| value.text.as_str());
    let mut text = if tls.is_mutual(names) { String::new() } else { INSECURE.to_owned() };
    text += &strip(&at);
    if tls.is_mutual(names) {
        text += &mutual_tls(&at[1], names, tls);
    }
    let mut policies = vec![Policy {
        name: "credence".to_owned(),
        namespace: home,
        kind: "Gateway",
        target: gateway,
        note: format!(
            "# Every route of the Gateway is asked about, also those that no resource of the table is.\n{}",
            change(&at, 0, GATEWAY)
        ),
        resource: None,
    }];
    // A policy on a route takes the place of the one on its Gateway, so each is whole.
    for (_, resource) in snapshot.resources.iter().filter(|(_, resource)| !resource.context.is_empty()) {
        let route = resource.route.as_ref();
        let named = route.and_then(|route| route.name.as_deref());
        policies.push(Policy {
            name: format!("credence-{}", resource.name),
            namespace: route.map_or(home, |route| &route.namespace),
            kind: "HTTPRoute",
            target: named.unwrap_or(resource.name.as_str()),
            note: if named.is_some() {
                String::new()
            } else {
                "# CHANGE: targetRefs, to the HTTPRoutes of this resource, and the namespace to theirs: the table does not say them.\n"
                    .to_owned()
            },
            resource: Some(resource),
        });
    }
    // Sent with every question as soon as one resource is picked by it.
    let metadata = snapshot.resources.iter().any(|(_, resource)| resource.route.is_some());
    for policy in &policies {
        text += &security_policy(policy, metadata, names);
    }
    let away: BTreeSet<_> =
        policies.iter().map(|policy| policy.namespace).filter(|at| *at != names.namespace).collect();
    if !away.is_empty() {
        text += &reference_grant(&away, names);
    }
    Rendered { text, lost: Vec::new() }
}

/// Identity headers that clients send go before anything else sees them, and paths have one meaning.
fn strip(at: &[Value; 2]) -> String {
    let [gateway, home] = at.each_ref().map(|value| quoted(&value.text));
    format!(
        "{}apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {{name: credence, namespace: {home}}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {gateway}}}]
  path: {{escapedSlashesAction: RejectRequest, disableMergeSlashes: false}}
  headers:
    withUnderscoresAction: RejectRequest
    # Strip identity headers that clients send before anything else sees them: on routes without a policy, too.
    earlyRequestHeaders:
      removeOnMatch:
      - {{type: Prefix, value: x-credence}}
      - {{type: Prefix, value: x_credence}}
      - {{type: Prefix, value: x.credence}}
",
        change(at, 0, GATEWAY)
    )
}

/// Whom the proxies believe to be credence, and what they show to it.
fn mutual_tls(home: &Value, names: &Names, tls: &Tls) -> String {
    let (shown, proxy) = (tls.client_secret(), tls.envoy_proxy());
    let (kind, ca) = tls.authority(names);
    format!(
        "---
# Whom the Gateway's proxies believe to be credence.
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: credence, namespace: {namespace}}}
spec:
  targetRefs: [{{group: \"\", kind: Service, name: {service}}}]
  validation:
{}    caCertificateRefs: [{{group: \"\", kind: {kind}, name: {}}}]
    hostname: {} # a DNS name in credence's certificate
---
# What they show to credence, and to every other backend that is reached over TLS. Applied on the server's side, this adds one field to
# an EnvoyProxy that is there and leaves the others as they are. If the Gateway has none yet, name this one in the Gateway:
# spec.infrastructure.parametersRef: {{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: {proxy_name}}}
{}apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {{name: {proxy_name}, namespace: {}}}
spec:
  backendTLS:
{}    clientCertificateRef: {{kind: Secret, name: {}}}
",
        change(
            [&ca],
            4,
            "the Secret or ConfigMap beside the Service whose ca.crt has signed credence's certificate (--ca-secret, --ca-configmap)"
        ),
        quoted(&ca.text),
        quoted(&tls.server_name(Target::EnvoyGateway, names).text),
        change(
            [&proxy, home],
            0,
            "the EnvoyProxy that parametersRef of the Gateway or of its GatewayClass names (--envoy-proxy, --gateway-namespace)"
        ),
        quoted(&home.text),
        change(
            [&shown],
            4,
            "the Secret beside the EnvoyProxy with tls.crt and tls.key, whose name credence's tls.allowPeer holds (--client-secret)"
        ),
        quoted(&shown.text),
        namespace = quoted(&names.namespace),
        service = quoted(names.service_name()),
        proxy_name = quoted(&proxy.text),
    )
}

fn security_policy(policy: &Policy<'_>, metadata: bool, names: &Names) -> String {
    let (service, namespace) = (quoted(names.service_name()), quoted(&names.namespace));
    let Names { port, .. } = names;
    let Policy { name, namespace: home, kind, target, note, resource } = policy;
    let mut text = format!(
        "---
{note}apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: {}, namespace: {}}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: {kind}, name: {}}}]
  extAuth:
    failOpen: false # with true, requests pass whenever credence cannot be reached
    timeout: 250ms # ten seconds without it
    statusOnError: 503
",
        quoted(name),
        quoted(home),
        quoted(target)
    );
    if metadata {
        text += "    includeRouteMetadata: true # resources of the table are picked by `route`\n";
    }
    if let Some(resource) = resource {
        text += "    contextExtensions:\n";
        let mut pairs = resource.context.clone();
        pairs.sort();
        for (key, value) in pairs {
            text += &format!("    - {{name: {}, type: Value, value: {}}}\n", quoted(&key), quoted(&value));
        }
    }
    text + &format!(
        "    grpc:
      backendRefs: [{{name: {service}, namespace: {namespace}, port: {port}}}]
"
    )
}

fn reference_grant(from: &BTreeSet<&str>, names: &Names) -> String {
    let service = quoted(names.service_name());
    let mut text = format!(
        "---
# Without it the policies of other namespaces cannot name the Service, and their routes answer 500.
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{name: credence, namespace: {}}}
spec:
  to: [{{group: \"\", kind: Service, name: {service}}}]
  from:
",
        quoted(&names.namespace)
    );
    for namespace in from {
        text +=
            &format!("  - {{group: gateway.envoyproxy.io, kind: SecurityPolicy, namespace: {}}}\n", quoted(namespace));
    }
    text
}
