//! How the URLs of one source are visited: whom to believe, what to show, and to whom.

use std::path::{Path, PathBuf};

use reqwest::Proxy;
use reqwest::header::HeaderValue;
use rustls::pki_types::CertificateDer;

use super::error::FetchError;
use super::file::{Disk, Vault};
use super::memory::Memory;
use super::proxy;
use super::surroundings::Surroundings;
use super::tls::{ClientPem, Tls, certificates};
use super::url::KeyUrl;
use crate::keys::{Access, FetchResult, KeyFormat, KeyOrigin, ServerIdentity};
use crate::name::TrustDomain;

/// A source, and the URL that is written in the table for it: credentials go to its origin and to no other.
pub(super) struct Visit<'a> {
    access: &'a Access,
    /// The trust domain whose bundle this is.
    trust_domain: Option<&'a TrustDomain>,
    configured: KeyUrl,
    surroundings: &'a Surroundings,
    /// Whether the service account stands for what the table does not say.
    in_cluster: bool,
}

/// What one exchange is made with. Read anew for each, since all of it rotates.
pub(super) struct Kit {
    pub(super) tls: Tls,
    /// The whole `Authorization`.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) proxy: ProxyChoice,
    /// Where the authorities come from, for messages.
    pub(super) ca_file: Option<String>,
}

/// Whether a proxy is used.
pub(super) enum ProxyChoice {
    /// As the environment says.
    Environment,
    /// This one; host and port, for messages.
    Table(Box<Proxy>, String),
    /// None.
    Direct,
}

impl<'a> Visit<'a> {
    pub(super) fn new(origin: &'a KeyOrigin, configured: KeyUrl, surroundings: &'a Surroundings) -> Self {
        let trust_domain = match &origin.format {
            KeyFormat::SpiffeBundle(name) => Some(name),
            KeyFormat::JwkSet => None,
        };
        Self { access: &origin.access, trust_domain, configured, surroundings, in_cluster: false }
    }

    /// A visit to the API server of the cluster around.
    pub(super) fn in_cluster(origin: &'a KeyOrigin, surroundings: &'a Surroundings) -> Result<Self, FetchError> {
        let visit = Self::new(origin, surroundings.cluster_keys()?, surroundings);
        Ok(Self { in_cluster: true, ..visit })
    }

    pub(super) const fn configured(&self) -> &KeyUrl {
        &self.configured
    }

    /// What to visit `url` with.
    pub(super) async fn kit(&self, url: &KeyUrl, memory: &Memory) -> Result<Kit, FetchError> {
        let mut kit = Kit { tls: Tls::default(), authorization: None, proxy: self.proxy()?, ca_file: None };
        if url.is_plain() {
            if let ServerIdentity::Spiffe(id) = &self.access.server {
                let what = format!("is http, over which no server can prove to be {id}: use https");
                return Err(FetchError::new(FetchResult::Url, url, what));
            }
        } else {
            kit.tls.server = self.access.server.clone();
            kit.tls.authorities = self.authorities(memory).await?;
            kit.ca_file = self.ca_file().map(|path| self.told(&path));
        }
        if self.configured.is_same_origin(url) {
            kit.authorization = self.authorization(&memory.disk).await?;
            kit.tls.client = if url.is_plain() { None } else { self.client(&memory.disk).await? };
        }
        Ok(kit)
    }

    /// `caFile`, and for a server of the very trust domain that the bundle is of, what the bundle says itself.
    async fn authorities(&self, memory: &Memory) -> Result<Option<Vec<CertificateDer<'static>>>, FetchError> {
        let mut authorities = match self.ca_file() {
            Some(path) => Some(read_authorities(&path, &memory.disk).await?),
            None => None,
        };
        let own = match (&self.access.server, self.trust_domain) {
            (ServerIdentity::Spiffe(id), Some(domain)) => is_of(id, domain),
            _ => false,
        };
        if own && !memory.bundle.authorities().is_empty() {
            let known = memory.bundle.authorities().iter().cloned().map(CertificateDer::from);
            authorities.get_or_insert_default().extend(known);
        }
        Ok(authorities)
    }

    fn ca_file(&self) -> Option<PathBuf> {
        let own = || self.in_cluster.then(|| self.surroundings.service_account().join("ca.crt"));
        self.access.ca_file.clone().or_else(own)
    }

    /// The file of the authorities, for messages.
    fn told(&self, path: &Path) -> String {
        match self.access.ca_file {
            Some(_) => format!("caFile {}", path.display()),
            None => path.display().to_string(),
        }
    }

    async fn authorization(&self, disk: &Disk) -> Result<Option<HeaderValue>, FetchError> {
        let account = self.surroundings.service_account();
        let (path, directory, field) = match &self.access.bearer_token_file {
            Some(path) => (path.clone(), self.surroundings.secrets_dir.as_deref(), "bearerTokenFile"),
            None if self.in_cluster => (account.join("token"), Some(account), "kubernetes: inCluster"),
            None => return Ok(None),
        };
        let token = Vault { disk, directory, field }.token(&path).await?;
        let unusable = |_| FetchError::new(FetchResult::File, path.display(), "holds no token that can be sent");
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat()).map_err(unusable)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn client(&self, disk: &Disk) -> Result<Option<ClientPem>, FetchError> {
        let Some(files) = &self.access.client_certificate else { return Ok(None) };
        let vault = Vault { disk, directory: self.surroundings.secrets_dir.as_deref(), field: "clientKeyFile" };
        let key = vault.read(&files.key).await?;
        // The certificate is no secret: any peer gets to see it.
        let chain = disk.read(&files.certificate).await?;
        Ok(Some(ClientPem { chain, key }))
    }

    /// The API server of the cluster around is next door, so the environment's proxy is not for it.
    fn proxy(&self) -> Result<ProxyChoice, FetchError> {
        match &self.access.proxy {
            Some(written) => {
                let (proxy, place) = proxy::of_table(written)?;
                Ok(ProxyChoice::Table(Box::new(proxy), place))
            }
            None if self.in_cluster => Ok(ProxyChoice::Direct),
            None => Ok(ProxyChoice::Environment),
        }
    }
}

async fn read_authorities(path: &Path, disk: &Disk) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    let pem = disk.read(path).await?;
    certificates(&pem).ok_or_else(|| {
        FetchError::new(FetchResult::File, path.display(), "holds no PEM certificate, or a damaged one (caFile)")
    })
}

/// Whether a SPIFFE ID is of this trust domain.
fn is_of(id: &str, domain: &TrustDomain) -> bool {
    let rest = id.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(domain.as_str()));
    rest.is_some_and(|path| path.is_empty() || path.starts_with('/'))
}
