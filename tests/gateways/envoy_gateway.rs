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

use crate::kubernetes::Api;
use crate::manifests::Manifests;
use crate::support::http::Request;
use crate::support::process::Process;
use crate::support::{envoy, eventually, scratch};
use crate::system::{free_port, home, ready, run};

/// The listener of a manifest's Gateway.
const PORT: &str = "port: 10000";
/// The ports that Envoy Gateway lets nobody choose: xDS, Wasm, health, its Envoy's; with Kubernetes metrics
/// and webhooks besides.
const FIXED: [u16; 6] = [18000, 18002, 8081, 19003, 8080, 9443];
/// The version that manifests ask for, whatever binary lies there.
const ENVOY: &str = "1.40.0";

/// Where it reads manifests from an API server it looks for its certificates in `/certs` and nowhere else: it gets a root of
/// its own, in which that is the given directory.
const ROOT: &str = r#"
set -e
root=$1; certs=$2; shift 2
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root$entry"
    elif [ -d "$entry" ]; then
        mkdir "$root$entry"
        mount --rbind "$entry" "$root$entry"
    fi
done
mkdir -p "$root/certs"
mount --bind "$certs" "$root/certs"
exec chroot "$root" "$@"
"#;

type Turn = MutexGuard<'static, House>;

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
    _turn: Turn,
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
    fn settings(&self) -> Manifests {
        let settings = Manifests::file("examples/partner-namespace/envoy-gateway/standalone.yaml");
        settings
            .with("/tmp/partner-namespace", &self.dir.path().display().to_string())
            .with("telemetry:", &format!("admin: {{address: {{host: 127.0.0.1, port: {}}}}}\ntelemetry:", free_port()))
    }
}

/// Waits until no other test has one.
fn turn() -> Turn {
    static ONE: LazyLock<Mutex<House>> = LazyLock::new(|| Mutex::new(House::open()));
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Manifests whose Gateway listens here.
fn prepared(manifests: Manifests, address: SocketAddr) -> Manifests {
    // Without its sockets for a hot restart an Envoy need not wait until the one before has gone.
    let host = "  provider: {type: Host";
    manifests
        .with(PORT, &format!("port: {}", address.port()))
        .with(host, &format!("  extraArgs: [--disable-hot-restart]\n{host}"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok()
}

impl Gateway {
    /// Starts one that reads these manifests from a file, and waits until its Envoy answers.
    pub(crate) fn of(manifests: Manifests) -> Self {
        let (turn, address) = (turn(), free_address());
        std::fs::write(turn.dir.path().join("resources/gateway.yaml"), prepared(manifests, address).as_str()).unwrap();
        let settings = turn.settings();
        Self::start(turn, address, settings.as_str(), None)
    }

    /// The same with these manifests in a Kubernetes API server.
    pub(crate) fn in_cluster(api: &Api, manifests: Manifests) -> Self {
        let (turn, address) = (turn(), free_address());
        api.apply(&prepared(manifests, address));
        let settings = turn.settings();
        let file = settings.line("    resource: {type: File");
        let kubernetes = "    resource: {type: Kubernetes, kubernetes: {leaderElection: {disable: true}}}";
        let kubeconfig = turn.dir.path().join("kubeconfig");
        std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
        Self::start(turn, address, settings.with(&file, kubernetes).as_str(), Some(&kubeconfig))
    }

    fn start(turn: Turn, address: SocketAddr, settings: &str, kubeconfig: Option<&Path>) -> Self {
        let free = || FIXED.into_iter().all(is_free).then_some(());
        eventually("the fixed ports of Envoy Gateway, which some other program has,", free);
        let file = turn.dir.path().join("standalone.yaml");
        std::fs::write(&file, settings).unwrap();
        let program = home("envoy-gateway").join("bin/envoy-gateway").display().to_string();
        let args = [program, "server".to_owned(), "--config-path".to_owned(), file.display().to_string()];
        let mut process = match kubeconfig {
            None => Process::start("env", args),
            Some(kubeconfig) => {
                let at = |name: &str| turn.dir.path().join(name).display().to_string();
                let variable = format!("KUBECONFIG={}", kubeconfig.display());
                let own = ["--map-root-user", "--mount", "sh", "-c", ROOT, "root"].map(str::to_owned);
                let own =
                    own.into_iter().chain([at("root"), at("config/certs/envoy-gateway"), "env".to_owned(), variable]);
                Process::start("unshare", own.chain(args))
            }
        };
        let answers = || Request::get("/").host("nobody.test").try_send(address).ok();
        ready("Envoy Gateway's Envoy", &mut process, answers);
        Self { address, process, _turn: turn }
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
