//! The open loop: calls at a fixed rate, whether answered or not, and how long each took from the instant at which it
//! was meant to be sent. Gives latencies.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use crate::Outcome;
use crate::closed::PATIENCE;
use crate::judge::{Expect, Judge};
use crate::wire::Connection;

/// Calls at a fixed rate over one connection of its own, from a thread of its own.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) frames: Arc<Vec<Bytes>>,
    /// Calls a second.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
    pub(crate) expect: Expect,
    /// Kinds of questions, by the size of their answers.
    pub(crate) kinds: usize,
}

/// More calls than this are not let pile up: then the rate was not kept, and there is no figure.
const WAITING: usize = 512;

impl Pace {
    /// Runs it; microseconds of each call.
    pub(crate) fn run(&self, address: SocketAddr) -> Outcome<Vec<f64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let connection = Connection::open(address).await?;
            let judge = Rc::new(Judge::of_kinds(self.expect, self.kinds));
            let (took, fault) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
            let mut beats = beats(self.rate, self.time);
            let mut tasks = Vec::new();
            let mut frames = self.frames.iter().cycle().cloned();
            while let Some(meant) = beats.recv().await {
                let Some(frame) = frames.next() else { break };
                let (connection, judge) = (connection.clone(), Rc::clone(&judge));
                let (times, faults) = (Rc::clone(&took), Rc::clone(&fault));
                tasks.push(tokio::task::spawn_local(async move {
                    match connection.call(frame).await.and_then(|answer| judge.judge(&answer)) {
                        Ok(()) => times.borrow_mut().push(meant.elapsed().as_nanos() as f64 / 1000.0),
                        Err(error) => *faults.borrow_mut() = Some(error),
                    }
                }));
                if tasks.len() - took.borrow().len() > WAITING {
                    return Err(format!("{} calls/s are more than this machine can do", self.rate).into());
                }
                if fault.borrow().is_some() {
                    break;
                }
            }
            let all = async {
                for task in tasks {
                    let _ = task.await;
                }
            };
            tokio::time::timeout(PATIENCE, all).await.map_err(|_| "calls hang")?;
            match fault.take() {
                Some(fault) => Err(fault),
                None => Ok(took.take()),
            }
        })
    }
}

/// So many instants a second, from a thread that sleeps to each: the timers of the runtime are as coarse as a millisecond.
pub(crate) fn beats(rate: f64, time: Duration) -> UnboundedReceiver<Instant> {
    let (send, receive) = unbounded_channel();
    let (step, end) = (Duration::from_secs_f64(1.0 / rate), Instant::now() + time);
    std::thread::spawn(move || {
        let mut meant = Instant::now() + step;
        while meant < end {
            std::thread::sleep(meant.saturating_duration_since(Instant::now()));
            if send.send(meant).is_err() {
                return;
            }
            meant += step;
        }
    });
    receive
}
