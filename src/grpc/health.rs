//! `grpc.health.v1` for the whole server (`""`) and for the Check service.

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthApi, HealthServer};
use tonic_health::server::HealthReporter;

use crate::wire::SERVICE;

/// The names that are asked about.
const NAMES: [&str; 2] = ["", SERVICE];

/// The switch of the health service; clones are the same switch.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    draining: Arc<Mutex<bool>>,
}

/// The service and its switch, at `NOT_SERVING`.
pub(super) async fn start() -> (Health, HealthServer<impl HealthApi>) {
    let (reporter, service) = tonic_health::server::health_reporter();
    let health = Health { reporter, draining: Arc::default() };
    health.report(ServingStatus::NotServing).await;
    (health, service)
}

impl Health {
    /// `SERVING` or `NOT_SERVING`, for all who ask and all who watch. Once draining it stays `NOT_SERVING`.
    pub async fn set_serving(&self, serving: bool) {
        let draining = self.draining.lock().await;
        if !*draining {
            self.report(if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        }
    }

    /// `NOT_SERVING` for good, while calls are still answered: a load balancer looks elsewhere meanwhile.
    pub async fn drain(&self) {
        let mut draining = self.draining.lock().await;
        *draining = true;
        self.report(ServingStatus::NotServing).await;
    }

    /// Ends the streams of those who watch: they would keep their connections open for ever.
    pub(super) async fn close(&self) {
        let mut reporter = self.reporter.clone();
        for name in NAMES {
            reporter.clear_service_status(name).await;
        }
    }

    async fn report(&self, status: ServingStatus) {
        for name in NAMES {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
