//! A protobuf map as a sorted list.

/// Room for the first entries: few proxies send more headers.
const FIRST: usize = 32;

/// The entries of a `map<string, V>` as they arrive: of one name, the last stands.
#[derive(Debug)]
pub(super) struct Entries<'a, V> {
    list: Vec<(&'a str, V)>,
}

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<'a, V: Copy> Entries<'a, V> {
    /// Takes one more entry. Before the list grows, earlier ones of equal names go: millions that repeat one name take
    /// no more room than one.
    pub(super) fn put(&mut self, name: &'a str, value: V) {
        if self.list.len() == self.list.capacity() {
            self.settle();
            self.list.reserve_exact(self.list.len().max(FIRST));
        }
        self.list.push((name, value));
    }

    /// The entries in the order of their names, each name once.
    pub(super) fn settled(mut self) -> Vec<(&'a str, V)> {
        self.settle();
        self.list
    }

    fn settle(&mut self) {
        // Stable: of equal names, the order of arrival stays, and the last one is kept.
        self.list.sort_by_key(|(name, _)| *name);
        self.list.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                *earlier = *later;
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_name_the_last_entry_stands() {
        let mut entries = Entries::default();
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("", 4), ("b", 5)] {
            entries.put(name, value);
        }
        assert_eq!(entries.settled(), [("", 4), ("a", 2), ("b", 5)]);
    }

    #[test]
    fn a_name_repeated_a_million_times_takes_no_more_room_than_one() {
        let mut entries = Entries::default();
        for value in 0..1_000_000 {
            entries.put(if value % 2 == 0 { "a" } else { "b" }, value);
        }
        assert!(entries.list.capacity() < 200, "{}", entries.list.capacity());
        assert_eq!(entries.settled(), [("a", 999_998), ("b", 999_999)]);
    }

    #[test]
    fn many_names_are_all_kept() {
        let names: Vec<String> = (0..100_000).map(|number| format!("{:06}", number * 7 % 100_000)).collect();
        let mut entries = Entries::default();
        for _ in 0..2 {
            names.iter().enumerate().for_each(|(at, name)| entries.put(name, at));
        }
        let settled = entries.settled();
        assert_eq!(settled.len(), 100_000);
        assert!(settled.is_sorted());
    }
}
