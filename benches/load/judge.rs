//! Is this the answer that was expected? Every single one is judged: a denial, a stranger's answer and a cut-off one
//! all come with HTTP 200 and `grpc-status: 0`, and all of them are cheap.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use prost::Message as _;
use prost_types::Struct;
use prost_types::value::Kind;

use crate::Outcome;

/// What every answer of a load has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// An empty yes: the null server.
    Null,
    /// A yes of credence, with a principal for the upstream.
    Allow,
    /// A refusal of credence for this reason.
    Refuse(&'static str),
    /// A refusal of credence for whatever reason.
    RefuseSomehow,
    /// A yes of another authorizer, which hands the subject on.
    OtherAllow,
    /// A refusal of another authorizer.
    OtherRefuse,
}

/// The header in which other authorizers are told to hand the subject on.
pub(crate) const SUBJECT: &str = "x-principal-sub";

/// Answers of one load may differ by as many bytes: numbers in them may have a digit more.
const LEEWAY: usize = 16;

/// Judges the answers of one load.
#[derive(Debug)]
pub(crate) struct Judge {
    expect: Expect,
    /// Sizes of the first answer of each kind, and how many kinds there may be.
    first: RefCell<Vec<usize>>,
    kinds: usize,
    least: Cell<usize>,
    most: Cell<usize>,
}

/// `CheckResponse` as far as it decides: <https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/auth/v3/external_auth.proto>.
#[derive(prost::Message)]
struct Shape {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    denied: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    ok: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    metadata: Option<Bytes>,
}

/// `google.rpc.Status` as far as it decides.
#[derive(prost::Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

impl Judge {
    /// Expects answers of about one size.
    pub(crate) const fn new(expect: Expect) -> Self {
        Self::of_kinds(expect, 1)
    }

    /// Expects answers of about so many sizes: as many as there are kinds of questions.
    pub(crate) const fn of_kinds(expect: Expect, kinds: usize) -> Self {
        let (least, most) = (Cell::new(usize::MAX), Cell::new(0));
        Self { expect, first: RefCell::new(Vec::new()), kinds, least, most }
    }

    /// Smallest and largest answer so far, in bytes.
    pub(crate) const fn sizes(&self) -> (usize, usize) {
        (self.least.get(), self.most.get())
    }

    /// An error that says what is wrong with this gRPC message, length prefix included.
    pub(crate) fn judge(&self, message: &Bytes) -> Outcome {
        let (prefix, body) = message.split_first_chunk::<5>().ok_or("an answer without a message")?;
        let [compressed, length @ ..] = *prefix;
        if compressed != 0 || u32::from_be_bytes(length) as usize != body.len() {
            return Err("an answer that is cut off or has something behind it".into());
        }
        let shape = Shape::decode(message.slice(prefix.len()..))?;
        let code = shape.status.as_ref().map(|status| status.code);
        match self.expect {
            Expect::Null | Expect::Allow | Expect::OtherAllow
                if code == Some(0) && shape.ok.is_some() && shape.denied.is_none() => {}
            Expect::OtherRefuse
                if code.is_some_and(|code| code != 0) && shape.denied.is_some() && shape.ok.is_none() => {}
            Expect::Refuse(_) | Expect::RefuseSomehow
                if code.is_some_and(|code| code != 0) && shape.denied.is_some() && shape.ok.is_none() =>
            {
                let said = reason_in(shape.metadata.unwrap_or_default())?;
                if let Expect::Refuse(reason) = self.expect
                    && said != reason
                {
                    return Err(format!("refused for {said}, not for {reason}").into());
                }
            }
            expected => return Err(format!("expected {expected:?}: {}", told(body)).into()),
        }
        if self.of_new_size(body.len())? {
            self.whole(body)?;
        }
        Ok(())
    }

    /// Answers to like questions are of like size. Whether this is the first of its kind.
    fn of_new_size(&self, size: usize) -> Outcome<bool> {
        self.least.set(self.least.get().min(size));
        self.most.set(self.most.get().max(size));
        let mut first = self.first.borrow_mut();
        if first.iter().any(|first| first.abs_diff(size) <= LEEWAY) {
            return Ok(false);
        }
        if first.len() == self.kinds && self.expect != Expect::RefuseSomehow {
            return Err(format!("an answer of {size} bytes where others had {first:?}").into());
        }
        first.push(size);
        Ok(true)
    }

    /// The first answer of a kind is read with Envoy's own types: a yes names the caller.
    fn whole(&self, body: &[u8]) -> Outcome {
        let name = match self.expect {
            Expect::Allow => "x-credence-principal",
            Expect::OtherAllow => SUBJECT,
            _ => return Ok(()),
        };
        let answer = CheckResponse::decode(body)?;
        let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { return Err("no ok_response".into()) };
        let mut headers = ok.headers.iter().filter_map(|option| option.header.as_ref());
        // Envoy takes a value as text or as bytes.
        let said = |header: &HeaderValue| !(header.value.is_empty() && header.raw_value.is_empty());
        let named = headers.any(|header| header.key == name && said(header));
        let described = answer.dynamic_metadata.is_some() || self.expect == Expect::OtherAllow;
        if named && described { Ok(()) } else { Err("a yes that names no caller".into()) }
    }
}

/// `credence.reason` of the dynamic metadata.
fn reason_in(metadata: Bytes) -> Outcome<String> {
    let mut metadata = Struct::decode(metadata)?;
    let credence = metadata.fields.remove("credence").and_then(|value| value.kind);
    let Some(Kind::StructValue(mut credence)) = credence else { return Err("no metadata of credence".into()) };
    let Some(Kind::StringValue(reason)) = credence.fields.remove("reason").and_then(|value| value.kind) else {
        return Err("no reason in the metadata".into());
    };
    Ok(reason)
}

/// A wrong answer in words.
fn told(body: &[u8]) -> String {
    let reason = Shape::decode(body).ok().and_then(|shape| reason_in(shape.metadata?).ok());
    match reason {
        Some(reason) => format!("answered {reason}"),
        None => {
            let whole =
                CheckResponse::decode(body).map_or_else(|error| error.to_string(), |answer| format!("{answer:?}"));
            whole.chars().take(120).collect()
        }
    }
}
