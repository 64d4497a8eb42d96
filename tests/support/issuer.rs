//! An issuer of our own: fresh keys, discovery and key set over a real socket, and every way to be out of order.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ALL_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::key::Key;
use super::server::{Received, Server, Stream, reply};
use super::token::Token;

/// The path of the discovery document.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The path of the key set.
pub const JWKS: &str = "/jwks";

/// What a path answers instead of the right thing.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status with an empty body.
    Status(u16),
    /// 200 with this body.
    Body(Vec<u8>),
    /// A redirect to this URL.
    Redirect(String),
    /// The connection is closed without an answer.
    Reset,
    /// Nothing is ever answered.
    Hang,
    /// Two bytes a second, for ever.
    Drip,
    /// The right body, cut in the middle of what `content-length` promised.
    Cut,
    /// The right answer, this much later.
    Late(Duration),
    /// 200 and this many bytes of blanks, as fast as they are taken; nothing says how many.
    Flood(usize),
    /// The right answer, with these header lines besides.
    Headers(Vec<(&'static str, String)>),
    /// 200 with this body, which is said to be compressed.
    Compressed(Vec<u8>),
}

#[derive(Debug, Default)]
struct State {
    url: String,
    keys: Vec<Arc<Key>>,
    extra: Vec<Value>,
    discovery: Option<Value>,
    faults: HashMap<String, Fault>,
    hits: HashMap<String, usize>,
    jwks_path: Option<String>,
    demanded: Option<String>,
    shown: Vec<(String, Option<String>)>,
}

/// A running issuer. Its `iss` is its own URL, so discovery works as with any other.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    state: Arc<Mutex<State>>,
    _server: Server,
}

impl Issuer {
    /// Plain HTTP on loopback, with one ES256 key.
    pub fn start() -> Self {
        Self::with(&["ES256"])
    }

    /// Plain HTTP on loopback, with a key for each algorithm, named `key-ALG`.
    pub fn with(algs: &[&str]) -> Self {
        Self::serve(algs, None)
    }

    /// HTTPS with a certificate of `ca`.
    pub fn https(algs: &[&str], ca: &Ca) -> Self {
        Self::serve(algs, Some(ca.server_config("localhost")))
    }

    /// HTTPS with a certificate of `ca` for this host, which need not lead here.
    pub fn https_as(host: &str, algs: &[&str], ca: &Ca) -> Self {
        Self::serve(algs, Some(ca.server_config(host)))
    }

    /// HTTPS with a certificate of `ca`, only for clients with a certificate of `clients`.
    pub fn https_mutual(algs: &[&str], ca: &Ca, clients: &Ca) -> Self {
        Self::serve(algs, Some(ca.mutual_config("localhost", clients)))
    }

    /// HTTPS in this way, at `https://localhost`.
    pub fn https_by(algs: &[&str], tls: Arc<ServerConfig>) -> Self {
        Self::serve(algs, Some(tls))
    }

    fn serve(algs: &[&str], tls: Option<Arc<ServerConfig>>) -> Self {
        let keys = algs.iter().map(|alg| Arc::new(Key::generate(&format!("key-{alg}"), alg))).collect();
        let state = Arc::new(Mutex::new(State { keys, ..State::default() }));
        let (scheme, host) = if tls.is_some() { ("https", "localhost") } else { ("http", "127.0.0.1") };
        let shared = Arc::clone(&state);
        let server = Server::start(tls, move |request, stream| answer(&shared, request, stream));
        let url = format!("{scheme}://{host}:{}", server.address().port());
        state.lock().unwrap().url.clone_from(&url);
        Self { url, state, _server: server }
    }

    /// The `iss` of its tokens, also where its discovery document is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of its key set.
    pub fn jwks_uri(&self) -> String {
        format!("{}{JWKS}", self.url)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The key that signs: the first published one.
    pub fn key(&self) -> Arc<Key> {
        Arc::clone(self.state().keys.first().expect("this issuer publishes no key"))
    }

    /// The published key for an algorithm.
    pub fn key_for(&self, alg: &str) -> Arc<Key> {
        Arc::clone(self.state().keys.iter().find(|key| key.alg == alg).unwrap_or_else(|| panic!("no key for {alg}")))
    }

    /// Publishes these keys and no other from now on.
    pub fn publish(&self, keys: &[Arc<Key>]) {
        self.state().keys = keys.to_vec();
    }

    /// Publishes these JWKs as they are, beside the real keys.
    pub fn publish_also(&self, jwks: Vec<Value>) {
        self.state().extra = jwks;
    }

    /// Serves this discovery document instead of the right one.
    pub fn discovery(&self, document: Value) {
        self.state().discovery = Some(document);
    }

    /// Publishes its keys at this path too.
    pub fn jwks_at(&self, path: &str) {
        self.state().jwks_path = Some(path.to_owned());
    }

    /// Answers 401 from now on unless this bearer token is shown.
    pub fn demand(&self, token: &str) {
        self.state().demanded = Some(format!("Bearer {token}"));
    }

    /// Every path that was asked for, and the `Authorization` that was shown there.
    pub fn shown(&self) -> Vec<(String, Option<String>)> {
        self.state().shown.clone()
    }

    /// The port it listens on.
    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    /// A token that should be believed, signed by [`Issuer::key`].
    pub fn token(&self, sub: &str, aud: &str) -> Token {
        Token::new(&self.key(), &self.url, sub, aud)
    }

    /// Makes `path` answer wrongly from now on, or rightly again.
    pub fn fault(&self, path: &str, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.state().faults.insert(path.to_owned(), fault),
            None => self.state().faults.remove(path),
        };
    }

    /// How often `path` was asked for.
    pub fn hits(&self, path: &str) -> usize {
        self.state().hits.get(path).copied().unwrap_or(0)
    }

    /// How often anything was asked for.
    pub fn all_hits(&self) -> usize {
        self.state().hits.values().sum()
    }

    /// Every `Authorization` that ever arrived.
    pub fn credentials(&self) -> Vec<String> {
        self.state().shown.iter().filter_map(|(_, shown)| shown.clone()).collect()
    }

    /// The published key set.
    pub fn jwks(&self) -> Value {
        key_set(&self.state())
    }
}

fn key_set(state: &State) -> Value {
    let keys: Vec<Value> = state.extra.iter().cloned().chain(state.keys.iter().map(|key| key.jwk())).collect();
    json!({ "keys": keys })
}

/// Answers one request by the state at that moment.
fn answer(state: &Mutex<State>, request: &Received, stream: &mut dyn Stream) -> io::Result<()> {
    let (fault, body) = {
        let mut state = state.lock().unwrap();
        *state.hits.entry(request.target.clone()).or_default() += 1;
        let shown = request.header("authorization").map(str::to_owned);
        let refused = state.demanded.is_some() && state.demanded != shown;
        state.shown.push((request.target.clone(), shown));
        if refused {
            drop(state);
            return reply(stream, 401, &[], b"");
        }
        let body = match request.target.as_str() {
            DISCOVERY => Some(state.discovery.clone().unwrap_or_else(|| {
                json!({"issuer": state.url, "jwks_uri": format!("{}{JWKS}", state.url), "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]})
            })),
            JWKS => Some(key_set(&state)),
            path if state.jwks_path.as_deref() == Some(path) => Some(key_set(&state)),
            _ => None,
        };
        (state.faults.get(&request.target).cloned(), body.map(|body| body.to_string().into_bytes()))
    };
    let json = [("content-type", "application/json")];
    let right = |stream: &mut dyn Stream| match &body {
        Some(body) => reply(stream, 200, &json, body),
        None => reply(stream, 404, &[], b""),
    };
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match fault {
        None => right(stream),
        Some(Fault::Status(status)) => reply(stream, status, &json, b""),
        Some(Fault::Body(body)) => reply(stream, 200, &json, &body),
        Some(Fault::Redirect(url)) => reply(stream, 302, &[("location", &url)], b""),
        Some(Fault::Reset) => closed(),
        Some(Fault::Late(time)) => {
            std::thread::sleep(time);
            right(stream)
        }
        Some(Fault::Hang) => {
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 1]);
            closed()
        }
        Some(Fault::Drip) => {
            stream.write_all(b"HTTP/1.1 200 .\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"  ")?;
                stream.flush()?;
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        Some(Fault::Headers(more)) => {
            let lines: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).chain(json).collect();
            reply(stream, 200, &lines, &body.unwrap_or_default())
        }
        Some(Fault::Compressed(body)) => reply(stream, 200, &[("content-encoding", "gzip")], &body),
        Some(Fault::Flood(bytes)) => {
            stream.write_all(b"HTTP/1.1 200 .\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")?;
            for _ in 0..bytes.div_ceil(1 << 16) {
                stream.write_all(&[b' '; 1 << 16])?;
            }
            closed()
        }
        Some(Fault::Cut) => {
            let body = body.unwrap_or_default();
            write!(
                stream,
                "HTTP/1.1 200 .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body[..body.len() / 2])?;
            stream.flush()?;
            closed()
        }
    }
}

/// A certificate authority that only this test knows.
#[derive(Debug)]
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    /// A fresh one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority for tests");
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Its certificate in PEM, for `caFile`.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes the certificate into `dir` and says where.
    pub fn write(&self, dir: &Path) -> String {
        let path = dir.join("ca.pem");
        std::fs::write(&path, self.pem()).unwrap();
        path.display().to_string()
    }

    /// A server's TLS with a fresh certificate for `host`.
    pub fn server_config(&self, host: &str) -> Arc<ServerConfig> {
        self.config(self.certificate(host))
    }

    /// A server's TLS with a certificate for `host` that ends so many days from now; in the past if they are negative.
    pub fn server_config_until(&self, host: &str, days: i64) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let day = Duration::from_secs(24 * 3600 * days.unsigned_abs());
        let now = std::time::SystemTime::now();
        let end = if days < 0 { now - day } else { now + day + Duration::from_secs(3600) };
        params.not_after = end.into();
        self.config((params.signed_by(&key, &self.issuer).unwrap(), key))
    }

    pub(super) fn config(&self, (certificate, key): (rcgen::Certificate, KeyPair)) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// The same, for clients with a certificate of `clients` alone.
    pub fn mutual_config(&self, host: &str, clients: &Self) -> Arc<ServerConfig> {
        self.mutual_config_in(ALL_VERSIONS, host, clients)
    }

    /// The same in these versions of TLS: in 1.2 alone a refusal ends the handshake itself.
    pub fn mutual_config_in(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        host: &str,
        clients: &Self,
    ) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(clients.issuer.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let (certificate, key) = self.certificate(host);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_protocol_versions(versions).with_client_cert_verifier(verifier);
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// A server's certificate and key as files in `dir`: their paths.
    pub fn write_server(&self, dir: &Path, host: &str) -> (String, String) {
        let (certificate, key) = self.certificate(host);
        let (chain, private) = (dir.join("server.pem"), dir.join("server.key"));
        std::fs::write(&chain, certificate.pem()).unwrap();
        std::fs::write(&private, key.serialize_pem()).unwrap();
        (chain.display().to_string(), private.display().to_string())
    }

    /// Signs what it is asked to sign.
    pub(super) const fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuer
    }

    fn certificate(&self, host: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}
