//! The Check service: every call gets a verdict, in time.
//!
//! In: the HTTP/2 request of one gRPC call, as bytes. Out: an OK gRPC status with a `CheckResponse`, whatever
//! came in: a proxy that is told to let requests through when its authorizer fails must never see one fail. It
//! knows frames, limits and Envoy's messages, and must never know what a token or a trust table is.

mod encode;
mod entries;
mod frame;
mod question;
mod reply;
mod routes;
mod scan;
mod service;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::trace_context::TraceContext;

pub use reply::{Reply, ReplyBody};
pub use service::CheckService;

/// The gRPC service that Envoy calls.
pub const SERVICE: &str = "envoy.service.auth.v3.Authorization";

/// What comes of a look at a call; `B` is what a wait brings.
pub enum Look<B> {
    /// The answer.
    Answer(Reply),
    /// Something is on its way that may change the answer: worth a short wait, and then another look.
    Wait(Bench, Pin<Box<dyn Future<Output = B> + Send>>),
}

/// Where a call waits. Each has room for a quarter of the calls at once, so that those who wait leave places to those
/// who need not, and who waits for one thing does not keep others from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bench {
    /// For keys, which anybody's token can ask for.
    Keys,
    /// For a store of spent tokens, which only verified ones come to.
    Store,
}

/// What is known of a call before its question is read.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When its headers were read.
    pub at: Instant,
    /// Where the proxy says that it stands in a trace: its own span, by the call's metadata.
    pub trace: Option<TraceContext>,
}

impl Arrival {
    /// Of this moment, and no trace.
    pub const fn at(at: Instant) -> Self {
        Self { at, trace: None }
    }
}

/// Decides one call. Called on the runtime: synchronous, never blocks.
pub trait Judge: Send + Sync + 'static {
    /// What a wait brings; the default is nothing.
    type Brought: Default + Send + 'static;

    /// Answers the question of one call, or says what to wait for first. Called at most twice, before [`Judge::judge`].
    fn look(&self, call: &AuthzRequest<'_>, brought: Self::Brought, arrival: &Arrival) -> Look<Self::Brought> {
        Look::Answer(self.judge(Ok(call), brought, arrival))
    }

    /// Answers the question of one call.
    ///
    /// `call` is the question, or why there is none (unreadable, too large, over the limit, a panic): the answer
    /// is a refusal then. `brought` is what was waited for, if it came in time. `arrival` is what the
    /// headers of the call itself tell.
    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, brought: Self::Brought, arrival: &Arrival) -> Reply;
}

/// What one call may cost before it is judged.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest `CheckRequest` in bytes; a larger one is refused from its length prefix, unread.
    pub max_request_bytes: usize,
    /// Calls at once; one more is `overloaded`, unread.
    pub max_concurrent: usize,
    /// Longest wait for the next piece of a message. Generous for a machine that is short of CPU: what keeps the answer
    /// in time is half the caller's `grpc-timeout`.
    pub max_gap: Duration,
    /// Longest wait for a whole message; half the caller's `grpc-timeout`, if that is less.
    pub max_wait: Duration,
    /// Longest wait for all that a [`Look`] says is on its way; half the caller's `grpc-timeout`, if that is less.
    pub max_look: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 16 << 20,
            max_concurrent: 1024,
            max_gap: Duration::from_millis(250),
            max_wait: Duration::from_secs(5),
            max_look: Duration::from_millis(50),
        }
    }
}

/// Who asks: put into each request's extensions by the door that accepted the connection.
///
/// For the log only, as text: `192.0.2.7:40112`, or `unix:pid=17,uid=1000`.
#[derive(Debug, Clone)]
pub struct ProxyPeer(pub Arc<str>);
