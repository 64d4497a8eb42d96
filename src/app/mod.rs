//! The house put together: the one place that knows every room.
//!
//! In: [`Settings`]. Out: a running [`App`] and the addresses it was bound to. What it knows of decisions is whom to
//! ask; nothing in here judges.

mod block;
mod house;
mod reload;
mod settings;
mod standing;
mod till;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use block::BlocksReloader;
pub use house::House;
pub use reload::Reloader;
pub use settings::Settings;

use crate::admin;
use crate::fetch::Keeper;
use crate::grpc::{
    self, Address, AddressError, Drained, ListenError, Listener, Protection, Tls, TlsError, TlsWatch, Told,
};
use crate::observe::{DecisionLog, Metrics, Sink};
use crate::redis_store::AccessError;
use crate::spans::{Spans, TracingError};
use crate::wire::CheckService;
use till::Till;

/// Why the program could not start: a sentence for people, several for a bad table.
#[derive(Debug)]
pub enum StartError {
    /// The trust table does not load; the text is the whole report.
    Table(String),
    /// The blocks do not load; the text is the whole report.
    Blocks(String),
    /// An address that is not listened on without being asked for.
    Address(AddressError),
    /// The files for TLS cannot be used.
    Tls(TlsError),
    /// The gRPC address cannot be bound.
    Listen(ListenError),
    /// The threads that serve connections cannot be started.
    Workers(std::io::Error),
    /// The admin address cannot be bound.
    Admin(SocketAddr, std::io::Error),
    /// The decision log cannot be opened.
    DecisionLog(Sink, std::io::Error),
    /// The shared store of spent tokens cannot be asked as the flags say.
    ReplayStore(AccessError),
    /// Traces cannot be sent as the flags say.
    Tracing(TracingError),
    /// The table, or the blocks, cannot be watched.
    Watch(&'static str, std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(report) | Self::Blocks(report) => f.write_str(report),
            Self::Address(error) => write!(f, "--listen: {error}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Listen(error) => write!(f, "--listen: {error}"),
            Self::Workers(error) => write!(f, "--workers: cannot start them: {error}"),
            Self::Admin(address, error) => write!(f, "--admin-listen: cannot listen on {address}: {error}"),
            Self::DecisionLog(sink, error) => write!(f, "--decision-log: cannot open {sink} for appending: {error}"),
            Self::ReplayStore(error) => write!(f, "{error}"),
            Self::Tracing(error) => write!(f, "{error}"),
            Self::Watch(flag, error) => write!(f, "{flag}: cannot start watching it: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running credence.
#[derive(Debug)]
pub struct App {
    grpc: grpc::Server,
    admin: admin::Server,
    reloader: Reloader,
    blocks: Option<BlocksReloader>,
    tls: Option<TlsWatch>,
    house: Arc<House>,
}

/// How often it is looked whether the required issuers have keys by now; only until they have.
const READINESS_EVERY: Duration = Duration::from_millis(50);

/// Says `SERVING`, now or as soon as every required issuer has keys. Calls are answered meanwhile.
async fn serve_when_ready(house: &Arc<House>, health: grpc::Health) {
    if house.is_ready() {
        tracing::info!("ready");
        return health.set_serving(true).await;
    }
    tracing::info!("not ready yet: waiting for the keys of required issuers, which /readyz names");
    let house = Arc::downgrade(house);
    tokio::spawn(async move {
        // The house is gone when the program ends first.
        while let Some(house) = house.upgrade() {
            if house.is_ready() {
                tracing::info!("ready: every required issuer has keys");
                return health.set_serving(true).await;
            }
            drop(house);
            tokio::time::sleep(READINESS_EVERY).await;
        }
    });
}

/// What an answer of the admin listener, and spans that wait, have at the end in any case.
const LAST: Duration = Duration::from_secs(1);

/// At most so often calls make the keys of namesakes be compared: it takes a while, and strangers can make such calls.
const COMPARE_EVERY: Duration = Duration::from_secs(5);

/// Compares them where calls gave reason to, beside the calls.
async fn compare_shared_keys(suspicion: Arc<Notify>, house: Weak<House>) {
    loop {
        suspicion.notified().await;
        let Some(house) = house.upgrade() else { return };
        // What a panic there would say is in the log; the next suspicion is another try.
        _ = tokio::task::spawn_blocking(move || house.compare_keys()).await;
        tokio::time::sleep(COMPARE_EVERY).await;
    }
}

impl App {
    /// Starts everything on the runtime that this is called on, but for the calls themselves, which are served by
    /// threads of their own: so neither ever waits for the other. Reads the blocks and the table (a bad one stops the start), binds
    /// both listeners, begins to fetch keys and to watch the files. Does not wait for any issuer; but while a
    /// `required` one has no keys, readiness and health say so.
    ///
    /// # Errors
    /// A [`StartError`]; nothing is left running then.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let protection = settings.tls.as_ref().map_or(Protection::None, |files| files.protection());
        settings.listen.permitted(protection, settings.insecure_listen).map_err(StartError::Address)?;
        let mut metrics = Metrics::default();
        let tls = match settings.tls.clone() {
            Some(files) => {
                let tls = Tls::load(files, settings.clock.clone(), metrics.secure()).map_err(StartError::Tls)?;
                Some(Arc::new(tls))
            }
            None => None,
        };
        let log = DecisionLog::open(&settings.decision_log)
            .map_err(|error| StartError::DecisionLog(settings.decision_log.clone(), error))?;
        let mut listener = Listener::bind(&settings.listen).await.map_err(StartError::Listen)?;
        if let Some(tls) = &tls {
            listener = listener.with_tls(Arc::clone(tls));
        }
        let till = Till::open(&settings, &mut metrics).await.map_err(StartError::ReplayStore)?;
        let spans = match settings.tracing.clone() {
            Some(tracing) => Some(Spans::start(tracing, metrics.trace()).map_err(StartError::Tracing)?),
            None => None,
        };
        let house = Arc::new(House::new(&settings, log, metrics, spans, till));
        let runtime = tokio::runtime::Handle::current();
        let keeper =
            Arc::new(Keeper::new(runtime, settings.clock.clone(), settings.surroundings.clone(), house.fetch_times()));
        // Before the table: no call is ever judged without them.
        let blocks = match &settings.blocks {
            Some(path) => Some(BlocksReloader::start(path, Arc::clone(&house))?),
            None => None,
        };
        let reloader = Reloader::start(&settings, Arc::clone(&house), keeper)?;
        let admin = admin::serve(settings.admin_listen, Arc::clone(&house))
            .await
            .map_err(|error| StartError::Admin(settings.admin_listen, error))?;
        let tls = tls.map(|tls| watch(tls, Arc::clone(&house)));
        let checks = CheckService::new(Arc::clone(&house), settings.limits);
        let grpc = grpc::serve(listener, checks, settings.reflection, settings.workers).await;
        let grpc = grpc.map_err(StartError::Workers)?;
        tracing::info!(grpc = %grpc.address(), admin = %admin.address(), "listening");
        serve_when_ready(&house, grpc.health().clone()).await;
        tokio::spawn(compare_shared_keys(house.suspicion(), Arc::downgrade(&house)));
        Ok(Self { grpc, admin, reloader, blocks, tls, house })
    }

    /// Where Envoy is to ask.
    pub fn grpc_address(&self) -> &Address {
        self.grpc.address()
    }

    /// Where health, readiness and metrics are.
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Reads the table and the blocks again, changed or not, and the TLS files.
    pub fn reload(&self) {
        if let Some(blocks) = &self.blocks {
            blocks.poke();
        }
        self.reloader.poke();
        if let Some(tls) = &self.tls {
            tls.poke();
        }
    }

    /// Ends when calls are no longer taken although nobody asked for that: a fault of ours.
    pub async fn failed(&self) {
        self.grpc.ended().await;
    }

    /// Ends: health `NOT_SERVING`, accepted calls answered within `grace`, spans sent in what is left of it (or in a second,
    /// while the admin listener ends), the decision log written out.
    pub async fn shutdown(self, grace: Duration) -> Drained {
        let end = Instant::now() + grace;
        let drained = self.grpc.shutdown(grace).await;
        drop((self.reloader, self.blocks));
        let flushed = self.house.flush_spans(end.max(Instant::now() + LAST));
        tokio::join!(self.admin.shutdown(LAST), flushed);
        drained
    }
}

/// Watches the TLS files and lets the metrics know.
fn watch(tls: Arc<Tls>, house: Arc<House>) -> TlsWatch {
    house.took_certificate(&tls.validity());
    tls.watch(move |told| match told {
        Told::Taken(validity) => house.took_certificate(&validity),
        Told::Kept(_) => house.kept_certificate(),
    })
}
