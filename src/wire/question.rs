//! Envoy's `CheckRequest` read as an [`AuthzRequest`] that borrows every fact from the message.
//!
//! Protobuf lets a message field stand several times and means all of them together. Nothing is done for that here: each
//! fact has one place for the whole message, and a later field writes where an earlier one did.

use super::entries::Entries;
use super::routes::{metadata, routes};
use super::scan::Scan;
use crate::reason::Reason;
use crate::request::{AuthzRequest, Headers, MAX_HEADERS};

/// Reads the facts of one call; whether they make one HTTP request is for [`AuthzRequest::well_formed`] to say.
///
/// # Errors
/// [`Reason::MalformedRequest`]: not the protobuf of a `CheckRequest`, no HTTP attributes (Envoy's network filter sends
/// none), or a header with two different values in one place.
pub(super) fn read<'a>(message: &'a [u8], proxy_peer: Option<&'a str>) -> Result<AuthzRequest<'a>, Reason> {
    let mut facts = Facts::default();
    facts.check_request(Scan::new(message))?;
    if !facts.is_http {
        return Err(Reason::MalformedRequest);
    }
    let headers = both(facts.headers.settled(), facts.raw_headers);
    Ok(AuthzRequest {
        method: facts.method,
        target: facts.path,
        host: facts.host,
        request_id: headers.first("x-request-id").and_then(stated).or_else(|| stated(facts.id)),
        source_address: facts.socket_address.and_then(stated),
        source_principal: stated(facts.principal),
        proxy_peer,
        headers,
        context: facts.context.settled(),
        routes: facts.gateway.map(routes).transpose()?.unwrap_or_default(),
    })
}

/// What is looked for, wherever in the message it stands.
#[derive(Default)]
struct Facts<'a> {
    /// Whether there is an `HttpRequest`, be it empty.
    is_http: bool,
    id: &'a str,
    method: &'a str,
    path: &'a str,
    host: &'a str,
    headers: Entries<'a, &'a [u8]>,
    raw_headers: Vec<(&'a str, &'a [u8])>,
    /// Of `source`, if its address is that of a socket.
    socket_address: Option<&'a str>,
    principal: &'a str,
    context: Entries<'a, &'a str>,
    /// The entry of `route_metadata_context` for Envoy Gateway.
    gateway: Option<Scan<'a>>,
}

impl<'a> Facts<'a> {
    fn check_request(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => self.attribute_context(scan.message(field)?)?,
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    fn attribute_context(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => self.source(scan.message(field)?)?,
                4 => self.request(scan.message(field)?)?,
                10 => {
                    let (name, value) = entry(scan.entry()?)?;
                    self.context.put(name, value);
                }
                13 => metadata(scan.message(field)?, &mut self.gateway)?,
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    /// A `Peer`.
    fn source(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => self.address(scan.message(field)?)?,
                4 => self.principal = scan.text(field)?,
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    /// An `Address`: a socket or a pipe, whichever comes last.
    fn address(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                1 => {
                    let known = self.socket_address.unwrap_or_default();
                    self.socket_address = Some(socket_address(scan.message(field)?, known)?);
                }
                2 => {
                    pipe(scan.message(field)?)?;
                    self.socket_address = None;
                }
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    fn request(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                2 => self.http_request(scan.message(field)?)?,
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    fn http_request(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        self.is_http = true;
        while let Some(field) = scan.field()? {
            match field.number {
                1 => self.id = scan.text(field)?,
                2 => self.method = scan.text(field)?,
                3 => {
                    let (name, value) = entry(scan.entry()?)?;
                    self.headers.put(name, value.as_bytes());
                }
                4 => self.path = scan.text(field)?,
                5 => self.host = scan.text(field)?,
                // Scheme and protocol: of no use, but text.
                6 | 10 => _ = scan.text(field)?,
                13 => self.header_map(scan.message(field)?)?,
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }

    fn header_map(&mut self, mut scan: Scan<'a>) -> Result<(), Reason> {
        while let Some(field) = scan.field()? {
            match field.number {
                // One more than is allowed is enough to be refused, and a message may hold millions of empty ones.
                1 if self.raw_headers.len() > MAX_HEADERS => return Err(Reason::MalformedRequest),
                1 => self.raw_headers.push(header_value(scan.message(field)?)?),
                _ => scan.skip(field)?,
            }
        }
        Ok(())
    }
}

/// A `HeaderValue`: `raw_value`, else `value` (Envoy says that only one is set).
fn header_value(mut scan: Scan<'_>) -> Result<(&str, &[u8]), Reason> {
    let (mut key, mut value, mut raw_value) = ("", "", &[][..]);
    while let Some(field) = scan.field()? {
        match field.number {
            1 => key = scan.text(field)?,
            2 => value = scan.text(field)?,
            3 => raw_value = scan.bytes(field)?,
            _ => scan.skip(field)?,
        }
    }
    match (value.as_bytes(), raw_value) {
        (text, []) => Ok((key, text)),
        ([], raw) => Ok((key, raw)),
        (text, raw) if text == raw => Ok((key, raw)),
        _ => Err(Reason::MalformedRequest),
    }
}

/// A `SocketAddress`, which may continue one whose address is `known`.
fn socket_address<'a>(mut scan: Scan<'a>, known: &'a str) -> Result<&'a str, Reason> {
    let mut address = known;
    while let Some(field) = scan.field()? {
        match field.number {
            2 => address = scan.text(field)?,
            3 => scan.number(field)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(address)
}

fn pipe(mut scan: Scan<'_>) -> Result<(), Reason> {
    while let Some(field) = scan.field()? {
        match field.number {
            1 => _ = scan.text(field)?,
            _ => scan.skip(field)?,
        }
    }
    Ok(())
}

/// An entry of a `map<string, string>`.
fn entry(mut scan: Scan<'_>) -> Result<(&str, &str), Reason> {
    let (mut key, mut value) = ("", "");
    while let Some(field) = scan.field()? {
        match field.number {
            1 => key = scan.text(field)?,
            2 => value = scan.text(field)?,
            _ => scan.skip(field)?,
        }
    }
    Ok((key, value))
}

/// All headers from whichever field the proxy filled: `headers` in the order of their names, then `header_map`.
fn both<'a>(mut headers: Vec<(&'a str, &'a [u8])>, raw: Vec<(&'a str, &'a [u8])>) -> Headers<'a> {
    let both_maps = !headers.is_empty() && !raw.is_empty();
    if headers.is_empty() {
        return Headers::new(raw, both_maps);
    }
    headers.extend(raw);
    Headers::new(headers, both_maps)
}

/// Protobuf writes an absent string as the empty one.
fn stated(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
