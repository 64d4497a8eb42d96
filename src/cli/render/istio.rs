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
# Strip identity headers that clients send before anything else sees them: also where no rule below fits.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: credence-strip, namespace: {home}}}
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
    if hosts.is_empty() {
        return Rendered { text, lost };
    }
    text += &format!(
        "---
# WHAT NO RULE HERE FITS IS NOT CHECKED AT ALL, and goes to the upstream as it came: another host, another port, a host with a
# dot at its end. Let no VirtualService of this gateway answer for other hosts (`*`), or write `rules: [{{}}]` so that every
# request is asked about. Never leave paths out with notPaths: `/%68ealthz` is another path to a rule, and the same to many an
# upstream; open places stand in the table (`anonymous`). Istio sends no context extensions and no route.
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: credence, namespace: {home}}}
spec:
  selector: {{matchLabels: {{istio: {gateway}}}}}
  action: CUSTOM
  provider: {{name: credence}}
"
    );
    text += &rules(&hosts);
    Rendered { text, lost }
}

/// Which requests are asked about.
fn rules(hosts: &BTreeSet<&HostPattern>) -> String {
    if hosts.iter().any(|host| host.wildcard) {
        let why = "the table has hosts that begin with a star, and a rule could not have them with every port";
        return format!("  rules: [{{}}] # every request: {why}\n");
    }
    let mut text = "  rules:\n  - to:\n    - operation:\n        hosts:\n".to_owned();
    for host in hosts.iter().flat_map(|host| spellings(host)) {
        text += &format!("        - {}\n", quoted(&host));
    }
    text
}

/// A host as rules have it: without a port it is meant with any.
fn spellings(host: &HostPattern) -> Vec<String> {
    let any_port = host.port.is_none().then(|| format!("{host}:*"));
    std::iter::once(host.to_string()).chain(any_port).collect()
}
