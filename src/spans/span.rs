//! What a span tells: the call by the semantic conventions for RPC, the decision by names of our own.
//!
//! The decision log says who called; a span does not. Traces are kept elsewhere, read by more people and shown to other teams, and a
//! subject is personal as often as not. Whoever may read both finds one by the other, by `credence.decision_id`.

use super::Begun;
use crate::clock::Time;
use crate::keys::Signed;
use crate::path::{Outcome, Walk};
use crate::proto::otlp::any_value::Value;
use crate::proto::otlp::{AnyValue, ArrayValue, KeyValue, Span, SpanKind, Status, StatusCode};
use crate::reason::Class;

/// The method, and so the name of every span: semantic conventions for RPC, `rpc.method`.
const METHOD: &str = "envoy.service.auth.v3.Authorization/Check";

/// Most grants that a span names.
const MAX_GRANTS: usize = 32;

/// `Span.flags`: the parent is of another process, and that is known (bits 8 and 9); the trace is sampled (bit 0).
const REMOTE_PARENT: u32 = 0x301;
const NO_PARENT: u32 = 0x101;

/// A decision, as a span tells of it beside its walk.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// When the answer stood.
    pub time: Time,
    /// Microseconds since the call arrived.
    pub duration_us: u64,
    /// UUIDv7, the same in header, metadata and log.
    pub decision_id: &'a str,
    /// HTTP status of the answer; 200 for an allow.
    pub status: u16,
    /// Generation and digest of the table that decided, if there was one.
    pub table: Option<(u64, &'a str)>,
}

pub(super) fn span(begun: Begun, walk: &Walk<'_, Signed>, decision: Decision<'_>) -> Span {
    let Walk { outcome, facts } = walk;
    let mut attributes = Vec::with_capacity(14);
    let mut tell = |key: &str, value| attributes.push(KeyValue { key: key.into(), value: Some(value) });
    tell("rpc.system.name", text("grpc"));
    tell("rpc.method", text(METHOD));
    // A refusal is an answer like any other: Check gives no other status.
    tell("rpc.response.status_code", text("OK"));
    tell("credence.decision", text(if matches!(outcome, Outcome::Refused(_)) { "deny" } else { "allow" }));
    tell("credence.reason", text(outcome.code()));
    tell("credence.status", number(decision.status.into()));
    tell("credence.decision_id", text(decision.decision_id));
    if let Outcome::Observed(observed) = outcome {
        tell("credence.observed_reason", text(observed.refusal().code()));
    }
    if let Some(issuer) = facts.vouching_issuer() {
        tell("credence.issuer", text(issuer.name.as_str()));
    }
    if let Some(resource) = facts.resource {
        tell("credence.resource", text(resource.name.as_str()));
    }
    if let Outcome::Allowed(permit) = outcome {
        tell("credence.grants", list(permit.grants().map(|grant| grant.as_str())));
    }
    if !facts.shadow.is_empty() {
        tell("credence.shadow", list(facts.shadow.iter().map(|grant| grant.name.as_str())));
    }
    if let Some((generation, sha256)) = decision.table {
        tell("credence.table.generation", number(generation));
        tell("credence.table.sha256", text(sha256));
    }
    // What credence could not judge is an error of its own; what it refused is not.
    let fault = match outcome {
        Outcome::Refused(reason) if reason.class() == Class::Unavailable => Some(reason.code()),
        _ => None,
    };
    if let Some(code) = fault {
        tell("error.type", text(code));
    }
    let end = nanoseconds(decision.time);
    Span {
        trace_id: begun.trace_id.0.to_vec(),
        span_id: begun.span_id.0.to_vec(),
        trace_state: begun.state.map(String::from).unwrap_or_default(),
        parent_span_id: begun.parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
        name: METHOD.into(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: end.saturating_sub(decision.duration_us.saturating_mul(1000)),
        end_time_unix_nano: end,
        attributes,
        status: fault.map(|code| Status { message: code.into(), code: StatusCode::Error.into() }),
        flags: if begun.parent.is_some() { REMOTE_PARENT } else { NO_PARENT },
    }
}

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

fn number(number: u64) -> AnyValue {
    AnyValue { value: Some(Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX))) }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> AnyValue {
    let values = texts.take(MAX_GRANTS).map(text).collect();
    AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; dates of our time fit")]
fn nanoseconds(time: Time) -> u64 {
    (time.seconds() * 1e9) as u64
}
