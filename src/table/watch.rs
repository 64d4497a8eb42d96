//! Notices that the files of a path changed, however they were changed.
//!
//! Events of the file system only wake the watcher; what counts is what a stable read then sees. So an edit in place,
//! an atomic rename, a ConfigMap's `..data` swap and a directory that goes and comes back are all one case, and a
//! missed event is made good by the next poll.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Sources;

/// How fast the watcher moves.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Quiet time after an event before the files are read.
    pub quiet: Duration,
    /// Longest wait after an event, however busy the directory is.
    pub patience: Duration,
    /// Time between the two looks of a stable read.
    pub pause: Duration,
    /// Time between two reads when no event comes.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(50),
            patience: Duration::from_millis(200),
            pause: Duration::from_millis(20),
            poll: Duration::from_secs(10),
        }
    }
}

/// Looks of one stable read before it is put off to the next round.
const LOOKS: u32 = 10;

enum Signal {
    Changed,
    Poke,
    Stop,
}

/// A thread that watches one path until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Watches `path`. `changed` is called, on the watcher's thread, whenever a stable read sees something else than
    /// the time before; `seen` is what the caller has taken already. What it sees may be a problem (a path that is
    /// gone, a file that is not text): the callback is told once, and the last good state is the callback's to keep.
    ///
    /// # Errors
    /// The thread cannot be started. A file system without events is not an error: the poll goes on.
    pub fn spawn(
        path: PathBuf,
        pace: Pace,
        seen: &Sources,
        changed: impl FnMut(Sources) + Send + 'static,
    ) -> io::Result<Self> {
        let (signals, inbox) = mpsc::channel();
        let events = signals.clone();
        let seen = *seen.digest();
        let run = move || Watch { path, pace, seen, inbox, eyes: Eyes::new(events), changed }.run();
        let thread = thread::Builder::new().name(String::from("watch")).spawn(run)?;
        Ok(Self { signals, thread: Some(thread) })
    }

    /// Reads now and calls back even if nothing changed: for SIGHUP.
    pub fn poke(&self) {
        let _ = self.signals.send(Signal::Poke);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watch<F> {
    path: PathBuf,
    pace: Pace,
    seen: [u8; 32],
    inbox: Receiver<Signal>,
    eyes: Eyes,
    changed: F,
}

/// What woke the watcher.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// Something may have changed.
    Look,
    /// The caller wants to hear in any case.
    Tell,
    Stop,
}

impl<F: FnMut(Sources)> Watch<F> {
    fn run(mut self) {
        // The first look catches what changed between the caller's read and the first watch.
        let mut wake = Wake::Look;
        while wake != Wake::Stop {
            self.eyes.turn_to(&self.path);
            let settled = self.look(wake == Wake::Tell);
            wake = if settled { self.wait() } else { Wake::Look };
        }
    }

    /// Reads, and tells what is new; false when the files would not hold still.
    fn look(&mut self, tell: bool) -> bool {
        if !tell && Sources::glance(&self.path) == self.seen {
            return true;
        }
        let Ok(sources) = Sources::read_stable(&self.path, self.pace.pause, LOOKS) else { return false };
        if tell || *sources.digest() != self.seen {
            self.seen = *sources.digest();
            (self.changed)(sources);
        }
        true
    }

    /// Waits for a signal or the poll, then until it is quiet.
    fn wait(&self) -> Wake {
        let mut wake = match self.inbox.recv_timeout(self.pace.poll) {
            Ok(Signal::Changed) => Wake::Look,
            Ok(Signal::Poke) => return Wake::Tell,
            Err(RecvTimeoutError::Timeout) => return Wake::Look,
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Wake::Stop,
        };
        let deadline = Instant::now() + self.pace.patience;
        while wake == Wake::Look {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(self.pace.quiet.min(left)) {
                Ok(Signal::Changed) if !left.is_zero() => {}
                Ok(Signal::Changed) | Err(RecvTimeoutError::Timeout) => break,
                Ok(Signal::Poke) => wake = Wake::Tell,
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => wake = Wake::Stop,
            }
        }
        wake
    }
}

/// The directories whose events wake the watcher, each with what tells whether it is still the same one.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    on: BTreeMap<PathBuf, Identity>,
}

type Identity = Option<(u64, u64)>;

impl Eyes {
    fn new(events: Sender<Signal>) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            // Our own reading opens and closes files too; only writing counts. An error wakes as well.
            let ours = event.is_ok_and(|event| {
                let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
                event.kind.is_access() && event.kind != written
            });
            if !ours {
                let _ = events.send(Signal::Changed);
            }
        };
        Self { watcher: notify::recommended_watcher(handler).ok(), on: BTreeMap::new() }
    }

    /// Watches the directories that matter for `path` now, and no others.
    fn turn_to(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeMap<_, _> = directories(path)
            .into_iter()
            .map(|directory| {
                let identity = identity(&directory);
                (directory, identity)
            })
            .collect();
        if wanted == self.on {
            return;
        }
        for directory in self.on.keys().filter(|&directory| wanted.get(directory) != self.on.get(directory)) {
            let _ = watcher.unwatch(directory);
        }
        let new = |directory: &&PathBuf| wanted.get(*directory) != self.on.get(*directory);
        let failed: Vec<_> = wanted
            .keys()
            .filter(new)
            .filter(|directory| watcher.watch(directory, RecursiveMode::NonRecursive).is_err())
            .cloned()
            .collect();
        self.on = wanted;
        self.on.retain(|directory, _| !failed.contains(directory));
    }
}

/// The directory of the path (or the nearest one above that exists), the path itself if it is a directory, and where
/// symbolic links lead. A watch on a file goes deaf at the first rename over it; one on its directory does not.
fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut add = |directory: &Path| {
        if let Ok(directory) = directory.canonicalize()
            && !found.contains(&directory)
        {
            found.push(directory);
        }
    };
    if path.is_dir() {
        add(path);
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Some(above) = absolute.ancestors().skip(1).find(|above| above.is_dir()) {
        add(above);
    }
    if let Some(real) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
        add(real);
    }
    found
}

#[cfg(unix)]
fn identity(directory: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(directory).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(directory: &Path) -> Identity {
    directory.is_dir().then_some((0, 0))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
