//! Where an issuer's keys come from and how they are reached, as typed.

use std::time::Duration;

use super::super::{Kind, Node, Place, Type};
use super::fields::{At, Cx, Field, Fields};
pub(crate) use super::jwks::Jwks;
use super::jwks::jwks;
use super::read::{list, text};
use super::times::duration;
use crate::claims::trust_domain;
use crate::resource::HostPattern;

/// Longest `maxStale`: keys that nobody could fetch for a month belong to an issuer that is gone.
const MAX_STALE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The fields of an issuer that are about its keys.
#[derive(Debug)]
pub(crate) struct KeysDraft {
    pub(crate) discovery_url: Field<String>,
    pub(crate) jwks_uri: Field<String>,
    pub(crate) jwks: Field<Jwks>,
    pub(crate) jwks_file: Field<String>,
    pub(crate) spiffe_bundle_url: Field<String>,
    pub(crate) spiffe_endpoint_id: Field<String>,
    /// `kubernetes: inCluster`; there is no other value.
    pub(crate) in_cluster: Field<()>,
    pub(crate) jwks_hosts: Field<Vec<At<String>>>,
    pub(crate) ca_file: Field<String>,
    pub(crate) bearer_token_file: Field<String>,
    pub(crate) client_cert_file: Field<String>,
    pub(crate) client_key_file: Field<String>,
    pub(crate) proxy: Field<String>,
    pub(crate) max_stale: Field<Duration>,
}

impl KeysDraft {
    pub(super) fn read(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Self {
        Self {
            discovery_url: fields.read(cx, "discoveryUrl", text),
            jwks_uri: fields.read(cx, "jwksUri", text),
            jwks: fields.read(cx, "jwks", jwks),
            jwks_file: fields.read(cx, "jwksFile", text),
            spiffe_bundle_url: fields.read(cx, "spiffeBundleUrl", text),
            spiffe_endpoint_id: fields.read(cx, "spiffeEndpointId", spiffe_id),
            in_cluster: fields.read(cx, "kubernetes", in_cluster),
            jwks_hosts: fields.read(cx, "jwksHosts", |cx, field, node| list(cx, field, node, key_host)),
            ca_file: fields.read(cx, "caFile", text),
            bearer_token_file: fields.read(cx, "bearerTokenFile", text),
            client_cert_file: fields.read(cx, "clientCertFile", text),
            client_key_file: fields.read(cx, "clientKeyFile", text),
            proxy: fields.read(cx, "proxy", text),
            max_stale: fields.read(cx, "maxStale", stale),
        }
    }

    /// The fields that say where the keys are, those that are given, by name.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&'static str, &Place)> {
        [
            ("discoveryUrl", self.discovery_url.given().map(|at| &at.place)),
            ("jwksUri", self.jwks_uri.given().map(|at| &at.place)),
            ("jwks", self.jwks.given().map(|at| &at.place)),
            ("jwksFile", self.jwks_file.given().map(|at| &at.place)),
            ("spiffeBundleUrl", self.spiffe_bundle_url.given().map(|at| &at.place)),
            ("kubernetes", self.in_cluster.given().map(|at| &at.place)),
        ]
        .into_iter()
        .filter_map(|(name, place)| Some((name, place?)))
    }

    /// Whether nothing says where the keys are, not even something that could not be read.
    pub(crate) fn is_silent(&self) -> bool {
        self.discovery_url.is_absent()
            && self.jwks_uri.is_absent()
            && self.jwks.is_absent()
            && self.jwks_file.is_absent()
            && self.spiffe_bundle_url.is_absent()
            && self.in_cluster.is_absent()
    }
}

/// `host` or `host:port`, exact.
fn key_host(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    match HostPattern::parse(&text) {
        Some(host) if !host.wildcard => Some(host.to_string()),
        _ => {
            let help = "write `keys.example.com` or `keys.example.com:8443`; stars are not allowed";
            cx.misfit(node.span, format!("{text:?} is not an exact host"), "", help);
            None
        }
    }
}

fn spiffe_id(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    if trust_domain(&text).is_none() {
        let help = "write it like `spiffe://prod.example.com/spire/server`: no port, no escapes, no empty segment";
        cx.misfit(node.span, format!("{text:?} is not a SPIFFE ID"), "", help);
        return None;
    }
    Some(text)
}

fn in_cluster(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<()> {
    let boolean = matches!(node.kind, Kind::Scalar { of: Type::Boolean(_), .. });
    if !boolean && text(cx, field, node)? == "inCluster" {
        return Some(());
    }
    let help = "write `kubernetes: inCluster`; for another cluster `jwksUri` with its `caFile` and `bearerTokenFile`";
    cx.misfit(node.span, format!("`{field}` of {} can only be `inCluster`", cx.owner), "", help);
    None
}

fn stale(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Duration> {
    let duration = duration(cx, field, node)?;
    if duration.is_zero() {
        let message = format!("`{field}` of {} is zero: keys would be gone as soon as they came", cx.owner);
        cx.misfit(node.span, message, "", "write a longer one, such as `24h`");
        return None;
    }
    if duration > MAX_STALE {
        let help = "keys that nobody could fetch for so long may have been withdrawn long ago";
        cx.misfit(node.span, format!("`{field}` of {} is more than 30 days", cx.owner), "at most 720h", help);
        return None;
    }
    Some(duration)
}
