//! The program under test, started as a user starts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use credence::proto::envoy::service::auth::v3::CheckRequest;
use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::answer::Answer;
use super::call::Call;
use super::http::{Request, Response};
use super::process::{Process, environment};
use super::{eventually, runtime};

/// The built program. For tests cargo says where it is; for an example it lies beside the `examples` directory.
pub fn binary() -> PathBuf {
    option_env!("CARGO_BIN_EXE_credence").map_or_else(
        || {
            let here = std::env::current_exe().unwrap();
            here.ancestors().nth(2).unwrap().join(format!("credence{}", std::env::consts::EXE_SUFFIX))
        },
        PathBuf::from,
    )
}

/// The program with these arguments and no `CREDENCE_*` variables, ready to be run.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    environment(&mut command).args(args).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Output {
    command(args).output().expect("the credence binary")
}

/// `credence serve` in the making.
#[derive(Debug, Clone)]
pub struct Serve {
    trust: PathBuf,
    listen: String,
    log: Option<String>,
    args: Vec<String>,
    keyless: Vec<String>,
    shell: Option<String>,
}

impl Serve {
    /// Starts it from this shell script, in which `"$@"` is the command: `ulimit -n 256; exec "$@"`.
    #[must_use]
    pub fn shell(mut self, script: &str) -> Self {
        self.shell = Some(script.into());
        self
    }

    /// Listens on this address, as it would stand on the command line.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.into();
        self
    }

    /// Listens on a unix socket instead of TCP.
    #[must_use]
    pub fn listen_on(mut self, socket: &Path) -> Self {
        self.listen = format!("unix:{}", socket.display());
        self
    }

    /// Another sink for the decision log than a file that [`Credence::decisions`] reads.
    #[must_use]
    pub fn decision_log(mut self, sink: &str) -> Self {
        self.log = Some(sink.into());
        self
    }

    /// Another argument.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Does not wait for the keys of this issuer: it will have none.
    #[must_use]
    pub fn keyless(mut self, issuer: &str) -> Self {
        self.keyless.push(issuer.into());
        self
    }

    /// Starts it and waits until it is ready and has keys of every issuer.
    pub fn start(self) -> Credence {
        let keyless = self.keyless.clone();
        let credence = self.start_unready();
        eventually("credence to be ready", || (credence.admin("/readyz").status == 200).then_some(()));
        eventually("the keys of every issuer", || credence.has_keys(&keyless).then_some(()));
        credence
    }

    /// Starts it and waits only until it listens.
    pub fn start_unready(self) -> Credence {
        let dir = super::scratch();
        let log = self.log.unwrap_or_else(|| dir.path().join("decisions.jsonl").display().to_string());
        let trust = self.trust.display().to_string();
        let fixed = [
            "serve",
            "--trust",
            &trust,
            "--listen",
            &self.listen,
            "--admin-listen",
            "127.0.0.1:0",
            "--decision-log",
            &log,
        ];
        let args = fixed.into_iter().map(str::to_owned).chain(self.args);
        let mut process = match self.shell {
            None => Process::start(binary(), args),
            Some(script) => {
                let before = ["-c".to_owned(), script, "sh".to_owned(), binary().display().to_string()];
                Process::start("sh", before.into_iter().chain(args))
            }
        };
        let (grpc, admin) = eventually("credence to say where it listens", || {
            if let Some(status) = process.ended() {
                panic!("credence ended with {status}:\n{}", process.stderr());
            }
            listening(&process.stderr())
        });
        let admin = admin.parse().unwrap_or_else(|_| panic!("no address of the admin listener: {admin}"));
        Credence { process, grpc, admin, log: log.into(), client: OnceLock::new(), _dir: dir }
    }
}

/// The addresses in the line `… listening grpc=ADDR admin=ADDR`, or the same in JSON, once it is there.
fn listening(stderr: &str) -> Option<(String, String)> {
    // The last line may still be on its way.
    let whole = stderr[..stderr.rfind('\n')?].replace("\":\"", "=");
    let line = whole.lines().find(|line| line.contains("listening") && line.contains("grpc="))?;
    let value = |name: &str| {
        let rest = line.split_once(name)?.1;
        Some(rest.split([' ', '"', '\u{1b}']).next()?.to_owned())
    };
    Some((value("grpc=")?, value("admin=")?))
}

/// A running credence.
#[derive(Debug)]
pub struct Credence {
    process: Process,
    grpc: String,
    admin: SocketAddr,
    log: PathBuf,
    client: OnceLock<AuthorizationClient<Channel>>,
    _dir: TempDir,
}

impl Credence {
    /// Prepares `credence serve --trust trust` on free loopback ports.
    pub fn serve(trust: impl AsRef<Path>) -> Serve {
        Serve {
            trust: trust.as_ref().to_owned(),
            listen: "127.0.0.1:0".into(),
            log: None,
            args: Vec::new(),
            keyless: Vec::new(),
            shell: None,
        }
    }

    /// Where gRPC listens: `host:port` or `unix:PATH`.
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// The program as a process: signals, standard error, end.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Asks it to end and says how it did.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Where the admin listener is.
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// `GET path` on the admin listener.
    pub fn admin(&self, path: &str) -> Response {
        Request::get(path).send(self.admin)
    }

    /// The value of a series, named as in the exposition: `name{label="value"}`.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.admin("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// Whether no issuer of the table but `except` is without usable keys, by `/readyz`.
    pub fn has_keys(&self, except: &[String]) -> bool {
        let state = self.admin("/readyz").json();
        let issuers = state["issuers"].as_array().unwrap_or_else(|| panic!("no issuers in {state}"));
        // Nobody fetches those of an issuer that has ended.
        let has_key = |issuer: &Value| issuer["keys"].as_u64().unwrap_or(0) > 0 || issuer["ended"] == true;
        issuers.iter().all(|issuer| has_key(issuer) || except.iter().any(|name| issuer["name"] == **name))
    }

    /// A gRPC client over one connection that is made on first use.
    pub fn client(&self) -> AuthorizationClient<Channel> {
        self.client.get_or_init(|| self.another_client()).clone()
    }

    /// The same over a connection of its own.
    pub fn another_client(&self) -> AuthorizationClient<Channel> {
        let uri = if self.grpc.starts_with("unix:") { self.grpc.clone() } else { format!("http://{}", self.grpc) };
        let _inside = runtime().enter();
        AuthorizationClient::new(Endpoint::from_shared(uri).unwrap().connect_lazy()).max_decoding_message_size(64 << 20)
    }

    /// Whether gRPC health says `SERVING`.
    pub fn is_serving(&self) -> bool {
        let asked = runtime().block_on(async {
            let channel = Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect_lazy();
            HealthClient::new(channel).check(HealthCheckRequest::default()).await
        });
        asked.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
    }

    /// Asks and waits for the answer; an RPC error ends the test, because Check never gives one.
    pub fn check(&self, call: &Call) -> Answer {
        self.check_message(call.message())
    }

    /// Like [`Credence::check`], with any message.
    pub fn check_message(&self, message: CheckRequest) -> Answer {
        let answered = runtime().block_on(async { self.client().check(message).await });
        Answer(answered.unwrap_or_else(|status| panic!("Check answered with an RPC error: {status}")).into_inner())
    }

    /// Where the decision log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The decision log so far.
    pub fn decisions(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }

    /// The line of the decision log for one decision, as soon as it is written.
    pub fn decision(&self, id: &str) -> Value {
        assert!(!id.is_empty(), "no decision id to look for");
        eventually("a line of the decision log", || self.decisions().into_iter().find(|line| line["decision_id"] == id))
    }
}

impl Drop for Credence {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- credence wrote:\n{}---", self.stderr());
        }
    }
}
