//! For plain Envoy.

use super::snippet::{map, piece};
use super::{Names, Rendered};
use crate::table::Snapshot;

pub(super) fn render(snapshot: &Snapshot, names: &Names) -> Rendered {
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
    text += &cluster(names);
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

/// The example's, at another address.
fn cluster(names: &Names) -> String {
    let service = names.service.as_deref().unwrap_or("127.0.0.1");
    let text = piece("- name: credence", 0)
        .replace("address: 127.0.0.1", &format!("address: {service}"))
        .replace("port_value: 9191", &format!("port_value: {}", names.port));
    let is_address = service.parse::<std::net::IpAddr>().is_ok();
    if is_address { text } else { text.replace("type: STATIC", "type: STRICT_DNS") }
}
