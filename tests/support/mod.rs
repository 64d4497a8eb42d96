//! Builds small worlds for tests and the demo: issuers with fresh keys, tables on disk, the real program, a real Envoy.
//!
//! In: what a test wants to be true. Out: handles to running things on loopback ports that the system chose; nothing
//! outlives the process that asked for it. Nothing here knows how credence works inside, only what it promises.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by several test binaries, each using a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test code: what goes wrong here has to end the test"
)]

pub mod answer;
pub mod blocks;
pub mod call;
pub mod collector;
pub mod cluster;
pub mod credence;
pub mod envoy;
pub mod envoy_config;
pub mod http;
pub mod issuer;
pub mod key;
pub mod process;
pub mod redis;
pub mod server;
pub mod small;
pub mod table;
pub mod tls;
pub mod token;
pub mod upstream;
pub mod visit;

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

/// How long anything may take before a test gives up on it. Generous: it is a limit, never a measurement.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Seconds since 1970, UTC.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Asks `probe` again and again until it has an answer; panics with `what` when [`DEADLINE`] has passed.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The runtime on which gRPC clients and servers of the tests live; tests themselves are plain functions.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fresh directory of this process, with a short path (a unix socket's is limited to some 100 bytes).
/// It is gone when dropped, at the latest soon after the process has ended.
pub fn scratch() -> tempfile::TempDir {
    struct Home {
        path: PathBuf,
        _janitor: (Child, ChildStdin),
    }
    static HOME: OnceLock<Home> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("credence-").tempdir().unwrap().keep();
        // Statics are never dropped, but the system closes this pipe whichever way the process ends.
        let mut janitor = Command::new("sh")
            .args(["-c", "trap '' INT; read -r _; sleep 2; rm -rf -- \"$1\"", "janitor"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let stdin = janitor.stdin.take().unwrap();
        Home { path, _janitor: (janitor, stdin) }
    });
    tempfile::Builder::new().prefix("").rand_bytes(4).tempdir_in(&home.path).unwrap()
}
