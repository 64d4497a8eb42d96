//! What is in force now.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

/// A value with the number of the publication that put it in force.
#[derive(Debug)]
pub struct Published<T> {
    /// 1 for the first, one more with each.
    pub generation: u64,
    /// What was published.
    pub value: T,
}

/// Holds what was published last. Readers never wait; a reader that holds one publication keeps it to the end of its
/// request, whatever is published meanwhile.
#[derive(Debug)]
pub struct Live<T> {
    current: ArcSwapOption<Published<T>>,
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
    pub fn load(&self) -> Option<Arc<Published<T>>> {
        self.current.load_full()
    }

    /// Puts `value` in force for every later [`load`](Self::load) and gives its generation.
    pub fn publish(&self, value: T) -> u64 {
        self.publish_with(|_| value)
    }

    /// As [`publish`](Self::publish), for a value that carries its own generation.
    pub fn publish_with(&self, make: impl FnOnce(u64) -> T) -> u64 {
        // A poisoned lock only means that an earlier `make` panicked: nothing was published then.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = *last + 1;
        self.current.store(Some(Arc::new(Published { generation, value: make(generation) })));
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
        assert_eq!(live.publish("a"), 1);
        let held = live.load().unwrap();
        assert_eq!(live.publish("b"), 2);
        assert_eq!((held.generation, held.value), (1, "a"));
        assert_eq!(live.load().unwrap().value, "b");
    }

    #[test]
    fn generations_never_repeat_when_many_publish() {
        let live = Live::empty();
        let mut seen: Vec<u64> = std::thread::scope(|scope| {
            let publish = || (0..250).map(|_| live.publish_with(|generation| generation)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(publish)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        seen.sort_unstable();
        assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
        let last = live.load().unwrap();
        assert_eq!((last.generation, last.value), (1000, 1000));
    }
}
