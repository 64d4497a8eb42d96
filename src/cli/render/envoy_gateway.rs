//! For Envoy Gateway.

use std::collections::BTreeSet;

use super::snippet::quoted;
use super::{Names, Rendered};
use crate::resource::Resource;
use crate::table::Snapshot;

/// A SecurityPolicy: where it stands, and whom it is for.
struct Policy<'t> {
    name: String,
    namespace: &'t str,
    kind: &'static str,
    target: &'t str,
    note: &'static str,
    resource: Option<&'t Resource>,
}

pub(super) fn render(snapshot: &Snapshot, names: &Names) -> Rendered {
    let gateway = names.gateway.as_deref().unwrap_or("eg");
    let home = names.gateway_namespace.as_deref().unwrap_or("default");
    let mut text = strip(gateway, home);
    let mut policies = vec![Policy {
        name: "credence".to_owned(),
        namespace: home,
        kind: "Gateway",
        target: gateway,
        note: "# Every route of the Gateway is asked about, also those that no resource of the table is.\n",
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
                ""
            } else {
                "# Name the HTTPRoutes of this resource in targetRefs, in their namespace: the table does not say them.\n"
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
fn strip(gateway: &str, home: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
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
"
    )
}

fn security_policy(policy: &Policy<'_>, metadata: bool, names: &Names) -> String {
    let service = names.service.as_deref().unwrap_or("credence");
    let Names { namespace, port, .. } = names;
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
    let service = names.service.as_deref().unwrap_or("credence");
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
        names.namespace
    );
    for namespace in from {
        text +=
            &format!("  - {{group: gateway.envoyproxy.io, kind: SecurityPolicy, namespace: {}}}\n", quoted(namespace));
    }
    text
}
