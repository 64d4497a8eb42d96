//! Threads that each serve a share of the connections from first byte to last, on a runtime of their own.
//!
//! A call is read, judged and answered on one thread, without a lock or a wake-up between threads. A connection
//! goes to the worker that has the fewest, and stays there.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

/// What a worker does with what it is handed.
pub(super) type Serve<T> = Arc<dyn Fn(T) -> Serving + Send + Sync>;

/// One connection, served to its end.
pub(super) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The workers of one listener, in the hand of whoever accepts.
pub(super) struct Workers<T> {
    all: Vec<Worker<T>>,
    serve: Serve<T>,
}

impl<T: Send + 'static> Workers<T> {
    /// Starts so many.
    ///
    /// # Errors
    /// A thread or its runtime cannot be made.
    pub(super) fn start(count: usize, serve: Serve<T>) -> io::Result<Self> {
        let all = (0..count).map(|number| Worker::start(number, &serve)).collect::<io::Result<_>>()?;
        Ok(Self { all, serve })
    }

    /// Hands `what` to the worker with the fewest connections. One whose thread has died, which would be a fault of
    /// ours, is replaced.
    ///
    /// # Errors
    /// It comes back when there is no worker left and none can be started.
    pub(super) fn hand(&mut self, mut what: T) -> Result<(), T> {
        let mut by_load: Vec<_> = self.all.iter_mut().collect();
        by_load.sort_by_key(|worker| worker.open.load(Ordering::Relaxed));
        for worker in by_load {
            match worker.hand(what).or_else(|back| worker.replace(&self.serve).hand(back)) {
                Ok(()) => return Ok(()),
                Err(back) => what = back,
            }
        }
        Err(what)
    }

    /// Hands nothing more over, and waits until every connection has ended and every thread is gone.
    pub(super) async fn end(self) {
        let (inboxes, threads): (Vec<_>, Vec<_>) =
            self.all.into_iter().map(|worker| (worker.inbox, (worker.ended, worker.thread))).unzip();
        drop(inboxes);
        for (ended, thread) in threads {
            // Nothing is ever sent: this ends with the thread's last act, after which joining takes no time.
            _ = ended.await;
            _ = thread.join();
        }
    }
}

struct Worker<T> {
    number: usize,
    inbox: UnboundedSender<Handed<T>>,
    /// Connections that it was handed and that have not ended.
    open: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

struct Handed<T> {
    what: T,
    place: Place,
}

/// A connection's place in the count of its worker, until it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Worker<T> {
    fn start(number: usize, serve: &Serve<T>) -> io::Result<Self> {
        let (inbox, handed) = unbounded_channel();
        let (last_act, ended) = oneshot::channel();
        let (started, start) = sync_channel(1);
        let serve = Arc::clone(serve);
        let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            run(handed, serve, &started);
            drop(last_act);
        })?;
        start.recv().map_err(|_gone| io::Error::other("a worker ended at once"))??;
        Ok(Self { number, inbox, open: Arc::default(), ended, thread })
    }

    fn hand(&self, what: T) -> Result<(), T> {
        let place = Place::take(&self.open);
        self.inbox.send(Handed { what, place }).map_err(|back| back.0.what)
    }

    /// Starts another in the place of one that is gone; this one stays as it is where that fails.
    fn replace(&mut self, serve: &Serve<T>) -> &Self {
        tracing::error!(worker = self.number, "a fault of credence ended a worker and its connections");
        match Self::start(self.number, serve) {
            Ok(new) => *self = new,
            Err(error) => tracing::error!(worker = self.number, %error, "it cannot be started again"),
        }
        self
    }
}

/// The life of a worker's thread.
fn run<T: Send + 'static>(handed: UnboundedReceiver<Handed<T>>, serve: Serve<T>, started: &SyncSender<io::Result<()>>) {
    // Made here because a runtime must not be dropped on another one, as it would be if a thread could not be had.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, outcome): (Option<Runtime>, _) = match runtime {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    if let (Ok(()), Some(runtime)) = (started.send(outcome), runtime) {
        runtime.block_on(work(handed, serve));
    }
}

/// Serves what is handed over, all of it side by side, until nothing more can come and all has ended.
async fn work<T: Send + 'static>(mut handed: UnboundedReceiver<Handed<T>>, serve: Serve<T>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            next = handed.recv() => {
                let Some(Handed { what, place }) = next else { break };
                let serving = serve(what);
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Some(ended) = connections.join_next() => tell(ended),
        }
    }
    while let Some(ended) = connections.join_next().await {
        tell(ended);
    }
}

fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a fault of credence ended a connection");
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use tokio::sync::mpsc;

    use super::*;

    /// What a test hands over: served until the other half of `until` is gone.
    struct Job {
        until: oneshot::Receiver<()>,
        panics: bool,
    }

    /// Workers that tell on which thread each job is served.
    fn workers(count: usize) -> (Workers<Job>, mpsc::UnboundedReceiver<ThreadId>) {
        let (tell, told) = mpsc::unbounded_channel();
        let serve = move |job: Job| -> Serving {
            assert!(!job.panics, "on purpose");
            tell.send(thread::current().id()).unwrap();
            Box::pin(async move { _ = job.until.await })
        };
        (Workers::start(count, Arc::new(serve)).unwrap(), told)
    }

    fn job() -> (oneshot::Sender<()>, Job) {
        let (end, until) = oneshot::channel();
        (end, Job { until, panics: false })
    }

    fn load(workers: &Workers<Job>) -> Vec<usize> {
        workers.all.iter().map(|worker| worker.open.load(Ordering::Relaxed)).collect()
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_worker_with_the_fewest_and_counts_until_it_ends() {
        let (mut workers, mut told) = workers(3);
        let mut ends = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..6 {
            let (end, job) = job();
            assert!(workers.hand(job).is_ok());
            threads.push(told.recv().await.unwrap());
            ends.push(end);
        }
        assert_eq!(load(&workers), [2, 2, 2]);
        assert_eq!(threads[..3], threads[3..], "in turn");
        assert!(threads[0] != threads[1] && threads[1] != threads[2] && threads[0] != threads[2]);

        drop((ends.remove(4), ends.remove(1)));
        while load(&workers) != [2, 0, 2] {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            let (end, job) = job();
            assert!(workers.hand(job).is_ok());
            assert_eq!(told.recv().await.unwrap(), threads[1], "the idle one takes the next");
            ends.push(end);
        }
        drop(ends);
        workers.end().await;
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_replaced_and_leaves_no_place_taken() {
        let (mut workers, mut told) = workers(1);
        let (kept, first) = job();
        assert!(workers.hand(first).is_ok());
        let before = told.recv().await.unwrap();
        let (_end, mut last) = job();
        last.panics = true;
        assert!(workers.hand(last).is_ok());
        while load(&workers) != [0] {
            tokio::task::yield_now().await;
        }
        assert!(kept.is_closed(), "its connections end with it");

        let (end, next) = job();
        while !workers.all[0].inbox.is_closed() {
            tokio::task::yield_now().await;
        }
        assert!(workers.hand(next).is_ok());
        assert_ne!(told.recv().await.unwrap(), before);
        assert_eq!(load(&workers), [1]);
        drop(end);
        workers.end().await;
    }

    #[tokio::test]
    async fn the_end_waits_for_what_is_being_served() {
        let (mut workers, mut told) = workers(2);
        let (end, job) = job();
        assert!(workers.hand(job).is_ok());
        told.recv().await.unwrap();
        let ending = tokio::spawn(workers.end());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!ending.is_finished());
        drop(end);
        ending.await.unwrap();
    }
}
