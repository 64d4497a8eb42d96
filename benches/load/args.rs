//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures credence against a null server and prints the table of goals.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", after_help = "Example: make bench ARGS=\"--rows seen,never --rounds 3 --seconds 2\"")]
pub(crate) struct Args {
    /// Only these groups of rows, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) rows: Vec<Group>,
    /// How often each pair is measured, first and second in turn.
    #[arg(long)]
    rounds: Option<usize>,
    /// Length of a measured window in seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// About a minute: two rounds, short windows, fewer tokens. For daily work, not for quoting.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also what takes long: a million remembered tokens, and a million that were used once.
    #[arg(long)]
    pub(crate) full: bool,
    /// Connections of the closed loop.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,
    /// Calls in flight on each connection.
    #[arg(long, default_value_t = 8)]
    pub(crate) streams: usize,
    /// Where `load.json` and `load.svg` are written.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench"))]
    pub(crate) out: PathBuf,
    /// Another argument for `credence serve`; several: repeat it.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) serve_arg: Vec<String>,
    /// End with 1 if a goal is missed.
    #[arg(long)]
    pub(crate) check: bool,
    /// Only prove that wrong answers, short answers and a second server on the port are caught.
    #[arg(long)]
    pub(crate) self_check: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    pub(crate) mode: Option<Mode>,
}

/// Rows that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Tokens that were verified before.
    Seen,
    /// Tokens that were never seen.
    Never,
    /// Refusals that need no signature.
    Early,
    /// A flood of bad signatures.
    Flood,
    /// Many issuers, many grants.
    Scale,
    /// Tokens that may be used once, remembered in the process or at a redis-server.
    Replay,
    /// Many blocks.
    Blocks,
    /// Through a real Envoy.
    Envoy,
    /// Resident memory.
    Memory,
    /// A table of 10,000 issuers replaced under load.
    Reload,
    /// `check` of large tables.
    Check,
    /// Other authorizers on the same tokens; only where it is asked for.
    Peers,
}

/// What the program does instead of measuring.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Mode {
    /// Serve as the null server (the bench starts itself this way).
    #[command(hide = true)]
    Null(Null),
}

/// The null server, and the ways in which the self-check spoils it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Null {
    /// The port on 127.0.0.1; 0: any.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Lets another server take the same port.
    #[arg(long)]
    pub(crate) share: bool,
    /// What it answers.
    #[arg(long, value_enum, default_value_t = Habit::Allow)]
    pub(crate) answer: Habit,
    /// A file whose bytes are every answer: a `CheckResponse`.
    #[arg(long)]
    pub(crate) replay: Option<PathBuf>,
}

/// What the null server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Habit {
    /// An empty yes: what is measured.
    Allow,
    /// A refusal, with HTTP 200 as every gRPC answer.
    Deny,
    /// A yes without the part that says what kind of yes.
    Bare,
    /// Empty yeses, of which one in a hundred has another size.
    Uneven,
    /// No message at all, and `grpc-status: 0`.
    Nothing,
}

impl Args {
    /// The groups to run, in the order of the table.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let all = Group::value_variants().iter().copied();
        let usual = |group: &Group| self.rows.is_empty() && *group != Group::Peers;
        all.filter(|group| usual(group) || self.rows.contains(group)).collect()
    }

    /// Rounds of each pair.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 3 }).max(1)
    }

    /// Length of one window by time.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 0.5 } else { 2.0 }).clamp(0.05, 60.0))
    }

    /// The same with more arguments for `credence serve`.
    pub(crate) fn also_serving(&self, more: &[&str]) -> Self {
        let mut args = self.clone();
        args.serve_arg.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Distinct tokens of a set that is used again and again.
    pub(crate) const fn distinct(&self) -> usize {
        if self.quick { 2_000 } else { 10_000 }
    }
}
