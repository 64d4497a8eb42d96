//! A real Envoy Gateway without Kubernetes: it reads manifests from a directory and runs the Envoy of these tests.
//!
//! It takes fixed ports on all addresses, so there is one at a time on a machine: whoever comes second waits for a lock.
//! Each configuration gets an Envoy Gateway of its own. One that is told another configuration while it runs may for a
//! moment give its Envoy objects of both, and a test would judge a mixture.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::manifests::Manifests;
use crate::support::http::Request;
use crate::support::process::Process;
use crate::support::{envoy, eventually, scratch};
use crate::system::{free_port, home, ready, run};

/// The listener of a manifest's Gateway.
const PORT: &str = "port: 10000";
/// The ports that Envoy Gateway lets nobody choose: xDS, Wasm, health.
const FIXED: [u16; 3] = [18000, 18002, 8081];
/// The version that manifests ask for, whatever binary lies there.
const ENVOY: &str = "1.40.0";

/// A directory with certificates and an Envoy, and the right to use the fixed ports.
struct House {
    dir: TempDir,
    _alone: File,
}

/// An Envoy Gateway with one configuration in force, for as long as the test holds it.
pub(crate) struct Gateway {
    /// Its only listener.
    pub(crate) address: SocketAddr,
    // Dropped before the turn is over.
    process: Process,
    _turn: MutexGuard<'static, House>,
}

impl House {
    fn open() -> Self {
        let alone = File::create(std::env::temp_dir().join("credence-envoy-gateway.lock")).unwrap();
        alone.lock().unwrap();
        let dir = scratch();
        // It runs what lies here, and downloads only what is missing.
        let envoy = dir.path().join("data/envoy-versions").join(ENVOY).join("bin");
        std::fs::create_dir_all(&envoy).unwrap();
        std::os::unix::fs::symlink(envoy::binary(), envoy.join("envoy")).unwrap();
        std::fs::create_dir(dir.path().join("resources")).unwrap();
        let config = dir.path().join("config").display().to_string();
        run(&home("envoy-gateway").join("bin/envoy-gateway"), &["certgen", "--local", "--config-home", &config]);
        Self { dir, _alone: alone }
    }

    /// The example's own settings, in this directory and with the one configurable port free.
    fn settings(&self) -> String {
        let settings = Manifests::file("examples/partner-namespace/envoy-gateway/standalone.yaml");
        let settings = settings.with("/tmp/partner-namespace", &self.dir.path().display().to_string());
        format!("{}admin: {{address: {{host: 127.0.0.1, port: {}}}}}\n", settings.as_str(), free_port())
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok()
}

impl Gateway {
    /// Starts one with these manifests and waits until its Envoy answers.
    pub(crate) fn of(manifests: Manifests) -> Self {
        static ONE: LazyLock<Mutex<House>> = LazyLock::new(|| Mutex::new(House::open()));
        let turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        // Without its sockets for a hot restart an Envoy need not wait until the one before has gone.
        let host = "  provider: {type: Host";
        let manifests = manifests
            .with(PORT, &format!("port: {}", address.port()))
            .with(host, &format!("  extraArgs: [--disable-hot-restart]\n{host}"));
        let at = |name: &str| turn.dir.path().join(name);
        std::fs::write(at("resources/gateway.yaml"), manifests.as_str()).unwrap();
        std::fs::write(at("standalone.yaml"), turn.settings()).unwrap();
        let mut process = Self::start(&at("standalone.yaml"));
        let answers = || Request::get("/").host("nobody.test").try_send(address).ok();
        ready("Envoy Gateway's Envoy", &mut process, answers);
        Self { address, process, _turn: turn }
    }

    fn start(settings: &Path) -> Process {
        let free = || FIXED.into_iter().all(is_free).then_some(());
        eventually("ports 18000, 18002 and 8081, which some other program has", free);
        let program = home("envoy-gateway").join("bin/envoy-gateway");
        Process::start(program, ["server", "--config-path", &settings.display().to_string()])
    }

    /// What Envoy Gateway and its Envoy wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.process.stdout()).unwrap_or_default() + &self.process.stderr()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- Envoy Gateway wrote at last:\n{}\n---", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}
