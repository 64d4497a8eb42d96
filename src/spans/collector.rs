//! The way to a collector: one request, one answer, over HTTP or as a gRPC call.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity};

use super::endpoint::{Protocol, Shown, is_loopback};
use super::environment::{Tracing, TracingError};
use super::exchange::{self, Trouble};

/// Where spans are sent.
pub(super) struct Collector {
    client: Client,
    tracing: Tracing,
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.tracing.url).fmt(f)
    }
}

impl Collector {
    /// Makes no connection yet. No redirect is followed. The proxies of the environment are those of `reqwest`; not for this machine
    /// itself, and not for gRPC without TLS, which is no request that a proxy of HTTP could hand on.
    pub(super) fn new(tracing: &Tracing) -> Result<Self, TracingError> {
        let mut builder = Client::builder()
            .user_agent(concat!("credence/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(tracing.timeout)
            .connect_timeout(tracing.timeout)
            .pool_idle_timeout(Duration::from_secs(60));
        let is_grpc = tracing.protocol == Protocol::Grpc;
        if is_grpc {
            builder = builder.http2_prior_knowledge();
        }
        if is_loopback(&tracing.url) || is_grpc && tracing.url.scheme() == "http" {
            builder = builder.no_proxy();
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

    /// An `ExportTraceServiceRequest` as it is sent, the first time and again.
    ///
    /// # Errors
    /// It is longer than a gRPC message can be.
    pub(super) fn packed(&self, request: Vec<u8>) -> io::Result<Bytes> {
        let is_gzip = self.tracing.is_gzip;
        let message = if is_gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&request)?;
            encoder.finish()?
        } else {
            request
        };
        if self.tracing.protocol == Protocol::Http {
            return Ok(message.into());
        }
        let mut framed = BytesMut::with_capacity(message.len() + 5);
        framed.put_u8(is_gzip.into());
        framed.put_u32(u32::try_from(message.len()).map_err(io::Error::other)?);
        framed.put(message.as_slice());
        Ok(framed.freeze())
    }

    /// Sends what was packed. Returns how many of its spans were rejected.
    pub(super) async fn send(&self, packed: Bytes) -> Result<u64, Trouble> {
        let to = self.client.post(self.tracing.url.clone()).headers(self.tracing.headers.clone()).body(packed);
        let encoding = self.tracing.is_gzip.then_some("gzip");
        match self.tracing.protocol {
            Protocol::Http => exchange::http(to, encoding).await,
            Protocol::Grpc => exchange::grpc(to, encoding).await,
        }
    }
}
