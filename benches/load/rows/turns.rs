//! Several things measured in turn: A B C, C B A, A B C … One that fails drops out, and the others go on.

use super::pair::Pairs;
use crate::Outcome;
use crate::closed::Window;

/// How one of them is measured once.
pub(super) type Measure<'a> = Box<dyn FnMut() -> Outcome<Window> + 'a>;

/// What the rounds showed of each: all windows, or why there are none.
pub(super) struct Turns(Vec<Result<Vec<Window>, String>>);

impl Turns {
    /// Measures each once a round, in this order and then the other way round.
    pub(super) fn take(rounds: usize, measures: &mut [Measure<'_>]) -> Self {
        let mut windows: Vec<Result<Vec<Window>, String>> = measures.iter().map(|_| Ok(Vec::new())).collect();
        for round in 0..rounds {
            let mut all: Vec<_> = measures.iter_mut().zip(&mut windows).collect();
            if round % 2 == 1 {
                all.reverse();
            }
            for (measure, windows) in all {
                let Ok(so_far) = windows else { continue };
                match measure() {
                    Ok(window) => so_far.push(window),
                    Err(error) => *windows = Err(error.to_string()),
                }
            }
        }
        Self(windows)
    }

    /// The windows of two of them, by their places.
    pub(super) fn pairs(&self, yardstick: usize, subject: usize) -> Outcome<Pairs> {
        let of = |which: usize| self.0.get(which).ok_or("no such place")?.as_ref().map_err(|error| error.as_str());
        Ok(Pairs(of(yardstick)?.iter().cloned().zip(of(subject)?.iter().cloned()).collect()))
    }
}
