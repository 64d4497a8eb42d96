//! Systems that were brought into `.tools`, and how to start and await them.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::support::credence::Credence;
use crate::support::process::Process;
use crate::support::{eventually, root};

/// How long a big system may take until it is ready, on a busy machine.
const START: Duration = Duration::from_secs(180);

/// The directory of a system that `scripts/interop/NAME.sh` has brought.
pub(crate) fn home(name: &str) -> PathBuf {
    let home = root().join(".tools").join(name);
    let there = home.join(".version").is_file();
    assert!(there, "{name} is not set up: `make test-interop` does it, or scripts/interop/{name}.sh alone");
    home
}

/// Brings a small system by its script and says where it is: nothing where it cannot be had, except where this variable
/// is `true`.
pub(crate) fn bring(script: &str, needed: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let output = Command::new(root().join("scripts").join(script)).output().expect(script);
    let home = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if home.is_empty() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var(needed).as_deref() != Ok("true"), "under {needed} this may not be left out: {reason}");
        // Not by a macro, whose output is kept from whoever watches as long as a test passes.
        let _ = writeln!(std::io::stderr(), "left out: {}", reason.trim());
        return None;
    }
    Some(home.into())
}

/// A port for a program that cannot choose one itself. It lies below those that the system gives to clients, so that
/// between this moment and the program's own bind nobody gets it by chance.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add((std::process::id() % 7_919) as u16);
        let port = FIRST + step % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// Asks `probe` until it has an answer, as long as the program runs.
pub(crate) fn ready<T>(what: &str, process: &mut Process, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + START;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        let output = || {
            let text = std::fs::read_to_string(process.stdout()).unwrap_or_default() + &process.stderr();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        };
        let output = output();
        assert!(process.ended().is_none(), "{what} ended instead of becoming ready:\n{output}");
        assert!(Instant::now() < end, "waited {START:?} in vain for {what}:\n{output}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a program to its end and gives its standard output; it has to succeed.
pub(crate) fn run(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} {args:?}: {text}{}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Why credence could not fetch the keys of this issuer, as soon as it says so.
pub(crate) fn fetch_error(credence: &Credence, issuer: &str) -> String {
    eventually("a failed fetch", || {
        let state = credence.admin("/readyz").json();
        let entry = state["issuers"].as_array()?.iter().find(|entry| entry["name"] == issuer)?.clone();
        Some(entry["last_error"].as_str()?.to_owned())
    })
}
