//! For Istio.

use std::collections::BTreeSet;

use super::snippet::{piece, quoted};
use super::{Names, Rendered};
use crate::resource::HostPattern;
use crate::table::Snapshot;

pub(super) fn render(snapshot: &Snapshot, names: &Names) -> Rendered {
    let gateway = names.gateway.as_deref().unwrap_or("ingressgateway");
    let home = names.gateway_namespace.as_deref().unwrap_or("istio-system");
    let service = names.service.as_deref().unwrap_or("credence");
    let mut lost = Vec::new();
    let mut hosts = BTreeSet::new();
    for (_, resource) in snapshot.resources.iter() {
        if resource.context.is_empty() && resource.route.is_none() {
            hosts.extend(&resource.hosts);
            continue;
        }
        let by = if resource.route.is_some() { "route" } else { "context" };
        lost.push(format!(
            "resource {} is picked by `{by}`, which Istio cannot tell: no request reaches it; give it `hosts` alone",
            resource.name
        ));
    }
    let Names { namespace, port, .. } = names;
    let mut text = format!(
        "# Of the mesh configuration (`meshConfig` of the istio ConfigMap or of the Helm values):
extensionProviders:
- name: credence
  envoyExtAuthzGrpc:
    service: {service}.{namespace}.svc.cluster.local
    port: {port}
    timeout: 0.25s # 600 seconds without it
    failOpen: false # with true, requests pass whenever credence cannot be reached
    statusOnError: \"503\"
pathNormalization: {{normalization: MERGE_SLASHES}}
"
    );
    text += &format!(
        "---
# Strip identity headers that clients send before anything else sees them: also where credence is not asked. And whatever credence
# answers, it sets and removes nothing but these headers.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: credence, namespace: {home}}}
spec:
  workloadSelector: {{labels: {{istio: {gateway}}}}}
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
      context: GATEWAY
      listener: {{filterChain: {{filter: {{name: envoy.filters.network.http_connection_manager}}}}}}
    patch:
      operation: MERGE
      value:
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
{}{}",
        piece("common_http_protocol_options:", 10),
        piece("early_header_mutation_extensions:", 10)
    );
    text += &format!(
        "  - applyTo: HTTP_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {{name: envoy.filters.http.ext_authz}}
    patch:
      operation: MERGE
      value:
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
{}{}",
        piece("validate_mutations:", 10),
        piece("decoder_header_mutation_rules:", 10)
    );
    text += &format!(
        "---
# What no rule of a CUSTOM policy fits is NOT CHECKED AT ALL: it goes to the upstream as it came, and no log tells of it. So this one
# fits every request. Never leave paths out with notPaths: the gateway takes `/%68ealthz` for `/healthz` before it looks at rules. Open places
# stand in the table (`anonymous`). Istio sends no context extensions and no route, and the annotation istio.io/dry-run does not
# make this policy a dry run.
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: credence, namespace: {home}}}
spec:
  selector: {{matchLabels: {{istio: {gateway}}}}}
  action: CUSTOM
  provider: {{name: credence}}
  rules: [{{}}]
"
    );
    text += &narrower(&hosts);
    Rendered { text, lost }
}

/// How to ask about the hosts of the table alone, in a comment: whoever wants that has to write it.
fn narrower(hosts: &BTreeSet<&HostPattern>) -> String {
    // A rule cannot have a star at the beginning and any port at the end.
    if hosts.is_empty() || hosts.iter().any(|host| host.wildcard) {
        return String::new();
    }
    let hosts: Vec<_> = hosts.iter().flat_map(|host| spellings(host)).map(|host| quoted(&host)).collect();
    format!(
        "  # For a gateway that has other hosts too, which nobody is to be asked about. Every other host is then open, also one of these with
  # a dot at its end, and one that is taken out of the table: let no VirtualService of this gateway have the host `*`.
  # rules: [{{to: [{{operation: {{hosts: [{}]}}}}]}}]
",
        hosts.join(", ")
    )
}

/// A host as rules have it: without a port it is meant with any.
fn spellings(host: &HostPattern) -> Vec<String> {
    let any_port = host.port.is_none().then(|| format!("{host}:*"));
    std::iter::once(host.to_string()).chain(any_port).collect()
}
