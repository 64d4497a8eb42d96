//! The question as the proxy put it.
//!
//! In: the facts of one call, borrowed from whatever carried them. Out: an [`AuthzRequest`] that keeps apart what
//! the proxy set (context, route, source) and what the client wrote (method, path, host, headers). It knows
//! neither tokens nor tables, and nothing of how it travelled.

use crate::reason::Reason;

/// More headers than this is `malformed_request`: Envoy's own default limit is 100, a map is unbounded.
pub const MAX_HEADERS: usize = 4096;

/// One call, as Envoy's `AttributeContext` describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthzRequest<'a> {
    /// HTTP method, case-sensitive (`attributes.request.http.method`).
    pub method: &'a str,
    /// Request target with its query string, as sent (`attributes.request.http.path`).
    pub target: &'a str,
    /// Authority, as sent (`attributes.request.http.host`).
    pub host: &'a str,
    /// `x-request-id` as the proxy set or kept it; for the log only.
    pub request_id: Option<&'a str>,
    /// Address of the proxy's downstream peer (`attributes.source.address`): for the log, and to count bad signatures.
    pub source_address: Option<&'a str>,
    /// URI SAN of the downstream peer's certificate (`attributes.source.principal`); for the log only.
    pub source_principal: Option<&'a str>,
    /// Who asks: the peer of our own socket; for the log only.
    pub proxy_peer: Option<&'a str>,
    /// What the client wrote in its headers.
    pub headers: Headers<'a>,
    /// `attributes.context_extensions`: set by the proxy's route, never by the client.
    pub context: Vec<(&'a str, &'a str)>,
    /// Routes named in `route_metadata_context`, namespace `envoy-gateway`, `resources[]`.
    pub routes: Vec<Route<'a>>,
}

/// A route of Envoy Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// Kubernetes namespace of the route.
    pub namespace: &'a str,
    /// Kubernetes name of the route.
    pub name: &'a str,
}

/// Request headers: names compared without ASCII case, repetitions kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    entries: Vec<(&'a str, &'a [u8])>,
    both_maps: bool,
}

impl<'a> Headers<'a> {
    /// Takes all entries. `both_maps`: the proxy filled `headers` *and* `header_map`, so that no one can say
    /// which of two credentials is meant.
    pub const fn new(entries: Vec<(&'a str, &'a [u8])>, both_maps: bool) -> Self {
        Self { entries, both_maps }
    }

    /// Whether the proxy filled both of its header fields.
    pub const fn both_maps(&self) -> bool {
        self.both_maps
    }

    /// Every value of the header `name`, in order; `name` in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.entries.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The first value of the header `name`, if it is text.
    pub fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether the header is there, empty or not.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Every header name, as sent.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(name, _)| *name)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Splits a URL of the form `https://HOST/PATH` into authority and target. The target keeps every byte as written, so
/// that odd paths can be tried; where there is none it is `/`.
pub fn split_url(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "https" | "http") {
        return None;
    }
    let (host, target) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    Some((host, if target.is_empty() { "/" } else { target }))
}

impl<'a> AuthzRequest<'a> {
    /// Whether this can be read as one HTTP request.
    ///
    /// # Errors
    /// [`Reason::MalformedRequest`]: no method, too many headers, or a pseudo-header (`:method`, `:path`,
    /// `:authority`) that differs from the attribute of the same meaning.
    pub fn well_formed(&self) -> Result<(), Reason> {
        let agrees = |name, attribute: &str| self.headers.all(name).all(|value| value == attribute.as_bytes());
        let sound = !self.method.is_empty()
            && self.headers.len() <= MAX_HEADERS
            && agrees(":method", self.method)
            && agrees(":path", self.target)
            && agrees(":authority", self.host);
        if sound { Ok(()) } else { Err(Reason::MalformedRequest) }
    }

    /// The path: the target up to its first `?`.
    pub fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// Whether the caller speaks gRPC, by its `content-type`: some statuses are told differently to it.
    pub fn is_grpc(&self) -> bool {
        self.headers
            .first("content-type")
            .and_then(|value| value.get(..16))
            .is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"))
    }

    /// Whether this is a CORS preflight (Fetch standard, "CORS-preflight request").
    pub fn is_preflight(&self) -> bool {
        self.method == "OPTIONS" && self.headers.has("origin") && self.headers.has("access-control-request-method")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &[(&'a str, &'a str)]) -> AuthzRequest<'a> {
        let entries = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        AuthzRequest {
            method: "GET",
            target: "/a?b=/c",
            host: "x.test",
            headers: Headers::new(entries, false),
            ..AuthzRequest::default()
        }
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert_eq!(request(&[]).path(), "/a");
    }

    #[test]
    fn an_authority_that_differs_from_the_host_is_malformed() {
        assert_eq!(request(&[(":authority", "x.test"), (":path", "/a?b=/c")]).well_formed(), Ok(()));
        for pair in [(":authority", "y.test"), (":path", "/admin"), (":method", "POST"), (":AUTHORITY", "y.test")] {
            assert_eq!(request(&[pair]).well_formed(), Err(Reason::MalformedRequest), "{pair:?}");
        }
    }

    #[test]
    fn five_thousand_headers_are_malformed() {
        assert_eq!(request(&vec![("a", ""); MAX_HEADERS + 1]).well_formed(), Err(Reason::MalformedRequest));
    }

    #[test]
    fn a_grpc_caller_is_known_by_its_content_type() {
        for value in ["application/grpc", "application/grpc+proto", "Application/gRPC-Web"] {
            assert!(request(&[("content-type", value)]).is_grpc(), "{value}");
        }
        for value in ["application/json", "grpc", ""] {
            assert!(!request(&[("content-type", value)]).is_grpc(), "{value}");
        }
    }
}
