//! The method itself, by a hand of our own: a generated service would answer what it cannot read with a gRPC
//! error, before any code of ours is asked.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;

use super::frame::{Patience, read_message};
use super::{Arrival, Bench, Judge, Limits, Look, ProxyPeer, Reply, ReplyBody, question, reply};
use crate::reason::Reason;
use crate::trace_context::TraceContext;

/// The one method of the service.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Envoy's `Authorization` service in front of a [`Judge`]; clones share its limits.
#[derive(Debug)]
pub struct CheckService<J>(Arc<Shared<J>>);

#[derive(Debug)]
struct Shared<J> {
    judge: Arc<J>,
    limits: Limits,
    places: Semaphore,
    /// For calls that wait for something.
    benches: Benches,
    last_resort: Reply,
}

/// A quarter of the places each.
#[derive(Debug)]
struct Benches {
    keys: Semaphore,
    store: Semaphore,
}

/// A key may be waited for, and then the store.
const MAX_WAITS: usize = 2;

impl<J: Judge> CheckService<J> {
    /// A service that asks `judge` and keeps `limits` over all connections together.
    pub fn new(judge: Arc<J>, limits: Limits) -> Self {
        let most = limits.max_concurrent.min(Semaphore::MAX_PERMITS);
        let quarter = || Semaphore::new(most.div_ceil(4));
        let (places, benches) = (Semaphore::new(most), Benches { keys: quarter(), store: quarter() });
        Self(Arc::new(Shared { judge, limits, places, benches, last_resort: reply::last_resort() }))
    }
}

impl<J> Clone for CheckService<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Judge> CheckService<J> {
    /// Answers one call of `peer`: always HTTP 200 and a gRPC status, which is `UNIMPLEMENTED` for another method than
    /// `Check` and OK else.
    pub fn answer<B>(
        &self,
        request: Request<B>,
        peer: Option<ProxyPeer>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send + use<J, B>
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin,
    {
        // The clock starts before anything is waited for.
        let arrival = tokio::time::Instant::now();
        let shared = Arc::clone(&self.0);
        // Of the head only this is asked, and asked now: what a call keeps while it waits is moved about with it.
        let (head, body) = request.into_parts();
        let is_check = head.uri.path() == CHECK;
        let body = if head.method == Method::POST { Ok(body) } else { Err(Reason::MalformedRequest) };
        let patience = Patience::since(arrival, &shared.limits, &head.headers);
        let arrival = Arrival { at: arrival.into_std(), trace: trace(&head.headers) };
        async move {
            if !is_check {
                return tonic::Status::unimplemented("no such method").into_http::<()>().map(|()| ReplyBody::empty());
            }
            let mut reply = pin!(shared.reply(body, peer.as_ref(), patience, &arrival));
            let reply = poll_fn(|context| {
                catch_unwind(AssertUnwindSafe(|| reply.as_mut().poll(context))).unwrap_or_else(|_panic| {
                    tracing::error!("a refusal made the service panic too: a plain 503 was sent");
                    Poll::Ready(shared.last_resort.clone())
                })
            });
            reply::response(reply.await)
        }
    }
}

/// The span that the proxy made the call in. Its own word, so it counts before what the client wrote in its headers.
fn trace(metadata: &HeaderMap) -> Option<TraceContext> {
    let all = |name| metadata.get_all(name).iter().map(HeaderValue::as_bytes);
    TraceContext::of(all("traceparent"), all("tracestate"))
}

impl<J: Judge> Shared<J> {
    /// The answer to one call.
    async fn reply<B>(
        &self,
        body: Result<B, Reason>,
        peer: Option<&ProxyPeer>,
        patience: Patience,
        arrival: &Arrival,
    ) -> Reply
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Ok(_place) = self.places.try_acquire() else { return self.refuse(Reason::Overloaded, arrival) };
        let body = match body {
            Ok(body) => body,
            Err(reason) => return self.refuse(reason, arrival),
        };
        let message = match read_message(body, self.limits.max_request_bytes, patience).await {
            Ok(message) => message,
            Err(reason) => return self.refuse(reason, arrival),
        };
        let peer = peer.map(|ProxyPeer(peer)| &**peer);
        let (mut brought, mut end) = (J::Brought::default(), None);
        for _ in 0..MAX_WAITS {
            let (bench, what) = match self.guarded(|| self.look(&message, std::mem::take(&mut brought), peer, arrival))
            {
                Some(Look::Answer(reply)) => return reply,
                Some(Look::Wait(bench, what)) => (bench, what),
                None => return self.refuse(Reason::Internal, arrival),
            };
            let bench = match bench {
                Bench::Keys => &self.benches.keys,
                Bench::Store => &self.benches.store,
            };
            // Come or not, the call is answered then.
            let Ok(_seat) = bench.try_acquire() else { break };
            let end = *end.get_or_insert_with(|| patience.at_most(self.limits.max_look));
            match Box::pin(tokio::time::timeout_at(end, what)).await {
                Ok(come) => brought = come,
                Err(_late) => break,
            }
        }
        let decided = self.guarded(|| self.decide(&message, brought, peer, arrival));
        decided.unwrap_or_else(|| self.refuse(Reason::Internal, arrival))
    }

    /// Runs what may panic; `None` if it did. Nothing that a panic leaves half done is looked at again: the judge
    /// guards what it shares.
    fn guarded<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|_panic| tracing::error!("a call made the service panic and was denied")).ok()
    }

    fn look(&self, message: &[u8], brought: J::Brought, peer: Option<&str>, arrival: &Arrival) -> Look<J::Brought> {
        match question::read(message, peer) {
            Ok(question) => self.judge.look(&question, brought, arrival),
            Err(reason) => Look::Answer(self.refuse(reason, arrival)),
        }
    }

    fn decide(&self, message: &[u8], brought: J::Brought, peer: Option<&str>, arrival: &Arrival) -> Reply {
        self.judge.judge(question::read(message, peer).as_ref().map_err(|reason| *reason), brought, arrival)
    }

    /// There is no question to decide, only a reason.
    fn refuse(&self, reason: Reason, arrival: &Arrival) -> Reply {
        self.judge.judge(Err(reason), J::Brought::default(), arrival)
    }
}
