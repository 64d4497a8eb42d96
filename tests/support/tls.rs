//! Certificates that name someone, and a client that shows them.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ALL_VERSIONS, version};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned, SupportedProtocolVersion,
};
use tonic::transport::{Channel, Endpoint};

use super::credence::Credence;
use super::issuer::Ca;
use super::{DEADLINE, runtime};

/// The name of the servers here.
pub const HOST: &str = "credence.acme.test";

/// Preface and empty settings of an HTTP/2 client (RFC 9113 §3.4).
pub const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A certificate and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Ca {
    /// A certificate with these names, good for an hour either way: URIs where there is `://`, DNS names elsewhere.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_for(names, -3600, 3600)
    }

    /// TLS of a server with such a certificate.
    pub fn server_config_of(&self, names: &[&str]) -> Arc<ServerConfig> {
        let Identity { certificate, key } = self.issue(names);
        self.config((certificate, key))
    }

    /// The same from then until then, in seconds from now.
    pub fn issue_for(&self, names: &[&str], from: i64, until: i64) -> Identity {
        let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(super::now().checked_add_signed(seconds).unwrap());
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = |name: &&str| {
            let text = (*name).try_into().unwrap();
            if name.contains("://") { SanType::URI(text) } else { SanType::DnsName(text) }
        };
        params.subject_alt_names = names.iter().map(name).collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (at(from).into(), at(until).into());
        Identity { certificate: params.signed_by(&key, self.issuer()).unwrap(), key }
    }
}

impl Identity {
    /// Writes `NAME.pem` and `NAME.key` into `dir`, each at one stroke: their paths.
    pub fn write(&self, dir: &Path, name: &str) -> (String, String) {
        let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        replace(&certificate, &self.certificate.pem());
        replace(&key, &self.key.serialize_pem());
        (certificate.display().to_string(), key.display().to_string())
    }

    /// The key as it stands in a file.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate.
    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }
}

/// Puts a file into the place of another.
pub fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// A client of a server at [`HOST`].
#[derive(Debug, Clone)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Believes servers of this authority; shows what it is given.
    pub fn new(authority: &Ca, shows: Option<&Identity>) -> Self {
        Self::speaking(ALL_VERSIONS, authority, shows)
    }

    /// The same with TLS 1.2 alone, in which a refusal ends the handshake itself.
    pub fn tls12(authority: &Ca, shows: Option<&Identity>) -> Self {
        Self::speaking(&[&version::TLS12], authority, shows)
    }

    fn speaking(versions: &[&'static SupportedProtocolVersion], authority: &Ca, shows: Option<&Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer().der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![CertificateDer::from(certificate.der().to_vec())], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(Arc::new(config))
    }

    /// The same, offering another protocol than `h2`.
    #[must_use]
    pub fn offering(mut self, protocol: &str) -> Self {
        Arc::make_mut(&mut self.0).alpn_protocols = vec![protocol.into()];
        self
    }

    /// Shakes hands and waits for the first frame of the server: its certificate, or why it did not come to that. (In
    /// TLS 1.3 the client believes itself in before the server has judged its certificate.)
    pub fn enter(&self, address: &str) -> io::Result<(Vec<u8>, StreamOwned<ClientConnection, TcpStream>)> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let session = ClientConnection::new(Arc::clone(&self.0), host()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(GREETING)?;
        stream.read_exact(&mut [0; 9])?;
        let shown = stream.conn.peer_certificates().and_then(|chain| chain.first()).unwrap().to_vec();
        Ok((shown, stream))
    }

    /// A gRPC client over one connection that is made on first use, and again when it is lost.
    pub fn grpc(&self, credence: &Credence) -> AuthorizationClient<Channel> {
        let _inside = runtime().enter();
        let connector = Connector { address: credence.grpc().to_owned(), config: Arc::clone(&self.0) };
        AuthorizationClient::new(Endpoint::from_static("http://credence").connect_with_connector_lazy(connector))
    }
}

fn host() -> ServerName<'static> {
    ServerName::try_from(HOST).unwrap()
}

#[derive(Clone)]
struct Connector {
    address: String,
    config: Arc<ClientConfig>,
}

type Connected = TokioIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

impl tower::Service<http::Uri> for Connector {
    type Response = Connected;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let Self { address, config } = self.clone();
        Box::pin(async move {
            let socket = tokio::net::TcpStream::connect(address).await?;
            Ok(TokioIo::new(TlsConnector::from(config).connect(host(), socket).await?))
        })
    }
}
