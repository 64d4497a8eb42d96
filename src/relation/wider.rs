//! Among many grants of one issuer and resource, the few that may hold all of another: nobody is compared with all.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use crate::claims::{Glob, Matcher, Scalar};
use crate::decide::{Grant, SubjectRule};
use crate::resource::PathPattern;

/// So many are shown at most: where more look alike, the rest is not seen.
const MAX_SHOWN: usize = 64;

/// Grants, each filed under the condition that the fewest share. Whatever holds all of another must have each of its own
/// conditions met by the other's, so it is filed under something that the other says too.
#[derive(Debug)]
pub struct Wider<'g> {
    filed: HashMap<Handle, Vec<&'g Grant>>,
}

/// The hash of a condition; two that share one only cost a comparison.
type Handle = u64;

impl<'g> Wider<'g> {
    /// Files these grants, in this order.
    pub fn new(grants: impl IntoIterator<Item = &'g Grant>) -> Self {
        let grants: Vec<_> = grants.into_iter().map(|grant| (grant, conditions(grant))).collect();
        let mut counts: HashMap<Handle, usize> = HashMap::new();
        for handle in grants.iter().flat_map(|(_, conditions)| conditions.iter().flatten()) {
            *counts.entry(*handle).or_default() += 1;
        }
        let common = |handles: &[Handle]| handles.iter().filter_map(|handle| counts.get(handle)).max().copied();
        let mut filed: HashMap<Handle, Vec<&Grant>> = HashMap::with_capacity(grants.len());
        for (grant, conditions) in &grants {
            let rarest = conditions.iter().min_by_key(|handles| common(handles));
            for handle in rarest.into_iter().flatten() {
                filed.entry(*handle).or_default().push(grant);
            }
        }
        Self { filed }
    }

    /// Those that may hold all of `narrow`, itself among them if it was filed; none twice, and of very many the first.
    pub fn candidates(&self, narrow: &Grant) -> Vec<&'g Grant> {
        let mut found: Vec<&Grant> = Vec::new();
        for grant in said(narrow).iter().filter_map(|handle| self.filed.get(handle)).flatten() {
            if found.len() >= MAX_SHOWN {
                break;
            }
            if !found.iter().any(|known| std::ptr::eq(*known, *grant)) {
                found.push(grant);
            }
        }
        found
    }
}

/// What a condition is about; a claim by its path.
#[derive(Hash)]
enum Condition<'a> {
    Subject(&'a str),
    SubjectStart(&'a str),
    Claim(&'a [String], Wanted<'a>),
    ClaimStart(&'a [String], &'a str),
    Element(&'a [String], Wanted<'a>),
    Word(&'a [String], &'a str),
    Path(&'a [&'a [u8]]),
}

#[derive(Hash)]
enum Wanted<'a> {
    Text(&'a str),
    Number(u64),
    Truth(bool),
}

impl Condition<'_> {
    fn handle(&self) -> Handle {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// The conditions under one of which a grant can be filed: under each handle of that one. The paths always are one.
fn conditions(grant: &Grant) -> Vec<Vec<Handle>> {
    let mut all = Vec::new();
    match &grant.subject {
        Some(SubjectRule::Exact(subjects)) => {
            all.push(subjects.iter().map(|subject| Condition::Subject(subject).handle()).collect());
        }
        Some(SubjectRule::Glob(glob)) => {
            let (parts, start) = glob.literal_parts();
            all.extend((parts > 0).then(|| vec![Condition::SubjectStart(start).handle()]));
        }
        Some(SubjectRule::Any) | None => {}
    }
    for rule in &grant.claims {
        let path = rule.key.path();
        let element = |scalar: &Scalar| Condition::Element(path, wanted(scalar)).handle();
        match &rule.matcher {
            Matcher::Glob(glob) => {
                let (parts, start) = glob.literal_parts();
                all.extend((parts > 0).then(|| vec![Condition::ClaimStart(path, start).handle()]));
            }
            Matcher::ContainsAny(scalars) => all.push(scalars.iter().map(element).collect()),
            Matcher::ContainsAll(scalars) => all.extend(scalars.first().map(|first| vec![element(first)])),
            Matcher::Word(word) => all.push(vec![Condition::Word(path, word).handle()]),
            Matcher::Present | Matcher::Absent => {}
            Matcher::Equals(_) | Matcher::OneOf(_) => {
                let scalars = rule.matcher.exact().into_iter().flatten();
                all.push(scalars.map(|scalar| Condition::Claim(path, wanted(scalar)).handle()).collect());
            }
        }
    }
    let start = |path: &PathPattern| path.starts().last().map(|start| Condition::Path(start).handle());
    all.push(grant.paths.iter().filter_map(start).collect());
    all
}

/// Everything that whatever holds all of a grant may be filed under. Of values that are all meant, the first is enough:
/// whatever holds all holds it.
fn said(grant: &Grant) -> Vec<Handle> {
    let mut all = Vec::new();
    match &grant.subject {
        Some(SubjectRule::Exact(subjects)) => {
            if let Some(subject) = subjects.first() {
                all.push(Condition::Subject(subject).handle());
                all.extend(starts(subject).map(|start| Condition::SubjectStart(start).handle()));
            }
        }
        Some(SubjectRule::Glob(glob)) => {
            all.extend(starts(glob.literal_start()).map(|start| Condition::SubjectStart(start).handle()));
        }
        Some(SubjectRule::Any) | None => {}
    }
    for rule in &grant.claims {
        let path = rule.key.path();
        let beginning = |text| starts(text).map(|start| Condition::ClaimStart(path, start).handle());
        let element = |scalar: &Scalar| Condition::Element(path, wanted(scalar)).handle();
        match &rule.matcher {
            Matcher::Glob(glob) => all.extend(beginning(glob.literal_start())),
            Matcher::ContainsAny(scalars) => all.extend(scalars.first().map(element)),
            Matcher::ContainsAll(scalars) => all.extend(scalars.iter().map(element)),
            Matcher::Word(word) => all.push(Condition::Word(path, word).handle()),
            Matcher::Present | Matcher::Absent => {}
            Matcher::Equals(_) | Matcher::OneOf(_) => {
                if let Some(scalar) = rule.matcher.exact().and_then(<[Scalar]>::first) {
                    all.push(Condition::Claim(path, wanted(scalar)).handle());
                    if let Scalar::String(text) = scalar {
                        all.extend(beginning(text));
                        all.extend(text.split(' ').map(|word| Condition::Word(path, word).handle()));
                    }
                }
            }
        }
    }
    let path = grant.paths.first().map(PathPattern::starts);
    all.extend(path.iter().flatten().map(|start| Condition::Path(start).handle()));
    all
}

/// The whole first parts of a text: what a glob that holds it may begin with.
fn starts(text: &str) -> impl Iterator<Item = &str> {
    (1..).map_while(move |parts| Glob::first_parts(text, parts))
}

fn wanted(scalar: &Scalar) -> Wanted<'_> {
    match scalar {
        Scalar::String(text) => Wanted::Text(text),
        // Both zeros are one.
        Scalar::Number(number) => Wanted::Number((number + 0.0).to_bits()),
        Scalar::Bool(truth) => Wanted::Truth(*truth),
    }
}
