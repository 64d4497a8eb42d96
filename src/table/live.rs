//! What is in force now.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

/// Holds what was published last. Readers never wait; a reader that holds one publication keeps it to the end of its
/// request, whatever is published meanwhile.
#[derive(Debug)]
pub struct Live<T> {
    current: ArcSwapOption<T>,
    /// The last generation; held while publishing, so that two writers cannot overtake each other.
    last: Mutex<u64>,
}

impl<T> Default for Live<T> {
    fn default() -> Self {
        Self { current: ArcSwapOption::empty(), last: Mutex::new(0) }
    }
}

impl<T> Live<T> {
    /// Nothing is in force yet.
    pub fn empty() -> Self {
        Self::default()
    }

    /// What is in force, if anything ever was.
    pub fn load(&self) -> Option<Arc<T>> {
        self.current.load_full()
    }

    /// Puts what `make` gives in force for every later [`load`](Self::load). `make` is told the generation: 1 for
    /// the first publication, one more for each after it; it is also what comes back.
    pub fn publish(&self, make: impl FnOnce(u64) -> T) -> u64 {
        // A poisoned lock only means that an earlier `make` panicked: nothing was published then.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = *last + 1;
        self.current.store(Some(Arc::new(make(generation))));
        *last = generation;
        generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_loaded_while_the_next_is_published() {
        let live = Live::empty();
        assert!(live.load().is_none());
        assert_eq!(live.publish(|generation| (generation, "a")), 1);
        let held = live.load().unwrap();
        assert_eq!(live.publish(|generation| (generation, "b")), 2);
        assert_eq!(*held, (1, "a"));
        assert_eq!(live.load().unwrap().1, "b");
    }

    #[test]
    fn generations_never_repeat_when_many_publish() {
        let live = Live::empty();
        let mut seen: Vec<u64> = std::thread::scope(|scope| {
            let publish = || (0..250).map(|_| live.publish(|generation| generation)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(publish)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        seen.sort_unstable();
        assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
        assert_eq!(*live.load().unwrap(), 1000);
    }
}
