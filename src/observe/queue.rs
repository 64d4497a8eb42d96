//! What waits to be written: whole lines, bounded in bytes. Whoever brings a line copies it and goes; the writer sleeps
//! until there is one, lets others join it for a moment, and takes them all.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::log::Full;

/// Bytes that may wait to be written, those that the writer has in hand included.
pub(super) const QUEUE_BYTES: usize = 16 << 20;
/// Lines stand together in chunks of this many bytes, each of which is written at once.
const CHUNK: usize = 64 * 1024;
/// Written chunks that are kept for new lines.
const SPARE: usize = 8;
/// How long the first line waits for others: it saves waking up for each, and whoever follows the log does not notice.
const LINGER: Duration = Duration::from_millis(4);

/// The queue between those who decide and the one who writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Rung for a writer that sleeps, and at the end.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Oldest first; only the last has room left.
    chunks: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// In the chunks and in the writer's hand.
    bytes: usize,
    /// The writer has nothing to do and wants to be woken.
    is_idle: bool,
    is_closed: bool,
}

impl Waiting {
    fn append(&mut self, line: &[u8]) {
        self.bytes += line.len();
        if let Some(last) = self.chunks.back_mut().filter(|last| last.capacity() - last.len() >= line.len()) {
            return last.extend_from_slice(line);
        }
        let mut chunk = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        chunk.extend_from_slice(line);
        self.chunks.push_back(chunk);
    }
}

impl Queue {
    /// Takes a copy of one line, its newline included.
    ///
    /// # Errors
    /// [`Full`]: no room for it.
    pub(super) fn push(&self, line: &[u8]) -> Result<(), Full> {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > QUEUE_BYTES {
            return Err(Full);
        }
        waiting.append(line);
        let sleeps = mem::take(&mut waiting.is_idle);
        drop(waiting);
        if sleeps {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Waits for lines and takes them all; `None` once the queue is closed and empty. Each chunk is to be given
    /// [back](Self::done).
    pub(super) fn take(&self) -> Option<VecDeque<Vec<u8>>> {
        let nothing = |waiting: &mut Waiting| {
            waiting.is_idle = waiting.chunks.is_empty() && !waiting.is_closed;
            waiting.is_idle
        };
        let waiting = self.bell.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        let open = |waiting: &mut Waiting| !waiting.is_closed;
        let lingered = self.bell.wait_timeout_while(waiting, LINGER, open);
        let (mut waiting, _) = lingered.unwrap_or_else(PoisonError::into_inner);
        Some(mem::take(&mut waiting.chunks)).filter(|chunks| !chunks.is_empty())
    }

    /// A chunk was dealt with: its bytes wait no more.
    pub(super) fn done(&self, mut chunk: Vec<u8>) {
        let size = chunk.len();
        chunk.clear();
        let mut waiting = self.lock();
        waiting.bytes -= size;
        if waiting.spare.len() < SPARE && chunk.capacity() == CHUNK {
            waiting.spare.push(chunk);
        }
    }

    /// No more lines come: nothing lingers any more, and once all are taken there are none.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.bell.notify_all();
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
