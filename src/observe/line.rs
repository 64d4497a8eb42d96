//! The decision log's line: schema `credence.decision/v1`.

use super::stamp;
use super::text::{Object, hex, quote, quote_shown};
use crate::clock::Time;
use crate::json::Json;
use crate::keys::Signed;
use crate::path::{Facts, Outcome, Walk};
use crate::request::AuthzRequest;
use crate::trace_context::{SpanId, TraceId};
use crate::trust::{Acting, Principal};

/// The path is cut to this many bytes.
const MAX_PATH: usize = 2 * 1024;
/// Every other text that a caller chose is cut to this many bytes.
const MAX_TEXT: usize = 512;

/// A call, as the log tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// When it was decided.
    pub time: Time,
    /// UUIDv7, the same in header and metadata.
    pub decision_id: &'a str,
    /// Microseconds from the arrival of its headers to the verdict.
    pub duration_us: u64,
    /// HTTP status of the answer; 200 for an allow.
    pub status: u16,
    /// The question, if it could be read.
    pub request: Option<&'a AuthzRequest<'a>>,
    /// The table that decided, if there was one.
    pub table: Option<Table<'a>>,
    /// Where it is found in a trace: the span of this decision, where one is recorded, else the one that the call was made in.
    pub span: Option<(TraceId, SpanId)>,
}

/// Which table decided.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// Counts up from 1.
    pub generation: u64,
    /// SHA-256 of its meaning.
    pub sha256: &'a str,
}

/// Writes the line of one decision to the end of `to`, newline included: one object of printable ASCII. Members that
/// have nothing to say are left out.
pub fn line(to: &mut Vec<u8>, walk: &Walk<'_, Signed>, call: Call<'_>) {
    Object::write(to, |line| {
        line.text("schema", "credence.decision/v1");
        line.quoted("ts", |to| stamp::write(to, call.time));
        line.text("decision_id", call.decision_id);
        verdict(line, walk, call.status);
        relation(line, walk);
        if let Some(request) = call.request {
            question(line, request);
        }
        token(line, &walk.facts);
        if let Some(table) = call.table {
            line.object("table", |member| {
                member.number("generation", table.generation);
                member.text("sha256", table.sha256);
            });
        }
        if let Some((trace, span)) = call.span {
            line.quoted("trace_id", |to| to.extend(trace.0.into_iter().flat_map(hex)));
            line.quoted("span_id", |to| to.extend(span.0.into_iter().flat_map(hex)));
        }
        line.number("duration_us", call.duration_us);
    });
    to.push(b'\n');
}

/// What was decided, and about whom.
fn verdict(line: &mut Object<'_>, walk: &Walk<'_, Signed>, status: u16) {
    let Walk { outcome, facts } = walk;
    line.text("decision", if matches!(outcome, Outcome::Refused(_)) { "deny" } else { "allow" });
    line.text("reason", outcome.code());
    if let Outcome::Observed(observed) = outcome {
        line.text("observed_reason", observed.refusal().code());
    }
    line.number("status", status);
    match (outcome, &facts.verified, &facts.claimed) {
        (Outcome::Allowed(permit), ..) => pair(line, "principal", permit.principal()),
        (Outcome::Observed(_) | Outcome::Refused(_), Some(verified), _) => pair(line, "verified", verified),
        (Outcome::Observed(_) | Outcome::Refused(_), None, Some(claimed)) => line.object("claimed", |member| {
            member.text_if("iss", claimed.iss.as_deref());
            member.text_if("sub", claimed.sub.as_deref());
        }),
        (Outcome::Open(_) | Outcome::Observed(_) | Outcome::Refused(_), ..) => {}
    }
    if let Some(acting) = facts.verified.as_ref().and_then(Principal::acting) {
        line.object("actor", |member| actor(member, &acting));
    }
}

/// Who acts for the principal, by whose word, and who acted before, latest first.
fn actor(member: &mut Object<'_>, acting: &Acting<'_>) {
    let (issuer, subject) = acting.pair();
    member.text("iss", issuer);
    member.text("sub", subject);
    member.text("asserted_by", acting.asserted_by().as_str());
    member.list("before", acting.before(), |to, (issuer, subject)| {
        Object::write(to, |earlier| {
            earlier.text_if("iss", issuer);
            earlier.text("sub", subject);
        });
    });
}

fn pair(line: &mut Object<'_>, name: &str, principal: &Principal) {
    let (issuer, subject) = principal.pair();
    line.object(name, |member| {
        member.text("iss", issuer.as_str());
        member.text("sub", subject);
    });
}

/// What of the table had a say.
fn relation(line: &mut Object<'_>, walk: &Walk<'_, Signed>) {
    let Walk { outcome, facts } = walk;
    line.text_if("realm", facts.verified.as_ref().and_then(Principal::realm).map(|realm| realm.as_str()));
    line.text_if("issuer_name", facts.vouching_issuer().map(|issuer| issuer.name.as_str()));
    line.text_if("resource", facts.resource.map(|resource| resource.name.as_str()));
    line.text_if("block", facts.block.map(|block| block.name.as_str()));
    let permit = if let Outcome::Allowed(permit) = outcome { Some(permit) } else { None };
    if let Some(permit) = permit {
        line.list("grants", permit.grants(), |to, grant| quote(to, grant.as_str()));
    }
    line.list("near_miss", &facts.near_misses, |to, miss| {
        Object::write(to, |member| {
            member.text("grant", miss.grant.name.as_str());
            member.list("failed", &miss.failed, quote_shown);
        });
    });
    if let Some(permit) = permit {
        line.list("scopes", permit.scopes(), |to, scope| quote(to, scope.as_str()));
    }
    line.list("shadow", &facts.shadow, |to, grant| quote(to, grant.name.as_str()));
}

/// What was asked, from where, through whom.
fn question(line: &mut Object<'_>, request: &AuthzRequest<'_>) {
    line.object("http", |member| {
        member.text("method", cut(request.method, MAX_TEXT));
        // What stands before an `@` could be a password.
        member.text("host", cut(request.host.rsplit('@').next().unwrap_or_default(), MAX_TEXT));
        member.text("path", cut(request.path(), MAX_PATH));
        member.text_if("request_id", request.request_id.map(|id| cut(id, MAX_TEXT)));
    });
    if request.source_address.is_some() || request.source_principal.is_some() {
        line.object("source", |member| {
            member.text_if("address", request.source_address.map(|address| cut(address, MAX_TEXT)));
            member.text_if("principal", request.source_principal.map(|principal| cut(principal, MAX_TEXT)));
        });
    }
    if let Some(peer) = request.proxy_peer {
        line.object("proxy", |member| member.text("peer", peer));
    }
}

/// Which token it was, never the token itself.
fn token(line: &mut Object<'_>, facts: &Facts<'_>) {
    match (facts.token(), &facts.claimed) {
        (Some(token), _) => line.object("token", |member| {
            member.text_if("kid", token.key_id);
            member.text_if("alg", token.algorithm.map(|algorithm| algorithm.as_str()));
            member.text_if("typ", token.kind);
            if let Some(hash) = token.token_id {
                member.quoted("jti_hash", |to| to.extend(hash.iter().copied().flat_map(hex)));
            }
            if let Some(issued) = token.issued_at {
                member.number("iat", Json::Number(issued));
            }
            member.number("exp", Json::Number(token.expires));
        }),
        (None, Some(claimed)) => line.object("token", |member| {
            member.text_if("kid", claimed.kid.as_deref());
            member.text_if("alg", claimed.alg.as_deref());
        }),
        (None, None) => {}
    }
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}
