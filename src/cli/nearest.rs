//! A name that does not exist, and the one that may have been meant.

/// Of a name, so many characters are compared: those of a table have at most 63.
const MOST: usize = 200;

/// What is said of a name that is none: `there is no WHAT "NAME"; the nearest is "…"`.
pub(super) fn unknown<'n>(what: &str, name: &str, all: impl IntoIterator<Item = &'n str>) -> String {
    let given: Vec<char> = name.chars().take(MOST).flat_map(char::to_lowercase).collect();
    let nearest = all.into_iter().min_by_key(|known| distance(&given, known));
    let nearest = nearest.map_or_else(|| ", and no other".to_owned(), |known| format!("; the nearest is {known:?}"));
    format!("there is no {what} {name:?}{nearest}")
}

/// How many characters must be put in, left out or changed (Levenshtein), upper and lower case being one.
fn distance(given: &[char], known: &str) -> usize {
    // Row by row: what it takes from the first so many characters of `known` to each beginning of `given`.
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (line, character) in known.chars().take(MOST).flat_map(char::to_lowercase).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = line + 1;
        next.push(left);
        for (other, pair) in given.iter().zip(row.windows(2)) {
            let (diagonal, above) =
                (pair.first().copied().unwrap_or_default(), pair.last().copied().unwrap_or_default());
            left = (diagonal + usize::from(*other != character)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_leads_to_the_name_that_was_meant() {
        let names = ["github-actions", "gitlab", "kubernetes"];
        for (slip, meant) in [("GITHUB-actions", "github-actions"), ("gitlap", "gitlab"), ("kubernets", "kubernetes")] {
            assert_eq!(
                unknown("profile", slip, names),
                format!("there is no profile {slip:?}; the nearest is {meant:?}")
            );
        }
        assert_eq!(unknown("issuer", "a\nb", []), "there is no issuer \"a\\nb\", and no other");
    }

    #[test]
    fn the_distance_counts_what_is_put_in_left_out_and_changed() {
        let count = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), b);
        assert_eq!((count("kitten", "sitting"), count("", "abc"), count("abc", ""), count("a", "a")), (3, 3, 3, 0));
    }
}
