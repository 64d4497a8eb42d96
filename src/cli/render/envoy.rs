//! For plain Envoy.

use std::net::IpAddr;

use super::snippet::{Value, change, map, piece, quoted};
use super::tls::INSECURE;
use super::{Names, Rendered, Target, Tls};
use crate::table::Snapshot;

pub(super) fn render(snapshot: &Snapshot, names: &Names, tls: &Tls) -> Rendered {
    let mut text = "# Of the http_connection_manager of each listener:\n".to_owned();
    for field in [
        "normalize_path:",
        "merge_slashes:",
        "path_with_escaped_slashes_action:",
        "common_http_protocol_options:",
        "early_header_mutation_extensions:",
    ] {
        text += &piece(field, 0);
    }
    text += "http_filters: # first, and before the router\n";
    text += &piece("- name: envoy.filters.http.ext_authz", 0);
    text += "---\n# Of static_resources:\nclusters:\n";
    text += &cluster(names, tls);
    let mut lost = Vec::new();
    for (_, resource) in snapshot.resources.iter() {
        if resource.route.is_some() {
            lost.push(format!(
                "resource {} is picked by `route`, which only Envoy Gateway tells: no request reaches it",
                resource.name
            ));
            continue;
        }
        if !resource.context.is_empty() {
            text += &format!("---\n# Of each route of resource {}:\ntyped_per_filter_config:\n", resource.name);
            text += "  envoy.filters.http.ext_authz:\n";
            text += "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n";
            text += &format!("    check_settings: {{context_extensions: {}}}\n", map(&resource.context));
        }
    }
    Rendered { text, lost }
}

/// The example's, at another address and over TLS.
fn cluster(names: &Names, tls: &Tls) -> String {
    let example = piece("- name: credence", 0);
    if let Some(path) = names.socket() {
        return example.replace(ADDRESS, &format!("{{pipe: {{path: {}}}}}", quoted(path)));
    }
    let service = Value::or(names.service.as_deref(), &format!("credence.{}.svc", names.namespace));
    let address = format!("{{socket_address: {{address: {}, port_value: {}}}}}", quoted(&service.text), names.port);
    let mut text = example.replace(ADDRESS, &address);
    if service.text.parse::<IpAddr>().is_err() {
        text = text.replace("type: STATIC", "type: STRICT_DNS");
    }
    let marked = change([&service], 0, "the address of endpoints, to where credence is (--service, --port)");
    if tls.is_mutual(names) {
        // A handshake takes longer than a question.
        text = text.replace("connect_timeout: 0.25s", "connect_timeout: 1s");
        marked + &text + &transport_socket(names, tls)
    } else {
        format!("{INSECURE}{marked}{text}")
    }
}

/// Where the example has credence.
const ADDRESS: &str = "{socket_address: {address: 127.0.0.1, port_value: 9191}}";

fn transport_socket(names: &Names, tls: &Tls) -> String {
    let server = tls.server_name(Target::Envoy, names);
    let name = quoted(&server.text);
    let [ca, certificate, key] = tls.files();
    format!(
        "  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      sni: {name}
      common_tls_context:
        alpn_protocols: [h2]
        # Shown to credence, which knows it by a name of its --allow-peer. Envoy reads these files when it starts: start it anew after a
        # renewal, or give them by SDS, which watches them.
{}        tls_certificates:
        - certificate_chain: {{filename: {}}}
          private_key: {{filename: {}}}
        validation_context:
{}          trusted_ca: {{filename: {}}}
          # Whatever else that authority has signed is not credence.
{}          match_typed_subject_alt_names: [{{san_type: DNS, matcher: {{exact: {name}}}}}]
",
        change([&certificate, &key], 8, "where Envoy has them (--client-cert-file, --client-key-file)"),
        quoted(&certificate.text),
        quoted(&key.text),
        change([&ca], 10, "where Envoy has the authority that signed credence's certificate (--ca-file)"),
        quoted(&ca.text),
        change([&server], 10, "a DNS name in credence's certificate, here and as `sni` (--server-name)"),
    )
}
