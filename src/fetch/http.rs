//! One GET, bounded in time and size, that goes only where it was told to.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::tls::TlsInfo;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::CertificateError;

use super::address::{Guarded, RefusedAddress};
use super::cache::{Validator, date, freshness};
use super::error::{FetchError, quoted};
use super::proxy::Proxies;
use super::timing::Timing;
use super::tls::Tls;
use super::url::KeyUrl;
use super::visit::{Kit, ProxyChoice};
use super::workload::WrongWorkload;
use crate::keys::FetchResult;

/// What came of a request.
pub(super) enum Reply {
    /// A document.
    Fresh(Answer),
    /// The one that the validator is of still holds, for as long as the sender says.
    Unchanged { keep: Option<Duration> },
}

/// The body of a 200 answer, and what the sender says about keeping it.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) keep: Option<Duration>,
    /// What to ask with whether it has changed.
    pub(super) validator: Option<Validator>,
}

/// All that can be seen of one exchange.
pub(super) struct Look {
    /// What came before the body, if an answer began.
    pub(super) head: Option<Head>,
    /// The body, or why a fetch would not take it.
    pub(super) body: Result<Vec<u8>, FetchError>,
}

/// What an answer says beside its body.
pub(super) struct Head {
    pub(super) status: u16,
    /// Where a redirect leads, as it was sent.
    pub(super) location: Option<String>,
    /// `Date`, in seconds since 1970.
    pub(super) date: Option<u64>,
    pub(super) keep: Option<Duration>,
    /// Whether one can ask if the document has changed (`ETag`, `Last-Modified`).
    pub(super) has_validator: bool,
    /// The server's own certificate, DER.
    pub(super) certificate: Option<Vec<u8>>,
}

impl Head {
    fn of(response: &Response) -> Self {
        let headers = response.headers();
        let tls = response.extensions().get::<TlsInfo>();
        let location = headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        Self {
            status: response.status().as_u16(),
            location: location.filter(|_| response.status().is_redirection()),
            date: date(headers),
            keep: freshness(headers),
            has_validator: Validator::of(headers).is_some(),
            certificate: tls.and_then(TlsInfo::peer_certificate).map(<[u8]>::to_vec),
        }
    }
}

/// Makes the exchanges. Connections are not kept: each fetch looks the name up and judges its addresses anew.
pub(super) struct Getter {
    resolver: Arc<dyn Resolve>,
    timing: Timing,
    proxies: Proxies,
    system: Arc<OnceLock<Client>>,
}

impl Getter {
    pub(super) fn new(resolver: Arc<dyn Resolve>, timing: Timing) -> Self {
        Self { resolver: Arc::new(Guarded(resolver)), timing, proxies: Proxies::default(), system: Arc::default() }
    }

    /// The same, with the proxies of the environment.
    pub(super) fn through(self, proxies: Proxies) -> Self {
        Self { proxies, system: Arc::default(), ..self }
    }

    /// Fetches `url` with this kit; with a validator only if the document has changed.
    pub(super) async fn get(&self, url: &KeyUrl, kit: Kit, validator: Option<&Validator>) -> Result<Reply, FetchError> {
        let request = self.request(url, kit, validator).await?;
        self.in_time(url, async {
            let response = request.send().await.map_err(|error| broken(url, &error))?;
            let keep = freshness(response.headers());
            if response.status() == StatusCode::NOT_MODIFIED && validator.is_some() {
                return Ok(Reply::Unchanged { keep });
            }
            check_head(url, &response)?;
            let validator = Validator::of(response.headers());
            let body = self.body(url, response).await?;
            Ok(Reply::Fresh(Answer { body, keep, validator }))
        })
        .await
    }

    /// Fetches `url` in the same way, and shows what else there was to see, also where nothing came of it.
    pub(super) async fn look(&self, url: &KeyUrl, kit: Kit) -> Look {
        let request = match self.request(url, kit, None).await {
            Ok(request) => request,
            Err(error) => return Look { head: None, body: Err(error) },
        };
        let mut head = None;
        let exchange = async {
            let response = request.send().await.map_err(|error| broken(url, &error))?;
            head = Some(Head::of(&response));
            check_head(url, &response)?;
            self.body(url, response).await
        };
        let body = self.in_time(url, exchange).await;
        Look { head, body }
    }

    async fn request(
        &self,
        url: &KeyUrl,
        kit: Kit,
        validator: Option<&Validator>,
    ) -> Result<RequestBuilder, FetchError> {
        let authorization = kit.authorization.clone();
        let mut request = self.client(url, kit).await?.get(url.as_url().clone());
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some((name, value)) = validator.map(Validator::header) {
            request = request.header(name, value);
        }
        Ok(request)
    }

    async fn in_time<T>(
        &self,
        url: &KeyUrl,
        exchange: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let limit = self.timing.exchange;
        let late = || FetchError::new(FetchResult::Timeout, url, format!("no complete answer within {limit:?}"));
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(late()))
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

    async fn client(&self, url: &KeyUrl, kit: Kit) -> Result<Client, FetchError> {
        let Kit { mut tls, proxy, .. } = kit;
        let proxy = match proxy {
            _ if url.is_plain() => None,
            ProxyChoice::Direct => None,
            ProxyChoice::Table(proxy) => Some(*proxy),
            ProxyChoice::Environment if tls.is_plain() => return self.system(url).await,
            ProxyChoice::Environment => self.proxies.of_environment()?,
        };
        if url.is_plain() {
            // No TLS is spoken, so the system's authorities need not be read.
            tls.authorities = Some(Vec::new());
        }
        let resolver = self.resolver.clone();
        let built = tokio::task::spawn_blocking(move || build(resolver, tls, proxy));
        built.await.map_err(|_| fault(url))?.map_err(|what| FetchError::new(FetchResult::Tls, url, what))
    }

    /// The client for servers that need nothing special. Reading the system's authorities takes a while, and is done
    /// once.
    async fn system(&self, url: &KeyUrl) -> Result<Client, FetchError> {
        if let Some(client) = self.system.get() {
            return Ok(client.clone());
        }
        let proxy = self.proxies.of_environment()?;
        let (system, resolver) = (self.system.clone(), self.resolver.clone());
        let built = tokio::task::spawn_blocking(move || {
            let client = build(resolver, Tls::default(), proxy)?;
            Ok(system.get_or_init(|| client).clone())
        });
        built.await.map_err(|_| fault(url))?.map_err(|what: String| FetchError::new(FetchResult::Tls, url, what))
    }
}

/// The client, or what to tell people.
fn build(resolver: Arc<dyn Resolve>, tls: Tls, proxy: Option<reqwest::Proxy>) -> Result<Client, String> {
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
        .tls_info(true)
        .dns_resolver(resolver);
    let builder = proxy.into_iter().fold(builder, reqwest::ClientBuilder::proxy);
    let shows = tls.client.is_some();
    tls.apply(builder)?.build().map_err(|error| {
        let cause = quoted(&error.source().map_or_else(|| error.to_string(), ToString::to_string));
        match shows {
            true => format!("the client certificate or caFile cannot be used ({cause})"),
            false => format!("no certificate authorities to judge it by ({cause}); name one in caFile"),
        }
    })
}

fn fault(url: &KeyUrl) -> FetchError {
    FetchError::new(FetchResult::Internal, url, "building the HTTP client failed")
}

/// Status and headers must be those of a plain 200 answer.
fn check_head(url: &KeyUrl, response: &Response) -> Result<(), FetchError> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return Err(FetchError::new(FetchResult::Status, url, "answered 304 (not modified), which was not asked for"));
    }
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
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": it wants another credential (bearerTokenFile)",
            _ => "",
        };
        return Err(FetchError::new(FetchResult::Status, url, format!("answered {}, not 200{hint}", status.as_u16())));
    }
    let encoded = response.headers().get_all(CONTENT_ENCODING).iter().find(|value| *value != "identity");
    if let Some(encoding) = encoded {
        let encoding = quoted(&String::from_utf8_lossy(encoding.as_bytes()));
        let what = format!("answered with content-encoding {encoding}, which was not asked for");
        return Err(FetchError::new(FetchResult::ContentEncoding, url, what));
    }
    Ok(())
}

/// Says how an exchange broke, by the innermost cause.
fn broken(url: &KeyUrl, error: &reqwest::Error) -> FetchError {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |error| cause(*error));
    if let Some(RefusedAddress(address)) = causes().find_map(|cause| cause.downcast_ref()) {
        let what = format!("its name leads to {address}, and keys are never fetched from there");
        return FetchError::new(FetchResult::RefusedAddress, url, what);
    }
    // The error of the tunnel has no public type; its words are looked at, and a test holds them.
    let tunnel = causes().any(|cause| cause.to_string().starts_with("tunnel error: "));
    // A failed handshake surfaces as an I/O error of one of these kinds; a failed connect never does.
    let handshake = causes()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| matches!(cause.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof));
    let (result, head) = match error {
        _ if tunnel => (FetchResult::Proxy, "the HTTP proxy (proxy, HTTPS_PROXY) opens no tunnel"),
        _ if error.is_dns() => (FetchResult::Dns, "the name does not resolve"),
        _ if error.is_connect() && handshake => (FetchResult::Tls, "no trusted TLS connection"),
        _ if error.is_connect() => (FetchResult::Connect, "no connection"),
        _ => (FetchResult::Connect, "the connection broke"),
    };
    let cause = causes().last().map(|cause| quoted(&cause.to_string())).unwrap_or_default();
    let remedy = match result {
        FetchResult::Tls if !causes().any(|cause| cause.is::<WrongWorkload>()) => {
            tls_remedy(causes().find_map(|cause| cause.downcast_ref()))
        }
        _ => "",
    };
    FetchError::new(result, url, format!("{head} ({}){remedy}", cause.trim_matches('"')))
}

/// What to do about a failed handshake.
const fn tls_remedy(error: Option<&rustls::Error>) -> &'static str {
    let Some(rustls::Error::InvalidCertificate(why)) = error else {
        return "; if a private authority signed its certificate, name that in caFile";
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "; its owner has to renew the certificate, unless the clock of this machine is wrong"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "; is the clock of this machine wrong?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; ask by a name that the certificate holds, or have this name put into it"
        }
        _ => "; if a private authority signed its certificate, name that in caFile",
    }
}

/// What lies under an error. An I/O error hides the one that it carries from `source`, and so does one of TLS.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref() {
        return WrongWorkload::under(error).map(|wrong| wrong as &(dyn Error + 'static));
    }
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}
