//! The line as serde writes it: slower, and so plain that one can see it is right.

use std::io;

use serde::Serialize;

use super::super::line::Call;
use crate::json::Json;
use crate::keys::Signed;
use crate::memory::TokenFacts;
use crate::path::{Facts, Outcome, Walk};
use crate::request::AuthzRequest;
use crate::trust::Principal;

const MAX_PATH: usize = 2 * 1024;
const MAX_TEXT: usize = 512;

#[derive(Clone, Copy, Serialize)]
struct Table<'a> {
    generation: u64,
    sha256: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    ts: String,
    decision_id: &'a str,
    decision: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_reason: Option<&'static str>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a Principal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'a Principal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    realm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grants: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    near_miss: Vec<Near<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<Proxy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<Table<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<&'a str>,
    duration_us: u64,
}

/// What an unverified token said of its pair.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
}

#[derive(Serialize)]
struct Near<'a> {
    grant: &'a str,
    failed: Vec<String>,
}

#[derive(Serialize)]
struct Http<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
}

#[derive(Serialize)]
struct Proxy<'a> {
    peer: &'a str,
}

#[derive(Default, Serialize)]
struct Token {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<Json>,
}

pub(super) fn line(walk: &Walk<'_, Signed>, call: Call<'_>) -> Vec<u8> {
    let Walk { outcome, facts } = walk;
    let permit = match outcome {
        Outcome::Allowed(permit) => Some(permit),
        Outcome::Open(_) | Outcome::Observed(_) | Outcome::Refused(_) => None,
    };
    let refused = matches!(outcome, Outcome::Refused(_));
    let unnamed = outcome.refusal().is_some();
    let place = call.span.map(|(trace, span)| (hex(&trace.0), hex(&span.0)));
    let line = Line {
        schema: "credence.decision/v1",
        ts: call.time.to_rfc3339(),
        decision_id: call.decision_id,
        decision: if refused { "deny" } else { "allow" },
        reason: outcome.code(),
        observed_reason: match outcome {
            Outcome::Observed(observed) => Some(observed.refusal().code()),
            _ => None,
        },
        status: call.status,
        principal: permit.map(|permit| permit.principal()),
        verified: facts.verified.as_ref().filter(|_| unnamed),
        claimed: facts
            .claimed
            .as_ref()
            .filter(|_| unnamed && facts.verified.is_none())
            .map(|claimed| Said { iss: claimed.iss.as_deref(), sub: claimed.sub.as_deref() }),
        realm: facts.verified.as_ref().and_then(Principal::realm).map(|realm| realm.as_str()),
        issuer_name: facts.vouching_issuer().map(|issuer| issuer.name.as_str()),
        resource: facts.resource.map(|resource| resource.name.as_str()),
        grants: permit.map(|permit| permit.grants().map(|grant| grant.as_str()).collect()).unwrap_or_default(),
        near_miss: facts
            .near_misses
            .iter()
            .map(|miss| Near {
                grant: miss.grant.name.as_str(),
                failed: miss.failed.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        scopes: permit.map(|permit| permit.scopes().iter().map(|scope| scope.as_str()).collect()).unwrap_or_default(),
        shadow: facts.shadow.iter().map(|grant| grant.name.as_str()).collect(),
        http: call.request.map(http),
        source: call.request.and_then(source),
        proxy: call.request.and_then(|request| request.proxy_peer).map(|peer| Proxy { peer }),
        token: token(facts),
        table: call.table.map(|table| Table { generation: table.generation, sha256: table.sha256 }),
        trace_id: place.as_ref().map(|(trace, _)| trace.as_str()),
        span_id: place.as_ref().map(|(_, span)| span.as_str()),
        duration_us: call.duration_us,
    };
    let mut bytes = Vec::with_capacity(768);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    // Strings and numbers into memory: nothing here can fail.
    if line.serialize(&mut serializer).is_err() {
        return Vec::new();
    }
    bytes.push(b'\n');
    bytes
}

fn http<'a>(request: &'a AuthzRequest<'a>) -> Http<'a> {
    Http {
        method: cut(request.method, MAX_TEXT),
        // What stands before an `@` could be a password.
        host: cut(request.host.rsplit('@').next().unwrap_or_default(), MAX_TEXT),
        path: cut(request.path(), MAX_PATH),
        request_id: request.request_id.map(|id| cut(id, MAX_TEXT)),
    }
}

fn source<'a>(request: &'a AuthzRequest<'a>) -> Option<Source<'a>> {
    let text = |text: Option<&'a str>| text.map(|text| cut(text, MAX_TEXT));
    let source = Source { address: text(request.source_address), principal: text(request.source_principal) };
    (source.address.is_some() || source.principal.is_some()).then_some(source)
}

fn token(facts: &Facts<'_>) -> Option<Token> {
    match (facts.token(), &facts.claimed) {
        (Some(token), _) => Some(verified_token(token)),
        (None, Some(claimed)) => Some(Token { kid: claimed.kid.clone(), alg: claimed.alg.clone(), ..Token::default() }),
        (None, None) => None,
    }
}

fn verified_token(token: TokenFacts<'_>) -> Token {
    Token {
        kid: token.key_id.map(str::to_owned),
        alg: token.algorithm.map(|algorithm| algorithm.as_str().to_owned()),
        typ: token.kind.map(str::to_owned),
        jti_hash: token.token_id.map(|hash| hex(hash)),
        iat: token.issued_at.map(Json::Number),
        exp: Some(Json::Number(token.expires)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// JSON with everything but printable ASCII escaped.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}
