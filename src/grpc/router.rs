//! Which of the two services a call is for.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::Service;

use crate::wire::{CheckService, Judge};

/// Paths of the health service begin so.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Health beside Check; every other path is Check's to refuse.
pub(super) struct Router<J, H> {
    checks: CheckService<J>,
    health: HealthServer<H>,
}

impl<J, H> Router<J, H> {
    pub(super) const fn new(checks: CheckService<J>, health: HealthServer<H>) -> Self {
        Self { checks, health }
    }
}

impl<J, H> Clone for Router<J, H> {
    fn clone(&self) -> Self {
        Self { checks: self.checks.clone(), health: self.health.clone() }
    }
}

impl<J: Judge, H: Health> Service<Request<Body>> for Router<J, H> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) { self.health.call(request) } else { self.checks.call(request) }
    }
}
