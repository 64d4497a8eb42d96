//! What the standard variables of OpenTelemetry say.
//!
//! Whoever sets `--otlp-endpoint` means credence, and a slip there stops the start. The variables are often set for all programs at once,
//! by an operator of the cluster: what cannot be used of them is told, and left out.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::endpoint::{Endpoint, Protocol, Shown};
use super::queue::Batch;
use super::sampler::Sampler;
use super::span::text;
use crate::proto::otlp::KeyValue;

/// Where spans go, and which.
#[derive(Clone)]
pub struct Tracing {
    pub(super) url: Url,
    pub(super) protocol: Protocol,
    pub(super) is_gzip: bool,
    /// Those of the operator; they may hold credentials, and are never shown.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) authorities: Option<PathBuf>,
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) sampler: Sampler,
    pub(super) batch: Batch,
    pub(super) resource: Vec<KeyValue>,
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracing({}, {:?}, {:?})", Shown(&self.url), self.protocol, self.sampler)
    }
}

/// A flag, or a file that it names, cannot be used: a sentence for people.
#[derive(Debug)]
pub struct TracingError(String);

impl fmt::Display for TracingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TracingError {}

impl TracingError {
    pub(super) fn file(variable: &str, path: &Path, what: &dyn fmt::Display) -> Self {
        Self(format!("{variable}: {} cannot be used: {what}", path.display()))
    }

    pub(super) fn client(error: &reqwest::Error) -> Self {
        Self(format!("traces cannot be sent: {error}"))
    }
}

/// Reads variables, and keeps what is to be told of them. An empty one counts as absent.
struct Reader<'v> {
    variable: &'v dyn Fn(&str) -> Option<String>,
    told: Vec<String>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// `OTEL_EXPORTER_OTLP_TRACES_NAME`, or `OTEL_EXPORTER_OTLP_NAME` for all signals.
    fn otlp(&self, name: &str) -> Option<String> {
        let own = self.get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
        own.or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }

    /// A whole number from 1 on.
    fn number(&mut self, name: &str, otherwise: u64) -> u64 {
        let Some(text) = self.get(name) else { return otherwise };
        text.parse().ok().filter(|number| *number > 0).unwrap_or_else(|| {
            self.told.push(format!("{name}: {text:?} is no whole number above 0: {otherwise} it is"));
            otherwise
        })
    }

    /// `name=value,name=value`, with values percent-encoded.
    fn pairs(&mut self, name: &str, list: Option<String>) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for pair in list.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|pair| !pair.is_empty()) {
            let split = pair.split_once('=').and_then(|(key, value)| Some((key.trim(), decoded(value.trim())?)));
            match split {
                Some((key, value)) if !key.is_empty() => pairs.push((key.to_owned(), value)),
                // It may be a credential: it is not shown.
                _ => self.told.push(format!("{name}: an entry is not NAME=VALUE, percent-encoded: it is left out")),
            }
        }
        pairs
    }
}

impl Tracing {
    /// By `--otlp-endpoint` and the variables; `None` where no endpoint is named, or traces are switched off. Beside it
    /// what could not be used.
    ///
    /// # Errors
    /// `--otlp-endpoint` is no URL of a collector.
    pub fn from_environment(
        flag: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Option<Self>, Vec<String>), TracingError> {
        let mut read = Reader { variable, told: Vec::new() };
        let named = match flag {
            Some(text) => Some(("--otlp-endpoint", Endpoint::parse(text, true))),
            None if is_off(&mut read) => None,
            None => endpoint(&read),
        };
        let Some((name, endpoint)) = named else { return Ok((None, read.told)) };
        let target = endpoint.and_then(|endpoint| {
            let protocol = protocol(&mut read, &endpoint);
            Ok((endpoint.target(protocol)?, protocol))
        });
        let (url, protocol) = match target {
            Ok(target) => target,
            Err(what) if flag.is_some() => return Err(TracingError(format!("{name}: {what}"))),
            Err(what) => {
                read.told.push(format!("{name}: {what}: no traces are sent"));
                return Ok((None, read.told));
            }
        };
        let tracing = Self {
            url,
            protocol,
            is_gzip: is_gzip(&mut read),
            headers: headers(&mut read),
            timeout: Duration::from_millis(timeout(&mut read)),
            authorities: read.otlp("CERTIFICATE").map(PathBuf::from),
            identity: read
                .otlp("CLIENT_CERTIFICATE")
                .zip(read.otlp("CLIENT_KEY"))
                .map(|(cert, key)| (cert.into(), key.into())),
            sampler: sampler(&mut read),
            batch: batch(&mut read),
            resource: resource(&mut read),
        };
        Ok((Some(tracing), read.told))
    }
}

fn is_off(read: &mut Reader<'_>) -> bool {
    let exporters = read.get("OTEL_TRACES_EXPORTER");
    let other = exporters.filter(|exporters| exporters.split(',').all(|exporter| exporter.trim() != "otlp"));
    if let Some(other) = other.as_ref().filter(|other| *other != "none") {
        read.told.push(format!("OTEL_TRACES_EXPORTER: {other:?} is not otlp: no traces are sent"));
    }
    other.is_some() || read.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The variable that names a collector, and what it says.
fn endpoint(read: &Reader<'_>) -> Option<(&'static str, Result<Endpoint, &'static str>)> {
    let named = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", false), ("OTEL_EXPORTER_OTLP_ENDPOINT", true)];
    named.into_iter().find_map(|(name, is_base)| Some((name, Endpoint::parse(&read.get(name)?, is_base))))
}

fn protocol(read: &mut Reader<'_>, endpoint: &Endpoint) -> Protocol {
    match read.otlp("PROTOCOL").as_deref() {
        None => endpoint.usual(),
        Some("grpc") => Protocol::Grpc,
        Some("http/protobuf") => Protocol::Http,
        Some(other) => {
            read.told.push(format!("OTEL_EXPORTER_OTLP_PROTOCOL: {other:?} is neither grpc nor http/protobuf: the usual one of the port is spoken"));
            endpoint.usual()
        }
    }
}

fn is_gzip(read: &mut Reader<'_>) -> bool {
    let compression = read.otlp("COMPRESSION");
    if let Some(other) = compression.as_ref().filter(|compression| !matches!(compression.as_str(), "gzip" | "none")) {
        read.told.push(format!(
            "OTEL_EXPORTER_OTLP_COMPRESSION: {other:?} is neither gzip nor none: traces are sent as they are"
        ));
    }
    compression.as_deref() == Some("gzip")
}

fn headers(read: &mut Reader<'_>) -> HeaderMap {
    let list = read.otlp("HEADERS");
    let mut headers = HeaderMap::new();
    for (name, value) in read.pairs("OTEL_EXPORTER_OTLP_HEADERS", list) {
        let pair = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
        let Some((name, mut value)) = pair else {
            read.told.push("OTEL_EXPORTER_OTLP_HEADERS: an entry is no header: it is left out".into());
            continue;
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    headers
}

fn timeout(read: &mut Reader<'_>) -> u64 {
    let all = read.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000);
    read.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", all)
}

fn sampler(read: &mut Reader<'_>) -> Sampler {
    let Some(name) = read.get("OTEL_TRACES_SAMPLER") else { return Sampler::default() };
    Sampler::named(&name, read.get("OTEL_TRACES_SAMPLER_ARG").as_deref()).unwrap_or_else(|what| {
        read.told.push(format!("{what}: parentbased_always_on it is"));
        Sampler::default()
    })
}

fn batch(read: &mut Reader<'_>) -> Batch {
    let usual = Batch::default();
    let mut size = |name, otherwise: usize, most| {
        let number = read.number(name, u64::try_from(otherwise).unwrap_or(u64::MAX));
        usize::try_from(number).unwrap_or(most).min(most)
    };
    // Bounds of memory: a span takes about a kilobyte.
    let queue = size("OTEL_BSP_MAX_QUEUE_SIZE", usual.queue, 65_536);
    let size = size("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", usual.size, 4096).min(queue);
    Batch { queue, size, delay: Duration::from_millis(read.number("OTEL_BSP_SCHEDULE_DELAY", 5000)) }
}

/// Attributes of this process: `OTEL_SERVICE_NAME` before `OTEL_RESOURCE_ATTRIBUTES` before what we say ourselves.
fn resource(read: &mut Reader<'_>) -> Vec<KeyValue> {
    let list = read.get("OTEL_RESOURCE_ATTRIBUTES");
    let mut pairs = read.pairs("OTEL_RESOURCE_ATTRIBUTES", list);
    if let Some(name) = read.get("OTEL_SERVICE_NAME") {
        pairs.retain(|(key, _)| key != "service.name");
        pairs.push(("service.name".into(), name));
    }
    let own = [
        ("service.name", "credence".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", Uuid::now_v7().to_string()),
    ];
    for (key, value) in own {
        if pairs.iter().all(|(known, _)| known != key) {
            pairs.push((key.into(), value));
        }
    }
    pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(text(&value)) }).collect()
}

/// Percent-decoding (RFC 3986 §2.1).
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        // A sign would be read, too.
        let (code, rest) = part.split_at_checked(2).filter(|(code, _)| !code.starts_with('+'))?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
