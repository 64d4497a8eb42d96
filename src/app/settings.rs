//! What the program needs to start: the outcome of its flags, not the flags.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crate::answer::Style;
use crate::clock::Clock;
use crate::fetch::Surroundings;
use crate::grpc::{Address, Reflection, TlsFiles};
use crate::observe::{LogLevel, Sink, WhenFull};
use crate::redis_store::Access;
use crate::spans::Tracing;
use crate::wire::Limits;

/// Everything that `serve` can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `--trust`: a file or a directory.
    pub trust: PathBuf,
    /// `--blocks`: a file or a directory; `None`: nobody is blocked.
    pub blocks: Option<PathBuf>,
    /// `--listen`
    pub listen: Address,
    /// `--tls-cert`, `--tls-key`, `--tls-client-ca`, `--allow-peer`
    pub tls: Option<TlsFiles>,
    /// `--insecure-listen`
    pub insecure_listen: bool,
    /// `--reflection`
    pub reflection: Reflection,
    /// `--admin-listen`
    pub admin_listen: SocketAddr,
    /// `--decision-log`
    pub decision_log: Sink,
    /// `--decision-log-full`
    pub when_full: WhenFull,
    /// `--workers`
    pub workers: NonZeroUsize,
    /// `--max-request-bytes`, `--max-concurrent`
    pub limits: Limits,
    /// `--token-memory`: bytes for what is remembered of verified tokens; 0 for none.
    pub token_memory: usize,
    /// `--replay-memory`: bytes for what is remembered of tokens that may be used once.
    pub replay_memory: usize,
    /// `--replay-store` and what belongs to it; `None` for the embedded store.
    pub replay_store: Option<Access>,
    /// `--max-bad-signatures`: a second, for each address and issuer; 0 for no limit.
    pub max_bad_signatures: u32,
    /// `--claim-headers`, `--deny-detail`
    pub style: Style,
    /// `--secrets-dir`, `--service-account-dir`, and what the environment says of proxies and of a cluster.
    pub surroundings: Surroundings,
    /// `--otlp-endpoint` and the standard variables; `None`: no traces are sent.
    pub tracing: Option<Tracing>,
    /// The level of the program's own log, where it can be changed.
    pub log_level: Option<Arc<LogLevel>>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Settings {
    /// The defaults: loopback on the documented ports, the decision log on standard output, a worker for each core.
    pub fn new(trust: PathBuf) -> Self {
        Self {
            trust,
            blocks: None,
            listen: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 9191))),
            tls: None,
            insecure_listen: false,
            reflection: Reflection::Off,
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 9192)),
            decision_log: Sink::Stdout,
            when_full: WhenFull::Drop,
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            limits: Limits::default(),
            token_memory: 64 << 20,
            replay_memory: 64 << 20,
            replay_store: None,
            max_bad_signatures: 100,
            style: Style::default(),
            surroundings: Surroundings::of_process(),
            tracing: None,
            log_level: None,
            clock: Clock::System,
        }
    }
}
