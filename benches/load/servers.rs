//! What is measured, as running processes.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;
use crate::args::{Args, Habit};
use crate::closed::{Load, Window};
use crate::support::credence::Credence;
use crate::support::process::Process;
use crate::support::table::{Table, document};
use crate::support::{eventually, scratch};

/// The null server.
pub(crate) struct Null {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Null {
    /// Starts one that says yes to everything.
    pub(crate) fn start() -> Outcome<Self> {
        Self::spoilt(Habit::Allow, None)
    }

    /// Starts one whose every answer is this `CheckResponse`, byte for byte.
    pub(crate) fn replaying(answer: &[u8]) -> Outcome<Self> {
        let scratch = scratch();
        let file = scratch.path().join("answer");
        std::fs::write(&file, answer)?;
        // The file is read before the server says that it listens.
        Self::with(vec!["--replay".to_owned(), file.display().to_string()])
    }

    /// Starts one with a habit; `shared`: on a port that others may take too, 0 being any.
    pub(crate) fn spoilt(habit: Habit, shared: Option<u16>) -> Outcome<Self> {
        let habit = clap::ValueEnum::to_possible_value(&habit).ok_or("a habit without a name")?;
        let mut words = vec!["--answer".to_owned(), habit.get_name().to_owned()];
        if let Some(port) = shared {
            words.extend(["--share".to_owned(), "--port".to_owned(), port.to_string()]);
        }
        Self::with(words)
    }

    fn with(words: Vec<String>) -> Outcome<Self> {
        let words = std::iter::once("null".to_owned()).chain(words);
        let mut process = Process::start(std::env::current_exe()?, words);
        let address = eventually("the null server to listen", || {
            let said = std::fs::read_to_string(process.stdout()).unwrap_or_default();
            let ended =
                process.ended().map(|status| format!("the null server ended with {status}: {}", process.stderr()));
            ended.map(Err).or_else(|| said.strip_suffix('\n').and_then(|line| line.parse().ok()).map(Ok))
        })?;
        Ok(Self { process, address })
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// One window.
    pub(crate) fn load(&self, load: &Load) -> Outcome<Window> {
        load.run(self.address, self.pid())
    }
}

/// credence with its decision log in a file and metrics on.
pub(crate) struct Subject {
    credence: Credence,
    pub(crate) address: SocketAddr,
    table: Table,
    log: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Subject {
    /// Starts `credence serve` with the table of these documents and waits until it is ready.
    pub(crate) fn start(documents: &[String], args: &Args) -> Outcome<Self> {
        let (first, more) = documents.split_first().ok_or("no table")?;
        let (table, scratch) = (Table::new(first), scratch());
        for (n, text) in more.iter().enumerate() {
            std::fs::write(table.dir().join(format!("more-{n}.yaml")), document(text))?;
        }
        let log = scratch.path().join("decisions.jsonl");
        let serve = Credence::serve(table.dir()).decision_log(&log.display().to_string());
        let serve = args.serve_arg.iter().fold(serve, |serve, arg| serve.arg(arg));
        let credence = serve.start();
        let address = credence.grpc().parse()?;
        Ok(Self { credence, address, table, log, _scratch: scratch })
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.credence.pid()
    }

    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) const fn credence(&self) -> &Credence {
        &self.credence
    }

    /// One window. The decision log is looked at and emptied afterwards.
    pub(crate) fn load(&self, load: &Load) -> Outcome<Window> {
        let window = load.run(self.address, self.pid())?;
        self.tidy()?;
        Ok(window)
    }

    /// An error if nothing was logged; then empties the file, which would grow to gigabytes.
    pub(crate) fn tidy(&self) -> Outcome {
        written(&self.log)?;
        OpenOptions::new().write(true).open(&self.log)?.set_len(0)?;
        Ok(())
    }

    /// Lines that the decision log lost so far, by the metrics.
    pub(crate) fn lost(&self) -> f64 {
        self.credence.metric("credence_decision_log_dropped_total").unwrap_or(f64::NAN)
    }
}

/// Lines are written a little after the answers.
fn written(log: &Path) -> Outcome {
    for _ in 0..200 {
        if std::fs::metadata(log)?.len() > 0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("the decision log is empty".into())
}
