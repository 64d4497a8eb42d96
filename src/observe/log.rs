//! The sink of the decision log: a thread that writes, and a bounded queue before it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines that may wait to be written.
const QUEUE: usize = 16 * 1024;
/// Bytes that may wait to be written, over all lines.
const QUEUE_BYTES: usize = 16 << 20;
/// At the end, how long the sink may take nothing before what is still queued is given up.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// Bytes that are written at once.
const BATCH: usize = 64 * 1024;

/// Where the lines go (`--decision-log`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
    /// Nowhere.
    Off,
}

impl FromStr for Sink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected `stdout`, `off` or a path".to_owned()),
            "stdout" => Ok(Self::Stdout),
            "off" => Ok(Self::Off),
            "stderr" => Err("standard error is the program's own log; write `stdout`, `off` or a path".to_owned()),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Off => f.write_str("off"),
        }
    }
}

/// What happens to a call whose line cannot be taken (`--decision-log-full`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The line is lost and counted; the verdict stands.
    #[default]
    Drop,
    /// The call is refused: `log_unavailable`.
    Deny,
}

/// There is no room for the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The decision log. Taking a line never waits; no line is lost without being counted.
#[derive(Debug)]
pub struct DecisionLog {
    queue: Option<SyncSender<Vec<u8>>>,
    state: Arc<State>,
    /// Closed when the writer has ended.
    ended: Option<Mutex<Receiver<()>>>,
}

#[derive(Debug, Default)]
struct State {
    dropped: AtomicU64,
    failing: AtomicBool,
    /// Bytes in the queue and in the batch that is being written.
    waiting: AtomicUsize,
}

impl DecisionLog {
    /// Opens the sink and starts its thread.
    ///
    /// # Errors
    /// A file that cannot be opened for appending.
    pub fn open(sink: &Sink) -> io::Result<Self> {
        match sink {
            Sink::Off => Ok(Self { queue: None, state: Arc::default(), ended: None }),
            Sink::Stdout => Self::start(io::stdout()),
            Sink::File(path) => Self::start(append(path)?),
        }
    }

    /// Writes to `to` from a thread of its own.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let writer = Writer { to, state: Arc::clone(&state), torn: false };
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new().name("decision-log".into()).spawn(move || {
            writer.run(&lines);
            drop(alive);
        })?;
        Ok(Self { queue: Some(queue), state, ended: Some(Mutex::new(ended)) })
    }

    /// Takes one line, or counts it as dropped.
    ///
    /// # Errors
    /// [`Full`]: the queue is full.
    pub fn take(&self, line: Vec<u8>) -> Result<(), Full> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let size = line.len();
        let room = self.state.waiting.fetch_add(size, Ordering::Relaxed) + size <= QUEUE_BYTES;
        if room && queue.try_send(line).is_ok() {
            return Ok(());
        }
        self.state.waiting.fetch_sub(size, Ordering::Relaxed);
        self.state.dropped.fetch_add(1, Ordering::Relaxed);
        Err(Full)
    }

    /// Whether the last write failed. It turns with the next line that gets through, so lines are to be sent on.
    pub fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Relaxed)
    }

    /// Lines that were lost.
    pub fn dropped(&self) -> u64 {
        self.state.dropped.load(Ordering::Relaxed)
    }
}

/// Writes what is queued, then ends. A sink that takes nothing does not hold the program up for long.
impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.queue = None;
        let Some(ended) = self.ended.take() else { return };
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut before = self.state.waiting.load(Ordering::Relaxed);
        while ended.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            let bytes = self.state.waiting.load(Ordering::Relaxed);
            if bytes == before {
                tracing::error!(bytes, "the decision log takes nothing any more: what was queued is lost");
                return;
            }
            before = bytes;
        }
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

struct Writer<W> {
    to: W,
    state: Arc<State>,
    /// The last write ended inside a line.
    torn: bool,
}

impl<W: Write> Writer<W> {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        while let Ok(first) = lines.recv() {
            let mut batch = vec![first];
            let mut size = 0;
            while let (true, Ok(line)) = (size < BATCH, lines.try_recv()) {
                size += line.len();
                batch.push(line);
            }
            self.write(&batch);
            self.state.waiting.fetch_sub(batch.iter().map(Vec::len).sum(), Ordering::Relaxed);
        }
    }

    /// Writes a batch; what did not get through whole is counted, and the next line starts on a new one.
    fn write(&mut self, batch: &[Vec<u8>]) {
        let mut bytes = if self.torn { b"\n".to_vec() } else { Vec::new() };
        let before = bytes.len();
        bytes.extend(batch.iter().flatten());
        let written = write_most(&mut self.to, &bytes);
        let failed = written < bytes.len() || self.to.flush().is_err();
        if failed {
            let mut end = before;
            let whole = batch.iter().take_while(|line| {
                end += line.len();
                end <= written
            });
            let lost = batch.len() - whole.count();
            self.state.dropped.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        let ends_in_line =
            |upto: usize| bytes.get(..upto).is_some_and(|bytes| bytes.last().is_some_and(|byte| *byte != b'\n'));
        self.torn = if written == 0 { self.torn } else { ends_in_line(written) };
        let was_failing = self.state.failing.swap(failed, Ordering::Relaxed);
        if failed && !was_failing {
            tracing::error!(
                "the decision log cannot be written: lines are lost and counted in credence_decision_log_dropped_total"
            );
        } else if was_failing && !failed {
            tracing::info!("the decision log is written again");
        }
    }
}

/// How many bytes got through.
fn write_most(to: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;

    use super::*;

    #[derive(Debug, Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        blocked: bool,
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<(Mutex<Disk>, Condvar)>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.1.wait_while(self.0.0.lock().unwrap(), |disk| disk.blocked).unwrap();
            let count = bytes.len().min(disk.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.room -= count;
            disk.bytes.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn set(&self, change: impl FnOnce(&mut Disk)) {
            change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
        }
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them_and_the_next_line_stands_alone() {
        let disk = Shared::default();
        disk.set(|disk| disk.room = 6);
        let mut writer = Writer { to: disk.clone(), state: Arc::default(), torn: false };
        writer.write(&[b"1234\n".to_vec(), b"5678\n".to_vec(), b"9\n".to_vec()]);
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 2);
        writer.write(&[b"lost\n".to_vec()]);
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 3);
        disk.set(|disk| disk.room = 100);
        writer.write(&[b"back\n".to_vec()]);
        assert_eq!(disk.0.0.lock().unwrap().bytes, b"1234\n5\nback\n");
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_stuck_sink_never_makes_a_caller_wait() {
        let disk = Shared::default();
        disk.set(|disk| (disk.blocked, disk.room) = (true, usize::MAX));
        let log = DecisionLog::start(disk.clone()).unwrap();
        assert!(log.take(vec![b'x'; QUEUE_BYTES + 1]).is_err(), "the queue is bounded in bytes too");
        let refused = 1 + (0..QUEUE * 2).filter(|_| log.take(b"x\n".to_vec()).is_err()).count();
        assert!(refused > 0);
        assert_eq!(log.dropped(), u64::try_from(refused).unwrap());
        disk.set(|disk| disk.blocked = false);
        drop(log);
        let written = disk.0.0.lock().unwrap().bytes.len() / 2;
        assert_eq!(written + refused, 1 + QUEUE * 2, "no line is lost silently");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn dev_full_is_told_to_whoever_wants_to_refuse() {
        let log = DecisionLog::open(&Sink::File("/dev/full".into())).unwrap();
        while !log.is_failing() {
            let _ = log.take(b"x\n".to_vec());
            std::thread::yield_now();
        }
        let state = Arc::clone(&log.state);
        drop(log);
        assert!(state.dropped.load(Ordering::Relaxed) >= 1);
    }
}
