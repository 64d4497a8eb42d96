//! The same facts by way of `prost`: what [`question::read`](crate::wire::question::read) is held against.

use crate::proto::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata, address::Address};
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use crate::reason::Reason;
use crate::request::{AuthzRequest, Headers, Route};
use prost_types::{Struct, Value, value::Kind};

/// The namespace of `route_metadata_context` in which Envoy Gateway names its routes.
const ENVOY_GATEWAY: &str = "envoy-gateway";

/// Reads the facts of one call; whether they make one HTTP request is for [`AuthzRequest::well_formed`] to say.
///
/// # Errors
/// [`Reason::MalformedRequest`]: no HTTP attributes (Envoy's network filter sends none), or a header with two
/// different values in one place.
pub(super) fn facts<'a>(message: &'a CheckRequest, proxy_peer: Option<&'a str>) -> Result<AuthzRequest<'a>, Reason> {
    let attributes = message.attributes.as_ref().ok_or(Reason::MalformedRequest)?;
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref()).ok_or(Reason::MalformedRequest)?;
    let headers = headers(http)?;
    let mut context: Vec<_> = pairs(&attributes.context_extensions).collect();
    context.sort_unstable();
    Ok(AuthzRequest {
        method: &http.method,
        target: &http.path,
        host: &http.host,
        request_id: headers.first("x-request-id").and_then(stated).or_else(|| stated(&http.id)),
        source_address: attributes.source.as_ref().and_then(address),
        source_principal: attributes.source.as_ref().and_then(|peer| stated(&peer.principal)),
        proxy_peer,
        headers,
        context,
        routes: attributes.route_metadata_context.as_ref().map(routes).unwrap_or_default(),
    })
}

/// All headers from whichever field the proxy filled, in an order that does not depend on chance.
fn headers(http: &HttpRequest) -> Result<Headers<'_>, Reason> {
    let raw: &[HeaderValue] = http.header_map.as_ref().map_or(&[], |HeaderMap { headers }| headers);
    let mut entries: Vec<_> = pairs(&http.headers).map(|(name, value)| (name, value.as_bytes())).collect();
    entries.sort_unstable();
    for header in raw {
        entries.push((&header.key, raw_value(header)?));
    }
    Ok(Headers::new(entries, !http.headers.is_empty() && !raw.is_empty()))
}

/// `raw_value`, else `value` (`HeaderValue` says that only one is set).
fn raw_value(header: &HeaderValue) -> Result<&[u8], Reason> {
    match (header.value.as_bytes(), header.raw_value.as_slice()) {
        (text, []) => Ok(text),
        ([], raw) => Ok(raw),
        (text, raw) if text == raw => Ok(raw),
        _ => Err(Reason::MalformedRequest),
    }
}

/// The address of a peer, without its port; a pipe has none.
fn address(peer: &Peer) -> Option<&str> {
    match peer.address.as_ref()?.address.as_ref()? {
        Address::SocketAddress(socket) => stated(&socket.address),
        Address::Pipe(_) => None,
    }
}

/// `resources[]` of Envoy Gateway's metadata: what has a namespace and a name is a route, all else says nothing.
fn routes(metadata: &Metadata) -> Vec<Route<'_>> {
    let resources = metadata.filter_metadata.get(ENVOY_GATEWAY).and_then(|gateway| member(gateway, "resources"));
    let Some(Kind::ListValue(list)) = resources else { return Vec::new() };
    list.values.iter().filter_map(route).collect()
}

fn route(value: &Value) -> Option<Route<'_>> {
    let Some(Kind::StructValue(resource)) = &value.kind else { return None };
    Some(Route { namespace: text(resource, "namespace")?, name: text(resource, "name")? })
}

fn text<'a>(object: &'a Struct, name: &str) -> Option<&'a str> {
    match member(object, name)? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

fn member<'a>(object: &'a Struct, name: &str) -> Option<&'a Kind> {
    object.fields.get(name)?.kind.as_ref()
}

fn pairs(map: &std::collections::HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Protobuf writes an absent string as the empty one.
fn stated(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
