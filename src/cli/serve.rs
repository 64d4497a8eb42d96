//! `serve`: the service itself.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

use super::open::{Open, given};
use super::output::trouble;
use super::{TROUBLE, YES};
use crate::answer::Style;
use crate::app::{App, Settings, StartError};
use crate::grpc::{Address, Drained, Peer, Reflection, TlsFiles};
use crate::observe::{LogLevel, Sink, WhenFull};
use crate::redis_store::Access;
use crate::spans::Tracing;
use crate::wire::Limits;

/// Answer Envoy's questions by the trust table.
///
/// Answers `envoy.service.auth.v3.Authorization/Check` and `grpc.health.v1.Health` on `--listen`, and `/healthz`,
/// `/readyz` and `/metrics` on `--admin-listen`. Changes of the table are in force within a second; a bad table changes
/// nothing. `/loglevel` there tells and changes what the program's own log tells. SIGHUP reads the table, the blocks and the TLS files again; SIGTERM and SIGINT drain and exit with 0.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence serve --trust trust.yaml --listen unix:/run/credence/authz.sock")]
pub(super) struct Serve {
    /// The trust table: a YAML file, or a directory of them.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH")]
    trust: PathBuf,
    /// Who is refused whatever the table grants (`kind: TrustBlocks`): a YAML file, or a directory of them. Changes are in
    /// force within a second; a bad or vanished file lifts nothing.
    #[arg(long, env = "CREDENCE_BLOCKS", value_name = "PATH")]
    blocks: Option<PathBuf>,
    #[command(flatten)]
    open: Open,
    /// Where Envoy asks: `IP:PORT` or `unix:PATH` (mode 0660).
    #[arg(long, env = "CREDENCE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9191")]
    listen: Address,
    /// TLS on `--listen`: the certificate and its chain, PEM. Renewed files are taken without a restart.
    #[arg(long, env = "CREDENCE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The private key of `--tls-cert`, PEM without a password.
    #[arg(long, env = "CREDENCE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The authorities, PEM, that the certificates of clients must chain to. Needs `--allow-peer`.
    #[arg(long, env = "CREDENCE_TLS_CLIENT_CA", value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// A name that a client's certificate must carry, exactly: `spiffe://acme.test/ns/gateways/sa/envoy`,
    /// `gateway.acme.test` (or `dns:gateway.acme.test`), or `any` for whatever the authority signed. Several: repeat it,
    /// or separate them by commas.
    #[arg(long, env = "CREDENCE_ALLOW_PEER", value_name = "SAN", value_delimiter = ',')]
    allow_peer: Vec<Peer>,
    /// Allow a `--listen` address that others than this host reach, without mutual TLS. Whoever reaches it can ask.
    #[arg(long, env = "CREDENCE_INSECURE_LISTEN", value_parser = super::output::switch)]
    insecure_listen: bool,
    /// Describe the gRPC services to whoever asks (grpc.reflection.v1), for tools such as grpcurl.
    #[arg(long, env = "CREDENCE_REFLECTION", value_parser = super::output::switch)]
    reflection: bool,
    /// Where health, readiness and metrics are: plain HTTP, for your own network only.
    #[arg(long, env = "CREDENCE_ADMIN_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:9192")]
    admin_listen: SocketAddr,
    /// Where decisions are logged, one JSON line each: `stdout`, `off` or a file.
    #[arg(long, env = "CREDENCE_DECISION_LOG", value_name = "SINK", default_value = "stdout")]
    decision_log: Sink,
    /// What happens when the decision log cannot take a line: lose and count it, or refuse the request.
    #[arg(long, env = "CREDENCE_DECISION_LOG_FULL", value_enum, default_value_t = Full::Drop)]
    decision_log_full: Full,
    /// Largest CheckRequest in bytes; a larger one is denied unread.
    #[arg(long, env = "CREDENCE_MAX_REQUEST_BYTES", value_name = "BYTES", default_value_t = 16 << 20)]
    max_request_bytes: usize,
    /// Calls that may be in hand at once; one more is denied as `overloaded`.
    #[arg(long, env = "CREDENCE_MAX_CONCURRENT", value_name = "CALLS", default_value_t = 1024)]
    max_concurrent: usize,
    /// How much memory to use for tokens whose signature was verified before, so that it need not be verified again:
    /// bytes, or with KiB, MiB or GiB. Every rule of the table, and the times, are judged for each call all the same. A
    /// token takes some 300 bytes; 0 remembers none.
    #[arg(long, env = "CREDENCE_TOKEN_MEMORY", value_name = "SIZE", default_value = "64MiB", value_parser = super::output::size)]
    token_memory: usize,
    /// How much memory to use for the ids of tokens that a grant lets be used once (`replay: once`): bytes, or with KiB,
    /// MiB or GiB. An id takes at most 56 bytes, until the token has ended and six minutes more; each issuer that such
    /// grants are for has an equal share. Where there is no room for another one, such a grant fits no token
    /// (`replay_unavailable`): 0 refuses them all.
    #[arg(long, env = "CREDENCE_REPLAY_MEMORY", value_name = "SIZE", default_value = "64MiB", value_parser = super::output::size)]
    replay_memory: usize,
    /// Where the ids of tokens are remembered that a grant lets be used once: `embedded`, in this process, for a single
    /// replica; or a Redis or Valkey that all replicas share: `redis://[USER@]HOST[:PORT][/DATABASE]`, with TLS `rediss://`,
    /// `redis+sentinel://HOST[:PORT],…/SERVICE`, `redis+cluster://HOST[:PORT],…`. While it does not answer, such grants fit no token
    /// (`replay_unavailable`); no others are touched.
    #[arg(
        long,
        env = "CREDENCE_REPLAY_STORE",
        value_name = "STORE",
        default_value = "embedded",
        hide_env_values = true
    )]
    replay_store: String,
    /// The password for `--replay-store`, one line. Read again for each connection.
    #[arg(long, env = "CREDENCE_REPLAY_PASSWORD_FILE", value_name = "FILE")]
    replay_password_file: Option<PathBuf>,
    /// The authorities, PEM, that the certificate of `--replay-store` must chain to; without it those of the system.
    #[arg(long, env = "CREDENCE_REPLAY_CA_FILE", value_name = "FILE")]
    replay_ca_file: Option<PathBuf>,
    /// The certificate and its chain, PEM, to show to `--replay-store`. Needs `--replay-client-key`.
    #[arg(long, env = "CREDENCE_REPLAY_CLIENT_CERT", value_name = "FILE")]
    replay_client_cert: Option<PathBuf>,
    /// The private key of `--replay-client-cert`, PEM without a password.
    #[arg(long, env = "CREDENCE_REPLAY_CLIENT_KEY", value_name = "FILE")]
    replay_client_key: Option<PathBuf>,
    /// Bad signatures that are checked in one second for one address of a client (`source.address` of the call; of IPv6
    /// its /64) and one issuer, and ten times as many for an address in all. Once there are twenty times as many from all
    /// addresses together, more of them are denied as `overloaded` without a look at the signature; tokens that were
    /// verified before are not held up. 0 sets no limit.
    #[arg(long, env = "CREDENCE_MAX_BAD_SIGNATURES", value_name = "NUMBER", default_value_t = 100)]
    max_bad_signatures: u32,
    /// Threads that answer calls. The default is one for each core that this process may use, cgroup quotas counted.
    /// Fewer where cores are shared with the proxy; more gains nothing. A connection stays with one of them, and
    /// each worker thread of Envoy has a connection of its own.
    #[arg(long, env = "CREDENCE_WORKERS", value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Hand forwarded claims on as `x-credence-claim-NAME` headers too, not only as metadata.
    #[arg(long, env = "CREDENCE_CLAIM_HEADERS", value_parser = super::output::switch)]
    claim_headers: bool,
    /// What the client learns of a refusal: the class alone, or the precise reason too.
    #[arg(long, env = "CREDENCE_DENY_DETAIL", value_enum, default_value_t = Detail::None)]
    deny_detail: Detail,
    /// How long a drain waits for calls in hand, in seconds.
    #[arg(long, env = "CREDENCE_DRAIN_SECONDS", value_name = "SECONDS", default_value_t = 10)]
    drain_seconds: u64,
    /// A collector of OpenTelemetry that takes a span for each decision: `http://HOST:4318` (OTLP over HTTP) or
    /// `http://HOST:4317` (gRPC), or https. The standard variables count too: OTEL_EXPORTER_OTLP_ENDPOINT,
    /// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME,
    /// OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and others. Without an endpoint nothing is sent.
    #[arg(long, env = "CREDENCE_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    otlp_endpoint: Option<String>,
    /// The program's own log, on standard error: text for people, or JSON.
    #[arg(long, env = "CREDENCE_LOG_FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// What the program's own log tells: `error`, `warn`, `info`, `debug`, or directives such as `credence=debug`.
    #[arg(long, env = "CREDENCE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Full {
    Drop,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Detail {
    None,
    Reason,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(serve: Serve) -> u8 {
    let log_level = match start_log(&serve) {
        Ok(log_level) => log_level,
        Err(message) => return trouble(message),
    };
    // Calls have threads of their own: this is for what goes on beside them.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return trouble(format!("cannot start the runtime: {error}")),
    };
    runtime.block_on(until_stopped(serve, log_level))
}

async fn until_stopped(serve: Serve, log_level: Arc<LogLevel>) -> u8 {
    let grace = Duration::from_secs(serve.drain_seconds);
    let signals = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)));
    let (terminate, interrupt, hangup) = match signals {
        Ok(signals) => signals,
        Err(error) => return trouble(format!("cannot listen for signals: {error}")),
    };
    if serve.max_concurrent == 0 {
        tracing::warn!("--max-concurrent is 0: every call is refused as `overloaded`, whatever the table grants");
    }
    let settings = match settings(serve, log_level) {
        Ok(settings) => settings,
        Err(error) => return trouble(error),
    };
    let app = match App::start(settings).await {
        Ok(app) => app,
        Err(StartError::Table(report)) => return not_started(&report, "the trust table does not load"),
        Err(StartError::Blocks(report)) => return not_started(&report, "the blocks do not load"),
        Err(error) => return trouble(error),
    };
    if !app.admin_address().ip().to_canonical().is_loopback() {
        tracing::warn!(
            "--admin-listen is open to others: names from the table and counts can be read there without TLS"
        );
    }
    let failed = tokio::select! {
        () = reload_until_stopped(&app, terminate, interrupt, hangup) => false,
        () = app.failed() => true,
    };
    if failed {
        tracing::error!("a fault of credence: connections are no longer accepted");
    }
    tracing::info!("draining");
    match app.shutdown(grace).await {
        Drained::Completely => tracing::info!("stopped: every call was answered"),
        Drained::CutOff => {
            tracing::warn!("stopped: connections were still open after {} s and were cut", grace.as_secs())
        }
    }
    if failed { TROUBLE } else { YES }
}

fn not_started(report: &str, why: &str) -> u8 {
    super::output::diagnostic(report);
    trouble(format!("not started: {why}"))
}

async fn reload_until_stopped(app: &App, mut terminate: Signal, mut interrupt: Signal, mut hangup: Signal) {
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => app.reload(),
        }
    }
}

fn settings(serve: Serve, log_level: Arc<LogLevel>) -> Result<Settings, String> {
    let tracing = tracing(serve.otlp_endpoint.as_deref())?;
    let defaults = Settings::new(serve.trust);
    Ok(Settings {
        blocks: given(serve.blocks.as_ref()),
        surroundings: serve.open.outside(),
        listen: serve.listen,
        tls: TlsFiles::from_flags(serve.tls_cert, serve.tls_key, serve.tls_client_ca, serve.allow_peer)
            .map_err(|error| error.to_string())?,
        insecure_listen: serve.insecure_listen,
        reflection: if serve.reflection { Reflection::On } else { Reflection::Off },
        admin_listen: serve.admin_listen,
        decision_log: serve.decision_log,
        when_full: match serve.decision_log_full {
            Full::Drop => WhenFull::Drop,
            Full::Deny => WhenFull::Deny,
        },
        limits: Limits {
            max_request_bytes: serve.max_request_bytes,
            max_concurrent: serve.max_concurrent,
            ..Limits::default()
        },
        token_memory: serve.token_memory,
        replay_memory: serve.replay_memory,
        replay_store: Access::from_flags(
            &serve.replay_store,
            serve.replay_password_file,
            serve.replay_ca_file,
            serve.replay_client_cert,
            serve.replay_client_key,
        )
        .map_err(|error| error.to_string())?,
        max_bad_signatures: serve.max_bad_signatures,
        workers: serve.workers.and_then(|workers| NonZeroUsize::new(workers.into())).unwrap_or(defaults.workers),
        tracing,
        log_level: Some(log_level),
        style: Style { claim_headers: serve.claim_headers, deny_detail: serve.deny_detail == Detail::Reason },
        ..defaults
    })
}

/// Where spans go. What of the standard variables cannot be used is told in the log.
fn tracing(endpoint: Option<&str>) -> Result<Option<Tracing>, String> {
    let endpoint = endpoint.map(str::trim).filter(|endpoint| !endpoint.is_empty());
    let read = Tracing::from_environment(endpoint, &|name| std::env::var(name).ok());
    let (tracing, told) = read.map_err(|error| error.to_string())?;
    for what in told {
        tracing::warn!("{what}");
    }
    Ok(tracing)
}

fn start_log(serve: &Serve) -> Result<Arc<LogLevel>, String> {
    let filter = LogLevel::filter(&serve.log_level).map_err(|why| format!("--log-level: {why}"))?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        // What cannot be written is lost. The library would tell it on the same stream, and panic when that fails too.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && super::output::colours())
        .with_target(false);
    let log = tracing_subscriber::registry().with(filter);
    let started = match serve.log_format {
        Format::Text => log.with(lines).try_init(),
        Format::Json => log.with(lines.json()).try_init(),
    };
    started.map_err(|error| format!("cannot start the log: {error}"))?;
    Ok(Arc::new(LogLevel::new(handle, serve.log_level.clone())))
}
