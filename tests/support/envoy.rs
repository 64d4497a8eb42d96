//! A real Envoy, one process with as many listeners as a test wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::envoy_config::{Cluster, Listener, bootstrap};
use super::eventually;
use super::http::{Request, Response};
use super::process::Process;

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    listeners: HashMap<String, SocketAddr>,
    access_log: PathBuf,
    _dir: TempDir,
}

/// The program, brought by `scripts/envoy.sh` where it is missing.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let bring = || {
        let output = Command::new(super::root().join("scripts/envoy.sh")).output().expect("scripts/envoy.sh");
        assert!(output.status.success(), "no Envoy:\n{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    };
    BINARY.get_or_init(bring).clone()
}

impl Envoy {
    /// Starts one and waits until it is live.
    pub fn start(listeners: &[Listener], clusters: &[Cluster]) -> Self {
        Self::run("envoy.json", |access_log| format!("{:#}", bootstrap(listeners, clusters, access_log)))
    }

    /// Starts one with a configuration written by hand, as YAML without `admin`; ports 0 are chosen by the system.
    pub fn start_by_hand(yaml: &str) -> Self {
        let admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}";
        Self::run("envoy.yaml", |_| format!("{yaml}\n{admin}\n"))
    }

    fn run(name: &str, config: impl FnOnce(&Path) -> String) -> Self {
        let dir = super::scratch();
        let at = |name: &str| dir.path().join(name);
        let (path, admin_file, access_log) = (at(name), at("admin"), at("access.jsonl"));
        std::fs::write(&path, config(&access_log)).unwrap();
        let config = path;
        let path = |path: &PathBuf| path.display().to_string();
        let mut process = Process::start(
            binary(),
            [
                "-c",
                &path(&config),
                "--admin-address-path",
                &path(&admin_file),
                "--disable-hot-restart",
                "--concurrency",
                "2",
            ]
            .into_iter()
            .chain(["-l", "warning", "--file-flush-interval-msec", "20"]),
        );
        let admin: SocketAddr = eventually("Envoy's admin address", || {
            if let Some(status) = process.ended() {
                panic!("Envoy ended with {status}:\n{}", process.stderr());
            }
            std::fs::read_to_string(&admin_file).ok()?.parse().ok()
        });
        let ready = || Request::get("/ready").try_send(admin).ok().filter(|answer| answer.text().starts_with("LIVE"));
        eventually("Envoy to be live", ready);
        let bound = Request::get("/listeners?format=json").send(admin).json();
        let port = |listener: &Value| {
            let address = &listener["local_address"]["socket_address"];
            let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
            Some((listener["name"].as_str()?.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
        };
        let listeners = bound["listener_statuses"].as_array().unwrap().iter().filter_map(port).collect();
        Self { process, admin, listeners, access_log, _dir: dir }
    }

    /// Where a listener can be reached.
    pub fn address(&self, listener: &str) -> SocketAddr {
        *self.listeners.get(listener).unwrap_or_else(|| panic!("no listener {listener}"))
    }

    /// The line of the access log for the request with this mark, as soon as it is written.
    pub fn access(&self, mark: &str) -> Value {
        eventually("a line of Envoy's access log", || {
            let text = std::fs::read_to_string(&self.access_log).ok()?;
            let whole = &text[..text.rfind('\n')?];
            whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line["mark"] == mark)
        })
    }

    /// `GET path` on its admin listener.
    pub fn admin(&self, path: &str) -> Response {
        Request::get(path).send(self.admin)
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }
}
