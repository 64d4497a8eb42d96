//! For Istio.

use std::collections::BTreeSet;

use super::snippet::{Value, change, piece, quoted};
use super::tls::INSECURE;
use super::{Names, Rendered, Target, Tls};
use crate::resource::HostPattern;
use crate::table::Snapshot;

/// What to put where a gateway is only guessed.
const GATEWAY: &str = "the label `istio` of the gateway's pods, and their namespace (--gateway, --gateway-namespace)";

pub(super) fn render(snapshot: &Snapshot, names: &Names, tls: &Tls) -> Rendered {
    let at = names.gateway_or("ingressgateway", "istio-system");
    let [gateway, home] = at.each_ref().map(|value| quoted(&value.text));
    let marked = change(&at, 0, GATEWAY);
    let service = names.service_name();
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
    let mut text = if tls.is_mutual(names) { String::new() } else { format!("{INSECURE}{MESH}") };
    text += &format!(
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
{marked}apiVersion: networking.istio.io/v1alpha3
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
    text += &if tls.is_mutual(names) { destination_rule(&at[1], names, tls) } else { String::new() };
    text += &format!(
        "---
# What no rule of a CUSTOM policy fits is NOT CHECKED AT ALL: it goes to the upstream as it came, and no log tells of it. So this one
# fits every request. Never leave paths out with notPaths: the gateway takes `/%68ealthz` for `/healthz` before it looks at rules. Open places
# stand in the table (`anonymous`). Istio sends no context extensions and no route, and the annotation istio.io/dry-run does not
# make this policy a dry run.
{marked}apiVersion: security.istio.io/v1
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

/// What makes that bearable.
const MESH: &str = "# Only for a credence with a sidecar, where a PeerAuthentication (mode STRICT) asks for the mesh's own mutual TLS and an
# AuthorizationPolicy (action ALLOW) names the gateway's account.
";

/// Whom the gateways believe to be credence, and what they show to it.
fn destination_rule(home: &Value, names: &Names, tls: &Tls) -> String {
    let (shown, server) = (tls.client_secret(), quoted(&tls.server_name(Target::Istio, names).text));
    let Names { namespace, .. } = names;
    format!(
        "---
# Questions go over mutual TLS, by certificates of your own: credence needs no sidecar.
{}apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: credence, namespace: {}}}
spec:
  host: {}.{namespace}.svc.cluster.local
  exportTo: [\".\"] # the proxies of this namespace: no others have the Secret
  trafficPolicy:
    tls:
      mode: MUTUAL
{}      credentialName: {}
      sni: {server} # a DNS name in credence's certificate
      subjectAltNames: [{server}]
",
        change([home], 0, "the namespace of the gateway's pods (--gateway-namespace)"),
        quoted(&home.text),
        names.service_name(),
        change(
            [&shown],
            6,
            "the Secret beside the gateway's pods: tls.crt and tls.key, whose name credence's tls.allowPeer holds, and ca.crt, which has signed credence's (--client-secret)"
        ),
        quoted(&shown.text),
    )
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
