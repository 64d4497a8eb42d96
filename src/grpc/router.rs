//! Which of the services a call is for.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tower::Service;

use super::untaken::{Ledger, Untaken};
use crate::wire::{CheckService, Judge, ProxyPeer, ReplyBody};

/// Paths of the health service begin so.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Paths of the reflection service begin so.
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";

/// Health, and reflection where it is wanted, beside Check; every other path is Check's to refuse.
pub(super) struct Router<J, H, R> {
    checks: CheckService<J>,
    health: HealthServer<H>,
    reflection: Option<ServerReflectionServer<R>>,
}

impl<J, H, R> Router<J, H, R> {
    pub(super) const fn new(
        checks: CheckService<J>,
        health: HealthServer<H>,
        reflection: Option<ServerReflectionServer<R>>,
    ) -> Self {
        Self { checks, health, reflection }
    }

    /// The same for the calls of one connection.
    pub(super) fn for_connection(&self, peer: ProxyPeer, ledger: Arc<Ledger>) -> Calls<J, H, R> {
        let services =
            Self { checks: self.checks.clone(), health: self.health.clone(), reflection: self.reflection.clone() };
        Calls { services, peer, ledger }
    }
}

/// The calls of one connection.
pub(super) struct Calls<J, H, R> {
    services: Router<J, H, R>,
    peer: ProxyPeer,
    ledger: Arc<Ledger>,
}

/// A call in the hand of its service.
enum Call<C> {
    Check(C, Arc<Ledger>),
    Other(BoxFuture<Response<Body>>),
}

/// What tonic's own services give.
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, Infallible>> + Send>>;

impl<J: Judge, H: Health, R: ServerReflection> Calls<J, H, R> {
    /// Answers one call. Nothing stands between the connection and the service that could answer in its place: no
    /// deadline, no limit, no other layer.
    pub(super) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Untaken>, Infallible>> + Send + use<J, H, R> {
        let call = self.direct(request);
        async move {
            match call {
                Call::Check(answer, ledger) => Ok(answer.await.map(|body| ledger.hold(body))),
                Call::Other(answer) => Ok(answer.await?.map(Untaken::unheld)),
            }
        }
    }

    fn direct(
        &self,
        request: Request<Incoming>,
    ) -> Call<impl Future<Output = Response<ReplyBody>> + Send + use<J, H, R>> {
        let (services, path) = (&self.services, request.uri().path());
        match &services.reflection {
            _ if path.starts_with(HEALTH) => Call::Other(services.health.clone().call(request.map(Body::new))),
            Some(reflection) if path.starts_with(REFLECTION) => {
                Call::Other(reflection.clone().call(request.map(Body::new)))
            }
            _ => Call::Check(services.checks.answer(request, Some(self.peer.clone())), Arc::clone(&self.ledger)),
        }
    }
}
