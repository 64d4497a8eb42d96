//! One GET, bounded in time and size, that goes only where it was told to.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::tls::TlsInfo;
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use super::address::Guarded;
use super::cache::{Validator, date, freshness};
use super::error::{FetchError, quoted};
use super::proxy::Proxies;
use super::timing::Timing;
use super::tls::Tls;
use super::trouble::{Manner, broken, check_head};
use super::url::KeyUrl;
use super::visit::{Kit, ProxyChoice};
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
        let (request, manner) = self.request(url, kit, validator).await?;
        self.in_time(url, async {
            let response = request.send().await.map_err(|error| broken(url, &error, &manner))?;
            let keep = freshness(response.headers());
            if response.status() == StatusCode::NOT_MODIFIED && validator.is_some() {
                return Ok(Reply::Unchanged { keep });
            }
            check_head(url, &response, &manner)?;
            let validator = Validator::of(response.headers());
            let body = self.body(url, response, &manner).await?;
            Ok(Reply::Fresh(Answer { body, keep, validator }))
        })
        .await
    }

    /// Fetches `url` in the same way, and shows what else there was to see, also where nothing came of it.
    pub(super) async fn look(&self, url: &KeyUrl, kit: Kit) -> Look {
        let (request, manner) = match self.request(url, kit, None).await {
            Ok(request) => request,
            Err(error) => return Look { head: None, body: Err(error) },
        };
        let mut head = None;
        let exchange = async {
            let response = request.send().await.map_err(|error| broken(url, &error, &manner))?;
            head = Some(Head::of(&response));
            check_head(url, &response, &manner)?;
            self.body(url, response, &manner).await
        };
        let body = self.in_time(url, exchange).await;
        Look { head, body }
    }

    async fn request(
        &self,
        url: &KeyUrl,
        kit: Kit,
        validator: Option<&Validator>,
    ) -> Result<(RequestBuilder, Manner), FetchError> {
        let authorization = kit.authorization.clone();
        let manner = Manner {
            ca_file: kit.ca_file.clone(),
            sends_token: authorization.is_some(),
            shows_certificate: kit.tls.client.is_some(),
            proxy: match &kit.proxy {
                ProxyChoice::Environment => self.proxies.place(),
                ProxyChoice::Table(_, place) => Some(place.clone()),
                ProxyChoice::Direct => None,
            },
        };
        let mut request = self.client(url, kit).await?.get(url.as_url().clone());
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some((name, value)) = validator.map(Validator::header) {
            request = request.header(name, value);
        }
        Ok((request, manner))
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

    async fn body(&self, url: &KeyUrl, mut response: Response, manner: &Manner) -> Result<Vec<u8>, FetchError> {
        let limit = self.timing.body;
        let too_large = || FetchError::new(FetchResult::TooLarge, url, format!("more than {limit} bytes"));
        if response.content_length().is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit))
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, &error, manner))? {
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
            ProxyChoice::Table(proxy, _) => Some(*proxy),
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
