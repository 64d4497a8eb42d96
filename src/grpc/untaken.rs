//! Answers that were given and not yet taken: what a peer that does not read costs, and when it has cost enough.
//!
//! HTTP/2 lets a peer open thousands of streams and take no byte on any of them; each then holds an answer for as long
//! as the connection lives. A proxy takes its answers, or resets their streams, within its own timeout.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tonic::body::Body;

use crate::wire::ReplyBody;

/// An answer may wait for two turns and is noticed in the third: between 20 and 30 seconds.
const TURN: Duration = Duration::from_secs(10);
const TURNS: usize = 3;

/// Answers that may wait on a listener while connections are not asked for theirs; some 2 kB each.
const MOST: usize = 32_768;

/// With more, a connection that holds so many is cut: a proxy holds a handful.
const SHARE: usize = 1_024;

/// What all connections of a listener hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Total(Arc<AtomicUsize>);

/// What one connection holds.
#[derive(Debug)]
pub(super) struct Ledger {
    total: Total,
    own: AtomicUsize,
    /// By the turn in which they were given.
    given: [AtomicUsize; TURNS],
    turn: AtomicUsize,
    too_many: Notify,
}

impl Ledger {
    /// For a new connection.
    pub(super) fn new(total: Total) -> Arc<Self> {
        let (own, turn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { total, own, given: <[AtomicUsize; TURNS]>::default(), turn, too_many: Notify::new() })
    }

    /// The answer, which is written down here until it is dropped: taken, or reset by the peer.
    pub(super) fn hold(self: Arc<Self>, answer: ReplyBody) -> Untaken {
        let turn = self.turn.load(Ordering::Relaxed);
        let own = self.own.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.0.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(given) = self.given.get(turn % TURNS) {
            given.fetch_add(1, Ordering::Relaxed);
        }
        if total > MOST && own > SHARE {
            self.too_many.notify_one();
        }
        Untaken { answer: Answer::Check(answer), _held: Some(Held { turn, ledger: self }) }
    }

    /// Ends when the connection is to be cut.
    pub(super) async fn exhausted(&self) {
        loop {
            if tokio::time::timeout(TURN, self.too_many.notified()).await.is_ok() {
                tracing::warn!("a connection was cut: its peer takes no answers, and too many wait");
                return;
            }
            let next = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
            let forgotten = self.given.get(next % TURNS).map_or(0, |given| given.load(Ordering::Relaxed));
            if forgotten > 0 {
                tracing::warn!(answers = forgotten, "a connection was cut: its peer did not take its answers in time");
                return;
            }
        }
    }
}

/// An answer on its way.
pub(super) struct Untaken {
    answer: Answer,
    _held: Option<Held>,
}

impl Untaken {
    /// An answer that nobody counts: there are few of its kind.
    pub(super) const fn unheld(answer: Body) -> Self {
        Self { answer: Answer::Other(answer), _held: None }
    }
}

enum Answer {
    Check(ReplyBody),
    Other(Body),
}

/// Where an answer is written down.
struct Held {
    turn: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.own.fetch_sub(1, Ordering::Relaxed);
        self.ledger.total.0.fetch_sub(1, Ordering::Relaxed);
        if let Some(given) = self.ledger.given.get(self.turn % TURNS) {
            given.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl http_body::Body for Untaken {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.answer {
            Answer::Check(answer) => Pin::new(answer).poll_frame(context).map_err(|never| match never {}),
            Answer::Other(answer) => Pin::new(answer).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.answer {
            Answer::Check(answer) => answer.is_end_stream(),
            Answer::Other(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answer {
            Answer::Check(answer) => answer.size_hint(),
            Answer::Other(answer) => answer.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> ReplyBody {
        ReplyBody::empty()
    }

    async fn is_exhausted_within(ledger: &Ledger, span: Duration) -> bool {
        tokio::time::timeout(span, ledger.exhausted()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_the_connection_and_one_that_is_does_not() {
        let ledger = Ledger::new(Total::default());
        let held = Arc::clone(&ledger).hold(answer());
        assert!(!is_exhausted_within(&ledger, TURN * 2 - Duration::from_secs(1)).await);
        drop(held);
        assert!(!is_exhausted_within(&ledger, TURN * 20).await);
        let _held = Arc::clone(&ledger).hold(answer());
        assert!(is_exhausted_within(&ledger, TURN * 4).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_answers_that_are_each_taken_in_time_goes_on_for_ever() {
        let ledger = Ledger::new(Total::default());
        let watched = Arc::clone(&ledger);
        let watch = tokio::spawn(async move { watched.exhausted().await });
        let mut answers = std::collections::VecDeque::new();
        for _ in 0..100 {
            answers.push_back(Arc::clone(&ledger).hold(answer()));
            tokio::time::sleep(Duration::from_secs(5)).await;
            if answers.len() > 2 {
                answers.pop_front();
            }
        }
        assert!(!watch.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn when_too_many_wait_it_is_at_the_expense_of_who_holds_most() {
        let total = Total::default();
        let (greedy, modest) = (Ledger::new(total.clone()), Ledger::new(total.clone()));
        let _held: Vec<_> = (0..MOST).map(|_| Arc::clone(&greedy).hold(answer())).collect();
        assert!(!is_exhausted_within(&greedy, Duration::from_secs(1)).await);
        let _modest: Vec<_> = (0..SHARE).map(|_| Arc::clone(&modest).hold(answer())).collect();
        assert!(!is_exhausted_within(&modest, Duration::from_secs(1)).await);
        let _one_more = Arc::clone(&greedy).hold(answer());
        assert!(is_exhausted_within(&greedy, Duration::from_secs(1)).await);
    }
}
