//! Chance for property tests: the same numbers for the same seed.

/// A small generator (xorshift); any seed but 0.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.throw(of.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.throw(100) < percent
    }
}
