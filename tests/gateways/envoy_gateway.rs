//! A real Envoy Gateway without Kubernetes: it reads manifests from a directory and runs the Envoy of these tests.
//!
//! Some of its ports are fixed (18000, 18002 and 8081, on all addresses), so there is one at a time on a machine: whoever
//! comes second waits for a lock. Its configuration is changed by giving the Gateway a new name and a new port. That is
//! another Envoy, which listens when it has all of its configuration, so no test can meet the one before.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::manifests::Manifests;
use crate::support::http::Request;
use crate::support::process::Process;
use crate::support::{envoy, eventually, scratch};
use crate::system::{free_port, home, ready, run};

/// The name and the port that a manifest's Gateway has before they are changed here.
const NAME: &str = "partner-gateway";
const PORT: &str = "port: 10000";
/// The ports that Envoy Gateway lets nobody choose: xDS, Wasm, health.
const FIXED: [u16; 3] = [18000, 18002, 8081];
/// The version that manifests ask for, whatever binary lies there.
const ENVOY: &str = "1.40.0";

/// The one of this process.
pub(crate) struct EnvoyGateway {
    process: Process,
    resources: PathBuf,
    configured: u32,
    _dir: TempDir,
    _alone: File,
}

/// One configuration in force, for as long as the test holds it.
pub(crate) struct Gateway {
    turn: MutexGuard<'static, EnvoyGateway>,
    /// Its only listener.
    pub(crate) address: SocketAddr,
    name: String,
}

impl EnvoyGateway {
    fn start() -> Self {
        let alone = File::create(std::env::temp_dir().join("credence-envoy-gateway.lock")).unwrap();
        alone.lock().unwrap();
        eventually("the ports of the Envoy Gateway before this one", || {
            FIXED.iter().all(|port| is_free(*port)).then_some(())
        });
        let program = home("envoy-gateway").join("bin/envoy-gateway");
        let dir = scratch();
        let at = |name: &str| dir.path().join(name);
        let (resources, settings) = (at("resources"), at("standalone.yaml"));
        std::fs::create_dir(&resources).unwrap();
        // It runs what lies here, and downloads only what is missing.
        let envoy = at("data").join("envoy-versions").join(ENVOY).join("bin");
        std::fs::create_dir_all(&envoy).unwrap();
        std::os::unix::fs::symlink(envoy::binary(), envoy.join("envoy")).unwrap();
        run(&program, &["certgen", "--local", "--config-home", &at("config").display().to_string()]);
        std::fs::write(&settings, settings_for(dir.path())).unwrap();
        let process = Process::start(&program, ["server", "--config-path", &settings.display().to_string()]);
        Self { process, resources, configured: 0, _dir: dir, _alone: alone }
    }

    /// What it wrote so far.
    fn log(&self) -> String {
        std::fs::read_to_string(self.process.stdout()).unwrap_or_default() + &self.process.stderr()
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok()
}

/// The example's own settings, in this directory and with the one configurable port free.
fn settings_for(dir: &Path) -> String {
    let settings = Manifests::file("examples/partner-namespace/envoy-gateway/standalone.yaml");
    let admin = format!("admin: {{address: {{host: 127.0.0.1, port: {}}}}}\n", free_port());
    settings.with("/tmp/partner-namespace", &dir.display().to_string()).as_str().to_owned() + &admin
}

impl Gateway {
    /// Puts these manifests in the place of all others and waits until their Gateway answers.
    pub(crate) fn of(manifests: Manifests) -> Self {
        static ONE: LazyLock<Mutex<EnvoyGateway>> = LazyLock::new(|| Mutex::new(EnvoyGateway::start()));
        let mut turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        turn.configured += 1;
        let name = format!("{NAME}-{}", turn.configured);
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let manifests = manifests.with(NAME, &name).with(PORT, &format!("port: {}", address.port()));
        let beside = turn.resources.with_extension("new");
        std::fs::write(&beside, manifests.as_str()).unwrap();
        std::fs::rename(beside, turn.resources.join("gateway.yaml")).unwrap();
        ready("Envoy Gateway's Envoy", &mut turn.process, || {
            Request::get("/").host("nobody.test").try_send(address).ok()
        });
        Self { turn, address, name }
    }

    /// Envoy Gateway's name of the Gateway.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What Envoy Gateway wrote so far.
    pub(crate) fn log(&self) -> String {
        self.turn.log()
    }
}
