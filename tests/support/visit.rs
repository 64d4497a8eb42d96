//! A world that many tests share, for the time of one of them.

use std::ops::Deref;

/// What a world's programs have written, each with its name.
pub trait Talks {
    /// Name and standard error of each.
    fn said(&self) -> Vec<(&'static str, String)>;
}

/// A shared world; when the test that holds it fails, the last lines of its programs are printed.
#[derive(Debug)]
pub struct Visit<W: Talks + 'static>(pub &'static W);

impl<W: Talks> Deref for Visit<W> {
    type Target = W;

    fn deref(&self) -> &W {
        self.0
    }
}

impl<W: Talks> Drop for Visit<W> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for (name, text) in self.0.said() {
            let tail: Vec<&str> = text.lines().rev().take(20).collect();
            eprintln!("--- the last lines of {name}:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}
