//! What is needed to get at a store: its address, and files that are read anew for every connection.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisResult, ServerErrorKind, TlsCertificates, TlsMode,
};

use super::address::StoreAddress;
use super::part::Part;
use super::trouble::{Kind, Trouble};

/// The largest file read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// So often at most a node of a cluster is believed about whose a part is.
const HOPS: usize = 3;

/// How long the store may take to answer what no call waits for.
const REPLY: Duration = Duration::from_secs(1);

/// `--replay-store` and what belongs to it.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where.
    pub address: StoreAddress,
    /// `--replay-password-file`
    pub password: Option<PathBuf>,
    /// `--replay-ca-file`
    pub authorities: Option<PathBuf>,
    /// `--replay-client-cert` and `--replay-client-key`
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Flags that do not stand together, or a file that cannot be used.
#[derive(Debug)]
pub struct AccessError(pub(super) String);

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AccessError {}

/// What the files hold at a moment. Neither is ever shown.
pub(super) struct Files {
    password: Option<String>,
    certificates: TlsCertificates,
}

impl Access {
    /// From the flags; none for the embedded store.
    ///
    /// # Errors
    /// An address that is none, or flags without the one they belong to.
    pub fn from_flags(
        store: &str,
        password: Option<PathBuf>,
        authorities: Option<PathBuf>,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Option<Self>, AccessError> {
        let refuse = |text: String| Err(AccessError(text));
        let tls_flag =
            [(&authorities, "--replay-ca-file"), (&certificate, "--replay-client-cert"), (&key, "--replay-client-key")];
        let tls_flag = tls_flag.into_iter().find_map(|(file, flag)| file.is_some().then_some(flag));
        if store == "embedded" {
            return match tls_flag.or(password.is_some().then_some("--replay-password-file")) {
                Some(flag) => refuse(format!("{flag} belongs to a shared store: name that with --replay-store")),
                None => Ok(None),
            };
        }
        let address: StoreAddress = store.parse().map_err(|error| AccessError(format!("--replay-store: {error}")))?;
        if let (false, Some(flag)) = (address.tls, tls_flag) {
            return refuse(format!("{flag} means nothing without TLS: write rediss:// in --replay-store"));
        }
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return refuse("--replay-client-cert and --replay-client-key need each other".to_owned()),
        };
        Ok(Some(Self { address, password, authorities, identity }))
    }

    /// Reads the files, off the runtime.
    pub(super) async fn files(&self) -> Result<Files, AccessError> {
        let access = self.clone();
        let read = tokio::task::spawn_blocking(move || access.read());
        read.await.unwrap_or_else(|_| Err(AccessError("reading the files of --replay-store panicked".to_owned())))
    }

    fn read(&self) -> Result<Files, AccessError> {
        let password = match &self.password {
            Some(path) => Some(password(path)?),
            None => None,
        };
        let root_cert = match &self.authorities {
            Some(path) => Some(read("--replay-ca-file", path)?),
            None => None,
        };
        let client_tls = match &self.identity {
            Some((certificate, key)) => Some(ClientTlsConfig {
                client_cert: read("--replay-client-cert", certificate)?,
                client_key: read("--replay-client-key", key)?,
            }),
            None => None,
        };
        Ok(Files { password, certificates: TlsCertificates { client_tls, root_cert } })
    }

    /// Connects to who has this part, and shows user and password. Of a cluster the node at this place in the address is
    /// asked first, and the others where it does not know.
    pub(super) async fn connect(
        &self,
        part: Part,
        first: usize,
    ) -> Result<(MultiplexedConnection, StoreAddress), Trouble> {
        if !self.address.cluster {
            return Ok((self.reach(&self.address).await?, self.address.clone()));
        }
        let mut trouble = Trouble::late(&self.address);
        let hosts = &self.address.hosts;
        for (host, port) in hosts.iter().cycle().skip(first % hosts.len().max(1)).take(hosts.len()) {
            match self.owner(part, self.address.node(host, *port)).await {
                Ok(found) => return Ok(found),
                Err(why) => trouble = why,
            }
        }
        Err(trouble)
    }

    /// Goes from node to node until one has the slot of this part for itself.
    async fn owner(
        &self,
        part: Part,
        mut node: StoreAddress,
    ) -> Result<(MultiplexedConnection, StoreAddress), Trouble> {
        let mut hops = 0;
        loop {
            let mut connection = self.reach(&node).await?;
            let asked: RedisResult<()> = redis::cmd("GET").arg(part.nothing()).query_async(&mut connection).await;
            let Err(error) = asked else { return Ok((connection, node)) };
            let moved = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved));
            let to = error.redirect_node().filter(|_| moved && hops < HOPS).and_then(|(to, _)| to.rsplit_once(':'));
            let Some((host, Ok(port))) = to.map(|(host, port)| (host, port.parse())) else {
                return Err(Trouble::of(&error, &node));
            };
            hops += 1;
            node = match node.hosts.first() {
                // A node that does not know its own name means the one by which it was reached.
                Some((same, _)) if host.is_empty() => node.node(same, port),
                _ => node.node(host, port),
            };
        }
    }

    async fn reach(&self, address: &StoreAddress) -> Result<MultiplexedConnection, Trouble> {
        let files = self.files().await.map_err(|error| Trouble::new(Kind::Files, error.to_string()))?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(REPLY));
        let connecting = async {
            match &address.service {
                None => self.client(address, files)?.get_multiplexed_async_connection_with_config(&config).await,
                Some(service) => {
                    let mut client = self.sentinels(service, files)?.build()?;
                    client.get_async_connection_with_config(&config).await
                }
            }
        };
        // The library's limit is for a try at one address; there may be several, and sentinels to ask before.
        match tokio::time::timeout(2 * CONNECT, connecting).await {
            Ok(connected) => connected.map_err(|error| Trouble::of(&error, address)),
            Err(_late) => Err(Trouble::late(address)),
        }
    }

    fn client(&self, address: &StoreAddress, files: Files) -> RedisResult<Client> {
        let (host, port) = address.hosts.first().cloned().unwrap_or_default();
        let mut settings = RedisConnectionInfo::default().set_db(self.address.database).set_skip_set_lib_name();
        if let Some(user) = &self.address.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &files.password {
            settings = settings.set_password(password);
        }
        let info = host_address(self.address.tls, host, port).into_connection_info()?.set_redis_settings(settings);
        if self.address.tls { Client::build_with_tls(info, files.certificates) } else { Client::open(info) }
    }

    /// User and password are the store's; sentinels are asked without.
    fn sentinels(&self, service: &str, files: Files) -> RedisResult<SentinelClientBuilder> {
        let hosts = self.address.hosts.iter().map(|(host, port)| host_address(self.address.tls, host.clone(), *port));
        let mut builder = SentinelClientBuilder::new(hosts, service, SentinelServerType::Master)?
            .set_client_to_redis_db(self.address.database);
        if let Some(user) = &self.address.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &files.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.address.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(files.certificates.clone())
                .set_client_to_sentinel_certificates(files.certificates);
        }
        Ok(builder)
    }
}

fn host_address(tls: bool, host: String, port: u16) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

/// One line; what ends it is not part of it.
fn password(path: &Path) -> Result<String, AccessError> {
    let flag = "--replay-password-file";
    let text = String::from_utf8(read(flag, path)?)
        .map_err(|_| AccessError(format!("{flag}: {} is not text", path.display())))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(['\n', '\r']) {
        return Err(AccessError(format!("{flag}: {} must hold one line, the password", path.display())));
    }
    Ok(line.to_owned())
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, AccessError> {
    let fault = |why: String| AccessError(format!("{flag}: {} {why}", path.display()));
    let unreadable = |error: std::io::Error| fault(format!("cannot be read: {error}"));
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fault("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(unreadable)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fault(format!("has more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}
