//! One GET, bounded in time and size, that goes only where it was told to.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Response, StatusCode};

use super::address::{Guarded, RefusedAddress};
use super::error::{FetchError, quoted};
use super::timing::Timing;
use super::url::KeyUrl;
use crate::keys::FetchResult;

/// The body of a 200 answer, and how long the sender says it may be kept.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) max_age: Option<Duration>,
}

/// Makes the exchanges. Connections are not kept: each fetch looks the name up and judges its addresses anew.
pub(super) struct Getter {
    resolver: Arc<dyn Resolve>,
    timing: Timing,
    system: Arc<OnceLock<Client>>,
}

impl Getter {
    pub(super) fn new(resolver: Arc<dyn Resolve>, timing: Timing) -> Self {
        Self { resolver: Arc::new(Guarded(resolver)), timing, system: Arc::default() }
    }

    /// Fetches `url`. With `ca_file` only certificates under its authorities are believed, else under the system's.
    pub(super) async fn get(&self, url: &KeyUrl, ca_file: Option<&Path>) -> Result<Answer, FetchError> {
        let client = self.client(url, ca_file).await?;
        let limit = self.timing.exchange;
        let late = || FetchError::new(FetchResult::Timeout, url, format!("no complete answer within {limit:?}"));
        tokio::time::timeout(limit, self.exchange(&client, url)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, client: &Client, url: &KeyUrl) -> Result<Answer, FetchError> {
        let response = client.get(url.as_url().clone()).send().await.map_err(|error| broken(url, &error))?;
        check_head(url, &response)?;
        let max_age = max_age(response.headers());
        let body = self.body(url, response).await?;
        Ok(Answer { body, max_age })
    }

    async fn body(&self, url: &KeyUrl, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let limit = self.timing.body;
        let too_large = || FetchError::new(FetchResult::TooLarge, url, format!("more than {limit} bytes"));
        if response.content_length().is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit))
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, &error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn client(&self, url: &KeyUrl, ca_file: Option<&Path>) -> Result<Client, FetchError> {
        if let Some(path) = ca_file.filter(|_| !url.is_plain()) {
            let authorities = read_authorities(path).await?;
            return self.build(Some(authorities)).map_err(|error| no_client(url, &error));
        }
        if url.is_plain() {
            return self.build(Some(Vec::new())).map_err(|error| no_client(url, &error));
        }
        if let Some(client) = self.system.get() {
            return Ok(client.clone());
        }
        // Reading the system's authorities takes a while, and is done once.
        let (system, resolver) = (self.system.clone(), self.resolver.clone());
        let built = tokio::task::spawn_blocking(move || {
            let client = build(resolver, None)?;
            Ok::<_, reqwest::Error>(system.get_or_init(|| client).clone())
        });
        match built.await {
            Ok(client) => client.map_err(|error| no_client(url, &error)),
            Err(_) => Err(FetchError::new(FetchResult::Internal, url, "building the HTTP client failed")),
        }
    }

    fn build(&self, authorities: Option<Vec<Certificate>>) -> reqwest::Result<Client> {
        build(self.resolver.clone(), authorities)
    }
}

fn build(resolver: Arc<dyn Resolve>, authorities: Option<Vec<Certificate>>) -> reqwest::Result<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/jwk-set+json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let builder = Client::builder()
        .user_agent(concat!("credence/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .dns_resolver(resolver);
    match authorities {
        Some(only) => builder.tls_certs_only(only).build(),
        None => builder.build(),
    }
}

async fn read_authorities(path: &Path) -> Result<Vec<Certificate>, FetchError> {
    let pem = super::load::read_file(path).await?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(FetchError::new(FetchResult::File, path.display(), "holds no PEM certificate (caFile)"));
    }
    Ok(certificates)
}

/// Status and headers must be those of a plain 200 answer.
fn check_head(url: &KeyUrl, response: &Response) -> Result<(), FetchError> {
    let status = response.status();
    if status.is_redirection() {
        let target =
            response.headers().get(LOCATION).map(|location| quoted(&String::from_utf8_lossy(location.as_bytes())));
        let what = match target {
            Some(target) => format!("answered {} to {target}; redirects are not followed", status.as_u16()),
            None => format!("answered {}; redirects are not followed", status.as_u16()),
        };
        return Err(FetchError::new(FetchResult::Redirect, url, format!("{what}: write the final URL in the table")));
    }
    if status != StatusCode::OK {
        return Err(FetchError::new(FetchResult::Status, url, format!("answered {}, not 200", status.as_u16())));
    }
    let encoded = response.headers().get_all(CONTENT_ENCODING).iter().find(|value| *value != "identity");
    if let Some(encoding) = encoded {
        let encoding = quoted(&String::from_utf8_lossy(encoding.as_bytes()));
        let what = format!("answered with content-encoding {encoding}, which was not asked for");
        return Err(FetchError::new(FetchResult::ContentEncoding, url, what));
    }
    Ok(())
}

/// `max-age` of `Cache-Control` (RFC 9111 §5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

/// Says how an exchange broke, by the innermost cause.
fn broken(url: &KeyUrl, error: &reqwest::Error) -> FetchError {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |error| cause(*error));
    if let Some(RefusedAddress(address)) = causes().find_map(|cause| cause.downcast_ref()) {
        let what = format!("its name leads to {address}, and keys are never fetched from there");
        return FetchError::new(FetchResult::RefusedAddress, url, what);
    }
    // A failed handshake surfaces as an I/O error of one of these kinds; a failed connect never does.
    let handshake = causes()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| matches!(cause.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof));
    let (result, head) = match error {
        _ if error.is_dns() => (FetchResult::Dns, "the name does not resolve"),
        _ if error.is_connect() && handshake => (FetchResult::Tls, "no trusted TLS connection"),
        _ if error.is_connect() => (FetchResult::Connect, "no connection"),
        _ => (FetchResult::Connect, "the connection broke"),
    };
    let cause = causes().last().map(|cause| quoted(&cause.to_string())).unwrap_or_default();
    let remedy = match result {
        FetchResult::Tls => "; if a private authority signed its certificate, name that in caFile",
        _ => "",
    };
    FetchError::new(result, url, format!("{head} ({}){remedy}", cause.trim_matches('"')))
}

/// What lies under an error. An I/O error hides the one that it carries from `source`.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

fn no_client(url: &KeyUrl, error: &reqwest::Error) -> FetchError {
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let cause = quoted(&cause);
    FetchError::new(
        FetchResult::Tls,
        url,
        format!("no certificate authorities to judge it by ({cause}); name one in caFile"),
    )
}
