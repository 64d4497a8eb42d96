//! The way to a collector: one request, one answer, over HTTP or as a gRPC call.

use std::fmt;
use std::fs;
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity};

use super::environment::{Protocol, Tracing, TracingError};
use super::exchange::{self, Trouble};

/// Where spans are sent.
pub(super) struct Collector {
    client: Client,
    tracing: Tracing,
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tracing.url)
    }
}

impl Collector {
    /// Makes no connection yet. It goes straight there: no proxy, no redirect.
    pub(super) fn new(tracing: &Tracing) -> Result<Self, TracingError> {
        let mut builder = Client::builder()
            .user_agent(concat!("credence/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(tracing.timeout)
            .connect_timeout(tracing.timeout)
            .pool_idle_timeout(Duration::from_secs(60));
        if tracing.protocol == Protocol::Grpc {
            builder = builder.http2_prior_knowledge();
        }
        if let Some(path) = &tracing.authorities {
            let unusable = |what: &dyn fmt::Display| TracingError::file("OTEL_EXPORTER_OTLP_CERTIFICATE", path, what);
            let pem = fs::read(path).map_err(|error| unusable(&error))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
            if authorities.is_empty() {
                return Err(unusable(&"it holds no PEM certificate"));
            }
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((certificate, key)) = &tracing.identity {
            let name = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
            let read = |path| fs::read(path).map_err(|error| TracingError::file(name, path, &error));
            let joined = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
            let identity = Identity::from_pem(&joined);
            builder = builder.identity(identity.map_err(|error| TracingError::file(name, certificate, &error))?);
        }
        let client = builder.build().map_err(|error| TracingError::client(&error))?;
        Ok(Self { client, tracing: tracing.clone() })
    }

    /// Sends a whole `ExportTraceServiceRequest`. Returns how many of its spans were rejected.
    pub(super) async fn send(&self, request: Bytes) -> Result<u64, Trouble> {
        let to = self.client.post(self.tracing.url.clone()).headers(self.tracing.headers.clone());
        match self.tracing.protocol {
            Protocol::Http => exchange::http(to, request).await,
            Protocol::Grpc => exchange::grpc(to, request).await,
        }
    }
}
