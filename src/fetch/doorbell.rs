//! Where readers say that a key is missing: at most one fetch at a time comes of it, and few in a row.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::keys::{Landing, Supply};

/// What strangers may cause at one issuer, however many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Fetches that may begin because of tokens, and in which time.
    pub fetches: (usize, Duration),
    /// Callers that may wait at once; the others are answered at once.
    pub waiting: usize,
    /// How long a `kid` that was asked for in vain is not asked for again.
    pub absent: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { fetches: (2, Duration::from_secs(10)), waiting: 64, absent: Duration::from_secs(10) }
    }
}

/// The bell of one source, between the readers who ring it and the one task that answers.
#[derive(Debug)]
pub(super) struct Doorbell {
    budget: Budget,
    book: Mutex<Book>,
    rung: Notify,
    /// Made for the first who waits: at most sources nobody ever does.
    landed: OnceLock<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Book {
    /// When fetches began because of tokens, within the time of the budget.
    begun: VecDeque<Instant>,
    /// What they were begun for. As many as fetches, so a flood of names cannot make it grow.
    asked: VecDeque<(String, Instant)>,
    /// A fetch was asked for and has not begun.
    wanted: bool,
    /// A fetch was asked for, or is under way.
    flight: bool,
    waiting: usize,
}

impl Doorbell {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, book: Mutex::default(), rung: Notify::new(), landed: OnceLock::new() }
    }

    /// Ends when somebody has asked for a fetch.
    pub(super) async fn rung(&self) {
        while !self.book().wanted {
            self.rung.notified().await;
        }
    }

    /// A fetch begins: whoever comes now can wait for it.
    pub(super) fn took_off(&self) {
        let mut book = self.book();
        (book.wanted, book.flight) = (false, true);
    }

    /// A fetch has its answer: whoever comes now sees what it brought, at the latest soon, and may ask for another.
    pub(super) fn answered(&self) {
        let mut book = self.book();
        book.flight = book.wanted;
    }

    /// What a fetch brought is in force.
    pub(super) fn landed(&self) {
        if let Some(landed) = self.landed.get() {
            landed.send_modify(|count| *count += 1);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those who wait, if there is one.
    fn seat(self: &Arc<Self>, book: &mut Book) -> Option<Landing> {
        if book.waiting >= self.budget.waiting {
            return None;
        }
        book.waiting += 1;
        let (seat, mut landed) =
            (Seat(Arc::clone(self)), self.landed.get_or_init(|| watch::Sender::new(0)).subscribe());
        Some(Box::pin(async move {
            // An error means that the source is gone, and with it the reason to wait.
            let _ = landed.changed().await;
            drop(seat);
        }))
    }
}

/// Gives the place free again, also where the wait is given up.
struct Seat(Arc<Doorbell>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.book().waiting -= 1;
    }
}

/// The readers' side.
#[derive(Debug)]
pub(super) struct Button(pub(super) Arc<Doorbell>);

impl Supply for Button {
    fn ask(&self, kid: &str) -> Option<Landing> {
        let (bell, now) = (&self.0, Instant::now());
        let mut book = bell.book();
        if book.flight {
            return bell.seat(&mut book);
        }
        let Budget { fetches: (most, time), absent, .. } = bell.budget;
        book.begun.retain(|begun| now.duration_since(*begun) < time);
        book.asked.retain(|(_, when)| now.duration_since(*when) < absent);
        if book.begun.len() >= most || book.asked.iter().any(|(asked, _)| asked == kid) {
            return None;
        }
        book.begun.push_back(now);
        book.asked.push_back((kid.to_owned(), now));
        (book.wanted, book.flight) = (true, true);
        bell.rung.notify_one();
        bell.seat(&mut book)
    }

    fn join(&self) -> Option<Landing> {
        let mut book = self.0.book();
        if book.flight { self.0.seat(&mut book) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bell() -> (Arc<Doorbell>, Button) {
        let bell = Arc::new(Doorbell::new(Budget::default()));
        (Arc::clone(&bell), Button(bell))
    }

    /// Whether a fetch was asked for since the last look; if so, it begins.
    async fn rung(bell: &Doorbell) -> bool {
        let rung = tokio::time::timeout(Duration::ZERO, bell.rung()).await.is_ok();
        if rung {
            bell.took_off();
        }
        rung
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_names_causes_two_fetches_in_ten_seconds() {
        let (bell, button) = bell();
        let mut fetches = 0;
        for second in 0..60 {
            for n in 0..400 {
                drop(button.ask(&format!("kid-{second}-{n}")));
                if rung(&bell).await {
                    fetches += 1;
                    bell.answered();
                    bell.landed();
                }
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(fetches, 12);
        assert!(bell.book().asked.len() <= 2, "what is remembered does not grow with the flood");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_name_is_asked_for_once_in_ten_seconds() {
        let (bell, button) = bell();
        assert!(button.ask("gone").is_some() && rung(&bell).await);
        bell.answered();
        bell.landed();
        assert!(button.ask("gone").is_none());
        assert!(button.ask("other").is_some() && rung(&bell).await);
        bell.answered();
        bell.landed();
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(button.ask("gone").is_none() && !rung(&bell).await);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(button.ask("gone").is_some() && rung(&bell).await);
    }

    #[tokio::test]
    async fn callers_share_one_fetch_and_only_so_many_wait() {
        let (bell, button) = bell();
        let waiting: Vec<_> = (0..100).filter_map(|n| button.ask(&format!("kid-{n}"))).collect();
        assert_eq!(waiting.len(), 64);
        assert!(rung(&bell).await && !rung(&bell).await);
        assert!(button.join().is_none());
        bell.answered();
        bell.landed();
        for landing in waiting {
            landing.await;
        }
        assert_eq!(bell.book().waiting, 0);
        assert!(button.ask("kid-100").is_some(), "one fetch was begun, not one for each caller");
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_its_place() {
        let (bell, button) = bell();
        drop(button.ask("a"));
        assert_eq!(bell.book().waiting, 0);
        assert!(rung(&bell).await, "the fetch goes on without it");
        let second = button.ask("b");
        assert!(second.is_some() && !rung(&bell).await, "it waits for the fetch that is under way");
    }

    #[tokio::test]
    async fn a_round_under_way_is_joined_and_none_is_begun() {
        let (bell, button) = bell();
        assert!(button.join().is_none() && !rung(&bell).await);
        bell.took_off();
        let landing = button.join().unwrap();
        assert!(button.ask("a").is_some() && !rung(&bell).await);
        bell.answered();
        bell.landed();
        landing.await;
    }
}
