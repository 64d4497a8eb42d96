//! Values found by the patterns that match a path, without trying each pattern.

use std::collections::HashMap;

use super::path::{PathPattern, RequestPath, Segment, decoded};

/// Values by path pattern. A look-up costs by the segments of the path, not by the number of patterns.
#[derive(Debug)]
pub struct PathTree<T> {
    /// What follows by a literal segment, escapes resolved.
    literals: HashMap<Box<[u8]>, Self>,
    /// What follows by `*`.
    star: Option<Box<Self>>,
    /// Patterns that end here.
    here: Vec<T>,
    /// Patterns that end here with `**`.
    below: Vec<T>,
}

impl<T> Default for PathTree<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), star: None, here: Vec::new(), below: Vec::new() }
    }
}

impl<T> PathTree<T> {
    /// Adds a value under a pattern.
    pub fn insert(&mut self, pattern: &PathPattern, value: T) {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Star => node.star.get_or_insert_default(),
            };
        }
        let end = if pattern.has_tail() { &mut node.below } else { &mut node.here };
        end.push(value);
    }

    /// Shows `each` every value whose pattern matches the path, in no order.
    pub fn matching<'t>(&'t self, path: &RequestPath<'_>, each: &mut dyn FnMut(&'t T)) {
        self.follow(path.segments(), each);
    }

    /// Shows `each` every value whose pattern is as specific as this one and matches some path that it matches. Two such
    /// have one literal start: were one start longer, the longer one would be the more specific.
    pub(super) fn rivals<'t>(&'t self, pattern: &PathPattern, each: &mut dyn FnMut(&'t T)) {
        let start = pattern.literal_start();
        let step = |node: Option<&'t Self>, segment: &Segment| match segment {
            Segment::Literal(literal) => node?.literals.get(literal),
            Segment::Star => None,
        };
        let Some(node) = start.iter().fold(Some(self), step) else { return };
        if pattern.is_exact() {
            return node.here.iter().for_each(each);
        }
        node.below.iter().for_each(&mut *each);
        let Some(star) = &node.star else { return };
        match pattern.segments().get(start.len() + 1..) {
            Some(rest) => star.crossing(rest, pattern.has_tail(), each),
            None => star.all(each),
        }
    }

    /// Values of the patterns below that intersect what is left of another.
    fn crossing<'t>(&'t self, rest: &[Segment], tail: bool, each: &mut dyn FnMut(&'t T)) {
        let Some((segment, rest)) = rest.split_first() else {
            if tail {
                return self.all(each);
            }
            return self.here.iter().chain(&self.below).for_each(each);
        };
        self.below.iter().for_each(&mut *each);
        let mut star = self.star.as_deref();
        match segment {
            Segment::Literal(literal) => {
                self.literals.get(literal).into_iter().for_each(|next| next.crossing(rest, tail, each));
                // An empty segment is no star's.
                star = star.filter(|_| !literal.is_empty());
            }
            Segment::Star => {
                let filled = self.literals.iter().filter(|(literal, _)| !literal.is_empty());
                filled.for_each(|(_, next)| next.crossing(rest, tail, each));
            }
        }
        star.into_iter().for_each(|next| next.crossing(rest, tail, each));
    }

    fn all<'t>(&'t self, each: &mut dyn FnMut(&'t T)) {
        self.here.iter().chain(&self.below).for_each(&mut *each);
        self.literals.values().chain(self.star.as_deref()).for_each(|next| next.all(each));
    }

    fn follow<'t, 'p>(&'t self, mut rest: impl Iterator<Item = &'p str> + Clone, each: &mut dyn FnMut(&'t T)) {
        self.below.iter().for_each(&mut *each);
        let Some(segment) = rest.next() else { return self.here.iter().for_each(each) };
        let literal = if segment.contains('%') {
            self.literals.get(decoded(segment).collect::<Vec<_>>().as_slice())
        } else {
            self.literals.get(segment.as_bytes())
        };
        if let Some(next) = literal {
            next.follow(rest.clone(), each);
        }
        if let Some(next) = self.star.as_ref().filter(|_| !segment.is_empty()) {
            next.follow(rest, each);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEGMENTS: [&str; 7] = ["a", "b", "ab", "%40c", "@c", "d%20", "e"];

    fn patterns() -> impl Strategy<Value = Vec<String>> {
        let segment = prop_oneof![4 => prop::sample::select(&SEGMENTS[..]), 2 => Just("*")];
        let end = prop::sample::select(&["", "/", "/**"][..]);
        let pattern = (prop::collection::vec(segment, 0..4), end).prop_map(|(segments, end)| {
            let text = segments.iter().map(|segment| format!("/{segment}")).collect::<String>() + end;
            if text.is_empty() { "/".to_owned() } else { text }
        });
        prop::collection::vec(pattern, 0..40)
    }

    fn path() -> impl Strategy<Value = String> {
        let segments = prop::collection::vec(prop::sample::select(&SEGMENTS[..]), 0..5);
        (segments, any::<bool>()).prop_map(|(segments, slash)| {
            let text = segments.iter().map(|segment| format!("/{segment}")).collect::<String>();
            if slash || text.is_empty() { text + "/" } else { text }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_tree_finds_the_patterns_that_match_and_no_others(patterns in patterns(), path in path()) {
            let patterns: Vec<_> = patterns.iter().map(|text| PathPattern::parse(text).unwrap()).collect();
            let path = RequestPath::read(&path).unwrap();
            let mut tree = PathTree::default();
            for (number, pattern) in patterns.iter().enumerate() {
                tree.insert(pattern, number);
            }
            let mut found = Vec::new();
            tree.matching(&path, &mut |number| found.push(*number));
            found.sort_unstable();
            let matching = |number: &usize| patterns[*number].matches(&path);
            prop_assert_eq!(found, (0..patterns.len()).filter(matching).collect::<Vec<_>>());
        }

        #[test]
        fn the_rivals_of_a_pattern_are_equally_specific_and_intersect_it(patterns in patterns()) {
            let patterns: Vec<_> = patterns.iter().map(|text| PathPattern::parse(text).unwrap()).collect();
            let mut tree = PathTree::default();
            for (number, pattern) in patterns.iter().enumerate() {
                tree.insert(pattern, number);
            }
            for one in &patterns {
                let mut found = Vec::new();
                tree.rivals(one, &mut |number| found.push(*number));
                found.sort_unstable();
                let rival = |number: &usize| {
                    let two = &patterns[*number];
                    one.specificity() == two.specificity() && one.intersects(two)
                };
                prop_assert_eq!(found, (0..patterns.len()).filter(rival).collect::<Vec<_>>(), "{}", one);
            }
        }
    }
}
