//! The files in force, and the watch over them: a good change is for the next connection, a bad one for nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::certificate::Standing;
use super::files::{Contents, Loaded};
use super::{Protection, TlsError, TlsFiles, Validity};
use crate::clock::Clock;
use crate::observe::HandshakeCounts;

/// How often the files are read. Renewals come hours ahead, so seconds are soon enough, and reading by content sees
/// every way of replacing a file.
const POLL: Duration = Duration::from_secs(2);

/// Time between the two reads that must see the same: certificate and key are seldom replaced at one stroke.
const PAUSE: Duration = Duration::from_millis(100);

/// The TLS of a listener: what the next connection is greeted with.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<Loaded>,
    clock: Clock,
    /// What became of handshakes.
    pub(super) counts: HandshakeCounts,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What became of files that changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// They are in force; the certificate's span.
    Taken(Validity),
    /// They are not, and why; what was in force is.
    Kept(TlsError),
}

impl Tls {
    /// Reads the files for the first time. Blocks for as long as they take to read.
    ///
    /// # Errors
    /// A file that cannot be read or used: the flag, the file and what to do.
    pub fn load(files: TlsFiles, clock: Clock, counts: HandshakeCounts) -> Result<Self, TlsError> {
        let loaded = files.read().and_then(|contents| files.load(&contents))?;
        Ok(Self { files, current: ArcSwap::from_pointee(loaded), clock, counts })
    }

    /// How well it protects.
    pub const fn protection(&self) -> Protection {
        self.files.protection()
    }

    /// The span of the certificate that is shown.
    pub fn validity(&self) -> Validity {
        self.current.load().validity.clone()
    }

    /// For one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }

    /// The allowed name that this certificate carries, for the log; empty where clients show none.
    pub(super) fn name_of(&self, certificate: &[u8]) -> String {
        self.files.allowed().and_then(|allowed| allowed.admit(certificate).ok()).unwrap_or_default()
    }

    /// Watches the files, on the runtime that this is called on. `told` hears of each change once, and says it to those
    /// who count; the program's log has it already.
    pub fn watch(self: Arc<Self>, told: impl Fn(Told) + Send + Sync + 'static) -> TlsWatch {
        let poke = Arc::new(Notify::new());
        let poked = Arc::clone(&poke);
        let watching = Watching { tls: self, standing: Standing::Good, refused: None };
        TlsWatch { task: tokio::spawn(watching.run(poked, told)), poke }
    }
}

/// A watch that ends when it is dropped.
#[derive(Debug)]
pub struct TlsWatch {
    task: JoinHandle<()>,
    poke: Arc<Notify>,
}

impl TlsWatch {
    /// Reads the files now.
    pub fn poke(&self) {
        self.poke.notify_one();
    }
}

impl Drop for TlsWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watching {
    tls: Arc<Tls>,
    /// What was last said of the certificate.
    standing: Standing,
    /// What was last not taken, so that it is said once.
    refused: Option<(Option<[u8; 32]>, TlsError)>,
}

impl Watching {
    async fn run(mut self, poked: Arc<Notify>, told: impl Fn(Told) + Send) {
        loop {
            self.tell_standing();
            _ = tokio::time::timeout(POLL, poked.notified()).await;
            if let Some(news) = self.look().await {
                told(news);
            }
        }
    }

    /// Each standing of each certificate is said once.
    fn tell_standing(&mut self) {
        let validity = self.tls.validity();
        let standing = validity.standing(self.tls.clock.now());
        if standing != self.standing {
            self.standing = standing;
            validity.tell(standing);
        }
    }

    async fn look(&mut self) -> Option<Told> {
        let (digest, found) = match self.read_stable().await {
            Ok(contents) => (Some(contents.digest()), self.tls.files.load(&contents)),
            Err(error) => (None, Err(error)),
        };
        match found {
            Ok(loaded) => self.take(loaded),
            Err(error) => self.keep(digest, error),
        }
    }

    /// Reads until two reads see the same; what never holds still is judged as it is.
    async fn read_stable(&self) -> Result<Contents, TlsError> {
        let mut before = self.read().await?;
        for _ in 0..10 {
            if before.digest() == self.tls.current.load().digest {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let now = self.read().await?;
            if now.digest() == before.digest() {
                break;
            }
            before = now;
        }
        Ok(before)
    }

    async fn read(&self) -> Result<Contents, TlsError> {
        let tls = Arc::clone(&self.tls);
        let read = tokio::task::spawn_blocking(move || tls.files.read()).await;
        read.unwrap_or_else(|_| self.tls.files.read())
    }

    fn take(&mut self, loaded: Loaded) -> Option<Told> {
        let had_refused = self.refused.take().is_some();
        if loaded.digest == self.tls.current.load().digest && !had_refused {
            return None;
        }
        let validity = loaded.validity.clone();
        tracing::info!(certificate = %validity, "new TLS files are in force for new connections");
        self.tls.current.store(Arc::new(loaded));
        // A new certificate that ends as soon is worth a word of its own.
        self.standing = Standing::Good;
        Some(Told::Taken(validity))
    }

    fn keep(&mut self, digest: Option<[u8; 32]>, error: TlsError) -> Option<Told> {
        let refused = Some((digest, error.clone()));
        if self.refused == refused {
            return None;
        }
        self.refused = refused;
        tracing::error!("the changed TLS files were not taken, the old ones serve on: {error}");
        Some(Told::Kept(error))
    }
}
