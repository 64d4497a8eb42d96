//! A real redis-server on loopback, which tests kill, pause, fill and flush.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::eventually;
use super::process::Process;

/// The program, brought by `scripts/redis.sh` where it is missing.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let bring = || {
        let output = Command::new(super::root().join("scripts/redis.sh")).output().expect("scripts/redis.sh");
        assert!(output.status.success(), "no redis-server:\n{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    };
    BINARY.get_or_init(bring).clone()
}

/// A port that is free now. (Redis takes none that the system chooses.)
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running redis-server.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    args: Vec<String>,
    password: Option<String>,
    dir: TempDir,
}

impl Redis {
    /// Starts one that is empty and keeps nothing on disk.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more arguments.
    pub fn with(args: &[&str]) -> Self {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        // Somebody may be faster to take the port.
        eventually("a redis-server", || Self::try_with(args.clone()))
    }

    /// One that may become a node of a cluster, and its port for other nodes.
    pub(super) fn node() -> (Self, u16) {
        eventually("a node of a cluster", || {
            let bus = free_port();
            let own = ["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()].map(str::to_owned);
            let fast = ["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"].map(str::to_owned);
            Some((Self::try_with([own, fast].concat())?, bus))
        })
    }

    fn try_with(args: Vec<String>) -> Option<Self> {
        let (port, dir) = (free_port(), super::scratch());
        let process = run(port, &args, &dir)?;
        Some(Self { process, port, args, password: None, dir })
    }

    /// One that asks for this password.
    pub fn with_password(password: &str) -> Self {
        Self { password: Some(password.to_owned()), ..Self::with(&["--requirepass", password]) }
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Sends a signal by name: `STOP` and `CONT`, `KILL`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills it, without a chance to write anything.
    pub fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.wait();
    }

    /// Starts it again after [`Redis::kill`], on the same port.
    pub fn start_again(&mut self) {
        self.process = eventually("the redis-server again", || run(self.port, &self.args, &self.dir));
    }

    /// Runs a command and gives the first line of the answer.
    pub fn ask(&self, command: &str) -> String {
        self.lines(command, 1).pop().unwrap()
    }

    /// Runs a command that answers with one text.
    pub fn text(&self, command: &str) -> String {
        let mut reader = self.send(command);
        let length = line(&mut reader).trim_start_matches('$').parse().unwrap();
        let mut text = vec![0; length];
        reader.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// The keys, in no order.
    pub fn keys(&self) -> Vec<String> {
        let count = self.ask("KEYS *").trim_start_matches('*').parse::<usize>().unwrap();
        let lines = self.lines("KEYS *", 1 + 2 * count);
        lines.into_iter().skip(2).step_by(2).collect()
    }

    fn lines(&self, command: &str, count: usize) -> Vec<String> {
        let mut reader = self.send(command);
        (0..count).map(|_| line(&mut reader)).collect()
    }

    /// Sends a command over a connection of its own.
    fn send(&self, command: &str) -> BufReader<TcpStream> {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(super::DEADLINE)).unwrap();
        let mut reader = BufReader::new(socket);
        if let Some(password) = &self.password {
            writeln!(reader.get_mut(), "AUTH {password}\r").unwrap();
            assert_eq!(line(&mut reader), "+OK");
        }
        writeln!(reader.get_mut(), "{command}\r").unwrap();
        reader
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn run(port: u16, args: &[String], dir: &TempDir) -> Option<Process> {
    let (port, dir) = (port.to_string(), dir.path().display().to_string());
    let fixed = ["--port", &port, "--bind", "127.0.0.1", "--dir", &dir, "--save", ""].map(str::to_owned);
    let mut process = Process::start(binary(), fixed.iter().chain(args));
    eventually("redis-server to listen or to end", || {
        let said = std::fs::read_to_string(process.stdout()).unwrap_or_default();
        if said.contains("eady to accept connections") {
            return Some(true);
        }
        process.ended().map(|_| false)
    })
    .then_some(process)
}

/// A sentinel that watches a redis-server under the name `main`.
#[derive(Debug)]
pub struct Sentinel {
    _process: Process,
    port: u16,
    _dir: TempDir,
}

impl Sentinel {
    /// Starts one, which alone may promote.
    pub fn watching(redis: &Redis) -> Self {
        eventually("a sentinel", || {
            let (port, dir) = (free_port(), super::scratch());
            let file = dir.path().join("sentinel.conf");
            let text = format!("port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n", redis.port);
            std::fs::write(&file, text).unwrap();
            let mut process = Process::start(binary(), [&file.display().to_string(), "--sentinel"]);
            let listens = eventually("a sentinel to listen or to end", || {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(true);
                }
                process.ended().map(|_| false)
            });
            listens.then_some(Self { _process: process, port, _dir: dir })
        })
    }

    /// `redis+sentinel://127.0.0.1:PORT/main`
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.port)
    }
}
