//! A child process on a leash: it ends when its handle is dropped and also when this process ends, however it ends.
//!
//! A shell stands between: it starts the program, waits for it, and ends it when its own standard input closes. The
//! system closes that pipe even when this process is killed; Ctrl-C is left to this process. (It also keeps Envoy alive: Envoy asks to be ended
//! together with the *thread* that started it, and test threads are short-lived; the shell's only thread is not.)

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use tempfile::TempDir;

const LEASH: &str = r#"
trap '' INT
dir=$1; shift
exec 3<&0
"$@" 3<&- </dev/null >"$dir/stdout" 2>"$dir/stderr" &
child=$!
echo "$child"
exec >/dev/null
{ read -r _ <&3; kill "$child"; sleep 5; kill -9 "$child"; } &
watch=$!
wait "$child"; status=$?
kill "$watch"
exit "$status"
"#;

/// A running program whose output goes to files.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    leash: Option<ChildStdin>,
    pid: u32,
    dir: TempDir,
}

impl Process {
    /// Starts `program` in [`environment`].
    pub fn start<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Self {
        let dir = super::scratch();
        let mut shell = environment(&mut Command::new("sh"))
            .args(["-c", LEASH, "leash"])
            .arg(dir.path())
            .arg(program.as_ref())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let leash = shell.stdin.take();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse().unwrap_or_else(|_| panic!("{} did not start", program.as_ref().display()));
        Self { shell, leash, pid, dir }
    }

    /// Process id of the program itself.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Where standard output is written.
    pub fn stdout(&self) -> PathBuf {
        self.dir.path().join("stdout")
    }

    /// What was written to standard error so far.
    pub fn stderr(&self) -> String {
        std::fs::read(self.dir.path().join("stderr"))
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .unwrap_or_default()
    }

    /// Sends a signal by name: `HUP`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status().expect("kill");
        assert!(sent.success(), "kill -s {name} {}", self.pid);
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().unwrap()
    }

    /// Waits until it has ended by itself or by a signal sent before.
    pub fn wait(&mut self) -> ExitStatus {
        super::eventually("the end of a process", || self.ended())
    }

    /// Asks it to end (`SIGTERM`) and waits.
    pub fn stop(&mut self) -> ExitStatus {
        self.leash = None;
        self.wait()
    }
}

/// The environment of this process without what would change the program's mind: its own variables, those of OpenTelemetry, and proxies
/// (everything here is on loopback).
pub fn environment(command: &mut Command) -> &mut Command {
    let meddles = |name: &str| {
        name.starts_with("CREDENCE_") || name.starts_with("OTEL_") || name.to_ascii_lowercase().ends_with("_proxy")
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| meddles(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

impl Drop for Process {
    fn drop(&mut self) {
        self.leash = None;
        // The shell kills for good after some seconds, so this wait is bounded.
        let _ = self.shell.wait();
    }
}
