//! The method itself, as a tower service of our own: a generated one would answer what it cannot read with a gRPC
//! error, before any code of ours is asked.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Method, Request, Response};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::frame::{Patience, read_message};
use super::{Judge, Limits, Look, ProxyPeer, Reply, SERVICE, question, reply};
use crate::reason::Reason;

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
    /// For calls that wait for something: a quarter of the places.
    seats: Semaphore,
    last_resort: Reply,
}

impl<J: Judge> CheckService<J> {
    /// A service that asks `judge` and keeps `limits` over all connections together.
    pub fn new(judge: Arc<J>, limits: Limits) -> Self {
        let most = limits.max_concurrent.min(Semaphore::MAX_PERMITS);
        let (places, seats) = (Semaphore::new(most), Semaphore::new(most.div_ceil(4)));
        Self(Arc::new(Shared { judge, limits, places, seats, last_resort: reply::last_resort() }))
    }
}

impl<J> Clone for CheckService<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Judge> NamedService for CheckService<J> {
    const NAME: &'static str = SERVICE;
}

impl<J: Judge> Service<Request<Body>> for CheckService<J> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    /// Always ready: a call that waited here would wait unanswered.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != CHECK {
            return Box::pin(async { Ok(tonic::Status::unimplemented("no such method").into_http()) });
        }
        // Both clocks start before tonic's own, which turns a deadline that has passed into a gRPC error.
        let arrival = Instant::now();
        let patience = Patience::starting_now(&self.0.limits, request.headers());
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let mut reply = pin!(shared.reply(request, patience, arrival));
            let reply = poll_fn(|context| {
                catch_unwind(AssertUnwindSafe(|| reply.as_mut().poll(context))).unwrap_or_else(|_panic| {
                    tracing::error!("a refusal made the service panic too: a plain 503 was sent");
                    Poll::Ready(shared.last_resort.clone())
                })
            });
            Ok(reply::response(reply.await))
        })
    }
}

impl<J: Judge> Shared<J> {
    /// The answer to one call.
    async fn reply(&self, request: Request<Body>, patience: Patience, arrival: Instant) -> Reply {
        let Ok(_place) = self.places.try_acquire() else { return self.refuse(Reason::Overloaded, arrival) };
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return self.refuse(Reason::MalformedRequest, arrival);
        }
        let message = match read_message(body, self.limits.max_request_bytes, patience).await {
            Ok(message) => message,
            Err(reason) => return self.refuse(reason, arrival),
        };
        let peer = head.extensions.get::<ProxyPeer>().map(|ProxyPeer(peer)| &**peer);
        match self.guarded(|| self.look(&message, peer, arrival)) {
            Some(Look::Answer(reply)) => return reply,
            Some(Look::Wait(what)) => {
                // Those who wait must leave places to those who need not. Come or not, the call is answered now.
                if let Ok(_seat) = self.seats.try_acquire() {
                    let _ = tokio::time::timeout_at(patience.at_most(self.limits.max_look), what).await;
                }
            }
            None => return self.refuse(Reason::Internal, arrival),
        }
        self.guarded(|| self.decide(&message, peer, arrival)).unwrap_or_else(|| self.refuse(Reason::Internal, arrival))
    }

    /// Runs what may panic; `None` if it did. Nothing that a panic leaves half done is looked at again: the judge
    /// guards what it shares.
    fn guarded<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|_panic| tracing::error!("a call made the service panic and was denied")).ok()
    }

    fn look(&self, message: &[u8], peer: Option<&str>, arrival: Instant) -> Look {
        match question::read(message, peer) {
            Ok(question) => self.judge.look(&question, arrival),
            Err(reason) => Look::Answer(self.refuse(reason, arrival)),
        }
    }

    fn decide(&self, message: &[u8], peer: Option<&str>, arrival: Instant) -> Reply {
        self.judge.judge(question::read(message, peer).as_ref().map_err(|reason| *reason), arrival)
    }

    /// There is no question to decide, only a reason.
    fn refuse(&self, reason: Reason, arrival: Instant) -> Reply {
        self.judge.judge(Err(reason), arrival)
    }
}
