//! Globs within globs, and globs that share a value.

use crate::claims::Glob;

const SEPARATORS: [char; 3] = ['/', ':', '@'];

/// Whether every value of `narrow` is one of `wide`. Never wrongly true.
///
/// A star of `wide` takes a star of `narrow` as it takes any character; only `**` takes what may hold separators.
pub(super) fn within(narrow: &Glob, wide: &Glob) -> bool {
    let tail = |glob: &Glob| glob.as_str().ends_with("**");
    wide.matches(narrow.as_str()) && (tail(wide) || !tail(narrow))
}

/// Whether some value may have both forms. Never wrongly false.
pub fn meet(one: &Glob, two: &Glob) -> bool {
    let (mut ones, mut twos) = (parts(one.as_str()), parts(two.as_str()));
    loop {
        match (ones.next(), twos.next()) {
            (None, None) => return true,
            (Some((separator, a)), Some((other, b))) if separator == other => {
                if a == "**" || b == "**" {
                    return true;
                }
                if !parts_meet(a, b) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Two parts without separators: what stands before the first star of one must begin the other or the other way round,
/// and likewise at the end.
fn parts_meet(one: &str, two: &str) -> bool {
    if !one.contains('*') && !two.contains('*') {
        return one == two;
    }
    let ends = |part: &str| {
        let start = part.split('*').next().unwrap_or_default().to_owned();
        let end = part.rsplit('*').next().unwrap_or_default().to_owned();
        (start, end)
    };
    let ((start, end), (other_start, other_end)) = (ends(one), ends(two));
    let starts = start.starts_with(&other_start) || other_start.starts_with(&start);
    starts && (end.ends_with(&other_end) || other_end.ends_with(&end))
}

/// The parts of a glob, each with the separator before it.
fn parts(text: &str) -> impl Iterator<Item = (Option<char>, &str)> {
    let mut rest = Some((None, text));
    std::iter::from_fn(move || {
        let (before, text) = rest.take()?;
        let Some((part, tail)) = text.find(SEPARATORS).and_then(|at| text.split_at_checked(at)) else {
            return Some((before, text));
        };
        let mut tail = tail.chars();
        rest = tail.next().map(|separator| (Some(separator), tail.as_str()));
        Some((before, part))
    })
}
