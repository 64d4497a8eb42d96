//! The sink of the decision log: a thread that writes, and a bounded queue before it.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::queue::{QUEUE_BYTES, Queue};

/// At the end, how long the sink may take nothing before what is still queued is given up.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// Bytes that a thread keeps for the line it writes next.
const LINE: usize = 16 * 1024;

thread_local! {
    /// Where lines are written before they are queued.
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

/// The decision log. Taking a line never waits for the sink; no line is lost without being counted.
#[derive(Debug)]
pub struct DecisionLog {
    /// `None` where nothing is written.
    state: Option<Arc<State>>,
    /// Closed when the writer has ended.
    ended: Option<Mutex<Receiver<()>>>,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    dropped: AtomicU64,
    failing: AtomicBool,
}

impl DecisionLog {
    /// Opens the sink and starts its thread.
    ///
    /// # Errors
    /// A file that cannot be opened for appending.
    pub fn open(sink: &Sink) -> io::Result<Self> {
        match sink {
            Sink::Off => Ok(Self { state: None, ended: None }),
            Sink::Stdout => Self::start(io::stdout()),
            Sink::File(path) => Self::start(append(path)?),
        }
    }

    /// Writes to `to` from a thread of its own.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let writer = Writer { to, state: Arc::clone(&state), torn: false };
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new().name("decision-log".into()).spawn(move || {
            writer.run();
            drop(alive);
        })?;
        Ok(Self { state: Some(state), ended: Some(Mutex::new(ended)) })
    }

    /// Takes the line that `write` writes, newline included, or counts it as dropped. Where the log is off nothing is
    /// written at all. `write` must not itself take a line.
    ///
    /// # Errors
    /// [`Full`]: the queue is full.
    pub fn take(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        let Some(state) = &self.state else { return Ok(()) };
        DRAFT.with_borrow_mut(|line| {
            line.clear();
            write(line);
            let taken = state.queue.push(line);
            line.shrink_to(LINE);
            taken.inspect_err(|Full| {
                state.dropped.fetch_add(1, Ordering::Relaxed);
            })
        })
    }

    /// Whether the last write failed. It turns with the next line that gets through, so lines are to be sent on.
    pub fn is_failing(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.failing.load(Ordering::Relaxed))
    }

    /// Whether the next lines can be taken: there is room for a few thousand.
    pub fn has_room(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.queue.bytes() < QUEUE_BYTES / 8 * 7)
    }

    /// Lines that were lost.
    pub fn dropped(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.dropped.load(Ordering::Relaxed))
    }
}

/// Writes what is queued, then ends. A sink that takes nothing does not hold the program up for long.
impl Drop for DecisionLog {
    fn drop(&mut self) {
        let (Some(state), Some(ended)) = (&self.state, self.ended.take()) else { return };
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut before = state.queue.bytes();
        state.queue.close();
        while ended.recv_timeout(LAST_WAIT) == Err(RecvTimeoutError::Timeout) {
            let bytes = state.queue.bytes();
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
    fn run(mut self) {
        let state = Arc::clone(&self.state);
        while let Some(chunks) = state.queue.take() {
            for chunk in chunks {
                self.write(&chunk);
                state.queue.done(chunk);
            }
        }
    }

    /// Writes whole lines; those that did not get through whole are counted, and the next one starts on a new line.
    fn write(&mut self, lines: &[u8]) {
        if self.torn {
            self.torn = write_most(&mut self.to, b"\n") == 0;
        }
        let written = if self.torn { 0 } else { write_most(&mut self.to, lines) };
        let (through, left) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        self.torn |= through.last().is_some_and(|byte| *byte != b'\n');
        let failed = !left.is_empty() || self.to.flush().is_err();
        let lost = left.iter().filter(|byte| **byte == b'\n').count();
        self.state.dropped.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
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

    use super::super::queue::QUEUE_BYTES;
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

    fn say(log: &DecisionLog, line: &[u8]) -> Result<(), Full> {
        log.take(|to| to.extend_from_slice(line))
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them_and_the_next_line_stands_alone() {
        let disk = Shared::default();
        disk.set(|disk| disk.room = 6);
        let mut writer = Writer { to: disk.clone(), state: Arc::default(), torn: false };
        writer.write(b"1234\n5678\n9\n");
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 2);
        writer.write(b"lost\n");
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 3);
        assert!(writer.state.failing.load(Ordering::Relaxed));
        disk.set(|disk| disk.room = 1);
        writer.write(b"lost too, but what was torn is ended\n");
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 4);
        disk.set(|disk| disk.room = 100);
        writer.write(b"back\n");
        assert_eq!(disk.0.0.lock().unwrap().bytes, b"1234\n5\nback\n");
        assert_eq!(writer.state.dropped.load(Ordering::Relaxed), 4);
        assert!(!writer.state.failing.load(Ordering::Relaxed));
    }

    #[test]
    fn a_stuck_sink_never_makes_a_caller_wait() {
        let disk = Shared::default();
        disk.set(|disk| (disk.blocked, disk.room) = (true, usize::MAX));
        let log = DecisionLog::start(disk.clone()).unwrap();
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        let asked = 2 * QUEUE_BYTES / line.len();
        let refused = (0..asked).filter(|_| say(&log, &line).is_err()).count();
        assert_eq!(refused, asked / 2, "the queue is bounded in bytes, what the writer has in hand included");
        assert_eq!(log.dropped(), u64::try_from(refused).unwrap());
        disk.set(|disk| disk.blocked = false);
        while say(&log, &line).is_err() {
            std::thread::yield_now();
        }
        drop(log);
        let written = disk.0.0.lock().unwrap().bytes.len() / line.len();
        assert_eq!(written, asked - refused + 1, "what was written makes room, and no line is lost silently");
    }

    #[test]
    fn lines_of_many_threads_and_of_any_length_arrive_whole_and_in_each_thread_s_order() {
        let disk = Shared::default();
        disk.set(|disk| disk.room = usize::MAX);
        let log = DecisionLog::start(disk.clone()).unwrap();
        const EACH: usize = 2000;
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for number in 0..EACH {
                        // Now and then longer than what is written at once.
                        let length = if number % 500 == 0 { 100_000 } else { number % 700 };
                        let line = format!("{thread} {number} {}.\n", "x".repeat(length));
                        say(log, line.as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(log);
        let text = String::from_utf8(disk.0.0.lock().unwrap().bytes.clone()).unwrap();
        let mut next = [0; 4];
        for line in text.lines() {
            let parts: Vec<_> = line.split(' ').collect();
            let (thread, number): (usize, usize) = (parts[0].parse().unwrap(), parts[1].parse().unwrap());
            assert_eq!((number, line.ends_with('.')), (next[thread], true));
            next[thread] += 1;
        }
        assert_eq!(next, [EACH; 4]);
    }

    #[test]
    fn a_line_that_comes_alone_is_written_without_another_one_or_an_end() {
        let disk = Shared::default();
        disk.set(|disk| disk.room = usize::MAX);
        let log = DecisionLog::start(disk.clone()).unwrap();
        for round in 1..=20 {
            say(&log, b"x\n").unwrap();
            while disk.0.0.lock().unwrap().bytes.len() < 2 * round {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn off_writes_no_line() {
        let log = DecisionLog::open(&Sink::Off).unwrap();
        assert_eq!(log.take(|_| panic!("nobody reads it")), Ok(()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn dev_full_is_told_to_whoever_wants_to_refuse() {
        let log = DecisionLog::open(&Sink::File("/dev/full".into())).unwrap();
        while !log.is_failing() {
            let _ = say(&log, b"x\n");
            std::thread::yield_now();
        }
        let state = Arc::clone(log.state.as_ref().unwrap());
        drop(log);
        assert!(state.dropped.load(Ordering::Relaxed) >= 1);
    }
}
