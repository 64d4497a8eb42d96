//! The closed loop: so many calls in flight at any time, as fast as they are answered, on one thread. Gives CPU time a
//! call of the servers behind it, exactly: the window ends when the last answer is in, and every answer was judged.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::LocalSet;

use crate::judge::{Expect, Judge};
use crate::process::{Cpu, own_thread};
use crate::wire::Connection;
use crate::{Outcome, owner};

/// When a phase of a load is over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this time; messages come round again.
    Time(Duration),
    /// After so many calls; no message comes twice. An error if they take too long.
    Count(usize),
    /// After so many calls or after this time, whichever comes first.
    First(usize, Duration),
}

impl Until {
    /// How many calls there may be, and how long they may take.
    pub(crate) const fn limits(self) -> (usize, Duration) {
        match self {
            Self::Time(time) => (usize::MAX, time),
            Self::Count(count) => (count, PATIENCE),
            Self::First(count, time) => (count, time),
        }
    }
}

/// A load to come.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Calls in flight on each connection.
    pub(crate) streams: usize,
    pub(crate) frames: Arc<Vec<Bytes>>,
    /// What comes before the window, over the same connections.
    pub(crate) warm: Until,
    pub(crate) window: Until,
    pub(crate) expect: Expect,
}

/// What a window showed.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) answers: u64,
    /// Nanoseconds of CPU of each process.
    pub(crate) cpu: Vec<u64>,
    pub(crate) wall: Duration,
    /// Nanoseconds of CPU of the generator.
    pub(crate) generator: u64,
    /// Smallest and largest answer.
    pub(crate) sizes: (usize, usize),
}

impl Window {
    /// Microseconds of CPU an answer, of all processes.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu.iter().sum::<u64>() as f64 / 1000.0 / self.answers as f64
    }

    /// The same of one process.
    pub(crate) fn cost_of(&self, which: usize) -> f64 {
        self.cpu.get(which).map_or(f64::NAN, |cpu| *cpu as f64 / 1000.0 / self.answers as f64)
    }

    /// How much of a core the generator took.
    pub(crate) fn generator_share(&self) -> f64 {
        self.generator as f64 / self.wall.as_nanos() as f64
    }
}

/// How long a server may take to be shown everything once. One that is slower shows so in the window.
pub(crate) const PRIMING: Duration = Duration::from_secs(10);

/// Nothing may take longer than its time and this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Reads the CPU time of these processes before and after `phase`, and the generator's own.
pub(crate) async fn measured(pids: &[u32], phase: impl Future<Output = Outcome<u64>>) -> Outcome<Window> {
    let (before, own, since) = (cpu(pids)?, own_thread()?, Instant::now());
    let answers = phase.await?;
    let (wall, own, after) = (since.elapsed(), own_thread()? - own, cpu(pids)?);
    if answers == 0 {
        return Err("no answers".into());
    }
    let cpu = after.iter().zip(before).map(|(after, before)| after.since(before)).collect();
    Ok(Window { answers, cpu, wall, generator: own, sizes: (0, 0) })
}

fn cpu(pids: &[u32]) -> Outcome<Vec<Cpu>> {
    pids.iter().map(|pid| Cpu::of(*pid)).collect()
}

impl Load {
    /// Loads the server at `address`, which must be process `pid`'s alone.
    pub(crate) fn run(&self, address: SocketAddr, pid: u32) -> Outcome<Window> {
        owner::only(pid, address.port())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let window = LocalSet::new().block_on(&runtime, async {
            let mut connections = Vec::new();
            for _ in 0..self.connections {
                connections.push(Connection::open(address).await?);
            }
            let judge = Rc::new(Judge::new(self.expect));
            let next = Rc::new(Cell::new(0));
            self.phase(&connections, self.warm, &judge, &next).await?;
            let mut window = measured(&[pid], self.phase(&connections, self.window, &judge, &next)).await?;
            window.sizes = judge.sizes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(window)
        })?;
        owner::only(pid, address.port())?;
        Ok(window)
    }

    /// Calls until it is over and everything is answered; how many answers came.
    async fn phase(
        &self,
        connections: &[Connection],
        until: Until,
        judge: &Rc<Judge>,
        next: &Rc<Cell<usize>>,
    ) -> Outcome<u64> {
        let (limit, length) = until.limits();
        if let Until::Count(count) = until
            && next.get() + count > self.frames.len()
        {
            return Err("more calls than distinct messages".into());
        }
        let phase = Rc::new(Phase {
            frames: Arc::clone(&self.frames),
            next: Rc::clone(next),
            left: Cell::new(limit),
            end: Instant::now() + length,
            judge: Rc::clone(judge),
            answers: Cell::new(0),
            fault: RefCell::new(None),
        });
        let callers = connections.iter().flat_map(|connection| (0..self.streams).map(move |_| connection.clone()));
        let tasks: Vec<_> =
            callers.map(|connection| tokio::task::spawn_local(caller(connection, Rc::clone(&phase)))).collect();
        let all = async {
            for task in tasks {
                task.await?;
            }
            Ok::<_, tokio::task::JoinError>(())
        };
        tokio::time::timeout(length + PATIENCE, all).await.map_err(|_| "calls hang")??;
        match phase.fault.take() {
            Some(fault) => Err(fault),
            None if matches!(until, Until::Count(_)) && phase.left.get() > 0 => {
                Err(format!("{} calls were not made within {PATIENCE:?}", phase.left.get()).into())
            }
            None => Ok(phase.answers.get()),
        }
    }
}

/// What the callers of one phase share.
struct Phase {
    frames: Arc<Vec<Bytes>>,
    next: Rc<Cell<usize>>,
    left: Cell<usize>,
    end: Instant,
    judge: Rc<Judge>,
    answers: Cell<u64>,
    fault: RefCell<Option<Box<dyn std::error::Error + Send + Sync>>>,
}

impl Phase {
    fn next(&self) -> Option<Bytes> {
        self.left.set(self.left.get().checked_sub(1)?);
        if Instant::now() >= self.end || self.fault.borrow().is_some() {
            self.left.set(self.left.get() + 1);
            return None;
        }
        let which = self.next.get() % self.frames.len().max(1);
        self.next.set(which + 1);
        self.frames.get(which).cloned()
    }
}

async fn caller(connection: Connection, phase: Rc<Phase>) {
    while let Some(frame) = phase.next() {
        let judged = match connection.call(frame).await {
            Ok(answer) => phase.judge.judge(&answer),
            Err(error) => Err(error),
        };
        match judged {
            Ok(()) => phase.answers.set(phase.answers.get() + 1),
            Err(error) => {
                phase.fault.borrow_mut().get_or_insert(error);
                return;
            }
        }
    }
}
