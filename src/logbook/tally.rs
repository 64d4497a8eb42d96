//! A map that does not grow with the log.

use std::collections::BTreeMap;

/// Counts by key, within a bound on entries and on the bytes of their keys.
#[derive(Debug)]
pub(super) struct Tally<K, V> {
    entries: BTreeMap<K, V>,
    most: usize,
    bytes_left: usize,
    /// How often there was no room for another key.
    left_out: u64,
}

impl<K: Ord, V: Default> Tally<K, V> {
    /// Room for so many entries, whose keys weigh so many bytes in all.
    pub(super) const fn new(most: usize, bytes: usize) -> Self {
        Self { entries: BTreeMap::new(), most, bytes_left: bytes, left_out: 0 }
    }

    /// What belongs to a key of this weight; `None` where there is no room for another one, which is counted.
    pub(super) fn at(&mut self, key: K, weight: usize) -> Option<&mut V> {
        if !self.entries.contains_key(&key) {
            if self.entries.len() >= self.most || weight > self.bytes_left {
                self.left_out += 1;
                return None;
            }
            self.bytes_left -= weight;
        }
        Some(self.entries.entry(key).or_default())
    }

    /// How often there was no room.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Everything, in the order of the keys.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_and_what_is_there_goes_on() {
        let mut tally: Tally<String, u32> = Tally::new(2, 10);
        for key in ["a", "b", "a", "c", "a"] {
            if let Some(count) = tally.at(key.to_owned(), 1) {
                *count += 1;
            }
        }
        assert_eq!(tally.left_out(), 1);
        assert_eq!(tally.into_entries().collect::<Vec<_>>(), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
        let mut heavy: Tally<String, u32> = Tally::new(9, 10);
        assert!(heavy.at("long".to_owned(), 8).is_some() && heavy.at("longer".to_owned(), 8).is_none());
    }
}
