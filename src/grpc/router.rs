//! Which of the services a call is for.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tower::Service;

use super::listener::Connection;
use crate::wire::{CheckService, Judge};

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
}

impl<J, H, R> Clone for Router<J, H, R> {
    fn clone(&self) -> Self {
        Self { checks: self.checks.clone(), health: self.health.clone(), reflection: self.reflection.clone() }
    }
}

impl<J: Judge, H: Health, R: ServerReflection> Service<Request<Body>> for Router<J, H, R> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let connection = request.extensions_mut().remove::<Connection>();
        let path = request.uri().path();
        match &mut self.reflection {
            _ if path.starts_with(HEALTH) => self.health.call(request),
            Some(reflection) if path.starts_with(REFLECTION) => reflection.call(request),
            _ => {
                let Some(Connection { peer, ledger }) = connection else { return self.checks.call(request) };
                request.extensions_mut().insert(peer);
                let answer = self.checks.call(request);
                Box::pin(async move { Ok(answer.await?.map(|body| ledger.hold(body))) })
            }
        }
    }
}
