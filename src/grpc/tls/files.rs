//! From flags to files, and from files to what rustls needs. No text of a private key leaves this file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::aws_lc_rs::digest::{Context, SHA256};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::Protection;
use super::certificate::Validity;
use super::peer::{Allowed, Peer};
use super::verifier::NamedPeers;

/// The largest file that is read: chains and bundles are far smaller.
const MAX_FILE: u64 = 4 << 20;

/// Why there is no TLS, in a sentence that names the flag and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

fn refuse<T>(sentence: impl Into<String>) -> Result<T, TlsError> {
    Err(TlsError(sentence.into()))
}

/// The files of a listener with TLS, and who may ask there.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<Clients>,
}

#[derive(Debug, Clone)]
struct Clients {
    authority: PathBuf,
    allowed: Allowed,
}

/// What the files hold now.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

/// What connections are greeted with.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) validity: Validity,
    pub(super) digest: [u8; 32],
}

impl TlsFiles {
    /// From `--tls-cert`, `--tls-key`, `--tls-client-ca` and `--allow-peer`; none of them: no TLS. Reads no file.
    ///
    /// # Errors
    /// Flags that do not stand together.
    pub fn from_flags(
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
        authority: Option<PathBuf>,
        peers: Vec<Peer>,
    ) -> Result<Option<Self>, TlsError> {
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => return refuse("--tls-cert needs --tls-key FILE, the private key of that certificate"),
            (None, Some(_)) => return refuse("--tls-key needs --tls-cert FILE, the certificate of that key"),
            (None, None) if authority.is_some() => {
                return refuse(
                    "--tls-client-ca needs --tls-cert and --tls-key: clients show a certificate only over TLS",
                );
            }
            (None, None) if !peers.is_empty() => {
                return refuse(
                    "--allow-peer needs --tls-cert, --tls-key and --tls-client-ca: it names certificates of clients",
                );
            }
            (None, None) => return Ok(None),
        };
        let clients = match (authority, peers) {
            (None, peers) if peers.is_empty() => None,
            (None, _) => return refuse("--allow-peer needs --tls-client-ca FILE: who vouches for those names?"),
            (Some(_), peers) if peers.is_empty() => {
                return refuse(
                    "--tls-client-ca alone would let in every certificate that this authority ever signs: name who may \
                     ask with --allow-peer, such as spiffe://acme.test/ns/gateways/sa/envoy or gateway.acme.test, or \
                     write --allow-peer any",
                );
            }
            (Some(_), peers) if peers.len() > 1 && peers.contains(&Peer::Any) => {
                return refuse(
                    "--allow-peer: `any` beside names would make them meaningless: leave one or the other away",
                );
            }
            (Some(authority), peers) => Some(Clients { authority, allowed: Allowed::new(peers) }),
        };
        Ok(Some(Self { certificate, key, clients }))
    }

    /// How well this protects a listener.
    pub const fn protection(&self) -> Protection {
        if self.clients.is_some() { Protection::Mutual } else { Protection::Tls }
    }

    /// Who may ask, if clients show a certificate.
    pub(super) fn allowed(&self) -> Option<&Allowed> {
        self.clients.as_ref().map(|clients| &clients.allowed)
    }

    /// Reads all files. Blocks.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read("--tls-cert", &self.certificate)?,
            key: read("--tls-key", &self.key)?,
            authority: match &self.clients {
                Some(clients) => Some(read("--tls-client-ca", &clients.authority)?),
                None => None,
            },
        })
    }

    /// Makes of the files what connections are greeted with.
    pub(super) fn load(&self, contents: &Contents) -> Result<Loaded, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates("--tls-cert", &self.certificate, &contents.certificate)?;
        let Some(validity) = chain.first().and_then(|own| Validity::of(own)) else {
            return refuse(format!("--tls-cert {}: the first certificate cannot be read", self.certificate.display()));
        };
        let own = self.own(chain, &contents.key, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError(format!("TLS cannot be set up: {error}")))?;
        let builder = match (&self.clients, &contents.authority) {
            (Some(clients), Some(pem)) => {
                builder.with_client_cert_verifier(Arc::new(verifier(clients, pem, provider)?))
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would not show its certificate again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Loaded { config: Arc::new(config), validity, digest: contents.digest() })
    }

    fn own(
        &self,
        chain: Vec<CertificateDer<'static>>,
        pem: &[u8],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsError> {
        // An error of the parser may quote the line at which it stopped: it is not told.
        let Ok(key) = PrivateKeyDer::from_pem_slice(pem) else {
            return refuse(format!(
                "--tls-key {}: holds no private key: PEM without a password is wanted (PKCS#8, PKCS#1 or SEC1)",
                self.key.display()
            ));
        };
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            TlsError(match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                    "--tls-key {}: is not the key of the first certificate in --tls-cert {}",
                    self.key.display(),
                    self.certificate.display()
                ),
                _ => format!(
                    "--tls-key {}: holds a key that cannot be used: RSA from 2048 bits, P-256, P-384, P-521 or Ed25519",
                    self.key.display()
                ),
            })
        })
    }
}

impl Contents {
    /// Tells whether two reads saw the same.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for part in [Some(&self.certificate), Some(&self.key), self.authority.as_ref()].into_iter().flatten() {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

fn verifier(clients: &Clients, pem: &[u8], provider: Arc<CryptoProvider>) -> Result<NamedPeers, TlsError> {
    let path = &clients.authority;
    let mut roots = RootCertStore::empty();
    for certificate in certificates("--tls-client-ca", path, pem)? {
        roots.add(certificate).map_err(|error| {
            TlsError(format!("--tls-client-ca {}: holds a certificate that is no authority: {error}", path.display()))
        })?;
    }
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsError(format!("--tls-client-ca {}: {error}", path.display())))?;
    Ok(NamedPeers::new(chain, clients.allowed.clone()))
}

fn certificates(flag: &str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => refuse(format!("{flag} {}: holds no certificate in PEM", path.display())),
        // Not the parser's words: somebody may have given the file of the key here.
        Err(_) => refuse(format!("{flag} {}: is not whole: PEM that cannot be read", path.display())),
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let taken: io::Result<usize> = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match taken {
        Err(error) => refuse(format!("{flag} {}: cannot be read: {error}", path.display())),
        Ok(length) if length as u64 > MAX_FILE => {
            refuse(format!("{flag} {}: is larger than {MAX_FILE} bytes", path.display()))
        }
        Ok(_) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(given: &[&str], peers: &[&str]) -> Result<Option<TlsFiles>, TlsError> {
        let file = |name: &str| given.contains(&name).then(|| PathBuf::from(name));
        let peers = peers.iter().map(|peer| peer.parse().unwrap()).collect();
        TlsFiles::from_flags(file("cert"), file("key"), file("ca"), peers)
    }

    #[test]
    fn flags_that_stand_together_say_how_well_they_protect() {
        let protection = |given, peers| flags(given, peers).unwrap().map(|files| files.protection());
        assert_eq!(protection(&[], &[]), None);
        assert_eq!(protection(&["cert", "key"], &[]), Some(Protection::Tls));
        assert_eq!(protection(&["cert", "key", "ca"], &["gw.test", "any.test"]), Some(Protection::Mutual));
        assert_eq!(protection(&["cert", "key", "ca"], &["any"]), Some(Protection::Mutual));
    }

    #[test]
    fn flags_that_do_not_stand_together_are_refused_with_the_flag_that_is_missing() {
        for (given, peers, words) in [
            (&["cert"][..], &[][..], "--tls-key"),
            (&["key"], &[], "--tls-cert"),
            (&["ca"], &[], "--tls-cert and --tls-key"),
            (&[], &["gw.test"], "--tls-client-ca"),
            (&["cert", "key"], &["gw.test"], "--tls-client-ca"),
            (&["cert", "key", "ca"], &[], "--allow-peer any"),
            (&["cert", "key", "ca"], &["any", "gw.test"], "`any`"),
        ] {
            let error = flags(given, peers).unwrap_err().to_string();
            assert!(error.contains(words), "{given:?} {peers:?}: {error}");
        }
    }
}
